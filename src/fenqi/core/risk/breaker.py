"""The circuit breaker: how many customers one kind of decision may harm in an hour and in a day.

A cap is a share of the decisions of its window, and an absolute least below which a share says
nothing: so a shop of a hundred accounts and a lender of ten million are both guarded. Beyond a cap
nobody is harmed by a machine any more: what the policy wanted becomes a review by a
person, the policy falls back to its last good version, and somebody is called. Counts are kept by
the minute, and a window counts every minute it touches, so that no sixty minutes and no day,
wherever they begin, ever hold more than the cap.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from fenqi.core.risk.decision import HARMFUL, LADDER, Effect
from fenqi.core.values.rate import PPM

HELD_BACK = "held-back"  # a word among the effects of a decision: what was not carried out
REVIEW_FIRST = "review:1"  # the most urgent


class Window(StrEnum):
    """Over what a cap counts."""

    HOUR = "hour"
    DAY = "day"

    @property
    def length(self) -> timedelta:
        """Return how long it is."""
        return timedelta(hours=1) if self is Window.HOUR else timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Caps:
    """How many decisions of one kind may have one harmful effect in any hour, and in any day.

    Units: `least` decisions, whatever was decided besides; `ppm` of the decisions of the window.
    """

    hour_least: int
    day_least: int
    hour_ppm: int = 0
    day_ppm: int = 0

    def of(self, window: Window, decided: int = 0) -> int:
        """Return the cap of a window in which so many decisions were made."""
        is_hour = window is Window.HOUR
        least, ppm = (self.hour_least, self.hour_ppm) if is_hour else (self.day_least, self.day_ppm)
        return max(least, decided * ppm // PPM)


@dataclass(frozen=True, slots=True)
class Taken:
    """How many there were in the windows that end now, the present minute included."""

    hour: int = 0
    day: int = 0

    def of(self, window: Window) -> int:
        """Return the count of a window."""
        return self.hour if window is Window.HOUR else self.day

    def plus(self, more: int) -> "Taken":
        """Return the counts after some more now."""
        return Taken(self.hour + more, self.day + more)


NONE = Taken()


@dataclass(frozen=True, slots=True)
class Admission:
    """How many of those wanted may be: the first `allowed`. `tripped` is the cap that was met."""

    allowed: int
    tripped: Window | None


def admit(wanted: int, taken: Taken, caps: Caps, decided: Taken = NONE) -> Admission:
    """Return how many of `wanted` harmful effects fit under both caps.

    `decided` is how many decisions there were in the windows, harmful or not.
    """
    rooms = {
        window: max(0, caps.of(window, decided.of(window)) - taken.of(window)) for window in Window
    }
    tightest = min(Window, key=lambda window: rooms[window])
    allowed = min(wanted, rooms[tightest])
    return Admission(allowed, tightest if allowed < wanted else None)


def minute_of(at: datetime) -> datetime:
    """Return the minute an instant belongs to."""
    return at.replace(second=0, microsecond=0)


def begins(window: Window, at: datetime) -> datetime:
    """Return the first minute that counts in the window that ends at `at`.

    It may hold up to a minute more than the window: what is counted is never too little.
    """
    return minute_of(at - window.length)


def harms_of(effects: Iterable[Sequence[Effect]]) -> dict[Effect, int]:
    """Return how often each harmful effect is wanted, mildest first."""
    found = dict.fromkeys((effect for effect in LADDER if effect in HARMFUL), 0)
    for wanted in effects:
        for effect in HARMFUL.intersection(wanted):
            found[effect] += 1
    return {effect: count for effect, count in found.items() if count}


def held_back(
    effects: Iterable[Sequence[Effect]], allowed: Mapping[Effect, int]
) -> list[frozenset[Effect]]:
    """Return what each decision may not do: who comes first takes the room there is."""
    left = dict(allowed)
    held = []
    for wanted in effects:
        none: set[Effect] = set()
        for effect in wanted:
            if effect not in HARMFUL:
                continue
            if left.get(effect, 0) > 0:
                left[effect] -= 1
            else:
                none.add(effect)
        held.append(frozenset(none))
    return held


def soften(words: Sequence[str], held: Collection[Effect]) -> tuple[str, ...]:
    """Return the effects of a decision of which some are held back: a person reviews it instead.

    Nobody does if only a check was held back, or the review itself: somebody has looked just now.

    Effects are words as decisions keep them, a parameter after a colon. What was held back is told
    among them, so that a record says what the policy itself wanted.
    """
    if not held:
        return tuple(words)
    kept = [word for word in words if effect_of(word) not in held]
    if is_reviewed(held) and all(effect_of(word) is not Effect.REVIEW for word in kept):
        kept.append(REVIEW_FIRST)
    return (*kept, *(f"{HELD_BACK}:{effect}" for effect in LADDER if effect in held))


def is_reviewed(held: Collection[Effect]) -> bool:
    """Return whether a person reviews what is held back."""
    return Effect.REVIEW not in held and not HARMFUL.isdisjoint(held)


def held_in(words: Iterable[str]) -> frozenset[Effect]:
    """Return what was held back, by the words of a decision."""
    parted = (word.partition(":") for word in words)
    return frozenset(Effect(rest) for word, _, rest in parted if word == HELD_BACK)


def effect_of(word: str) -> Effect | None:
    """Return the effect a word names; what was held back is none."""
    name = word.partition(":")[0]
    return None if name == HELD_BACK else Effect(name)


def outcome_of(words: Iterable[str], *, otherwise: str) -> str:
    """Return the strongest effect among words, `otherwise` if there is none."""
    effects = {effect_of(word) for word in words}
    return max(
        (effect for effect in effects if effect is not None), key=LADDER.index, default=otherwise
    )
