"""Paying a row: its components in an order, and the charges they consist of."""

from collections.abc import Sequence

from fenqi.core.terms.life.charge import pay_charges
from fenqi.core.terms.life.state import Effect, Row, Transaction
from fenqi.core.terms.life.walk import Walk
from fenqi.core.terms.product import Component

PAID = Effect.PAID  # named once: every receipt asks


def pay_row(
    walk: Walk,
    transaction: Transaction,
    row: Row,
    components: Sequence[Component],
    amount_minor: int,
) -> int:
    """Pay components of one row in their order with at most an amount; return what was taken."""
    due, paid = row.due, row.paid
    relieved, written_off, moved = row.relieved, row.written_off, row.moved
    left = amount_minor
    for component in components:
        gone = paid[component] + relieved[component] + written_off[component] + moved[component]
        open_minor = due[component] - gone
        take = open_minor if open_minor < left else left
        if take > 0:
            paid[component] += take
            transaction.parts[component] += take
            walk.line(transaction, row, PAID)[component] += take
            left -= take
            if walk.charges:
                pay_charges(walk, row, component, take)
    if left == amount_minor:
        return 0
    _note(transaction, row, amount_minor - left)
    row.met_on = None if row.is_open else transaction.on
    return amount_minor - left


def forget_timing(row: Row) -> None:
    """Let no more count as late or early than is still paid; what came last goes back first."""
    row.in_advance_minor = min(row.in_advance_minor, sum(row.paid))
    row.late_minor = min(row.late_minor, sum(row.paid) - row.in_advance_minor)


def _note(transaction: Transaction, row: Row, amount_minor: int) -> None:
    """Note on a row how much was paid before or after its due day."""
    if transaction.on < row.due_on:
        row.in_advance_minor += amount_minor
    elif transaction.on > row.due_on:
        row.late_minor += amount_minor
