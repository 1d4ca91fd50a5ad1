"""What comes of a life: rows, transactions, charges; mutable only inside one walk.

Amounts by component are lists of four minor-unit integers in the order of `Component`. Always, in
each component: due = paid + relieved + written off + moved + open.
"""

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from fenqi.core.terms.life.operations import Receipt
from fenqi.core.terms.product import COMPONENTS, Component

Parts = list[int]


NOTHING: Parts = [0] * COMPONENTS  # to compare with
no_parts = NOTHING.copy  # four zeros of one's own


class Effect(StrEnum):
    """What a transaction does to what a row asks for."""

    PAID = "paid"  # below zero where money is freed or given back
    RELIEVED = "relieved"  # need no longer be paid
    WRITTEN_OFF = "written-off"
    MOVED = "moved"  # taken over by another plan
    RECOVERED = "recovered"  # of what was written off; no component, so it stands in the first


class RowKind(StrEnum):
    """Where a row of the schedule comes from."""

    INSTALMENT = "instalment"
    DOWN_PAYMENT = "down-payment"
    RE_AGED = "re-aged"
    EXTRA = "extra"  # after the last instalment: a late charge, a chargeback, a late disbursement


IN_SCHEDULE = (RowKind.INSTALMENT, RowKind.RE_AGED)  # what the plan itself asks for
BESIDE_SCHEDULE = (RowKind.DOWN_PAYMENT, RowKind.EXTRA)  # no interest model knows of these


@dataclass(slots=True, eq=False)
class Row:
    """One instalment and everything that happened to it. Units: minor units."""

    key: int  # its identity for life; its number is its place in the schedule
    kind: RowKind
    starts_on: date
    due_on: date
    due: Parts = field(default_factory=no_parts)
    paid: Parts = field(default_factory=no_parts)
    relieved: Parts = field(default_factory=no_parts)  # waived, refunded as never lent, not earned
    written_off: Parts = field(default_factory=no_parts)
    moved: Parts = field(default_factory=no_parts)  # to another plan
    credited: Parts = field(default_factory=no_parts)  # of `due`: charged back
    in_advance_minor: int = 0  # of `paid`: before the due day
    late_minor: int = 0  # of `paid`: after the due day
    met_on: date | None = None  # when nothing was left to pay
    recovered_minor: int = 0  # of what was written off
    overdue_minor_days: int = 0  # sum over chargeable days of the amount overdue that day
    late_charge_minor: int = 0  # of the penalty due: what being late has cost so far

    def open(self, component: Component) -> int:
        """Return what is still to be paid of one component."""
        return (
            self.due[component]
            - self.paid[component]
            - self.relieved[component]
            - self.written_off[component]
            - self.moved[component]
        )

    @property
    def open_minor(self) -> int:
        """What is still to be paid, all components together."""
        gone = sum(self.paid) + sum(self.relieved) + sum(self.written_off) + sum(self.moved)
        return sum(self.due) - gone

    @property
    def contract_open_minor(self) -> int:
        """What is still to be paid without the penalty: the base of the late charge."""
        principal, interest, fee, _ = self.due
        paid = self.paid[0] + self.paid[1] + self.paid[2]
        relieved = self.relieved[0] + self.relieved[1] + self.relieved[2]
        written_off = self.written_off[0] + self.written_off[1] + self.written_off[2]
        moved = self.moved[0] + self.moved[1] + self.moved[2]
        return principal + interest + fee - paid - relieved - written_off - moved

    @property
    def claim_minor(self) -> int:
        """What the customer owes in law: the open amount, or the unrecovered written-off one."""
        return self.open_minor + sum(self.written_off) - self.recovered_minor

    @property
    def is_open(self) -> bool:
        """Whether anything is still to be paid."""
        if self.relieved != NOTHING or self.written_off != NOTHING or self.moved != NOTHING:
            return self.open_minor != 0
        return self.due != self.paid and sum(self.due) != sum(self.paid)

    def meet(self, on: date) -> None:
        """Note on which day nothing was left to pay, if that has changed."""
        if self.is_open:
            self.met_on = None
        elif self.met_on is None:
            self.met_on = on

    def copy(self) -> "Row":
        """Return a row that can be changed without touching this one."""
        return Row(
            self.key,
            self.kind,
            self.starts_on,
            self.due_on,
            self.due[:],
            self.paid[:],
            self.relieved[:],
            self.written_off[:],
            self.moved[:],
            self.credited[:],
            self.in_advance_minor,
            self.late_minor,
            self.met_on,
            self.recovered_minor,
            self.overdue_minor_days,
            self.late_charge_minor,
        )


class Kind(StrEnum):
    """What a transaction is; those marked derived follow from others."""

    DISBURSEMENT = "disbursement"
    REPAYMENT = "repayment"
    DOWN_PAYMENT = "down-payment"
    MERCHANT_REFUND = "merchant-refund"
    PAYOUT_REFUND = "payout-refund"
    SETTLEMENT = "settlement"
    BILL_INSTALMENT = "bill-instalment"
    GOODWILL = "goodwill"
    INTEREST_WAIVER = "interest-waiver"
    INTEREST_REFUND = "interest-refund"  # derived
    CHARGE_ADJUSTMENT = "charge-adjustment"
    CHARGE_WAIVER = "charge-waiver"
    CHARGEBACK = "chargeback"
    CREDIT_REFUND = "credit-refund"
    CASH_REFUND = "cash-refund"
    EXTENSION = "extension"  # what was paid ahead pays the instalments laid anew
    RE_AGE = "re-age"
    RE_AMORTISE = "re-amortise"
    CHARGE_OFF = "charge-off"
    WRITE_OFF = "write-off"
    TERMINATION = "termination"
    ACCRUAL = "accrual"  # derived
    ACCRUAL_ADJUSTMENT = "accrual-adjustment"  # derived
    ACCRUAL_ACTIVITY = "accrual-activity"  # derived


KIND_OF = {receipt: Kind(receipt.value) for receipt in Receipt}
RECEIPT_OF = {kind: receipt for receipt, kind in KIND_OF.items()}
RECEIPTS = frozenset(RECEIPT_OF)


LineKey = tuple[int, Effect]  # of a transaction's line: which row, by its key, and what


@dataclass(slots=True, eq=False)
class Transaction:
    """What one operation, or one derived from it, came to. Units: minor units.

    `parts` are its components; `overpaid_minor` is what exceeded the debt, or, going out, what
    came from such an excess; `lines` says what it did to which rows, by their keys.
    """

    number: int  # of the operation that it is, or is derived from
    kind: Kind
    on: date
    amount_minor: int
    parts: Parts = field(default_factory=no_parts)
    overpaid_minor: int = 0
    balance_minor: int = 0  # principal outstanding after it
    lines: dict[LineKey, Parts] = field(default_factory=dict)
    is_reversed: bool = False
    is_replayed: bool = False  # a later replay has changed it

    @property
    def name(self) -> "Name":
        """What tells it from every other transaction of the plan."""
        return (self.number, self.kind)

    @property
    def relieves(self) -> bool:
        """Whether it let the customer off something."""
        return any(effect is Effect.RELIEVED for _, effect in self.lines)

    @property
    def is_receipt(self) -> bool:
        """Whether it brought money or credit in."""
        return self.kind in RECEIPTS

    def copy(self) -> "Transaction":
        """Return a transaction that can be changed without touching this one."""
        return Transaction(
            self.number,
            self.kind,
            self.on,
            self.amount_minor,
            self.parts[:],
            self.overpaid_minor,
            self.balance_minor,
            {key: parts[:] for key, parts in self.lines.items()},
            self.is_reversed,
            self.is_replayed,
        )


Name = tuple[int, Kind]  # a transaction by the operation it comes from and what it is


@dataclass(slots=True, eq=False)
class ChargeState:
    """A charge and what became of it. Units: minor units."""

    number: int  # of the operation that added it
    name: str
    is_penalty: bool
    due_on: date
    amount_minor: int
    row_key: int  # the row it was laid on
    paid_minor: int = 0
    waived_minor: int = 0

    @property
    def component(self) -> Component:
        """The part of an instalment it falls on."""
        return Component.PENALTY if self.is_penalty else Component.FEE

    @property
    def open_minor(self) -> int:
        """What is still to be paid of it."""
        return self.amount_minor - self.paid_minor - self.waived_minor

    def copy(self) -> "ChargeState":
        """Return a charge that can be changed without touching this one."""
        return ChargeState(
            self.number,
            self.name,
            self.is_penalty,
            self.due_on,
            self.amount_minor,
            self.row_key,
            self.paid_minor,
            self.waived_minor,
        )


class Status(StrEnum):
    """Where a plan is in its life."""

    APPROVED = "approved"  # nothing was lent yet
    ACTIVE = "active"
    CLOSED = "closed"  # everything is met
    OVERPAID = "overpaid"  # more was paid than is owed
    WRITTEN_OFF = "written-off"
