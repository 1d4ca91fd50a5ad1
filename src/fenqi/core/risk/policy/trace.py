"""One decision told part by part: which line was hit, and the value of every part of it.

Slow and plain: the two compilations are measured against it. A person who asks why reads it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from fenqi.core.risk.input import Value
from fenqi.core.risk.policy.conclude import Conclusion
from fenqi.core.risk.policy.expression import (
    All,
    Always,
    Among,
    Any,
    Compared,
    Computed,
    Flag,
    Known,
    Named,
    Not,
    Number,
    Order,
    Term,
    Truth,
    computed,
    said,
    walk,
)
from fenqi.core.risk.policy.policy import Line, Policy, Table, Verdict

Values = Mapping[str, Value]  # by name


class Status(StrEnum):
    """What became of a line."""

    HIT = "hit"
    NOT_HIT = "not-hit"
    UNKNOWN = "unknown"  # an input is missing
    SUPPRESSED = "suppressed"  # its condition holds, and so does one that suppresses it
    ERROR = "error"  # all inputs are there, but a value divides by zero or leaves 64 bits
    NOT_ASKED = "not-asked"  # a row below the first that held


@dataclass(frozen=True, slots=True)
class Told:
    """What became of one line, and the value of each part of its condition, None if unknown."""

    line: Line
    status: Status
    parts: tuple[tuple[str, int | bool | None], ...]


def trace(policy: Policy, row: Sequence[Value]) -> tuple[Verdict, tuple[Told, ...]]:
    """Return the verdict on one row and what became of each line, in the order of the file."""
    values = {one.name: value for one, value in zip(policy.inputs, row, strict=True)}
    truths = [truth_of(policy.condition(line), values) for line in policy.lines]
    hits = {line.number for line in policy.lines if truths[line.number]}
    unknown = {line.number for line in policy.lines if truths[line.number] is None}
    least = sum(min(0, policy.lines[one].points) for one in unknown - policy.in_tables)
    passed: set[int] = set()
    taken = {one for one in hits if policy.lines[one].offers}
    for table in policy.tables:
        if not table.is_first:
            continue
        found = _first(table, truths)
        if found.is_unsure:
            least += min(0, *(policy.lines[one].points for one in table.lines))
        for one in table.lines:
            hits.discard(one)
            taken.discard(one)
        for one in found.passed:
            unknown.discard(one)
        passed |= found.passed
        if found.row is not None:
            hits.add(found.row)
            taken |= {found.row} if policy.lines[found.row].offers else set()
    conclusion = Conclusion(policy)
    points = sum(policy.lines[one].points for one in hits)
    verdict = conclusion.verdict(
        sorted(hits, key=conclusion.rank.__getitem__),
        sorted(unknown, key=conclusion.rank.__getitem__),
        points=points,
        surely=points + least,
        taken=sorted(taken, key=conclusion.rank.__getitem__),
    )
    told = tuple(_told(policy, line, values, hits, passed) for line in policy.lines)
    return verdict, told


@dataclass(frozen=True, slots=True)
class _Found:
    row: int | None
    is_unsure: bool
    passed: frozenset[int]  # rows nobody asks any more


def _first(table: Table, truths: Sequence[bool | None]) -> _Found:
    is_unsure = False
    for place, number in enumerate(table.lines):
        if truths[number]:
            row = table.if_unknown if is_unsure else number
            return _Found(row, is_unsure, frozenset(table.lines[place + 1 :]))
        is_unsure = is_unsure or truths[number] is None
    return _Found(table.if_unknown if is_unsure else None, is_unsure, frozenset())


def _told(policy: Policy, line: Line, values: Values, hits: set[int], passed: set[int]) -> Told:
    own = truth_of(line.when, values)
    if line.number in hits:
        status = Status.HIT
    elif line.number in passed:
        status = Status.NOT_ASKED
    elif own is None or truth_of(policy.condition(line), values) is None:
        is_missing = any(values[one.name] is None for one in _named(policy.condition(line)))
        status = Status.UNKNOWN if is_missing else Status.ERROR
    elif own and line.suppressed_by:
        status = Status.SUPPRESSED
    else:
        status = Status.NOT_HIT
    return Told(line, status, tuple(_parts(line.when, values)))


def _named(truth: Truth) -> Iterator[Named]:
    return (one for one in walk(truth) if isinstance(one, Named))


def _parts(truth: Truth, values: Values) -> Iterator[tuple[str, int | bool | None]]:
    """Yield the parts of a condition with their values, inputs first, each once."""
    told: set[str] = set()
    for node in walk(truth):
        text = said(node)
        if isinstance(node, Number) or text in told:
            continue
        told.add(text)
        is_term = isinstance(node, Named | Computed)
        yield text, value_of(node, values) if is_term else truth_of(node, values)  # type: ignore[arg-type]


def truth_of(truth: Truth, values: Values) -> bool | None:
    """Return whether a condition holds, None if nobody can know."""
    match truth:
        case Always():
            return True
        case Flag():
            flag = values[truth.term.name]
            return None if flag is None else flag != 0
        case Compared():
            left, right = value_of(truth.left, values), value_of(truth.right, values)
            return None if left is None or right is None else _holds(truth.order, left, right)
        case Among():
            value = value_of(truth.term, values)
            return None if value is None else value in {one.value for one in truth.options}
        case Known():
            return value_of(truth.term, values) is not None
        case Not():
            inner = truth_of(truth.part, values)
            return None if inner is None else not inner
        case All() | Any():
            decisive = isinstance(truth, Any)  # one true part decides any, one false part all
            found = {truth_of(part, values) for part in truth.parts}
            return decisive if decisive in found else None if None in found else not decisive
    assert_never(truth)


def value_of(term: Term, values: Values) -> Value:
    """Return a value; None if a part is unknown, it divides by zero or leaves 64 bits."""
    match term:
        case Named():
            return values[term.name]
        case Number():
            return term.value
        case Computed():
            left, right = value_of(term.left, values), value_of(term.right, values)
            return None if left is None or right is None else computed(term.sum, left, right)
    assert_never(term)


def _holds(order: Order, left: int, right: int) -> bool:
    match order:
        case Order.EQUAL:
            return left == right
        case Order.UNEQUAL:
            return left != right
        case Order.LESS:
            return left < right
        case Order.LESS_OR_EQUAL:
            return left <= right
        case Order.MORE:
            return left > right
        case Order.MORE_OR_EQUAL:
            return left >= right
    assert_never(order)
