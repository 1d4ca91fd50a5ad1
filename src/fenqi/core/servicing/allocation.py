"""Which debt of an account a payment pays: oldest due first, across all its plans.

Money goes to what is overdue or due, then to what falls due next, so that paying before the
statement counts. It does not run further ahead: the rest is the customer's credit balance, which
pays what falls due later. Written-off claims come last, so that running plans stay current.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from fenqi.core.values.ids import PlanId


@dataclass(frozen=True, slots=True)
class Debt:
    """What one instalment still asks for, or one written-off instalment's claim."""

    plan_id: PlanId
    due_on: date
    claim_minor: int
    is_written_off: bool


def allocate(amount_minor: int, debts: Sequence[Debt], on: date) -> tuple[dict[PlanId, int], int]:
    """Return how much of a payment goes to each plan, and the rest for the credit balance.

    Units: minor units; the plans' parts and the rest sum to the amount.
    """
    next_due_on = min((debt.due_on for debt in debts if debt.due_on > on), default=on)
    payable = sorted(
        (debt for debt in debts if debt.due_on <= next_due_on),
        key=lambda debt: (debt.is_written_off, debt.due_on, debt.plan_id),
    )
    parts: dict[PlanId, int] = {}
    for debt in payable:
        take = min(amount_minor, debt.claim_minor)
        if take:
            parts[debt.plan_id] = parts.get(debt.plan_id, 0) + take
            amount_minor -= take
    return parts, amount_minor
