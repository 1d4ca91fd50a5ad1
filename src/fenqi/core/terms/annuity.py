"""Level and stepped payments, exactly: the time value of money without any rounding.

A schedule rounds what it books (`schedule.level_payment`); this is what it rounds. All figures are
fractions, so a caller may round once, as its rule says.

Source: the annuity formula of every textbook; spreadsheets have it as PMT, IPMT and PPMT, with
money received positive and money paid negative.
"""

from collections.abc import Sequence
from fractions import Fraction

from fenqi.core.errors import Invalid

COUNT_MAX = 1_200  # a hundred years of months; the fractions grow with it


class AnnuityInvalid(Invalid):
    """Payments that repay nothing: no count, a rate of -1 or less, or weights of no worth."""

    code = "annuity-invalid"


def level_amount(
    present: Fraction,
    *,
    count: int,
    rate: Fraction,
    left: Fraction = Fraction(0),
    is_in_advance: bool = False,
) -> Fraction:
    """Return the amount which, paid `count` times, turns a debt of `present` into one of `left`.

    The payments fall at the ends of the periods, or at their starts if `is_in_advance`.

    Units: amounts in any one unit; `rate` per period as a fraction of one.
    Errors: AnnuityInvalid.
    """
    _require(count, rate)
    grown = (1 + rate) ** count
    worth = (grown - 1) / rate if rate else Fraction(count)
    amount = (present * grown - left) / worth
    return amount / (1 + rate) if is_in_advance else amount


def stepped_amount(present: Fraction, *, weights: Sequence[Fraction], rate: Fraction) -> Fraction:
    """Return the amount of weight one of payments that repay `present` in steps.

    Units: amounts in any one unit; `rate` per period as a fraction of one.
    Shapes: one weight per period; its payment is the weight times the amount returned.
    Errors: AnnuityInvalid.
    """
    _require(len(weights), rate)
    worth = sum(
        (weight / (1 + rate) ** number for number, weight in enumerate(weights, start=1)),
        Fraction(0),
    )
    if worth <= 0:
        raise AnnuityInvalid(count=len(weights), rate=rate)
    return present / worth


def balance_after(
    present: Fraction,
    amount: Fraction,
    *,
    number: int,
    rate: Fraction,
    is_in_advance: bool = False,
) -> Fraction:
    """Return what is owed at the end of period `number`, its payment and interest included.

    Units: amounts in any one unit; `rate` per period as a fraction of one; number 0 is the start.
    Errors: AnnuityInvalid.
    """
    if number == 0:
        return present
    _require(number, rate)
    grown = (1 + rate) ** number
    worth = (grown - 1) / rate if rate else Fraction(number)
    paid = amount * (1 + rate) if is_in_advance else amount
    return present * grown - paid * worth


def interest_part(
    present: Fraction,
    amount: Fraction,
    *,
    number: int,
    rate: Fraction,
    is_in_advance: bool = False,
) -> Fraction:
    """Return the interest in payment `number` (from 1); the rest of the payment is principal.

    A payment in advance carries the interest of the period before it, so the first one none.

    Units: amounts in any one unit; `rate` per period as a fraction of one.
    Errors: AnnuityInvalid.
    """
    _require(number, rate)
    if not is_in_advance:
        return balance_after(present, amount, number=number - 1, rate=rate) * rate
    if number == 1:
        return Fraction(0)
    before = balance_after(present, amount, number=number - 1, rate=rate, is_in_advance=True)
    return before * rate / (1 + rate)


def _require(count: int, rate: Fraction) -> None:
    if not 1 <= count <= COUNT_MAX or rate <= -1:
        raise AnnuityInvalid(count=count, most=COUNT_MAX, rate=rate)
