"""What is shown of a walk on a day: the state as it would stand if nothing more happened."""

from datetime import date

from fenqi.core.terms.life.interest import count_to, counts_overdue
from fenqi.core.terms.life.late import ONE_DAY, charge_late
from fenqi.core.terms.life.state import RowKind
from fenqi.core.terms.life.walk import Walk


def finish(
    walk: Walk, as_of: date, *, is_pay_off: bool = False, is_withdrawal: bool = False
) -> Walk:
    """Return a copy with interest counted to the day and empty extra rows left out.

    With `is_pay_off` overdue principal bears interest as far as it does in what ends the plan, with
    `is_withdrawal` as far as in what withdraws from it: to the day.
    """
    has_to_count = counts_overdue(walk, as_of)
    walk = walk.sketch(shares_model=not has_to_count)
    walk.is_pay_off, walk.is_withdrawal = is_pay_off and not is_withdrawal, is_withdrawal
    if not walk.rows:
        return walk
    if has_to_count:
        count_to(walk, as_of)
    charge_late(walk, as_of - ONE_DAY)
    if walk.rows[-1].kind is RowKind.EXTRA and not any(walk.rows[-1].due):
        walk.rows.pop()
    for row in walk.rows:
        if row.is_open:
            row.met_on = None
    return walk
