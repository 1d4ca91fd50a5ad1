"""Disbursement: what is lent is laid over the instalments still to come.

A share may be due at once (down payment); the rest is amortised. Later disbursements are laid over
the instalments due strictly after their day; after the last one, an extra row is due at once.
Source: the vectors' README, sections "Down payment" and "Later disbursement".
"""

from fenqi.core.terms.amortise.down_payment import down_payment
from fenqi.core.terms.amortise.model import Model
from fenqi.core.terms.life import interest
from fenqi.core.terms.life.interest import PRINCIPAL
from fenqi.core.terms.life.operations import Disburse
from fenqi.core.terms.life.receive import allocate_overpayment, pay_in
from fenqi.core.terms.life.refusal import OperationSenseless
from fenqi.core.terms.life.signed import signed_rows
from fenqi.core.terms.life.state import Kind, Row, RowKind
from fenqi.core.terms.life.walk import Walk


def disburse(walk: Walk, operation: Disburse) -> None:
    """Lend an amount over the rows laid out; collect the down payment where that is automatic.

    Errors: OperationSenseless if a plan with a schedule as signed lends again.
    """
    if walk.terms.signed is not None and walk.lent_minor:
        raise OperationSenseless(operation=operation.number, reason="the schedule is as signed")
    transaction = walk.begin(operation, Kind.DISBURSEMENT, operation.amount_minor)
    rule = walk.terms.rules.down_payment
    down_minor = 0
    if rule is not None:
        down_minor = down_payment(operation.amount_minor, rule.share_ppm, walk.terms.interest)
        row = walk.add_row(RowKind.DOWN_PAYMENT, starts_on=operation.on, due_on=operation.on)
        row.due[PRINCIPAL] = down_minor
        row.met_on = None if down_minor else operation.on
    walk.lent_minor += operation.amount_minor
    if walk.terms.signed is None:
        interest.lend(walk, operation.on, operation.amount_minor - down_minor)
    allocate_overpayment(walk, transaction)
    is_derived = (operation.number, Kind.DOWN_PAYMENT) not in walk.undone
    if rule is not None and rule.is_collected_at_once and is_derived and row.open(PRINCIPAL):
        pay_in(walk, walk.begin(operation, Kind.DOWN_PAYMENT, row.open(PRINCIPAL)))


def lay_out(walk: Walk, operation: Disburse) -> None:
    """Make the rows of the schedule: as signed, or with nothing due yet."""
    walk.began_on = walk.charged_through = operation.on
    if walk.terms.signed is not None:
        walk.rows = signed_rows(walk.terms.signed, operation.amount_minor, operation.on)
        walk.keys = len(walk.rows)
        return
    spans = walk.terms.spans(operation.on)
    walk.model = Model(walk.terms.interest, spans)
    kind, met_on = RowKind.INSTALMENT, operation.on
    walk.rows = [Row(key, kind, *span, met_on=met_on) for key, span in enumerate(spans, start=1)]
    walk.keys = len(walk.rows)
