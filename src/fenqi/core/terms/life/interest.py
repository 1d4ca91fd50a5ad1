"""Where the life and the interest model meet: rows follow the model, payments tell it."""

from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal

from fenqi.core.terms.life.pay import pay_component
from fenqi.core.terms.life.rules import Timing
from fenqi.core.terms.life.state import Row, RowKind, Transaction
from fenqi.core.terms.life.walk import Walk
from fenqi.core.terms.product import Component


def lend(walk: Walk, on: date, amount_minor: int) -> None:
    """Amortise an amount lent on a day over the rows still to come."""
    if not amount_minor:
        return
    rows = [row for row in walk.rows if row.due_on > on and row.kind is RowKind.INSTALMENT]
    lay_equally(walk, rows or [walk.extra_row(on)], amount_minor)


def pay(
    walk: Walk,
    transaction: Transaction,
    timing: Timing,  # noqa: ARG001 - until the model lands
    row: Row,
    component: Component,
    amount_minor: int,
) -> int:
    """Pay a component of a row and tell the model."""
    return pay_component(walk, transaction, row, component, amount_minor)


def to_multiple(amount: Decimal | int, multiple: int) -> int:
    """Return an amount rounded half-even to a multiple of minor units."""
    return int((Decimal(amount) / multiple).quantize(Decimal(1), ROUND_HALF_EVEN)) * multiple


def lay_equally(walk: Walk, rows: list[Row], amount_minor: int) -> None:
    """Add an amount to the principal of rows in equal parts.

    Each new principal is rounded to the product's multiple; the last row takes the remainder.
    """
    multiple = walk.terms.rules.instalment_multiple_minor or 1
    part, left = to_multiple(Decimal(amount_minor) / len(rows), 1), amount_minor
    for row in rows:
        before = row.due[Component.PRINCIPAL]
        row.due[Component.PRINCIPAL] = to_multiple(before + part, multiple)
        left -= row.due[Component.PRINCIPAL] - before
    rows[-1].due[Component.PRINCIPAL] += left
    for row in rows:
        row.met_on = None if row.is_open else row.met_on
