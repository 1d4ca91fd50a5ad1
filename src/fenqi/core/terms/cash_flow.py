"""Money over time: its present worth and the rate that makes it worth nothing.

Sources: the internal rate of return as every textbook has it; XIRR as spreadsheets define it
(actual days over 365, compounded by the year).
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import pairwise
from typing import TypeVar

from fenqi.core.errors import Invalid
from fenqi.core.terms.root import SOLVING, RateNotFound, WhenSeveral, decimal, root, shown

Time = TypeVar("Time", int, Fraction, int | Fraction, tuple[int, Fraction])

DAYS_PER_YEAR = 365


class AmountNotPositive(Invalid):
    """An advance or a payment that moves no money, or moves it the other way."""

    code = "amount-not-positive"


def irr(amounts: Sequence[int], *, when_several: WhenSeveral = WhenSeveral.REFUSE) -> Decimal:
    """Return the rate per period of amounts that flow at equal distances, the first one at once.

    Units: minor units, money out negative and money in positive or the other way round; a fraction
    of one per period out, to 18 significant digits.
    Errors: RateNotFound if all amounts have one sign; RateNotUnique.
    """
    discount = discount_factor([*enumerate(amounts)], when_several=when_several)
    with localcontext(SOLVING):
        rate = 1 / discount - 1
    return shown(rate)


def xirr(
    flows: Sequence[tuple[date, int]], *, when_several: WhenSeveral = WhenSeveral.REFUSE
) -> Decimal:
    """Return the effective yearly rate of dated flows, actual days over 365.

    Units: minor units, money out negative and money in positive or the other way round; a fraction
    of one per year out, to 18 significant digits.
    Errors: RateNotFound if all flows have one sign or fall on one day; RateNotUnique.
    Source: the XIRR function of spreadsheets.
    """
    first = min((on for on, _ in flows), default=date.min)
    discount = discount_factor(
        [((on - first).days, minor) for on, minor in flows], when_several=when_several
    )
    with localcontext(SOLVING):
        rate = 1 / discount**DAYS_PER_YEAR - 1
    return shown(rate)


def discount_factor(
    flows: Sequence[tuple[int | Fraction, int]],
    *,
    when_several: WhenSeveral = WhenSeveral.REFUSE,
) -> Decimal:
    """Return the discount factor of one unit of time that makes flows worth nothing.

    That is the positive v at which the sum of amount * v^time is zero; 1 / v - 1 is the rate.

    Units: times in any unit from any start, amounts in any unit; 40 digits out.
    Errors: RateNotFound, RateNotUnique.
    """
    present = netted(flows)
    amounts = [amount for _, amount in present]
    gaps = [later - earlier for (earlier, _), (later, _) in pairwise(present)]
    worth = CompoundWorth(amounts, [0, *gaps])
    return root(
        worth,
        span=Fraction(sum(gaps)),
        sign_changes=sign_changes(amounts),
        when_several=when_several,
    )


def netted(flows: Sequence[tuple[Time, int]]) -> list[tuple[Time, int]]:
    """Return flows in order of time, those of one time as one, the first one out.

    Errors: RateNotFound if what is left does not flow both ways.
    """
    sums: dict[Time, int] = {}
    for time, amount in flows:
        sums[time] = sums.get(time, 0) + amount
    present = sorted((time, amount) for time, amount in sums.items() if amount)
    if sign_changes([amount for _, amount in present]) == 0:
        raise RateNotFound(reason="money flows one way only")
    sign = -1 if present[0][1] > 0 else 1
    return [(time, sign * amount) for time, amount in present]


def sign_changes(amounts: Sequence[int]) -> int:
    """Return how often amounts in order of time turn from out to in or back; no amount is zero."""
    return sum((before > 0) != (after > 0) for before, after in pairwise(amounts))


def require_positive(amounts: Sequence[int]) -> None:
    """Refuse an advance or payment that is not above zero. Errors: AmountNotPositive."""
    for amount in amounts:
        if amount <= 0:
            raise AmountNotPositive(amount_minor=amount)


class CompoundWorth:
    """The worth of flows when interest compounds all the time: the sum of amount * v^time.

    Equal gaps, as months have, are raised to a power once for each discount factor tried: a power
    of a fraction costs more than all the rest.

    Shapes: one gap before each amount, the first one 0.
    """

    def __init__(self, amounts: Sequence[int], gaps: Sequence[int | Fraction]) -> None:
        with localcontext(SOLVING):
            lengths = [gap if isinstance(gap, int) else decimal(gap) for gap in gaps]
            self._lengths = list(dict.fromkeys(lengths))
            places = {length: place for place, length in enumerate(self._lengths)}
            self._steps = [
                (Decimal(amount), places[length], length)
                for amount, length in zip(amounts, lengths, strict=True)
            ]

    def at(self, discount: Decimal) -> tuple[Decimal, Decimal]:
        """Return the worth and its slope."""
        worth = slope = Decimal(0)
        power, time = Decimal(1), Decimal(0)
        factors = [discount if length == 1 else discount**length for length in self._lengths]
        for amount, place, length in self._steps:
            power *= factors[place]
            time += length
            term = amount * power
            worth += term
            slope += time * term
        return worth, slope / discount
