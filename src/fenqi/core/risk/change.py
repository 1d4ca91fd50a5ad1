"""A change of a limit or a price: what moves it, how far at once, and how it is explained.

What an account has now is what its customer agreed to (`base`) and signed parts, one per rule or
characteristic of the score, that stand on it: `base + sum(parts) == value`, always. An assessment
says which parts it wants; the change from old to new is told as the difference of each part, and
those differences sum exactly to the change. Whatever holds a change back (a band, a step, a wait)
only ever makes it smaller and never turns it, so every part keeps its sign.

Wanted parts are shares of the base and not of the value, so that the same facts, seen again, want
what stands already: nothing is cut twice for one reason. Of a rule whose inputs are unknown the
part stays as it is: what is not known moves nothing.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from itertools import pairwise

from fenqi.core.account import REASONS_MAX
from fenqi.core.errors import Invalid
from fenqi.core.values.rate import PPM

YEAR_DAYS = 365
PARTS_MAX = 64  # different rules and characteristics that stand on one value
SCORE = "score"  # what the parts of a characteristic begin with
ELSEWHERE = "elsewhere"  # the part of whatever changed the value without an assessment


class ChangeInvalid(Invalid):
    """An assessment wants what no value can follow: too many parts, or two of one name."""

    code = "change-invalid"


class Subject(StrEnum):
    """What is changed, and which way harms: a limit down, a price up."""

    LIMIT = "limit"
    PRICE = "price"

    @property
    def harm(self) -> int:
        """Return the sign of a change that harms the customer."""
        return -1 if self is Subject.LIMIT else 1


class Direction(StrEnum):
    """Which way a change went, as the customer sees it."""

    HARSHER = "harsher"
    MILDER = "milder"


class Bound(StrEnum):
    """What held a change back, or back altogether."""

    BAND = "band"  # too small to be worth a change
    TURN_BAND = "turn-band"  # too small for a change the other way than the last
    COOL_DOWN = "cool-down"  # too soon after the last
    TURN_COOL_DOWN = "turn-cool-down"  # too soon for the other way
    TURNS = "turns"  # it has swung often enough this year; a person looks at it
    STEP = "step"  # more than may be changed at once
    STRENGTH = "strength"  # more than the strongest rule asks for
    RANGE = "range"  # the least or the most there is
    LEVEL = "level"  # between two levels
    NO_REASON = "no-reason"  # it would harm, and no rule that harms is hit


@dataclass(frozen=True, slots=True)
class ChangeTerms:
    """How far and how often a value changes; data of the lender, never constants.

    Units: value units are minor units for a limit and ppm a year for a price. Shares are in ppm of
    the present value. `levels` are the only values a price may take; a limit has a `unit` instead.
    """

    subject: Subject
    band_ppm: int
    turn_band_ppm: int
    cool_down_days: int
    turn_days: int
    turns_a_year_max: int
    harsher_step_ppm_max: int
    milder_step_ppm_max: int
    least: int
    most: int
    unit: int = 1
    levels: tuple[int, ...] = ()
    offer_days: int = 0  # how long an offer to raise a limit stands; 0 where nothing is offered
    ppm_per_point: int = 0  # of the base, what one point of a score moves


@dataclass(frozen=True, slots=True)
class Standing:
    """A value and what it is made of. Units: those of the subject."""

    base: int
    parts: Mapping[str, int] = field(default_factory=dict)

    @property
    def value(self) -> int:
        """Return what holds now."""
        return self.base + sum(self.parts.values())


@dataclass(frozen=True, slots=True)
class Pull:
    """What one rule or characteristic wants: a signed share of the base, and why.

    Units: ppm of the base; above zero raises the value. `reason` is a code for the customer, and is
    there wherever the pull harms.
    """

    name: str
    ppm: int
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Past:
    """One earlier change: the day and which way."""

    on: date
    direction: Direction


@dataclass(frozen=True, slots=True)
class Change:
    """Old to new, explained. `parts` sum to `new - old`; `standing` is what the new is made of.

    A change that keeps the value has no parts; `bounds` then say what held it back, and `wanted` is
    the value there would be without them.
    """

    subject: Subject
    old: int
    new: int
    wanted: int
    parts: Mapping[str, int]
    standing: Standing
    reasons: tuple[str, ...]
    bounds: tuple[Bound, ...]
    turns: int  # changes of direction within a year, this one included

    @property
    def direction(self) -> Direction | None:
        """Return which way it goes, None if the value stays."""
        if self.new == self.old:
            return None
        harms = (self.new - self.old) * self.subject.harm > 0
        return Direction.HARSHER if harms else Direction.MILDER

    @property
    def is_offer(self) -> bool:
        """Return whether the customer must accept it first: a higher limit is more debt."""
        return self.subject is Subject.LIMIT and self.direction is Direction.MILDER


def propose(
    standing: Standing,
    pulls: Sequence[Pull],
    *,
    unknown: Collection[str] = (),
    harm_ppm_max: int | None = None,
    past: Sequence[Past] = (),
    on: date,
    terms: ChangeTerms,
) -> Change:
    """Return the change that `pulls` want of a standing value, held back by the terms.

    `unknown` names the rules nobody could tell of today, whose parts stay; with `harm_ppm_max` the
    parts together never harm by more than that share of the base. `past` are the changes of the
    year before `on`, oldest first.

    Units: those of the subject; pulls in ppm of the base.
    Errors: ChangeInvalid.
    """
    _check(standing, pulls)
    known = [pull for pull in pulls if pull.name not in unknown]
    moves = _moves(standing, known, unknown)
    raw = sum(moves.values())
    old = standing.value
    bounds: tuple[Bound, ...]
    reasons = _reasons(known, standing, moves, terms.subject)
    if raw * terms.subject.harm > 0 and not reasons:
        new, bounds = old, (Bound.NO_REASON,)
    else:
        new, bounds = _bounded(standing, raw, harm_ppm_max, past, on, terms)
    turns = _turns(past, on)
    if new == old:
        return _kept(standing, old + raw, bounds, turns, terms.subject)
    names = list(moves)
    parts = dict(zip(names, apportion(new - old, list(moves.values())), strict=True))
    direction = _direction(new - old, terms.subject)
    return Change(
        subject=terms.subject,
        old=old,
        new=new,
        wanted=old + raw,
        parts={name: part for name, part in parts.items() if part},
        standing=_after(standing, parts),
        reasons=reasons if direction is Direction.HARSHER else (),
        bounds=bounds,
        turns=turns + bool(past and past[-1].direction is not direction),
    )


def reconciled(standing: Standing, value: int) -> Standing:
    """Return a standing whose sum is what really holds; what was changed elsewhere has a part."""
    off = value - standing.value
    if not off:
        return standing
    return _after(standing, {ELSEWHERE: off})


def left_of(parts: Mapping[str, int], stood: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Return what still stands of a change's parts.

    `stood` is what stood of each part after that change and after every later one. What was taken
    back once does not come back by another change that has a part of the same name.

    Units: those of the subject.
    """
    left = dict(parts)
    for after in stood:
        for name, part in left.items():
            here = after.get(name, 0)
            left[name] = (max if part < 0 else min)(part, here) if part * here > 0 else 0
    return {name: part for name, part in left.items() if part}


def agreed(standing: Standing, subject: Subject) -> Standing:
    """Return what an accepted offer leaves standing.

    A value beyond the base is agreed anew: what spoke for it is used up, what speaks against stays
    a part, so that the next assessment does not take it off a second time.
    """
    if (standing.value - standing.base) * subject.harm >= 0:
        return standing
    against = {name: part for name, part in standing.parts.items() if part * subject.harm > 0}
    return Standing(standing.value - sum(against.values()), against)


def by_points(pull: Pull, lost: Mapping[str, int], reasons: Mapping[str, str]) -> list[Pull]:
    """Return a pull of a score split over its characteristics, by the points each of them lost.

    A score that lost nothing leaves the pull whole.

    Units: points in, ppm of the base out; the parts sum to the pull.
    """
    names = [name for name, points in lost.items() if points > 0]
    if not names:
        return [pull]
    shares = apportion(pull.ppm, [lost[name] for name in names])
    return [
        Pull(f"{SCORE}:{name}", share, reasons.get(name, pull.reason))
        for name, share in zip(names, shares, strict=True)
        if share
    ]


def apportion(total: int, weights: Sequence[int]) -> list[int]:
    """Return `total` split by signed weights; each part is within one unit of its exact share.

    The odd units go to the largest remainders, the earliest first, so parts sum to `total`.

    Errors: ChangeInvalid if the weights sum to zero and the total does not.
    """
    whole = sum(weights)
    if not whole:
        if total:
            raise ChangeInvalid(total=total, weights=list(weights))
        return [0] * len(weights)
    sign = 1 if whole > 0 else -1
    return _whole([sign * total * weight for weight in weights], sign * whole)


def _whole(numerators: Sequence[int], denominator: int) -> list[int]:
    """Return each fraction as a whole number; their sum is that of the fractions, rounded down."""
    divided = [divmod(one, denominator) for one in numerators]
    parts = [quotient for quotient, _ in divided]
    odd = sum(rest for _, rest in divided) // denominator
    order = sorted(range(len(parts)), key=lambda place: (-divided[place][1], place))
    for place in order[:odd]:
        parts[place] += 1
    return parts


def _check(standing: Standing, pulls: Sequence[Pull]) -> None:
    names = {pull.name for pull in pulls}
    if len(names) != len(pulls) or len(names | set(standing.parts)) > PARTS_MAX:
        raise ChangeInvalid(names=sorted(pull.name for pull in pulls), most=PARTS_MAX)


def _moves(standing: Standing, known: Sequence[Pull], unknown: Collection[str]) -> dict[str, int]:
    """Return by how much each part wants to move, in a fixed order of names."""
    amounts = _whole([standing.base * pull.ppm for pull in known], PPM)
    targets = {pull.name: amount for pull, amount in zip(known, amounts, strict=True)}
    names = sorted((set(standing.parts) | set(targets)) - set(unknown))
    moves = {name: targets.get(name, 0) - standing.parts.get(name, 0) for name in names}
    return {name: move for name, move in moves.items() if move}


def _bounded(
    standing: Standing,
    raw: int,
    harm_ppm_max: int | None,
    past: Sequence[Past],
    on: date,
    terms: ChangeTerms,
) -> tuple[int, tuple[Bound, ...]]:
    """Return the new value and what held the change back; it lies between old and old + raw."""
    old = standing.value
    if not raw:
        return old, ()
    direction = _direction(raw, terms.subject)
    wait = _waits(direction, past, on, terms)
    if wait is not None:
        return old, (wait,)
    bounds = []
    target = old + raw
    for bound, allowed in (
        (Bound.STRENGTH, _strength(standing, old + raw, direction, harm_ppm_max, terms.subject)),
        (Bound.STEP, _step(old, raw, direction, terms)),
        (Bound.RANGE, min(max(old + raw, terms.least), terms.most)),
    ):
        held = _between(old, target, allowed)
        if held != target:
            bounds.append(bound)
        target = held
    level = _level(old, target, terms)
    if level != target:
        bounds.append(Bound.LEVEL)
    turned = bool(past) and past[-1].direction is not direction
    band_ppm = terms.turn_band_ppm if turned else terms.band_ppm
    if abs(level - old) * PPM < band_ppm * abs(old):
        bounds.append(Bound.TURN_BAND if turned else Bound.BAND)
        level = old
    return level, tuple(bounds)


def _strength(
    standing: Standing,
    target: int,
    direction: Direction,
    harm_ppm_max: int | None,
    subject: Subject,
) -> int:
    """Return how far a harsher change may go: what stands of unknown rules counts against it."""
    if direction is Direction.MILDER or harm_ppm_max is None:
        return target
    furthest = standing.base + subject.harm * (standing.base * harm_ppm_max // PPM)
    return max(target, furthest) if subject is Subject.LIMIT else min(target, furthest)


def _waits(
    direction: Direction, past: Sequence[Past], on: date, terms: ChangeTerms
) -> Bound | None:
    """Return what makes a change wait altogether, if anything does."""
    if not past:
        return None
    last = past[-1]
    if on < last.on + timedelta(days=terms.cool_down_days):
        return Bound.COOL_DOWN
    if last.direction is direction:
        return None
    if on < last.on + timedelta(days=terms.turn_days):
        return Bound.TURN_COOL_DOWN
    return Bound.TURNS if _turns(past, on) >= terms.turns_a_year_max else None


def _turns(past: Sequence[Past], on: date) -> int:
    """Return how often the value changed its direction in the year before a day."""
    since = on - timedelta(days=YEAR_DAYS)
    return sum(
        before.direction is not after.direction
        for before, after in pairwise(past)
        if after.on > since
    )


def _step(old: int, raw: int, direction: Direction, terms: ChangeTerms) -> int:
    most = (
        terms.harsher_step_ppm_max if direction is Direction.HARSHER else terms.milder_step_ppm_max
    )
    room = abs(old) * most // PPM
    return old + max(-room, min(room, raw))


def _between(old: int, target: int, allowed: int) -> int:
    """Return `allowed` where it lies between old and target; no bound turns or makes a change."""
    least, most = min(old, target), max(old, target)
    return min(max(allowed, least), most)


def _level(old: int, target: int, terms: ChangeTerms) -> int:
    """Return the level nearest to `target` between it and the old value."""
    least, most = min(old, target), max(old, target)
    if terms.levels:
        found = [level for level in terms.levels if least <= level <= most]
    elif target < old:
        found = [-(-target // terms.unit) * terms.unit]
    else:
        found = [target // terms.unit * terms.unit]
    found = [level for level in found if least <= level <= most]
    if not found:
        return old
    return max(found) if target > old else min(found)


def _direction(move: int, subject: Subject) -> Direction:
    return Direction.HARSHER if move * subject.harm > 0 else Direction.MILDER


def _reasons(
    pulls: Sequence[Pull], standing: Standing, moves: Mapping[str, int], subject: Subject
) -> tuple[str, ...]:
    """Return the codes of the pulls that harm, those that weigh most first; each code once.

    Where none of them moves (what spoke for the customer is over), it is what stands already.
    """
    harmful = [pull for pull in pulls if pull.ppm * subject.harm > 0 and pull.reason is not None]
    for weights in (moves, standing.parts):
        weighed = [(weights.get(pull.name, 0) * subject.harm, pull) for pull in harmful]
        order = sorted(
            (one for one in weighed if one[0] > 0), key=lambda one: (-one[0], one[1].name)
        )
        codes = dict.fromkeys(pull.reason for _, pull in order if pull.reason is not None)
        if codes:
            return tuple(codes)[:REASONS_MAX]
    return ()


def _after(standing: Standing, parts: Mapping[str, int]) -> Standing:
    summed = dict(standing.parts)
    for name, part in parts.items():
        summed[name] = summed.get(name, 0) + part
    return Standing(standing.base, {name: part for name, part in sorted(summed.items()) if part})


def _kept(
    standing: Standing, wanted: int, bounds: tuple[Bound, ...], turns: int, subject: Subject
) -> Change:
    value = standing.value
    return Change(subject, value, value, wanted, {}, standing, (), bounds, turns)
