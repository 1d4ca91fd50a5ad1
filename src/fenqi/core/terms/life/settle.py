"""Early settlement: the cost of time not used is waived and everything else is paid.

The quote and the operation are one rule. Cost of unused time that was paid ahead pays what is
owed; if that is not enough to use it up, the rest is in excess.
Source: docs/adr/0007-settle-early-by-the-day.md.
"""

from datetime import date

from fenqi.core.terms.life.operations import Settle
from fenqi.core.terms.life.receive import allocate_receipt, exceed, pay_in
from fenqi.core.terms.life.refusal import OperationUntimely
from fenqi.core.terms.life.relief import Source, relieve
from fenqi.core.terms.life.state import Kind, Parts, Row, no_parts
from fenqi.core.terms.life.walk import Walk
from fenqi.core.terms.product import COST
from fenqi.core.terms.settlement import earned_minor


def settle(walk: Walk, operation: Settle) -> None:
    """End a plan early. Errors: OperationUntimely if the amount does not pay the quote."""
    transaction = walk.begin(operation, Kind.SETTLEMENT, operation.amount_minor)
    freed = 0
    for row in walk.rows:
        freed += relieve(walk, transaction, row, unearned(row, operation.on), Source)
    exceed(walk, transaction, allocate_receipt(walk, transaction, freed))
    claim = walk.claim_minor
    if operation.amount_minor < claim:
        raise OperationUntimely(
            operation=operation.number,
            reason="a settlement pays the whole quote",
            amount=operation.amount_minor,
            quote=claim,
        )
    pay_in(walk, transaction)


def quote_minor(walk: Walk, on: date) -> int:
    """Return what the customer pays to end the plan on a day, all counted up to it.

    Units: minor units.
    """
    return max(0, walk.claim_minor - sum(sum(unearned(row, on)) for row in walk.rows))


def unearned(row: Row, on: date) -> Parts:
    """Return the cost of a row that a plan ending on a day does not ask for, by the day."""
    parts = no_parts()
    for component in COST:
        owed = row.due[component] - row.relieved[component]
        if owed:
            parts[component] = owed - earned_minor(owed, row.starts_on, row.due_on, on)
    return parts
