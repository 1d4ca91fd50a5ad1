"""The late charge: what being late costs by itself, a daily rate on the amount overdue.

It is the sum over chargeable days of principal, interest and fee overdue at the day's end, times
the daily rate, a fraction dropped, under a cap; never charged on itself. Being a cumulative sum, it
is the same however often it is counted.
Source: docs/adr/0005-count-late-charges-when-they-are-asked-for.md.
"""

from collections.abc import Collection
from datetime import date, timedelta

from fenqi.core.errors import ensure
from fenqi.core.terms.life.state import Row
from fenqi.core.terms.life.walk import Walk
from fenqi.core.terms.product import Component, LateRule
from fenqi.core.values.rate import PPM

ONE_DAY = timedelta(days=1)


def charge_late(walk: Walk, through: date) -> None:
    """Count the overdue amount of every day since the last one and set the penalty due."""
    rule = walk.terms.rules.late
    if rule is None or through <= walk.charged_through:
        return
    for row in walk.rows:
        if row.due_on >= through:
            break
        base = row.contract_open_minor
        if base:
            row.overdue_minor_days += base * chargeable_days(
                row.due_on,
                rule,
                after=walk.charged_through,
                through=through,
                excused=walk.excused,
            )
            set_late_charge(row, rule)
    walk.charged_through = through


def chargeable_days(
    due_on: date, rule: LateRule, *, after: date, through: date, excused: Collection[date]
) -> int:
    """Return how many days in (after, through] a late charge counts for.

    A day counts if it is not excused and at its end the instalment is more than the grace days
    past due, excused days not counted: an outage never counts against a customer.
    """
    first = due_on + timedelta(days=rule.grace_days + 1)
    late = sorted(day for day in excused if due_on < day <= through) if excused else ()
    for day in late:  # each excused day up to the end of grace prolongs the grace by one
        if day <= first:
            first += ONE_DAY
    start = first if first > after else after + ONE_DAY
    if start > through:
        return 0
    return (through - start).days + 1 - sum(start <= day <= through for day in late)


def set_late_charge(row: Row, rule: LateRule, *, may_fall: bool = False) -> None:
    """Set what being late has cost so far, under the cap on what the row asks for.

    Fractions are dropped, in the customer's favour.
    The cap looks at what is still asked for, so a refund lowers it, but a payment does not.
    """
    due, relieved = row.due, row.relieved
    asked = due[0] + due[1] + due[2] - relieved[0] - relieved[1] - relieved[2]
    cap = asked * rule.cap_ppm // PPM
    charged = min(row.overdue_minor_days * rule.rate_ppm_per_day // PPM, cap)
    ensure(may_fall or charged >= row.late_charge_minor, "late-charge-falls")
    row.due[Component.PENALTY] += charged - row.late_charge_minor
    row.late_charge_minor = charged
