"""Early settlement: how much of a signed cost time has not earned yet, by method.

Which method a plan uses is a matter of law and of its product; each is one function here and its
result is what the customer does not have to pay. The shipped products go by the day.

Sources, each at its function. Directive 2008/48/EC art. 16 and CJEU C-383/18 (Lexitor): the
reduction covers all costs put on the consumer, whatever they depend on.
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal, localcontext
from fractions import Fraction

from fenqi.core.errors import Invalid
from fenqi.core.terms.root import SOLVING, decimal
from fenqi.core.values.rate import Rounding, divide, round_decimal, round_places

UK_RATE_DECIMALS = 6  # without them the printed pennies of the Schedule do not come out


class SettlementInvalid(Invalid):
    """Time left that is no part of the whole, a cost below zero, or a rate nobody can use."""

    code = "settlement-invalid"


def earned_minor(due_minor: int, starts_on: date, due_on: date, on: date) -> int:
    """Return the part of an instalment's cost that the time until `on` has earned, by the day.

    Units: minor units; a fraction is dropped, in the customer's favour.
    Source: docs/adr/0007-settle-early-by-the-day.md.
    """
    if on >= due_on:
        return due_minor
    if on <= starts_on:
        return 0
    return due_minor * (on - starts_on).days // (due_on - starts_on).days


def straight_line_unearned(cost_minor: int, *, left: int, whole: int, rounding: Rounding) -> int:
    """Return the part of a cost that falls to the time left if each day or period earns the same.

    Units: minor units in and out; `left` of `whole` in any one unit of time.
    Errors: SettlementInvalid.
    Source: the pro rata temporis reading of Directive 2008/48/EC art. 16(1).
    """
    _require(cost_minor, left, whole)
    return divide(cost_minor * left, whole, rounding=rounding)


def rule_of_78_unearned(
    cost_minor: int, *, left: int | Fraction, count: int, rounding: Rounding
) -> int:
    """Return the unearned part if a period earns in proportion to the periods then still to come.

    With k of n periods left that is k (k + 1) / (n (n + 1)) of the cost; with a part f of the
    running period left too, its own 2 (k + 1) f more. It favours the lender.

    Units: minor units in and out; periods.
    Errors: SettlementInvalid.
    Source: the sum of the digits; 15 USC 1615(b) forbids it for terms above 61 months, and in the
    United Kingdom SI 2004/1483 replaced it.
    """
    _require(cost_minor, left, count)
    whole = left // 1
    share = (whole + 1) * (whole + 2 * (left - whole)) * Fraction(1, count * (count + 1))
    return divide(cost_minor * share.numerator, share.denominator, rounding=rounding)


def actuarial_unearned(
    payments_left_minor: Sequence[int],
    *,
    rate: Fraction,
    rounding: Rounding,
    gone: Fraction = Fraction(0),
) -> int:
    """Return the interest still in payments to come: their sum less what they are worth today.

    In the part of the running period that has `gone` their worth grows by the day, not compounded.

    Units: minor units in and out; `rate` per period as a fraction of one, the contract's own.
    Shapes: the payments at the ends of the next periods, in their order.
    Errors: SettlementInvalid.
    Source: 15 USC 1615(d)(1): each payment pays the interest on the balance first.
    """
    least = min(payments_left_minor, default=0)
    if rate < 0 or least < 0 or not 0 <= gone < 1:
        raise SettlementInvalid(rate=rate, least_payment_minor=least, gone=gone)
    with localcontext(SOLVING):
        discount = 1 / (1 + decimal(rate))
        worth = sum(
            (minor * discount**number for number, minor in enumerate(payments_left_minor, start=1)),
            Decimal(0),
        )
        worth *= 1 + decimal(rate * gone)
        return round_decimal(sum(payments_left_minor) - worth, rounding=rounding)


def uk_period_rate(yearly_rate: Decimal, *, periods_per_year: int) -> Decimal:
    """Return the rate of one period whose compounding over a year gives the yearly rate.

    Units: fractions of one; six decimals out, rounded half up, as the Schedule's examples have it.
    Errors: SettlementInvalid.
    Source: SI 2004/1483, Schedule.
    """
    if yearly_rate < 0 or periods_per_year < 1:
        raise SettlementInvalid(yearly_rate=yearly_rate, periods_per_year=periods_per_year)
    with localcontext(SOLVING):
        rate = (1 + yearly_rate) ** (Decimal(1) / periods_per_year) - 1
        return round_places(rate, decimals=UK_RATE_DECIMALS, rounding=Rounding.HALF_UP)


def uk_rebate(
    *,
    credits_given: Sequence[tuple[Fraction, int]],
    repayments: Sequence[tuple[Fraction, int]],
    settled_after: Fraction,
    period_rate: Decimal,
    rounding: Rounding,
) -> int:
    """Return the rebate of a British regulated agreement: what is still due less what is owed.

    What is owed is the credit with its charge for the time since, less the repayments with theirs:
    rebate = sum of later B - (sum of A (1 + r)^a - sum of earlier B (1 + r)^b). A repayment on the
    settlement day may stand on either side. A rebate is never below zero.

    Units: minor units in and out; times in periods from the relevant date, exactly; `period_rate`
    from `uk_period_rate`.
    Errors: SettlementInvalid if a credit is given after the settlement or an amount is negative.
    Source: SI 2004/1483, regulation 4(1); regulations 5 and 6 say which day is the settlement day.
    """
    least = min(minor for _, minor in ((Fraction(0), 0), *credits_given, *repayments))
    latest = max((time for time, _ in credits_given), default=Fraction(0))
    if least < 0 or latest > settled_after or period_rate <= -1:
        raise SettlementInvalid(
            least_minor=least,
            credit_after=latest,
            settled_after=settled_after,
            period_rate=period_rate,
        )
    later = sum(minor for time, minor in repayments if time > settled_after)
    earlier = [(time, minor) for time, minor in repayments if time <= settled_after]
    with localcontext(SOLVING):
        grown = _grown(credits_given, until=settled_after, rate=period_rate)
        owed = grown - _grown(earlier, until=settled_after, rate=period_rate)
        return max(0, round_decimal(later - owed, rounding=rounding))


def _grown(flows: Sequence[tuple[Fraction, int]], *, until: Fraction, rate: Decimal) -> Decimal:
    """Return what amounts come to with compound charges until a time."""
    return sum((minor * (1 + rate) ** decimal(until - time) for time, minor in flows), Decimal(0))


def _require(cost_minor: int, left: int | Fraction, whole: int) -> None:
    if cost_minor < 0 or whole < 1 or not 0 <= left <= whole:
        raise SettlementInvalid(cost_minor=cost_minor, left=left, whole=whole)
