"""A policy over columns: many rows of inputs at once, for the history, shadows and the lab.

The array twin of `rows`: every verdict equals that of the single row (property test). Rows are
taken in blocks that stay in the processor's cache. A part that stands in several lines is computed
once a block. Where a block has no unknown input, nobody asks whether one is known.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from fenqi.core.errors import Invalid
from fenqi.core.risk.decision import HARMFUL, LADDER, Effect
from fenqi.core.risk.policy.arithmetic import Column, Flags, Whole, computed
from fenqi.core.risk.policy.conclude import Conclusion
from fenqi.core.risk.policy.expression import (
    OPPOSITE,
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
    walk,
)
from fenqi.core.risk.policy.policy import (
    APPROVE,
    REASONS_MAX,
    STRENGTH,
    WEIGHT,
    Policy,
    Table,
    Threshold,
    Verdict,
)

BLOCK_ROWS = 32_768
OUTCOMES = (APPROVE, *(effect.value for effect in LADDER))  # by strength
COMPARE: dict[Order, Callable[..., Flags]] = {
    Order.EQUAL: np.equal,
    Order.UNEQUAL: np.not_equal,
    Order.LESS: np.less,
    Order.LESS_OR_EQUAL: np.less_equal,
    Order.MORE: np.greater,
    Order.MORE_OR_EQUAL: np.greater_equal,
}
NO_REASON = -1

Decide = Callable[[Whole, Flags | None], "Verdicts"]


class RowsInvalid(Invalid):
    """Arrays that are no rows of a policy's inputs."""

    code = "policy-rows-invalid"


@dataclass(frozen=True, slots=True, eq=False)
class Verdicts:
    """The verdicts of many rows.

    Shapes: `strength` (rows,) the place of the outcome in OUTCOMES; `points` and `surely`, the
    least the points can be, (rows,); `hits` and `unknown` (lines, rows), a byte for each.
    """

    conclusion: Conclusion
    strength: NDArray[np.uint8]
    points: NDArray[np.int32]
    surely: NDArray[np.int32]
    hits: Flags
    unknown: Flags

    def __len__(self) -> int:
        return len(self.strength)

    def outcome(self, row: int) -> str:
        """Return one row's outcome."""
        return OUTCOMES[int(self.strength[row])]

    def verdict(self, row: int) -> Verdict:
        """Return one row's verdict, as the single row would have it."""
        rank = self.conclusion.rank.__getitem__
        hits = sorted(np.flatnonzero(self.hits[:, row]).tolist(), key=rank)
        lines = self.conclusion.policy.lines
        return self.conclusion.verdict(
            hits,
            sorted(np.flatnonzero(self.unknown[:, row]).tolist(), key=rank),
            points=int(self.points[row]),
            surely=int(self.surely[row]),
            taken=[one for one in hits if lines[one].offers],
        )

    def reasons(self) -> tuple[tuple[str, ...], NDArray[np.int16]]:
        """Return the reason codes, and each row's reasons as places among them.

        Shapes: (rows, 4), strongest first, then NO_REASON.
        """
        codes = tuple(self.conclusion.policy.reasons)
        found = np.full((len(self), REASONS_MAX), NO_REASON, np.int16)
        for first in range(0, len(self), BLOCK_ROWS):
            block = slice(first, min(first + BLOCK_ROWS, len(self)))
            self._fill_reasons(block, {code: place for place, code in enumerate(codes)}, found)
        return codes, found

    def _fill_reasons(self, block: slice, places: dict[str, int], found: NDArray[np.int16]) -> None:
        by_points = _by_points(
            self.conclusion.thresholds, self.points[block], self.surely[block], WEIGHT
        )
        hits = self.hits[:, block]
        picked = np.full((REASONS_MAX, len(by_points)), NO_REASON, np.int16)
        orders: dict[tuple[int, ...], list[int]] = {}  # which weights lead to the same order
        for threshold in np.unique(by_points).tolist():
            orders.setdefault(self.conclusion.leading(threshold), []).append(threshold)
        for order, weights in orders.items():
            counts = np.where(np.isin(by_points, weights), 0, REASONS_MAX).astype(np.int8)
            for place, number in enumerate(order):
                code = self.conclusion.policy.lines[number].reason
                if code is None:
                    continue
                if place % 8 == 0 and (counts == REASONS_MAX).all():
                    break
                is_hit = hits[number] & (counts < REASONS_MAX)
                if self.conclusion.is_code_shared[code]:
                    is_hit &= (picked != places[code]).all(axis=0)
                hit = np.flatnonzero(is_hit)
                count = counts[hit]
                picked[count, hit] = places[code]
                counts[hit] = count + 1
        found[block] = picked.T


def compile_columns(policy: Policy) -> Decide:
    """Return the function that decides about columns: values and which of them are known.

    Units: as the inputs declare, int64. Shapes: values (inputs, rows) in the order of
    `policy.inputs`, known the same or None if all are.
    Errors: RowsInvalid.
    """
    program = _Columns(policy)
    return program.decide


class _Columns:
    """One policy, ready to decide about blocks of rows."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.conclusion = Conclusion(policy)
        self.conditions = [policy.condition(line) for line in policy.lines]
        in_tables = policy.in_tables
        self.alone = [line for line in policy.lines if line.number not in in_tables]
        self.tables = [table for table in policy.tables if table.is_first]
        self.shared = _shared(self.conditions)
        self.is_computing = any(isinstance(one, Computed) for one in policy.terms)
        self.acting = [line for line in policy.lines if line.acts]
        self.scoring = [line for line in policy.lines if line.points]

    def decide(self, values: Whole, known: Flags | None = None) -> Verdicts:
        inputs = len(self.policy.inputs)
        if values.ndim != 2 or values.shape[0] != inputs or values.dtype != np.int64:
            raise RowsInvalid(wants=f"int64, ({inputs}, rows)", shape=values.shape)
        if known is not None and (known.shape != values.shape or known.dtype != np.bool_):
            raise RowsInvalid(wants=f"bool, {values.shape}", shape=known.shape)
        lines, rows = len(self.policy.lines), values.shape[1]
        found = Verdicts(
            conclusion=self.conclusion,
            strength=np.zeros(rows, np.uint8),
            points=np.zeros(rows, np.int32),
            surely=np.zeros(rows, np.int32),
            hits=np.zeros((lines, rows), np.bool_),
            unknown=np.zeros((lines, rows), np.bool_),
        )
        for first in range(0, rows, BLOCK_ROWS):
            part = slice(first, min(first + BLOCK_ROWS, rows))
            mask = None if known is None else known[:, part]
            block = _Block(
                self.policy,
                values[:, part],
                mask,
                shared=self.shared,
                is_computing=self.is_computing,
            )
            self._decide_block(block, part, found)
        return found

    def _decide_block(self, block: "_Block", part: slice, found: Verdicts) -> None:
        hits, unknown = found.hits[:, part], found.unknown[:, part]
        lower = np.zeros(block.rows, np.int32)  # how far unknown lines may lower the points
        for line in self.alone:
            condition = self.conditions[line.number]
            hits[line.number] = block.surely(condition)
            if block.may_be_unknown:
                left = ~hits[line.number]
                unknown[line.number] = left & ~block.surely(condition, is_denied=True)
                if line.points < 0:
                    lower += unknown[line.number] * np.int32(line.points)
        for table in self.tables:
            self._decide_table(block, table, hits, unknown, lower)
        points = found.points[part]
        for line in self.scoring:
            points += hits[line.number] * np.int32(line.points)
        found.surely[part] = points + lower
        strength = found.strength[part]
        for line in self.acting:
            np.maximum(strength, hits[line.number] * np.uint8(line.strength), out=strength)
        thresholds = self.conclusion.thresholds
        by_points = _by_points(thresholds, points, found.surely[part], STRENGTH)
        np.maximum(strength, by_points, out=strength)

    def _decide_table(
        self,
        block: "_Block",
        table: Table,
        hits: Flags,
        unknown: Flags,
        lower: NDArray[np.int32],
    ) -> None:
        """Find each row's first line of a table."""
        is_open = np.ones(block.rows, np.bool_)
        is_unsure = np.zeros(block.rows, np.bool_)
        for number in table.lines:
            condition = self.conditions[number]
            taken = is_open & block.surely(condition)
            hits[number] = taken & ~is_unsure
            is_open &= ~taken
            if block.may_be_unknown:
                unknown[number] = is_open & ~block.surely(condition, is_denied=True)
                is_unsure |= unknown[number]
        if not is_unsure.any():
            return
        lower += is_unsure * np.int32(
            min(0, *(self.policy.lines[one].points for one in table.lines))
        )
        if table.if_unknown is not None:
            hits[table.if_unknown] |= is_unsure


class _Block:
    """Some rows of inputs; what was asked of them once is kept."""

    def __init__(
        self,
        policy: Policy,
        values: Whole,
        known: Flags | None,
        *,
        shared: frozenset[Truth],
        is_computing: bool,
    ) -> None:
        self.rows = values.shape[1]
        self._shared = shared
        self._columns: dict[Term, Column] = {}
        self.may_be_unknown = is_computing
        for place, one in enumerate(policy.inputs):
            mask = None if known is None or known[place].all() else known[place]
            column = values[place] if mask is None else np.where(mask, values[place], 0)
            self._columns[Named(one.name)] = Column(column, mask)
            self.may_be_unknown |= mask is not None
        self._asked: dict[tuple[Truth, bool], Flags] = {}

    def surely(self, truth: Truth, *, is_denied: bool = False) -> Flags:
        """Return where a condition is surely true, or with `is_denied` surely false."""
        if not self._shared or truth not in self._shared:
            return self._ask(truth, is_denied=is_denied)
        key = (truth, is_denied)
        found = self._asked.get(key)
        if found is None:
            found = self._asked[key] = self._ask(truth, is_denied=is_denied)
        return found

    def _ask(self, truth: Truth, *, is_denied: bool) -> Flags:
        match truth:
            case Always():
                return np.full(self.rows, not is_denied)
            case Flag():
                column = self._column(truth.term)
                test = np.equal if is_denied else np.not_equal
                return self._where_known(test(column.values, 0), column)
            case Compared():
                order = OPPOSITE[truth.order] if is_denied else truth.order
                return self._compare(COMPARE[order], truth.left, truth.right)
            case Among():
                column = self._column(truth.term)
                options = [one.value for one in truth.options]
                return self._where_known(np.isin(column.values, options, invert=is_denied), column)
            case Known():
                known = self._column(truth.term).known
                is_known = np.ones(self.rows, np.bool_) if known is None else known
                return ~is_known if is_denied else is_known
            case Not():
                return self.surely(truth.part, is_denied=not is_denied)
            case All() | Any():
                is_all = isinstance(truth, All) is not is_denied
                return self._joined(truth.parts, is_all=is_all, is_denied=is_denied)
        assert_never(truth)

    def _joined(self, parts: Sequence[Truth], *, is_all: bool, is_denied: bool) -> Flags:
        join = np.logical_and if is_all else np.logical_or
        found = join(
            self.surely(parts[0], is_denied=is_denied), self.surely(parts[1], is_denied=is_denied)
        )
        for part in parts[2:]:
            join(found, self.surely(part, is_denied=is_denied), out=found)
        return found

    def _compare(self, test: Callable[..., Flags], left: Term, right: Term) -> Flags:
        if isinstance(right, Number) and not isinstance(left, Number):
            column = self._column(left)  # a number is compared as it stands, not as a column
            return self._where_known(test(column.values, right.value), column)
        one, other = self._column(left), self._column(right)
        return self._where_known(test(one.values, other.values), one, other)

    def _where_known(self, found: Flags, *columns: Column) -> Flags:
        for column in columns:
            if column.known is not None:
                found = found & column.known
        return found

    def _column(self, term: Term) -> Column:
        found = self._columns.get(term)
        if found is None:
            if isinstance(term, Number):
                found = Column(np.full(self.rows, term.value, np.int64), None)
            elif isinstance(term, Computed):
                found = computed(term.sum, self._column(term.left), self._column(term.right))
            else:
                raise RowsInvalid(wants=term.name)
            self._columns[term] = found
        return found


def _shared(conditions: Sequence[Truth]) -> frozenset[Truth]:
    """Return the parts that stand more than once, and so are worth keeping."""
    nodes = [one for truth in conditions for one in walk(truth)]
    counts = Counter(one for one in nodes if not isinstance(one, Named | Number | Computed))
    return frozenset(one for one, count in counts.items() if count > 1)


def _by_points(
    thresholds: Sequence[Threshold],
    points: NDArray[np.int32],
    surely: NDArray[np.int32],
    places: Mapping[Effect, int],
) -> NDArray[np.uint8]:
    """Return the highest place of the effects that points lead to, 0 for none."""
    found = np.zeros(len(points), np.uint8)
    for one in thresholds:
        is_reached = points >= one.at_least
        is_sure = is_reached & (surely >= one.at_least)
        for act in one.acts:
            where = is_sure if act.effect in HARMFUL else is_reached
            np.maximum(found, where * np.uint8(places[act.effect]), out=found)
    return found
