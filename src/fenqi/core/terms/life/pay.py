"""Paying one component of one row, and the charges it consists of."""

from fenqi.core.terms.life.charge import pay_charges
from fenqi.core.terms.life.state import Row, Transaction
from fenqi.core.terms.life.walk import Walk
from fenqi.core.terms.product import Component


def pay_component(
    walk: Walk, transaction: Transaction, row: Row, component: Component, amount_minor: int
) -> int:
    """Pay one component of one row with at most an amount; return what was taken.

    Before the due day it counts as paid in advance, after it as late.
    """
    taken = max(0, min(amount_minor, row.open(component)))
    if taken:
        row.paid[component] += taken
        if transaction.on < row.due_on:
            row.in_advance_minor += taken
        elif transaction.on > row.due_on:
            row.late_minor += taken
        transaction.parts[component] += taken
        walk.line(transaction, row)[component] += taken
        pay_charges(walk, row, component, taken)
    row.met_on = None if row.is_open else transaction.on
    return taken
