"""The walk: everything mutable between two operations of a replay.

An appended operation continues from it; what is shown is a sketch that leaves no trace. `step` says
which rule an operation goes to.
"""

from bisect import insort
from collections.abc import Collection
from datetime import date

from fenqi.core.terms.amortise.model import Model
from fenqi.core.terms.life.operations import Operation, PauseInterest, ReAge, ReAgeInterest
from fenqi.core.terms.life.refusal import OperationSenseless
from fenqi.core.terms.life.rules import ChargeOffBehaviour
from fenqi.core.terms.life.state import (
    ChargeState,
    Effect,
    Kind,
    Name,
    Parts,
    Row,
    RowKind,
    Transaction,
    no_parts,
)
from fenqi.core.terms.life.terms import LifeTerms

# The order of rows that fall due on one day.
PLACES = {
    RowKind.INSTALMENT: 0,
    RowKind.RE_AGED: 0,
    RowKind.DOWN_PAYMENT: 1,
    RowKind.EXTRA: 2,
}


class Walk:
    """The state of a life between two operations."""

    def __init__(
        self,
        terms: LifeTerms,
        undone: frozenset[Name] = frozenset(),
        *,
        bears_interest: bool | None = None,
        excused: Collection[date] = frozenset(),
    ) -> None:
        self.terms = terms
        self.undone = undone  # derived transactions that never happened
        self.bears_interest = terms.bears_interest if bears_interest is None else bears_interest
        self.excused = excused  # days that never count against the customer
        self.charged_through = date.min  # the day up to which being late was charged
        self.model: Model | None = None  # from the first disbursement on, if there is one
        self.rows: list[Row] = []  # in the order of their due days
        self.transactions: list[Transaction] = []
        self.charges: dict[int, ChargeState] = {}
        self.chargebacks: dict[Name, list[Parts]] = {}  # of each receipt, as they were split
        self.untouched: set[int] = set()  # rows that were tried and asked nothing
        self.began_on: date | None = None  # the first disbursement
        self.lent_minor = 0
        self.overpaid_minor = 0
        self.excess_minor = 0  # paid beyond what was asked, the account's
        self.returned_minor = 0  # freed by refunds, to go back
        self.refunded_minor = 0  # of what was lent: taken out as if never lent
        self.is_charged_off = False
        self.is_written_off = False
        self.is_terminated = False
        self.is_rearranged = False  # re-aged, re-amortised or extended
        self.pauses: list[PauseInterest] = []
        self.re_aged: ReAge | None = None  # the last re-age
        self.waiting: list[Operation] = []  # changes of terms before anything was lent
        self.done: list[Operation] = []  # in the order in which they count
        self.is_simulated = False  # a life that did not happen: no interest comes back
        self.interest_refunded_minor = 0
        self.earned_at_end: tuple[date, int] | None = None  # interest earned by a charge-off
        self.is_pay_off = False  # the last receipt was enough to end the plan
        self.is_withdrawal = False  # the last operation withdrew: interest is owed to its day
        self.touched: set[Name] = set()  # transactions that a later operation has changed
        self.balance_minor = 0  # principal outstanding after the balanced transactions
        self.balanced = 0  # how many transactions have their balance
        self.keys = 0  # rows made so far

    def sketch(self, *, shares_model: bool = False) -> "Walk":
        """Return a copy whose rows may change, and its model unless that is shared.

        Transactions and charges are always shared.
        """
        twin = object.__new__(Walk)
        twin.__dict__.update(self.__dict__)
        if self.model is not None and not shares_model:
            twin.model = self.model.copy()
        twin.rows = [row.copy() for row in self.rows]
        return twin

    def copy(self) -> "Walk":
        """Return a walk that goes on alone."""
        twin = self.sketch()
        twin.transactions = [one.copy() for one in self.transactions]
        twin.charges = {number: one.copy() for number, one in self.charges.items()}
        twin.chargebacks = {name: list(parts) for name, parts in self.chargebacks.items()}
        twin.untouched, twin.touched = set(self.untouched), set(self.touched)
        twin.pauses, twin.waiting, twin.done = self.pauses[:], self.waiting[:], self.done[:]
        return twin

    @property
    def the_model(self) -> Model:
        """The interest model. Errors: OperationSenseless if there is none."""
        if self.model is None:
            is_lent = bool(self.rows)
            reason = "the schedule is as signed" if is_lent else "nothing was lent yet"
            raise OperationSenseless(reason=reason)
        return self.model

    @property
    def recalculates(self) -> bool:
        """Whether interest still follows what is really outstanding, day by day."""
        return (
            self.terms.rules.recalculates
            and self.bears_interest
            and not (self.is_charged_off or self.is_written_off or self.is_terminated)
        )

    @property
    def is_called(self) -> bool:
        """Whether everything has been made to fall due."""
        return self.is_terminated or (
            self.is_charged_off and self.terms.rules.charge_off is ChargeOffBehaviour.ACCELERATE
        )

    @property
    def is_in_model(self) -> bool:
        """Whether the interest model still knows what the rows ask for."""
        by_model = self.terms.rules.recalculates and self.bears_interest
        is_plainly_rearranged = self.is_rearranged and not by_model
        has_ended = self.is_called or self.is_charged_off or self.is_written_off
        return self.model is not None and not (has_ended or is_plainly_rearranged)

    @property
    def is_settled(self) -> bool:
        """Whether a re-age has settled all interest, so that none runs."""
        return self.re_aged is not None and self.re_aged.interest is not ReAgeInterest.DEFAULT

    @property
    def open_minor(self) -> int:
        """What is still to be paid."""
        return sum(row.open_minor for row in self.rows)

    @property
    def claim_minor(self) -> int:
        """What the customer owes in law."""
        return sum(row.claim_minor for row in self.rows)

    @property
    def is_closed(self) -> bool:
        """Whether something was lent and nothing of it is open."""
        return bool(self.rows) and not any(row.is_open for row in reversed(self.rows))

    def touch(self, transaction: Transaction) -> None:
        """Note that a past transaction has changed, and with it the later ones of its day."""
        place = self.transactions.index(transaction)
        self.touched |= {
            one.name for one in self.transactions[place:-1] if one.on == transaction.on
        } | {transaction.name}

    def begin(self, operation: Operation, kind: Kind, amount_minor: int) -> Transaction:
        """Open a transaction of an operation and keep it."""
        transaction = Transaction(operation.number, kind, operation.on, amount_minor)
        self.transactions.append(transaction)
        return transaction

    def find(self, number: int, kind: Kind) -> Transaction:
        """Return the transaction of an operation. Errors: OperationSenseless."""
        for transaction in reversed(self.transactions):
            if transaction.number == number and transaction.kind is kind:
                return transaction
        raise OperationSenseless(reason="no such transaction", operation=number, kind=kind.value)

    def line(self, transaction: Transaction, row: Row, effect: Effect) -> Parts:
        """Return what a transaction did to a row, to be added to."""
        return transaction.lines.setdefault((row.key, effect), no_parts())

    def add_row(self, kind: RowKind, *, starts_on: date, due_on: date) -> Row:
        """Add a row in the order of due days.

        On one day a down payment comes after an instalment and before an extra row.
        """
        self.keys += 1
        row = Row(self.keys, kind, starts_on, due_on)
        if not self.rows or _place(self.rows[-1]) <= _place(row):
            self.rows.append(row)
        else:
            insort(self.rows, row, key=_place)
        return row

    def extra_row(self, due_on: date, *, starts_on: date | None = None) -> Row:
        """Return the extra row at the end, made or stretched to a due day.

        A new one starts on the last due day, unless told otherwise.
        """
        last = self.rows[-1]
        if last.kind is RowKind.EXTRA:
            last.due_on = max(last.due_on, due_on)
            return last
        return self.add_row(RowKind.EXTRA, starts_on=starts_on or last.due_on, due_on=due_on)

    def sort_rows(self) -> None:
        """Keep the rows in the order of their due days."""
        self.rows.sort(key=_place)

    def chain(self) -> None:
        """Let each row begin where the one before it ends; what stands beside them counts not."""
        previous = None
        for row in self.rows:
            if row.kind is RowKind.DOWN_PAYMENT:
                continue
            if previous is not None:
                row.starts_on = previous
            if row.kind is not RowKind.EXTRA:
                previous = row.due_on


def _place(row: Row) -> tuple[date, int]:
    return row.due_on, PLACES[row.kind]
