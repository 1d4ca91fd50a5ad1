"""What would change a decision: the smallest change of one input that harms less or not at all.

Only what a customer can do is told: ask for less, pay, prove who they are, show an income. Where a
condition compares, the input's own boundary is solved for and both sides of it are tried; whatever
is told was decided again with the changed value, so it is never a guess.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

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
    Flag,
    Named,
    Number,
    Sum,
    Term,
    names,
    walk,
)
from fenqi.core.risk.policy.policy import STRENGTH, Policy, Verdict
from fenqi.core.risk.policy.rows import Decide
from fenqi.core.risk.policy.trace import Values, value_of

TRIED_MAX = 2_000  # changed rows that are decided again


def _less(was: int, near: int) -> bool:
    return 0 <= near < was


def _more(was: int, near: int) -> bool:
    return near > was


# What a customer can change, and which way; nobody is told to be older or to have a higher limit.
CAN_DO: Mapping[str, Callable[[int, int], bool]] = {
    "amount_minor": lambda was, near: 0 < near < was,
    "instalment_count": lambda was, near: 0 < near != was,
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
    if not _harm(verdict):
        return None
    values = {one.name: value for one, value in zip(policy.inputs, row, strict=True)}
    found: list[tuple[int, int, Turn]] = []
    tried = 0
    for place, one in enumerate(policy.inputs):
        value = row[place]
        may = CAN_DO.get(one.name)
        if value is None or may is None:
            continue
        candidates = sorted(
            {
                near
                for near in (0, *_candidates(policy, one.name, one.unit, values))
                if may(value, near)
            },
            key=lambda near: (abs(near - value), near),
        )
        for near in candidates:
            tried += 1
            if tried > TRIED_MAX:
                break
            changed = [*row[:place], near, *row[place + 1 :]]
            after = decide(changed)
            if _harm(after) < _harm(verdict):
                distance = abs(near - value) * PPM_OF_ONE // max(1, abs(value))
                found.append((distance, place, Turn(one.name, value, near, after.outcome)))
                break
    return min(found)[2] if found else None


def _harm(verdict: Verdict) -> int:
    """Return the strength of the strongest effect that harms, 0 for none."""
    harms = (act.effect for act in verdict.effects if act.effect in HARMFUL)
    return max((STRENGTH[effect] for effect in harms), default=0)


def _candidates(policy: Policy, name: str, unit: Unit, values: Values) -> Iterator[int]:
    """Yield values of an input at which some condition may turn."""
    if unit is Unit.FLAG:
        yield from (0, 1)
        return
    for line in policy.lines:
        for node in walk(line.when):
            if isinstance(node, Flag | Among):
                if node.term == Named(name) and isinstance(node, Among):
                    for option in node.options:
                        yield from _around(option.value, unit)
            elif isinstance(node, Compared) and name in names(node):
                for boundary in _boundaries(node.left, node.right, name, values):
                    yield from _around(boundary, unit)


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
