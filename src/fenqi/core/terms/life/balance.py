"""The running balance: the principal outstanding after each transaction."""

from fenqi.core.terms.life.state import Kind, Transaction
from fenqi.core.terms.life.walk import Walk
from fenqi.core.terms.product import Component

PRINCIPAL, DISBURSEMENT = Component.PRINCIPAL, Kind.DISBURSEMENT
GOING_OUT = frozenset({Kind.CHARGEBACK, Kind.CREDIT_REFUND})
# These move amounts within the debt, or within the lender's books, and print no balance.
SILENT = frozenset({Kind.RE_AGE, Kind.RE_AMORTISE, Kind.CHARGE_OFF, Kind.TERMINATION})


def fill(walk: Walk) -> None:
    """Set the balance of the transactions that have none yet; below nothing counts as nothing."""
    balance = walk.balance_minor if walk.balanced else 0
    for transaction in walk.transactions[walk.balanced :]:
        if transaction.kind not in SILENT:
            balance = max(0, balance + _change(walk, transaction))
            transaction.balance_minor = balance
    walk.balance_minor, walk.balanced = balance, len(walk.transactions)


def _change(walk: Walk, transaction: Transaction) -> int:
    """Return what a transaction adds to the balance.

    What goes out adds what earlier overpayment did not cover.
    """
    kind, principal = transaction.kind, transaction.parts[PRINCIPAL]
    if kind is DISBURSEMENT:
        return transaction.amount_minor - transaction.overpaid_minor
    if kind not in GOING_OUT:
        return -principal
    if not transaction.overpaid_minor:
        return principal
    if walk.terms.rules.credit_allocation is None:
        return transaction.amount_minor - transaction.overpaid_minor
    paid = sum(parts[PRINCIPAL] for parts in transaction.lines.values())
    return max(0, principal - paid)
