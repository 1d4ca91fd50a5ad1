"""A refund of goods: the returned part is taken out as if it had never been lent.

Principal falls by the refund, cost to what the smaller purchase would have cost, the late charge in
proportion. Relief begins at the last row, so what was not yet billed goes first; money that comes
free pays what is still owed here and then goes back. After an early settlement the cost falls in
proportion.
Source: docs/adr/0006-give-refunds-as-if-never-lent.md.
"""

from fenqi.core.terms.life.charge import note_relief
from fenqi.core.terms.life.disburse import disburse, lay_out
from fenqi.core.terms.life.late import set_late_charge
from fenqi.core.terms.life.operations import Disburse, Receive
from fenqi.core.terms.life.receive import allocate_receipt
from fenqi.core.terms.life.refusal import OperationSenseless
from fenqi.core.terms.life.relief import Source, relieve, take_back
from fenqi.core.terms.life.state import Effect, Kind, Parts, Transaction, no_parts
from fenqi.core.terms.life.walk import Walk
from fenqi.core.terms.product import COST, Component

PENALTY = Component.PENALTY


def take_out(walk: Walk, operation: Receive) -> None:
    """Take the returned part out. Errors: OperationSenseless if it exceeds what was lent."""
    before = walk.lent_minor - walk.refunded_minor
    after = before - operation.amount_minor
    if operation.amount_minor < 1 or after < 0:
        raise OperationSenseless(
            operation=operation.number,
            reason="refund above what was lent",
            amount=operation.amount_minor,
            lent=before,
        )
    transaction = walk.begin(operation, Kind(operation.receipt.value), operation.amount_minor)
    targets = _targets(walk, before=before, after=after)
    walk.refunded_minor += operation.amount_minor
    freed, rows = 0, [row.copy() for row in walk.rows] if walk.charges else []
    for source in Source:
        for row in reversed(walk.rows):
            if any(targets):
                freed += relieve(walk, transaction, row, targets, (source,))
    for row, unrelieved in zip(walk.rows, rows, strict=False):
        note_relief(walk, row, unrelieved)
    freed += _lower_late_charges(walk, transaction, before=before, after=after)
    walk.returned_minor += allocate_receipt(walk, transaction, freed)


def _targets(walk: Walk, *, before: int, after: int) -> Parts:
    """Return what is to be relieved in all: the principal, and the cost that came with it."""
    targets = no_parts()
    targets[Component.PRINCIPAL] = before - after
    is_ended_early = any(one.kind is Kind.SETTLEMENT and one.relieves for one in walk.transactions)
    cost_left = no_parts() if is_ended_early else _cost_if_lent(walk, after)
    for component in COST:
        owed = sum(row.due[component] - row.relieved[component] for row in walk.rows)
        left = owed * after // before if is_ended_early else cost_left[component]
        if component is Component.FEE and not is_ended_early:
            left += _charged(walk) * after // before
        targets[component] = max(0, owed - left)
    return targets


def _charged(walk: Walk) -> int:
    """Return the fees that were added to the schedule and not waived; they fall in proportion."""
    fees = (one for one in walk.charges.values() if not one.is_penalty)
    return sum(one.amount_minor - one.waived_minor for one in fees)


def _cost_if_lent(walk: Walk, principal_minor: int) -> Parts:
    """Return the cost by component that a purchase of this size would have had."""
    cost = no_parts()
    if principal_minor and walk.began_on is not None:
        smaller = Walk(walk.terms, bears_interest=walk.bears_interest)
        on = walk.began_on
        lent = Disburse(number=1, on=on, booked_on=on, amount_minor=principal_minor)
        lay_out(smaller, lent)
        disburse(smaller, lent)
        for component in COST:
            cost[component] = sum(row.due[component] for row in smaller.rows)
    return cost


def _lower_late_charges(walk: Walk, transaction: Transaction, *, before: int, after: int) -> int:
    """Give back the late charge on the returned part; return the money freed."""
    rule = walk.terms.rules.late
    if rule is None:
        return 0
    freed = 0
    for row in walk.rows:
        if not row.late_charge_minor and not row.overdue_minor_days:
            continue
        row.overdue_minor_days = row.overdue_minor_days * after // before
        set_late_charge(row, rule, may_fall=True)
        over = max(0, -row.open(PENALTY))
        given_up = min(over, row.written_off[PENALTY])
        if given_up:
            freed += take_back(walk, transaction, row, Effect.WRITTEN_OFF, (0, 0, 0, -given_up))
        if over > given_up:
            freed += take_back(walk, transaction, row, Effect.PAID, (0, 0, 0, given_up - over))
        row.meet(transaction.on)
    return freed
