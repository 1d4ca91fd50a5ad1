"""What would change a decision: the smallest change of one input that harms less or not at all.

Only what a customer can do is told: ask for less, pay, prove who they are, show an income. Where a
condition compares, the input's own boundary is solved for and both sides of it are tried; whatever
is told was decided again with the changed value, so it is never a guess.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple
from weakref import WeakKeyDictionary

from fenqi.core.account import Outcome, Standing, judge
from fenqi.core.risk.decision import HARMFUL
from fenqi.core.risk.input import Unit, Value
from fenqi.core.risk.policy.expression import (
    LEAST,
    MOST,
    PPM_OF_ONE,
    Among,
    Compared,
    Computed,
    Named,
    Number,
    Sum,
    Term,
    Truth,
    names,
    walk,
)
from fenqi.core.risk.policy.policy import STRENGTH, Act, Policy, Verdict
from fenqi.core.risk.policy.rows import Decide
from fenqi.core.risk.policy.trace import Values, value_of

TRIED_MAX = 2_000  # changed rows that are decided again


def _less(was: int, near: int) -> bool:
    return 0 <= near < was


def _more(was: int, near: int) -> bool:
    return near > was


COUNT = "instalment_count"
# What a customer can change, and which way; nobody is told to be older or to have a higher limit.
CAN_DO: Mapping[str, Callable[[int, int], bool]] = {
    "amount_minor": lambda was, near: 0 < near < was,
    COUNT: lambda was, near: 0 < near != was,
    "used_minor": _less,
    "utilisation_ppm": _less,
    "available_minor": _more,
    "overdue_days": lambda was, near: near == 0 < was,  # paid; nobody makes a day undone
    "overdue_minor": _less,
    "is_stepped_up": _more,
    "needs_step_up": _less,
    "income_evidenced_minor": _more,
    "obligations_monthly_minor": _less,
}


class Turn(NamedTuple):
    """A change of one input and the outcome it leads to. Units: those of the input."""

    name: str
    value: int
    would_be: int
    outcome: str

    @property
    def text(self) -> str:
        """The change as decisions keep it, as JSON."""
        return json.dumps(self._asdict())


def told(policy: Policy, decide: Decide, row: Sequence[Value]) -> str | None:
    """Return what `turned` finds as decisions keep it."""
    turn = turned(policy, decide, row)
    return None if turn is None else turn.text


def turned_of_judge(standing: Standing, amount_minor: int) -> Turn | None:
    """Return what would make the built-in judge approve, or None.

    Units: minor units of the account's currency.
    """
    if judge(standing, amount_minor).outcome is Outcome.APPROVE:
        return None
    left = standing.limit_minor - standing.used_minor
    tried = (
        (standing, left, Turn("amount_minor", amount_minor, left, Outcome.APPROVE.value)),
        (
            standing._replace(overdue_days=0),
            amount_minor,
            Turn("overdue_days", standing.overdue_days, 0, Outcome.APPROVE.value),
        ),
    )
    for changed, amount, turn in tried:
        if amount > 0 and judge(changed, amount).outcome is Outcome.APPROVE:
            return turn
    return None


def turned(policy: Policy, decide: Decide, row: Sequence[Value]) -> Turn | None:
    """Return the nearest change of one known input that makes the harm milder, or None.

    Near is small against the value itself. A verdict that harms nobody needs no change.
    """
    verdict = decide(row)
    harm = _harm(verdict)
    if not harm:
        return None
    turning = _turning(policy, decide)
    led = [one for one in verdict.hits if turning.harms[one] == harm]
    # A line that leads to the harm by itself has to be hit no more.
    ways = [way for way in turning.ways if all(way.name in turning.named[one] for one in led)]
    return _nearest(policy, decide, row, ways, led, lambda after: _harm(after) < harm)


def turned_to(
    policy: Policy, decide: Decide, row: Sequence[Value], is_wanted: Callable[[Verdict], bool]
) -> Turn | None:
    """Return the nearest change of one known input to a verdict that is wanted, or None.

    Of a purchase whose plan is not on the menu; another number of instalments is another plan.
    """
    ways = [way for way in _turning(policy, decide).ways if way.name != COUNT]
    return _nearest(policy, decide, row, ways, (), is_wanted)


def _nearest(
    policy: Policy,
    decide: Decide,
    row: Sequence[Value],
    ways: Sequence["_Way"],
    led: Sequence[int],
    is_wanted: Callable[[Verdict], bool],
) -> Turn | None:
    values: dict[str, Value] = {
        one.name: value for one, value in zip(policy.inputs, row, strict=True)
    }
    best: tuple[int, int, Turn] | None = None
    tried = 0
    for one in ways:
        value = row[one.place]
        if value is None:
            continue
        for near in one.candidates(value, values, led):
            distance = abs(near - value) * PPM_OF_ONE // max(1, abs(value))
            tried += 1
            if tried > TRIED_MAX or (best is not None and distance >= best[0]):
                break
            after = decide([*row[: one.place], near, *row[one.place + 1 :]])
            if is_wanted(after):
                best = (distance, one.place, Turn(one.name, value, near, after.outcome))
                break
    return None if best is None else best[2]


def _harm(verdict: Verdict) -> int:
    """Return the strength of the strongest effect that harms, 0 for none."""
    return _strongest(verdict.effects)


def _strongest(acts: Sequence[Act]) -> int:
    return max((STRENGTH[act.effect] for act in acts if act.effect in HARMFUL), default=0)


class _Way(NamedTuple):
    """An input a customer can change: its place in a row, and the parts of conditions about it.

    `own` has those of each line by itself, `parts` all of them.
    """

    name: str
    place: int
    unit: Unit
    parts: tuple[Among | Compared, ...]
    own: Mapping[int, tuple[Among | Compared, ...]]

    def candidates(self, value: int, values: Values, led: Sequence[int]) -> Iterator[int]:
        """Yield the values he can change it to at which a condition may turn.

        First those of the lines that led to the harm, of which one will do nearly always, then
        those of all; of both the nearest first.
        """
        tried: set[int] = set()
        for parts in ([one for line in led for one in self.own.get(line, ())], self.parts):
            found = {0, *self._turning(parts, values)} - tried
            found = {near for near in found if CAN_DO[self.name](value, near)}
            tried |= found
            yield from sorted(found, key=lambda near: (abs(near - value), near))

    def _turning(self, parts: Sequence[Among | Compared], values: Values) -> Iterator[int]:
        if self.unit is Unit.FLAG:
            yield 1
            return
        for part in parts:
            if isinstance(part, Among):
                for option in part.options:
                    yield from _around(option.value, self.unit)
            else:
                for boundary in _boundaries(part.left, part.right, self.name, values):
                    yield from _around(boundary, self.unit)


class _Turning(NamedTuple):
    """What is known of a policy before a row is: of each line what it names and how it harms."""

    ways: tuple[_Way, ...]
    named: tuple[frozenset[str], ...]
    harms: tuple[int, ...]

    @classmethod
    def of(cls, policy: Policy) -> "_Turning":
        """Read a policy once."""
        ways = tuple(
            _Way(one.name, place, one.unit, *_parts_of(policy, one.name))
            for place, one in enumerate(policy.inputs)
            if one.name in CAN_DO
        )
        named = [frozenset(names(policy.condition(line))) for line in policy.lines]
        for table in policy.tables:  # which row is the first depends on those above it
            if table.is_first:
                whole = frozenset[str]().union(*(named[one] for one in table.lines))
                for one in table.lines:
                    named[one] = whole
        harms = tuple(_strongest(line.acts) for line in policy.lines)
        return cls(ways, tuple(named), harms)


# Of the policies that decide in this program, by what they were compiled to.
_READ: WeakKeyDictionary[Decide, _Turning] = WeakKeyDictionary()


def _turning(policy: Policy, decide: Decide) -> _Turning:
    found = _READ.get(decide)
    if found is None:
        found = _READ[decide] = _Turning.of(policy)
    return found


def _parts_of(
    policy: Policy, name: str
) -> tuple[tuple[Among | Compared, ...], dict[int, tuple[Among | Compared, ...]]]:
    """Return the parts of conditions at which an input may turn something, all and by line."""
    own = {line.number: tuple(_parts(line.when, name)) for line in policy.lines}
    return tuple(part for parts in own.values() for part in parts), own


def _parts(when: Truth, name: str) -> Iterator[Among | Compared]:
    for node in walk(when):
        match node:
            case Compared() if name in names(node):
                yield node
            case Among(term=Named(other)) if other == name:
                yield node
            case _:
                pass


def _around(boundary: int, unit: Unit) -> Iterator[int]:
    least = LEAST if unit is Unit.POINTS else 0  # nothing else is below zero
    for near in (boundary - 1, boundary, boundary + 1):
        if least <= near <= MOST:
            yield near


def _boundaries(left: Term, right: Term, name: str, values: Values) -> Iterator[int]:
    """Yield where two terms are equal as the input moves and all else stays."""
    for term, other in ((left, right), (right, left)):
        if name in names(term) and name not in names(other):
            wanted = value_of(other, values)
            if wanted is not None:
                yield from _solved(term, name, wanted, values)
            return
    # The input stands on both sides: follow their difference, which is straight nearly always.
    difference = Computed(Sum.MINUS, left, right)
    here, step = values[name], 1
    if here is None:
        return
    first = value_of(difference, values)
    second = value_of(difference, {**values, name: here + step})
    if first is not None and second is not None and second != first:
        yield here - first // (second - first)


def _solved(term: Term, name: str, wanted: int, values: Values) -> Iterator[int]:
    """Yield the input's values at which a term is `wanted`, going down to where it stands."""
    match term:
        case Named():
            yield wanted
        case Computed():
            is_left = name in names(term.left)
            inner, other = (term.left, term.right) if is_left else (term.right, term.left)
            known = value_of(other, values)
            if known is None:
                return
            for target in _undone(term.sum, wanted, known, is_left=is_left):
                yield from _solved(inner, name, target, values)
        case Number():
            return


def _undone(sign: Sum, wanted: int, known: int, *, is_left: bool) -> Iterator[int]:
    """Yield what one side must be so that both together make `wanted`, or nearly."""
    match sign:
        case Sum.PLUS:
            yield wanted - known
        case Sum.MINUS:
            yield wanted + known if is_left else known - wanted
        case Sum.TIMES:
            yield from _quotients(wanted, known)
        case Sum.DIVIDED:
            if is_left:
                yield from (wanted * known, (wanted + 1) * known)
            else:
                yield from _quotients(known, wanted)
        case Sum.LEAST | Sum.MOST:
            yield wanted
        case Sum.PART:
            yield from _quotients(wanted * PPM_OF_ONE, known)
        case Sum.SHARE:
            if is_left:
                yield from (wanted * known // PPM_OF_ONE, wanted * known // PPM_OF_ONE + 1)
            else:
                yield from _quotients(known * PPM_OF_ONE, wanted)


def _quotients(whole: int, part: int) -> Iterator[int]:
    if part:
        yield from (whole // part, -(-whole // part))
