"""An operation is one thing that happened to a plan; a plan's operations are its whole truth.

Operations are appended and never changed. Primary ones come from outside (a payment, a return);
derived ones (the late charge) follow from the primary ones and the days passed, and are rows only
so that an auditor sees what was booked when.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class OperationKind(StrEnum):
    """What happened."""

    DISBURSE = "disburse"  # the goods were shipped and the plan begins
    REPAY = "repay"  # money of the customer reached this plan
    REFUND = "refund"  # the merchant took goods back
    SETTLE = "settle"  # the customer ended the plan early, paying the quote
    WRITE_OFF = "write-off"  # the lender gave the claim up in its accounts
    DEFER = "defer"  # an instalment falls due some days later
    CHANGE_DUE_DAY = "change-due-day"  # all that is to come falls due on another day of the month
    EXTEND = "extend"  # what is to come is laid over more instalments
    BILL_INSTALMENT = "bill-instalment"  # another plan took over what a statement asks for
    WITHDRAW = "withdraw"  # the customer withdrew from the contract, paying what was used
    CONTEST = "contest"  # it was contested for some days, which do not count
    LATE_CHARGE = "late-charge"  # derived: what being late cost since it was last booked


DERIVED = frozenset({OperationKind.LATE_CHARGE})


@dataclass(frozen=True, slots=True)
class Deferral:
    """Which instalment falls due later, by its due day, and by how many days."""

    due_on: date
    days: int


@dataclass(frozen=True, slots=True)
class DueDay:
    """The day of the month that is to come, 1 to 31."""

    day: int


@dataclass(frozen=True, slots=True)
class Extension:
    """How many more instalments, and who has looked at it."""

    count: int
    reviewed_by: str


@dataclass(frozen=True, slots=True)
class Bill:
    """Through which day another plan takes over what falls due."""

    through: date


@dataclass(frozen=True, slots=True)
class Contested:
    """For how many days, from the operation's own on."""

    days: int


# What an operation of these kinds was asked with; all others say everything by their amount.
Parameters = Deferral | DueDay | Extension | Bill | Contested
PARAMETERS: dict[OperationKind, type[Parameters]] = {
    OperationKind.DEFER: Deferral,
    OperationKind.CHANGE_DUE_DAY: DueDay,
    OperationKind.EXTEND: Extension,
    OperationKind.BILL_INSTALMENT: Bill,
    OperationKind.CONTEST: Contested,
}


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a plan.

    Units: `amount_minor` of the plan's currency: disbursed, paid, taken back, taken over by another
    plan, written off or charged, which of a deferral or an extension is its disclosed cost; a late
    charge may be negative, when a backdated payment took some of it away.
    """

    number: int  # from 1, in the order of booking
    kind: OperationKind
    effective_on: date  # when it counts
    booked_on: date  # the business day whose books hold it; never before `effective_on`
    amount_minor: int
    parameters: Parameters | None = None
