"""What can happen to a plan, as plain values; a plan's operations are its whole truth.

Every operation has a number in the order of recording, the day it counts from and the business
day it was recorded on. Derived transactions (automatic down payment, interest refund, accruals)
are no operations: the replay makes them, and `Undo` names them by their cause and kind.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from fenqi.core.terms.amortise.settings import Unit


class Receipt(StrEnum):
    """What money or credit came in."""

    REPAYMENT = "repayment"
    DOWN_PAYMENT = "down-payment"
    MERCHANT_REFUND = "merchant-refund"
    PAYOUT_REFUND = "payout-refund"
    GOODWILL = "goodwill"
    INTEREST_WAIVER = "interest-waiver"
    INTEREST_REFUND = "interest-refund"  # derived from a refund
    CHARGE_ADJUSTMENT = "charge-adjustment"
    SETTLEMENT = "settlement"  # ends the plan early
    BILL_INSTALMENT = "bill-instalment"  # another plan takes over what falls due here


class ReAgeInterest(StrEnum):
    """What becomes of interest when unpaid amounts are laid over new instalments."""

    DEFAULT = "default"  # past-due interest and charges whole into the first new row; runs on
    EQUAL_PAYABLE = "equal-payable"  # interest payable so far split equally, none after
    EQUAL_FULL = "equal-full"  # the whole life's interest split equally, none after


class ReAmortiseInterest(StrEnum):
    """What becomes of past-due interest when it is laid over the remaining instalments."""

    DEFAULT = "default"
    EQUAL_SPLIT = "equal-split"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What every operation has."""

    number: int  # from 1, in the order of recording
    on: date  # when it counts
    booked_on: date  # the business day it was recorded


@dataclass(frozen=True, slots=True, kw_only=True)
class Disburse(Operation):
    """Money (or goods) went out."""

    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Receive(Operation):
    """Money or credit came in and is allocated by the rules of its kind."""

    receipt: Receipt
    amount_minor: int
    refunds_interest: bool | None = None  # None: as the product says
    charge: int | None = None  # the charge that is adjusted


@dataclass(frozen=True, slots=True, kw_only=True)
class Settle(Receive):
    """The customer ends the plan and pays what that asks for, at least.

    A withdrawal is an end within the days of the law: it asks for interest by the day, no fees.
    """

    receipt: Receipt = Receipt.SETTLEMENT
    is_withdrawal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BillInstalment(Receive):
    """What falls due through a day is taken over by a plan of its own; no money moves."""

    through: date
    receipt: Receipt = Receipt.BILL_INSTALMENT


@dataclass(frozen=True, slots=True, kw_only=True)
class AddCharge(Operation):
    """A fee or penalty falls due on a day; `on` is the day it was added.

    Units: an amount, or percent of principal and interest.
    """

    name: str
    is_penalty: bool
    due_on: date
    amount_minor: int | None = None
    percent: Decimal | None = None

    @property
    def counts_from(self) -> date:
        """The day it was added, or its due day if that is earlier."""
        return min(self.on, self.due_on)


@dataclass(frozen=True, slots=True, kw_only=True)
class WaiveCharge(Operation):
    """What is unpaid of a charge need not be paid."""

    charge: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Chargeback(Operation):
    """A past receipt is taken back economically."""

    of: int
    of_receipt: Receipt  # tells a derived receipt from its cause
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundCredit(Operation):
    """An overpayment is paid out."""

    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundCash(Operation):
    """Money is paid back to the customer out of what was paid."""

    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo(Operation):
    """An earlier operation, or a receipt derived from it, never happened."""

    of: int
    of_receipt: Receipt | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRate(Operation):
    """A new yearly rate holds from `on`. Units: a fraction of one."""

    rate: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveDueDay(Operation):
    """The instalment due on `on`, and those after it, shift to a new day."""

    to: date


@dataclass(frozen=True, slots=True, kw_only=True)
class AddPeriods(Operation):
    """More instalments at the end, counted in from `on`."""

    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Defer(Operation):
    """The instalment due on a day falls due some days later, for a cost that was disclosed."""

    due_on: date
    days: int
    cost_minor: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeDueDay(Operation):
    """All instalments to come fall due on another day of the month, from the next such day on."""

    day: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspend(Operation):
    """From its day on the plan was contested for so many days, which do not count against it."""

    days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Extend(Operation):
    """What is to come is laid over more instalments, for a cost that was disclosed."""

    count: int
    reviewed_by: str
    cost_minor: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseInterest(Operation):
    """No interest from `on` to `through`, both included."""

    through: date


@dataclass(frozen=True, slots=True, kw_only=True)
class ReAge(Operation):
    """What is unpaid moves to new instalments from a start day."""

    every: int
    unit: Unit
    starts_on: date
    count: int
    interest: ReAgeInterest = ReAgeInterest.DEFAULT

    @property
    def counts_from(self) -> date:
        """The day it was agreed, or the start day if that is earlier."""
        return min(self.on, self.starts_on)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReAmortise(Operation):
    """What is past due is spread over the remaining instalments."""

    interest: ReAmortiseInterest = ReAmortiseInterest.DEFAULT


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeOff(Operation):
    """The lender's accounts give the claim up; the customer's debt goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOff(Operation):
    """What is open is written off and the plan ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminate(Operation):
    """The contract is called early: everything falls due."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NightlyRun(Operation):
    """The nightly processing of the day `on`; accruals follow from the list of these."""


CHARGING = (AddCharge, Defer, Extend)  # each may make a charge of its own number
