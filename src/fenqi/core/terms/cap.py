"""The yearly cap after a change: what a changed plan costs if all goes normally from now on.

A plan was under its pack's cap when it was signed (`pack.check_plan`). A deferral or an extension
at a price changes what is paid and when, so it is asked again: what the rows ask for, discounted at
the cap, must not exceed what was lent. As at signing a period is a month whatever its days; a row
on another day than signed is as many days later. Between two months the worth is taken on a
straight line, which is never below the true one, so that rounding is on the customer's side.
Source: M7 of the promises; docs/adr/0020-carry-requests-to-the-ledger.md.
"""

from datetime import date

from fenqi.core.terms.life.state import Row
from fenqi.core.terms.life.view import View
from fenqi.core.terms.pack import CapBroken, Pack, discounts_at
from fenqi.core.terms.product import CONTRACT
from fenqi.core.terms.schedule import Terms
from fenqi.core.values.rate import PPM

MONTHS_OF_A_YEAR = 12
DAYS_OF_A_YEAR = 365
RATE_PPM_MAX = 100 * PPM  # a hundred times a year


def check_changed(terms: Terms, plan: View, pack: Pack) -> None:
    """Refuse a change that lifts a plan's yearly cost above the pack's cap.

    Errors: CapBroken.
    """
    cap = pack.nominal_annual_max_ppm
    if not _is_under(terms, plan, cap):
        raise CapBroken(
            product=terms.product.product_id,
            count=len(plan.rows),
            what="nominal_annual_ppm",
            value=_rate_ppm(terms, plan, cap),
            cap=cap,
        )


def _is_under(terms: Terms, plan: View, rate_ppm: int) -> bool:
    """Return whether what a plan asks for, discounted at a rate, is no more than was lent."""
    lent = terms.principal_minor - plan.refunded_minor
    worth = sum(_asked(row) * _worth(terms, row, rate_ppm) for row in plan.rows)
    return worth <= lent * discounts_at(rate_ppm)[0]


def _rate_ppm(terms: Terms, plan: View, above_ppm: int) -> int:
    """Return the first whole rate that a plan above one is under, or the highest looked at."""
    low, high = above_ppm, RATE_PPM_MAX
    while high - low > 1:
        middle = (low + high) // 2
        if _is_under(terms, plan, middle):
            high = middle
        else:
            low = middle
    return high


def _asked(row: Row) -> int:
    """Return what a row asks for without penalty, paid or not; what was let off is not asked."""
    return sum(row.due[part] - row.relieved[part] for part in CONTRACT)


def _worth(terms: Terms, row: Row, cap_ppm: int) -> int:
    """Return the worth, on the plan's first day, of one unit paid with a row, scaled."""
    factors = discounts_at(cap_ppm)
    number, signed_on = _signed_place(terms, row)
    later = (row.due_on - signed_on).days * MONTHS_OF_A_YEAR
    whole, part = divmod(number * DAYS_OF_A_YEAR + later, DAYS_OF_A_YEAR)
    if whole + 1 >= len(factors):
        return factors[-1]
    return factors[whole] - (factors[whole] - factors[whole + 1]) * part // DAYS_OF_A_YEAR


def _signed_place(terms: Terms, row: Row) -> tuple[int, date]:
    """Return a row's signed number and day; an added row follows the last that was signed."""
    number = min(row.key, terms.count)
    return number, terms.due_on[number - 1]
