"""Receipts: money or credit that comes in is allocated by the rule of its kind."""

from fenqi.core.terms.life.allocate import allocate
from fenqi.core.terms.life.operations import Receive
from fenqi.core.terms.life.recover import recover
from fenqi.core.terms.life.rules import Excess
from fenqi.core.terms.life.state import KIND_OF, RECEIPT_OF, ChargeState, Transaction
from fenqi.core.terms.life.walk import Walk


def receive(walk: Walk, operation: Receive) -> Transaction:
    """Allocate a receipt; what is left over is overpaid."""
    transaction = walk.begin(operation, KIND_OF[operation.receipt], operation.amount_minor)
    pay_in(walk, transaction)
    return transaction


def pay_in(walk: Walk, transaction: Transaction) -> None:
    """Allocate a receipt that has begun."""
    exceed(walk, transaction, allocate_receipt(walk, transaction, transaction.amount_minor))


def exceed(walk: Walk, transaction: Transaction, amount_minor: int) -> None:
    """Keep what was paid beyond all that the plan asks for, on the plan or for the account."""
    transaction.overpaid_minor += amount_minor
    if walk.terms.rules.excess is Excess.OF_ACCOUNT:
        walk.excess_minor += amount_minor
    else:
        walk.overpaid_minor += amount_minor


def allocate_receipt(walk: Walk, transaction: Transaction, amount_minor: int) -> int:
    """Allocate an amount by the rule of the receipt's kind and return what is left."""
    rules = walk.terms.rules
    rule = rules.default_allocation
    if rules.allocations and transaction.is_receipt:
        rule = rules.allocation(RECEIPT_OF[transaction.kind])
    return allocate(walk, transaction, recover(walk, transaction, amount_minor), rule)


def allocate_overpayment(walk: Walk, transaction: Transaction) -> None:
    """Let an earlier overpayment pay what a transaction going out has put on the schedule."""
    if walk.overpaid_minor <= 0:
        return
    before, parts = walk.overpaid_minor, transaction.parts[:]
    rule = walk.terms.rules.default_allocation
    walk.overpaid_minor = allocate(walk, transaction, before, rule)
    transaction.parts[:] = parts  # its own components stay what it put out
    transaction.overpaid_minor = min(transaction.amount_minor, before)


def consume_overpayment(walk: Walk, charge: ChargeState) -> None:
    """Let receipts that exceeded the debt pay a new charge, in the order they came.

    Each is allocated by its own rule and on its own day.
    """
    if not charge.open_minor:
        return
    for transaction in _overpaid(walk):
        amount = min(walk.overpaid_minor, transaction.overpaid_minor)
        if not amount:
            continue
        transaction.overpaid_minor -= amount
        walk.overpaid_minor -= amount
        walk.touch(transaction)
        left = allocate_receipt(walk, transaction, amount)
        transaction.overpaid_minor += left
        walk.overpaid_minor += left


def _overpaid(walk: Walk) -> list[Transaction]:
    return [one for one in walk.transactions if one.overpaid_minor and one.is_receipt]
