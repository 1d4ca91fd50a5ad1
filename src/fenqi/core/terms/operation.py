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
    LATE_CHARGE = "late-charge"  # derived: what being late cost since it was last booked


DERIVED = frozenset({OperationKind.LATE_CHARGE})


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a plan.

    Units: `amount_minor` of the plan's currency: disbursed, paid, taken back, written off or
    charged; a late charge may be negative, when a backdated payment took some of it away.
    """

    number: int  # from 1, in the order of booking
    kind: OperationKind
    effective_on: date  # when it counts
    booked_on: date  # the business day whose books hold it; never before `effective_on`
    amount_minor: int
