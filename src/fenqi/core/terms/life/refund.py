"""Refunds in cash: money goes back to the customer, out of an overpayment or of what was paid.

What was paid is given back in the reverse of the default order, from the latest instalment.
Source: the vectors' life of a cash refund; docs/reference/life.md.
"""

from fenqi.core.terms.life.charge import unpay_charges
from fenqi.core.terms.life.operations import RefundCash
from fenqi.core.terms.life.pay import forget_timing
from fenqi.core.terms.life.refusal import not_now
from fenqi.core.terms.life.rules import Timing
from fenqi.core.terms.life.state import Effect, Kind, Row, Transaction
from fenqi.core.terms.life.walk import Walk
from fenqi.core.terms.product import Component


def refund_cash(walk: Walk, operation: RefundCash) -> None:
    """Pay money back: first what nobody owed, then what was paid last.

    Where interest follows payments, one that paid a row goes back as its chargeback instead, since
    the days it has saved interest for are over.

    Errors: OperationUntimely.
    """
    transaction = walk.begin(operation, Kind.CASH_REFUND, operation.amount_minor)
    transaction.overpaid_minor = min(walk.overpaid_minor, operation.amount_minor)
    walk.overpaid_minor -= transaction.overpaid_minor
    left = operation.amount_minor - transaction.overpaid_minor
    if left and walk.recalculates:
        not_now(operation, "interest follows what was paid", left=left)
    order = walk.terms.rules.default_allocation.order[::-1]
    for timing in dict.fromkeys(timing for timing, _ in order):
        components = [component for at, component in order if at is timing]
        for row in _paid_rows(walk, transaction, timing):
            for component in components:
                left -= _unpay(walk, transaction, row, component, left)
    if left:
        not_now(operation, "more than was paid by its day", left=left)


def _paid_rows(walk: Walk, transaction: Transaction, timing: Timing) -> list[Row]:
    """Return the rows of a timing that something was paid for, the latest first."""
    stands = {
        Timing.PAST_DUE: lambda row: row.due_on < transaction.on,
        Timing.DUE: lambda row: row.due_on == transaction.on,
        Timing.IN_ADVANCE: lambda row: row.due_on > transaction.on,
    }
    return [row for row in reversed(walk.rows) if any(row.paid) and stands[timing](row)]


def _unpay(
    walk: Walk, transaction: Transaction, row: Row, component: Component, amount_minor: int
) -> int:
    given = min(amount_minor, row.paid[component])
    if given:
        row.paid[component] -= given
        forget_timing(row)
        transaction.parts[component] += given
        walk.line(transaction, row, Effect.PAID)[component] -= given
        unpay_charges(walk, row, component, given)
        row.met_on = None
    return given
