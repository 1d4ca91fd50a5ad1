"""A life: operations as they were recorded, and the state that follows from them.

An operation that comes last in order continues from the kept state; a backdated or undone one
replays the list. Nothing else in fenqi computes a balance.
Source of the order: the vectors' README, section "Allocation".
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from fenqi.core.terms.life import balance
from fenqi.core.terms.life.accrual import Accruals, accrue_end, accrue_night, accrue_rest
from fenqi.core.terms.life.activity import (
    Activities,
    post_closing,
    post_night,
    renew,
    take_back_closing,
)
from fenqi.core.terms.life.finish import finish
from fenqi.core.terms.life.operations import (
    AddCharge,
    AddPeriods,
    ChangeRate,
    Disburse,
    MoveDueDay,
    NightlyRun,
    Operation,
    PauseInterest,
    ReAge,
    ReAgeInterest,
    ReAmortise,
    Receive,
    Undo,
    WaiveCharge,
)
from fenqi.core.terms.life.state import ChargeState, Kind, Row, Status, Transaction
from fenqi.core.terms.life.step import step
from fenqi.core.terms.life.terms import LifeTerms
from fenqi.core.terms.life.walk import Name, OperationSenseless, Walk

Key = tuple[date, date, int, int]
ONE_DAY = timedelta(days=1)
BEFORE_ALL = 0  # changes of terms count before what happens on their day


@dataclass(frozen=True, slots=True)
class View:
    """A plan as it stands on a day: rows, transactions, charges, status.

    Units: minor units.
    """

    rows: tuple[Row, ...]
    transactions: tuple[Transaction, ...]
    charges: tuple[ChargeState, ...]
    lent_minor: int
    overpaid_minor: int
    status: Status

    @property
    def open_minor(self) -> int:
        """What is still to be paid."""
        return sum(row.open_minor for row in self.rows)


class Life:
    """The operations of one plan and the state after them."""

    def __init__(self, terms: LifeTerms) -> None:
        self.terms = terms
        self.recorded: list[Operation] = []
        self._ordered: list[Operation] = []
        self._keys: list[Key] = []
        self._undone: set[Name] = set()
        self._reversed: list[Transaction] = []  # as they stood when they were undone
        self._replayed: set[Name] = set()
        self.counted_on = date.min  # overdue principal has borne interest up to this day
        self.processed_through = date.min  # the last night that was run
        self.accruals = Accruals()
        self.activities: Activities = {}
        self.walk = Walk(terms)  # after the last operation

    def record(self, operation: Operation) -> None:
        """Take an operation in; on an error the life is unchanged.

        Errors: OperationSenseless.
        """
        if isinstance(operation, NightlyRun):
            self._run_night(operation)
        else:
            was_closed = self.walk.is_closed
            has_replayed = self._take_in(operation)
            self._count(operation)
            self._recognise(operation, was_closed=was_closed, has_replayed=has_replayed)
        self.recorded.append(operation)

    def view(self, as_of: date | None = None) -> View:
        """Return the plan as it stands on a day; by default the day interest was counted to."""
        walk = finish(self.walk, as_of or self.counted_on)
        transactions = [*walk.transactions, *self._reversed]
        for one in transactions:
            one.is_replayed = (one.number, one.kind) in self._replayed
        transactions += [*self.accruals.rows, *self.activities.values()]
        return View(
            rows=tuple(walk.rows),
            transactions=tuple(sorted(transactions, key=lambda one: (one.on, one.number))),
            charges=tuple(walk.charges.values()),
            lent_minor=walk.lent_minor,
            overpaid_minor=walk.overpaid_minor,
            status=_status(walk),
        )

    def leave_out(self, name: Name) -> None:
        """Let a derived transaction not happen."""
        self._undone.add(name)
        self.walk = self._walk_through(self._ordered)

    def _run_night(self, run: NightlyRun) -> None:
        """Accrue by what was counted so far, then count interest to the morning."""
        counted = finish(self.walk, self.counted_on)
        if self.terms.rules.accrues:
            now = finish(self.walk, run.on)
            accrue_night(self.accruals, counted, now, run.number, run.on)
        self.counted_on = run.on + ONE_DAY
        self.processed_through = run.on
        if self.terms.rules.posts_activity and self.walk.rows:
            walk = finish(self.walk, run.on)
            post_night(self.activities, walk, run.number, run.on)

    def _count(self, operation: Operation) -> None:
        """Count interest to the day of recording; a charge on an extra row leaves it."""
        if isinstance(operation, AddCharge) and self.walk.model is not None:
            is_after_all = operation.due_on > self.walk.model.periods[-1].due_on
            if is_after_all and not self.walk.is_closed:
                return
        self.counted_on = operation.booked_on

    def _recognise(self, operation: Operation, *, was_closed: bool, has_replayed: bool) -> None:
        """Recognise income that an operation has brought forward or taken back."""
        if self.walk.earned_at_end is not None and self.terms.rules.accrues:
            accrue_end(self.accruals, operation.number, *self.walk.earned_at_end)
        if self.walk.is_written_off or not self.walk.rows:
            return
        walk = finish(self.walk, self.counted_on)
        if walk.is_closed and self.terms.rules.accrues:
            accrue_rest(self.accruals, walk, operation.number, operation.booked_on)
        if not self.terms.rules.posts_activity:
            return
        if walk.is_closed:
            is_receipt = isinstance(operation, Receive)
            closed_on = operation.on if is_receipt else max(one.on for one in walk.transactions)
            post_closing(self.activities, walk, operation.number, closed_on)
        elif was_closed:
            take_back_closing(self.activities, walk, operation.number, operation.booked_on)
        elif has_replayed or self._rearranges(operation):
            renew(self.activities, walk, operation.number, self.processed_through)

    @staticmethod
    def _rearranges(operation: Operation) -> bool:
        """Return whether an operation changes what past rows have recognised."""
        if isinstance(operation, ReAge):
            return operation.interest is not ReAgeInterest.DEFAULT
        return isinstance(operation, ReAmortise)

    def _take_in(self, operation: Operation) -> bool:
        """Let an operation count; return whether earlier ones had to be replayed."""
        if isinstance(operation, Undo):
            self._undo(operation)
            return True
        return self._insert(operation)

    def _insert(self, operation: Operation) -> bool:
        key = order_of(operation, self._charges())
        place = bisect_right(self._keys, key)
        is_first_rate = isinstance(operation, ChangeRate) and not self.walk.bears_interest
        ordered = [*self._ordered[:place], operation, *self._ordered[place:]]
        has_to_replay = place < len(self._keys) or is_first_rate
        if not has_to_replay:
            walk = self.walk.copy()
            step(walk, operation)
        else:
            walk = self._walk_through(ordered)
        self._keep(walk)
        self._ordered = ordered
        self._keys.insert(place, key)
        return has_to_replay

    def _undo(self, undo: Undo) -> None:
        """Take an operation, or a receipt derived from one, out of the list."""
        if undo.of_receipt is None:
            ordered = [one for one in self._ordered if one.number != undo.of]
            if len(ordered) == len(self._ordered):
                raise OperationSenseless(reason="nothing to undo", of=undo.of)
            undone = {name for name in self._names() if name[0] == undo.of}
        else:
            ordered = self._ordered
            undone = {(undo.of, Kind(undo.of_receipt.value))}
            self._undone |= undone
        gone = [one.copy() for one in self.walk.transactions if (one.number, one.kind) in undone]
        walk = self._walk_through(ordered)
        for transaction in gone:
            transaction.is_reversed = True
        self._reversed += [one for one in gone if one.kind is not Kind.DISBURSEMENT]
        self._keep(walk)
        self._ordered = ordered
        charges = self._charges()
        self._keys = [order_of(one, charges) for one in ordered]

    def _charges(self) -> Mapping[int, AddCharge]:
        return {one.number: one for one in self.recorded if isinstance(one, AddCharge)}

    def _names(self) -> Iterable[Name]:
        return ((one.number, one.kind) for one in self.walk.transactions)

    def _walk_through(self, operations: Sequence[Operation]) -> Walk:
        """Walk from the beginning; a plan that will ever bear interest is one from its start."""
        rates = (one.rate for one in operations if isinstance(one, ChangeRate))
        walk = Walk(
            self.terms,
            frozenset(self._undone),
            bears_interest=self.terms.bears_interest or any(rates),
        )
        for operation in operations:
            step(walk, operation)
        return walk

    def _keep(self, walk: Walk) -> None:
        balance.fill(walk)
        self._replayed |= changed(self.walk.transactions, walk.transactions)
        self.walk = walk


def replay(terms: LifeTerms, operations: Iterable[Operation], as_of: date) -> View:
    """Return a plan as it stands on a day after operations in the order of recording.

    Errors: OperationSenseless.
    """
    life = Life(terms)
    for operation in operations:
        life.record(operation)
    return life.view(as_of)


def planned(terms: LifeTerms, amount_minor: int, on: date) -> View:
    """Return the plan as it would stand if an amount were lent on a day and nothing paid."""
    life = Life(terms)
    life.leave_out((1, Kind.DOWN_PAYMENT))
    life.record(Disburse(number=1, on=on, booked_on=on, amount_minor=amount_minor))
    return life.view(on)


def order_of(operation: Operation, charges: Mapping[int, AddCharge]) -> Key:
    """Return where an operation counts: by effective day, day of recording, number.

    A charge counts from the day it was added, or its due day if that is earlier, and its waiver
    with it; a re-age from its day or its start day; changes of terms count first on their day.
    """
    match operation:
        case AddCharge() | ReAge():
            return (operation.counts_from, operation.booked_on, operation.number, 0)
        case WaiveCharge():
            charge = charges[operation.charge]
            return (charge.counts_from, charge.booked_on, charge.number, operation.number)
        case ChangeRate() | MoveDueDay() | AddPeriods() | PauseInterest():
            return (operation.on, operation.on, BEFORE_ALL, 0)
        case _:
            return (operation.on, operation.booked_on, operation.number, 0)


def changed(before: Iterable[Transaction], after: Iterable[Transaction]) -> set[Name]:
    """Return the transactions that a replay has changed.

    One whose amounts changed is booked anew, and so are the later ones of its day, to keep their
    order.
    """
    amounts = {(one.number, one.kind): _amounts(one) for one in before}
    names: set[Name] = set()
    days: set[date] = set()
    for one in after:
        name = (one.number, one.kind)
        if name in amounts and (one.on in days or amounts[name] != _amounts(one)):
            names.add(name)
            days.add(one.on)
    return names


def _amounts(transaction: Transaction) -> tuple[int, ...]:
    return (transaction.amount_minor, *transaction.parts, transaction.overpaid_minor)


def _status(walk: Walk) -> Status:
    if not walk.rows:
        return Status.APPROVED
    if walk.is_written_off:
        return Status.WRITTEN_OFF
    if walk.open_minor:
        return Status.ACTIVE
    return Status.OVERPAID if walk.overpaid_minor else Status.CLOSED
