"""How a customer pays: on which days a policy may see it differently, and how often they were late.

An account is asked about when something happened, and on the days on which a condition of the
policy about days past due may turn: so nobody is looked at every day, and no line comes late.
"""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import NamedTuple

from fenqi.core.risk.policy.expression import Among, Compared, Named, Number, Order, walk
from fenqi.core.risk.policy.policy import Policy

OVERDUE = "overdue_days"  # the input that rises by itself from day to day
OVERDUE_MINOR = "overdue_minor"  # the input that says how much is past due
SPELLS = "late_spells_365d"  # the input that counts separate times of being late
YEAR = timedelta(days=365)
TURNS_MAX = 100  # different days past due a policy is asked on
DAYS_MAX = 1000  # days past due beyond which nobody is looked at for the day alone

# A value on which the outcome of a comparison with a number may differ from the day before.
AT = {Order.LESS, Order.MORE_OR_EQUAL, Order.EQUAL, Order.UNEQUAL}
AFTER = {Order.MORE, Order.LESS_OR_EQUAL, Order.EQUAL, Order.UNEQUAL}
MIRRORED = {
    Order.LESS: Order.MORE,
    Order.LESS_OR_EQUAL: Order.MORE_OR_EQUAL,
    Order.MORE: Order.LESS,
    Order.MORE_OR_EQUAL: Order.LESS_OR_EQUAL,
}


class Step(NamedTuple):
    """A plan that became late (`by` is 1) or is late no more (-1), and the day that counts from.

    Money counts from the day it was received, however long its channel took to confirm it.
    """

    on: date
    by: int
    effective_on: date


def turning_days(policy: Policy) -> tuple[int, ...]:
    """Return the days past due on which a condition of the policy may turn, the fewest first.

    Units: days past due, from 1. What is computed from them turns by no fixed day and is left out.
    """
    found: set[int] = set()
    for line in policy.lines:
        for node in walk(line.when):
            match node:
                case Compared(order, Named(name), Number(value)) if name == OVERDUE:
                    found |= _turns(order, value)
                case Compared(order, Number(value), Named(name)) if name == OVERDUE:
                    found |= _turns(MIRRORED.get(order, order), value)
                case Among(Named(name), options) if name == OVERDUE:
                    for one in options:
                        found |= {one.value, one.value + 1}
                case _:
                    pass
    return tuple(sorted(one for one in found if 1 <= one <= DAYS_MAX)[:TURNS_MAX])


def _turns(order: Order, value: int) -> set[int]:
    return ({value} if order in AT else set()) | ({value + 1} if order in AFTER else set())


def spells(steps: Iterable[Step], on: date) -> int:
    """Return how often an account became late in the year that ends on a day.

    However many of its plans are late together, and however long, it is one time: it ends when
    nothing is late any more. What ended with money that was there before it began was none: the
    channel was late, not the customer (P5). `steps` are those of one account, in their order.
    """
    late, begun, since = 0, 0, date.min
    for step in steps:
        counts = on - YEAR < since <= on
        if late == 0 and step.by > 0:
            since = step.on
            begun += on - YEAR < since <= on
        elif late == 1 and step.by < 0 and step.effective_on < since:
            begun -= counts
        late = max(0, late + step.by)
    return begun
