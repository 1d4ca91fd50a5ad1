"""Disbursement: what is lent is laid over the instalments still to come.

A share may be due at once (down payment); the rest is amortised. Later disbursements are laid over
the instalments due strictly after their day; after the last one, an extra row is due at once.
Source: the vectors' README, sections "Down payment" and "Later disbursement".
"""

from decimal import Decimal

from fenqi.core.terms.amortise.model import Model
from fenqi.core.terms.life import interest
from fenqi.core.terms.life.interest import PRINCIPAL, to_multiple
from fenqi.core.terms.life.operations import Disburse
from fenqi.core.terms.life.receive import allocate_overpayment, settle
from fenqi.core.terms.life.state import Kind, RowKind
from fenqi.core.terms.life.walk import Walk

HUNDREDTHS = 10_000  # of a percent, in one


def disburse(walk: Walk, operation: Disburse) -> None:
    """Lend an amount over the rows laid out; collect the down payment where that is automatic."""
    transaction = walk.begin(operation, Kind.DISBURSEMENT, operation.amount_minor)
    rule = walk.terms.rules.down_payment
    down_minor = down_payment_minor(walk, operation.amount_minor)
    if rule is not None:
        row = walk.add_row(RowKind.DOWN_PAYMENT, starts_on=operation.on, due_on=operation.on)
        row.due[PRINCIPAL] = down_minor
        row.met_on = None if down_minor else operation.on
    walk.lent_minor += operation.amount_minor
    interest.lend(walk, operation.on, operation.amount_minor - down_minor)
    allocate_overpayment(walk, transaction)
    is_derived = (operation.number, Kind.DOWN_PAYMENT) not in walk.undone
    if rule is not None and rule.is_collected_at_once and is_derived and row.open(PRINCIPAL):
        settle(walk, walk.begin(operation, Kind.DOWN_PAYMENT, row.open(PRINCIPAL)))


def lay_out(walk: Walk, operation: Disburse) -> None:
    """Make the rows of the schedule, with nothing due yet."""
    spans = walk.terms.spans(operation.on)
    walk.began_on = operation.on
    walk.model = Model(walk.terms.interest, spans)
    for starts_on, due_on in spans:
        row = walk.add_row(RowKind.INSTALMENT, starts_on=starts_on, due_on=due_on)
        row.met_on = operation.on


def down_payment_minor(walk: Walk, amount_minor: int) -> int:
    """Return the share due at once, rounded to the currency and then to the multiple."""
    rules = walk.terms.rules
    if rules.down_payment is None:
        return 0
    share = Decimal(amount_minor) * rules.down_payment.percent_hundredths / HUNDREDTHS
    return to_multiple(to_multiple(share, 1), walk.terms.multiple_minor)
