"""Re-amortisation: same days and count; what is past due is spread over the rows to come.

Source: the vectors' README, section "Re-amortise".
"""

from datetime import date

from fenqi.core.terms.amortise import re_amortise as model_rules
from fenqi.core.terms.amortise.as_of import open_interest_as_of
from fenqi.core.terms.amortise.rounding import capped
from fenqi.core.terms.life.interest import FEE, INTEREST, PRINCIPAL, follow_model, to_multiple
from fenqi.core.terms.life.operations import ReAmortise, ReAmortiseInterest
from fenqi.core.terms.life.refusal import OperationUntimely
from fenqi.core.terms.life.state import Kind, Row, RowKind, Transaction
from fenqi.core.terms.life.walk import Walk
from fenqi.core.terms.product import Component
from fenqi.core.values.rate import Rounding, divide


def re_amortise(walk: Walk, operation: ReAmortise) -> None:
    """Move what is unpaid and past due to the instalments to come."""
    past = [row for row in walk.rows if row.due_on <= operation.on]
    ahead = [
        row for row in walk.rows if row.due_on > operation.on and row.kind is RowKind.INSTALMENT
    ]
    if not ahead:
        raise OperationUntimely(
            operation=operation.number, reason="no instalment is to come", on=operation.on
        )
    transaction = walk.begin(operation, Kind.RE_AMORTISE, 0)
    transaction.parts[PRINCIPAL] = sum(row.open(PRINCIPAL) for row in past)
    if walk.recalculates and past:
        transaction.parts[INTEREST] = open_interest_as_of(walk.the_model, past[-1].due_on)
    elif past:
        transaction.parts[INTEREST] = sum(row.open(INTEREST) for row in past)
    transaction.amount_minor = sum(transaction.parts)
    if not transaction.amount_minor:
        walk.transactions.remove(transaction)
        return
    walk.is_rearranged = True
    if walk.recalculates:
        _spread_by_model(walk, operation, past, ahead)
    else:
        _spread_plainly(walk, transaction, past, ahead)


def _spread_plainly(
    walk: Walk, transaction: Transaction, past: list[Row], ahead: list[Row]
) -> None:
    """Spread principal and interest equally, the rest of each to the last row.

    Principal parts are rounded to the multiple.
    """
    for component, multiple in ((PRINCIPAL, walk.terms.multiple_minor), (INTEREST, 1)):
        moved = transaction.parts[component]
        _keep_paid(past, component, transaction.on)
        part = divide(moved, len(ahead), rounding=Rounding.HALF_EVEN)
        _add(ahead, component, to_multiple(part, multiple), moved)


def _spread_by_model(walk: Walk, operation: ReAmortise, past: list[Row], ahead: list[Row]) -> None:
    if operation.interest is ReAmortiseInterest.DEFAULT:
        model_rules.re_amortise(walk.the_model, operation.on)
        follow_model(walk, operation.on)
        return
    fees = sum(row.open(FEE) for row in past)
    _keep_paid(past, FEE, operation.on)
    model_rules.re_amortise_interest_equally(walk.the_model, operation.on)
    follow_model(walk, operation.on)
    _add(ahead, FEE, divide(fees, len(ahead), rounding=Rounding.HALF_EVEN), fees)


def _keep_paid(past: list[Row], component: Component, on: date) -> None:
    """Let past rows ask for no more of a component than was paid."""
    for row in past:
        row.due[component] -= row.open(component)
        row.meet(on)


def _add(rows: list[Row], component: Component, part: int, total: int) -> None:
    """Add a part to each row, no more than is left, and to the last what is left of the total."""
    for row, added in zip(rows, capped(total, [part] * len(rows)), strict=True):
        row.due[component] += added
