"""How far a response to a suspicion may go: the ladder, its caps, and no harm twice.

Evidence is weak if it is shared by chance: a network address, a street. Alone it may ask for a
check, open a review, or hold new purchases for some hours; whatever harsher was asked becomes the
harshest of these (P6). A cause does its harm once, and a hold without proof does not follow another
before a pause has passed, so that holds never add up to a freeze nobody answers for. A check is
asked for a time; what was asked for once is asked again only for facts that came after.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from fenqi.core.errors import Invalid
from fenqi.core.risk.decision import Effect
from fenqi.core.terms.pack import Pack
from fenqi.core.values.name import as_heard

REASONS_MAX = 4  # P3: one to four true reasons
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MOMENTS = HOUR  # nobody is told again of what lasts as much longer
# How long a cause that a person found harmless does no harm again, and one a check was asked for
# asks for none about the same facts.
CLEARED = 30 * DAY


class ResponseInvalid(Invalid):
    """A response without reasons, with too many, or that ends before it begins."""

    code = "response-invalid"


class Strength(StrEnum):
    """How much evidence says by itself."""

    WEAK = "weak"  # a shared network address or street: many honest people share one
    STRONG = "strong"  # the customer's own facts; a device, card or phone that accounts share


class ProtectionKind(StrEnum):
    """What keeps new purchases of an account from being made, makes them smaller or asks first."""

    HOLD = "hold"
    FREEZE = "freeze"
    SMALLER_LIMIT = "smaller-limit"
    STEP_UP = "step-up"  # a check is asked for before the next purchase


class Finding(StrEnum):
    """How a protection ended."""

    EXPIRED = "expired"  # its time was over
    FALSE_ALARM = "false-alarm"  # a person found nothing wrong
    LIFTED = "lifted"  # a person ended it without finding out what it was
    CURED = "cured"  # what it was placed for is over
    PASSED = "passed"  # the customer passed the check
    REPLACED = "replaced"  # one of the same case that lasts longer took its place


# What weak evidence may lead to; whatever else is asked becomes what stands beside it.
MILDER = {
    Effect.NUDGE: Effect.NUDGE,
    Effect.RELIEF: Effect.RELIEF,
    Effect.STEP_UP: Effect.STEP_UP,
    Effect.COOLER_MENU: Effect.REVIEW,
    Effect.SMALLER_LIMIT: Effect.REVIEW,
    Effect.DEARER_PRICE: Effect.REVIEW,
    Effect.REVIEW: Effect.REVIEW,
    Effect.HOLD: Effect.HOLD,
    Effect.FREEZE: Effect.HOLD,
    Effect.DECLINE: Effect.REVIEW,
}
KINDS = {
    Effect.HOLD: ProtectionKind.HOLD,
    Effect.FREEZE: ProtectionKind.FREEZE,
    Effect.SMALLER_LIMIT: ProtectionKind.SMALLER_LIMIT,
    Effect.STEP_UP: ProtectionKind.STEP_UP,
}


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the pack allows, of conduct rules its newest version.

    Units: as the names say; 0 allows none.
    """

    hold_hours_max: int
    pause_hours: int
    freeze_days_alone_max: int
    step_up_hours: int = 0

    @classmethod
    def of(cls, pack: Pack) -> "Bounds":
        """Return the bounds of a pack."""
        return cls(
            hold_hours_max=pack.protective_hold_hours_max,
            pause_hours=pack.protection_pause_hours,
            freeze_days_alone_max=pack.freeze_days_alone_max,
            step_up_hours=pack.step_up_hours,
        )


@dataclass(frozen=True, slots=True)
class Past:
    """A protection that was placed before, running or over."""

    kind: ProtectionKind
    cause: str
    strength: Strength
    ends_at: datetime
    ended_at: datetime | None
    finding: Finding | None
    case_id: UUID | None = None
    placed_at: datetime | None = None
    alone_by: str | None = None  # who placed it, unless a second person agreed

    def ended_by(self, now: datetime) -> datetime | None:
        """Return when it ended, None if it runs."""
        ended = self.ended_at if self.ended_at is not None else self.ends_at
        return ended if ended <= now else None


@dataclass(frozen=True, slots=True)
class Step:
    """What is done: an effect, until when, and until when it would be with a second person.

    `until` is None for what has no end of its own.
    """

    effect: Effect
    until: datetime | None = None
    asked_until: datetime | None = None


def temper(
    effect: Effect,
    until: datetime | None,
    *,
    cause: str,
    strength: Strength,
    past: Iterable[Past],
    bounds: Bounds,
    now: datetime,
    within: Collection[UUID] = (),
    facts_at: datetime | None = None,
    by: str = "",
) -> Step | None:
    """Return what may be done of what was asked, None if its cause has done its harm already.

    `past` are the protections of the same account, `within` the cases that the new one would belong
    to: what protects it for as long in one of them is enough. A hold or check that may not be
    placed becomes a review: a suspicion is never lost, only looked at instead. `facts_at` is when
    the newest of the facts came that ask for a check, None if nothing newer is known. `by` is who
    asks: freezes asked for in pieces, for one cause after another, last no longer than one would.

    Errors: ResponseInvalid if `until` is missing or not later than `now` where it is needed.
    """
    allowed = MILDER[effect] if strength is Strength.WEAK else effect
    kind = KINDS.get(allowed)
    if kind is None:
        return Step(allowed)
    if until is None or until <= now:
        raise ResponseInvalid(cause=cause, effect=effect.value, until=until, now=now)
    known = list(past)
    same = [one for one in known if one.cause == cause]
    if any(_is_spent(one, kind, bounds, now, facts_at) for one in same):
        return None
    if kind is ProtectionKind.STEP_UP:
        over = min(until, now + bounds.step_up_hours * HOUR)
        return Step(allowed, over, over) if over > now else Step(Effect.REVIEW)
    if kind is ProtectionKind.FREEZE:
        began = _alone_since(known, by, bounds, now)
        alone = min(until, began + bounds.freeze_days_alone_max * DAY)
        if alone <= now:
            return Step(Effect.REVIEW)
        return None if _is_covered(known, kind, alone, within, now) else Step(allowed, alone, until)
    if kind is ProtectionKind.SMALLER_LIMIT:
        return Step(allowed, until, until)
    ends = min(until, now + bounds.hold_hours_max * HOUR)
    if _is_covered(known, kind, ends, within, now):
        return None
    is_paused = strength is Strength.WEAK and any(_is_recent(one, bounds, now) for one in known)
    return Step(Effect.REVIEW) if ends <= now or is_paused else Step(allowed, ends, ends)


def check_reasons(reasons: Iterable[str], *, cause: str) -> tuple[str, ...]:
    """Return the different reasons in their order. Errors: ResponseInvalid if none or above four.

    Whoever does harm says why (P3).
    """
    given = tuple(dict.fromkeys(reasons))
    if not 1 <= len(given) <= REASONS_MAX:
        raise ResponseInvalid(cause=cause, reasons=given)
    return given


def replaces(kind: ProtectionKind, ends_at: datetime, old: Past, now: datetime) -> bool:
    """Whether a hold or freeze takes the place of a running one of the same case.

    A customer who is told of a freeze is not told of a hold beside it.
    """
    if old.ended_by(now) is not None or old.ends_at > ends_at:
        return False
    return old.kind is ProtectionKind.HOLD or (old.kind is kind is ProtectionKind.FREEZE)


def _is_covered(
    known: Iterable[Past],
    kind: ProtectionKind,
    ends_at: datetime,
    within: Collection[UUID],
    now: datetime,
) -> bool:
    """Whether what runs in one of some cases protects as much and, but for moments, as long."""
    enough = {kind, ProtectionKind.FREEZE}
    return any(
        one.case_id in within
        and one.kind in enough
        and one.ended_by(now) is None
        and one.ends_at > ends_at - MOMENTS
        for one in known
    )


def _alone_since(known: Iterable[Past], by: str, bounds: Bounds, now: datetime) -> datetime:
    """Return when somebody's freezes began that go on until now, `now` if there are none.

    A pause shorter than the pack's is none; what a second person agreed to is nobody's alone.
    """
    since, pause = now, bounds.pause_hours * HOUR
    mine = [
        (one.ended_by(now) or now, one.placed_at)
        for one in known
        if one.kind is ProtectionKind.FREEZE
        and one.placed_at is not None
        and one.alone_by is not None
        and as_heard(one.alone_by) == as_heard(by)
    ]
    for ended, placed_at in sorted(mine, reverse=True):
        if ended + pause > since:
            since = min(since, placed_at)
    return since


def _is_spent(
    one: Past, kind: ProtectionKind, bounds: Bounds, now: datetime, facts_at: datetime | None
) -> bool:
    """Whether a protection of the same cause stands in the way of one of this kind.

    A running one does, and for a while one that ended, longer if a person found nothing wrong. A
    hold gives way to a freeze, because what is known may have grown. A smaller limit that ended
    because its facts were over stands in nobody's way: facts that come again are new ones. Nor does
    a check, once there are facts that came after it.
    """
    ended = one.ended_by(now)
    if one.finding is Finding.FALSE_ALARM and ended is not None and now < ended + CLEARED:
        return True
    if one.kind is not kind:
        return False
    if one.finding is Finding.CURED and kind is ProtectionKind.SMALLER_LIMIT and ended is not None:
        return False
    if kind is ProtectionKind.STEP_UP and ended is not None:
        return now < ended + CLEARED and (facts_at is None or facts_at <= ended)
    return ended is None or now < ended + bounds.pause_hours * HOUR


def _is_recent(one: Past, bounds: Bounds, now: datetime) -> bool:
    """Whether a weak hold runs or has ended so recently that no other may follow it."""
    if one.kind is not ProtectionKind.HOLD or one.strength is not Strength.WEAK:
        return False
    ended = one.ended_by(now)
    return ended is None or now < ended + bounds.pause_hours * HOUR
