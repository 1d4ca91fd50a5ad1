"""Interest refund: what a refunded amount has cost in interest comes back with it.

It is the interest that would not have been charged had the refunded amount been repaid on the day
it was lent: the difference of two recalculations to the day of the refund, less what was given back
before. Allocated like a receipt of its own kind.
Source: the vectors' README, section "Interest refund".
"""

from fenqi.core.terms.life.interest import INTEREST, due_interest_by
from fenqi.core.terms.life.operations import Disburse, Operation, Receipt, Receive
from fenqi.core.terms.life.receive import pay_in
from fenqi.core.terms.life.rules import ChargeOffBehaviour
from fenqi.core.terms.life.state import Kind
from fenqi.core.terms.life.walk import Walk


def gives_interest_back(walk: Walk, operation: Receive) -> bool:
    """Return whether a receipt is a refund that gives interest back."""
    if not walk.bears_interest or walk.is_simulated:
        return False
    gives = operation.refunds_interest
    if gives is None:
        gives = operation.receipt in walk.terms.rules.interest_refund_for
    return gives and (operation.number, Kind.INTEREST_REFUND) not in walk.undone


def refund_interest(walk: Walk, operation: Receive, without: Walk) -> None:
    """Give back the interest on a refunded amount; `without` is the life had it not been lent."""
    amount = due_interest_by(walk, operation.on) - due_interest_by(without, operation.on)
    amount -= walk.interest_refunded_minor
    if amount <= 0:
        return
    if walk.is_charged_off:
        amount = _all_interest(walk)
    walk.interest_refunded_minor += amount
    pay_in(walk, walk.begin(operation, Kind.INTEREST_REFUND, amount))


def _all_interest(walk: Walk) -> int:
    """Return the interest a plan has earned by its charge-off."""
    if walk.terms.rules.charge_off is not ChargeOffBehaviour.REGULAR and walk.earned_at_end:
        return walk.earned_at_end[1]
    return sum(row.due[INTEREST] for row in walk.rows)


def as_never_lent(walk: Walk) -> list[Operation]:
    """Return the operations so far as if refunded amounts had been repaid when they were lent."""
    rules = walk.terms.rules
    refunds = {
        one.number: one
        for one in walk.done
        if isinstance(one, Receive) and one.receipt in rules.interest_refund_for
    }
    left = sum(one.amount_minor for one in refunds.values())
    operations: list[Operation] = []
    for one in walk.done:
        if one.number in refunds or getattr(one, "of", None) in refunds:
            continue
        operations.append(one)
        if isinstance(one, Disburse) and left:
            repaid = min(left, one.amount_minor)
            left -= repaid
            operations.append(
                Receive(
                    number=one.number,
                    on=one.on,
                    booked_on=one.booked_on,
                    receipt=Receipt.REPAYMENT,
                    amount_minor=repaid,
                )
            )
    return operations
