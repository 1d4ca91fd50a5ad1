"""Bill instalment: another plan takes over what falls due here; the old rows show it as moved.

It is allocated like money that pays these rows, row by row in the order of their due days; what
another payment has paid by then is overpaid. No money moves.
Source: the bill instalments of Baitiao and Huabei; docs/reference/customer.md.
"""

from datetime import date

from fenqi.core.terms.life import interest
from fenqi.core.terms.life.operations import BillInstalment
from fenqi.core.terms.life.receive import exceed
from fenqi.core.terms.life.rules import Timing
from fenqi.core.terms.life.state import Effect, Kind, Row, RowKind, Transaction
from fenqi.core.terms.life.walk import Walk
from fenqi.core.terms.product import Component


def bill_instalment(walk: Walk, operation: BillInstalment) -> None:
    """Let another plan take over an amount of what falls due through a day."""
    transaction = walk.begin(operation, Kind.BILL_INSTALMENT, operation.amount_minor)
    left = _take_over(walk, transaction, operation.through, operation.amount_minor)
    _show_as_moved(walk, transaction)
    exceed(walk, transaction, left)


def bill_minor(walk: Walk, on: date, through: date) -> int:
    """Return what another plan has to take over on a day, so that nothing is due through another.

    Where interest follows the balance, what is taken over early owes interest to the day only.

    Units: minor units.
    """
    asked = sum(row.open_minor for row in rows_of_bill(walk, through))
    if not walk.recalculates:
        return asked
    trial = Transaction(0, Kind.BILL_INSTALMENT, on, asked)
    return asked - _take_over(walk.copy(), trial, through, asked)


def rows_of_bill(walk: Walk, through: date) -> list[Row]:
    """Return the open rows that fall due through a day."""
    return [row for row in walk.rows if row.is_open and row.due_on <= through]


def _take_over(walk: Walk, transaction: Transaction, through: date, amount_minor: int) -> int:
    """Put an amount on the rows of a bill, the earliest first, and return what is left."""
    walk.untouched.clear()
    for row in rows_of_bill(walk, through):
        timing = _timing(row, transaction.on)
        for at, components in walk.terms.rules.default_allocation.by_timing:
            if at is timing:
                amount_minor -= interest.pay(
                    walk, transaction, timing, row, components, amount_minor
                )
    return amount_minor


def _timing(row: Row, on: date) -> Timing:
    if row.due_on < on:
        return Timing.PAST_DUE
    return Timing.DUE if row.due_on == on else Timing.IN_ADVANCE


def _show_as_moved(walk: Walk, transaction: Transaction) -> None:
    """Let what a transaction paid of rows stand as moved."""
    for row in walk.rows:
        paid = transaction.lines.pop((row.key, Effect.PAID), None)
        if paid is None:
            continue
        for component in Component:
            row.paid[component] -= paid[component]
            row.moved[component] += paid[component]
        walk.line(transaction, row, Effect.MOVED)[:] = paid
        row.in_advance_minor -= min(sum(paid), row.in_advance_minor)
        if row.kind is not RowKind.DOWN_PAYMENT and transaction.on > row.due_on:
            row.late_minor -= min(sum(paid), row.late_minor)
