"""Refunds in cash: money goes back to the customer out of what was paid beyond the debt."""

from fenqi.core.terms.life.operations import RefundCash
from fenqi.core.terms.life.state import Kind
from fenqi.core.terms.life.walk import Walk


def refund_cash(walk: Walk, operation: RefundCash) -> None:
    """Pay money back out of the overpayment."""
    transaction = walk.begin(operation, Kind.CASH_REFUND, operation.amount_minor)
    transaction.overpaid_minor = min(walk.overpaid_minor, operation.amount_minor)
    walk.overpaid_minor -= transaction.overpaid_minor
