"""What is shown of a life: a plan as it stands on a day, as plain values.

The ledger, the store and the reports read these values and nothing else of a plan.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from fenqi.core.terms.life.rules import GivenUp
from fenqi.core.terms.life.state import (
    ChargeState,
    Effect,
    Kind,
    Parts,
    Row,
    Status,
    Transaction,
    no_parts,
)
from fenqi.core.terms.life.walk import Walk
from fenqi.core.terms.product import Component


@dataclass(frozen=True, slots=True)
class View:
    """A plan as it stands on a day: rows, transactions, charges, status.

    Units: minor units. `overpaid_minor` waits on the plan, `excess_minor` belongs to the customer's
    account; `returned_minor` is money that refunds freed and that goes back; `refunded_minor` is
    principal that was taken out as if never lent.
    """

    rows: tuple[Row, ...]
    transactions: tuple[Transaction, ...]
    charges: tuple[ChargeState, ...]
    lent_minor: int
    overpaid_minor: int
    excess_minor: int
    returned_minor: int
    refunded_minor: int
    status: Status

    @property
    def open_minor(self) -> int:
        """What is still to be paid."""
        return sum(row.open_minor for row in self.rows)

    @property
    def claim_minor(self) -> int:
        """What the customer owes in law, all rows together."""
        return sum(row.claim_minor for row in self.rows)

    @property
    def recovered_minor(self) -> int:
        """What came in of what was written off."""
        return sum(row.recovered_minor for row in self.rows)

    @property
    def taken_over_in_vain_minor(self) -> int:
        """What another plan took over and this one did not owe any more; it is in the excess."""
        kind = Kind.BILL_INSTALMENT
        return sum(one.overpaid_minor for one in self.transactions if one.kind is kind)

    @property
    def oldest_claim_due_on(self) -> date | None:
        """The due day of the oldest row with a claim, or None if nothing is owed."""
        return min((row.due_on for row in self.rows if row.claim_minor), default=None)

    def open_of(self, component: Component) -> int:
        """Return what is still to be paid of one component."""
        return sum(row.open(component) for row in self.rows)

    def total(self, column: str, component: Component) -> int:
        """Return the sum over rows of `due`, `paid`, `relieved`, `moved` or `written_off`."""
        return sum(getattr(row, column)[component] for row in self.rows)

    def relieved_by(self) -> dict[Kind, Parts]:
        """Return what was relieved by the kind of transaction that did it."""
        by_kind: dict[Kind, Parts] = {}
        for transaction in self.transactions:
            for (_, effect), parts in transaction.lines.items():
                if effect is Effect.RELIEVED:
                    of_kind = by_kind.setdefault(transaction.kind, no_parts())
                    for component, amount in enumerate(parts):
                        of_kind[component] += amount
        return by_kind


def view_of(walk: Walk, transactions: Sequence[Transaction]) -> View:
    """Return what is shown of a walk, with its transactions and those derived beside it."""
    return View(
        rows=tuple(walk.rows),
        transactions=tuple(transactions),
        charges=tuple(one.copy() for one in walk.charges.values()),
        lent_minor=walk.lent_minor,
        overpaid_minor=walk.overpaid_minor,
        excess_minor=walk.excess_minor,
        returned_minor=walk.returned_minor,
        refunded_minor=walk.refunded_minor,
        status=_status(walk),
    )


def _status(walk: Walk) -> Status:
    if not walk.rows:
        return Status.APPROVED
    if walk.is_written_off:
        lives_on = walk.terms.rules.given_up is GivenUp.LIVES_ON
        return Status.CLOSED if lives_on and not walk.claim_minor else Status.WRITTEN_OFF
    if not walk.is_closed:
        return Status.ACTIVE
    return Status.OVERPAID if walk.overpaid_minor else Status.CLOSED


def moved_back(plan: View, refund: int) -> dict[int, int]:
    """Return by bill instalment how much of what was taken over a refund has relieved.

    A row is taken over once: only one whose debt is open and not overdue is, and then it is met.
    """
    bill_of = {
        row: one.number
        for one in plan.transactions
        if one.kind is Kind.BILL_INSTALMENT
        for row, effect in one.lines
        if effect is Effect.MOVED
    }
    moved: dict[int, int] = {}
    for one in plan.transactions:
        if one.number == refund:
            for (row, effect), parts in one.lines.items():
                if effect is Effect.MOVED and any(parts):
                    bill = bill_of[row]
                    moved[bill] = moved.get(bill, 0) - sum(parts)
    return moved
