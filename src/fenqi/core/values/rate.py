"""Contract rates are integers in parts per million (ppm); the period is part of their name.

One function multiplies an amount by a rate, and rounding is a required argument, so no rounding
ever happens unnamed.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import assert_never

PPM = 1_000_000


class Rounding(StrEnum):
    """How a fraction of a minor unit becomes a whole one."""

    HALF_EVEN = "half-even"
    HALF_UP = "half-up"
    DOWN = "down"
    UP = "up"


DECIMAL_ROUNDING = {
    Rounding.HALF_EVEN: ROUND_HALF_EVEN,
    Rounding.HALF_UP: ROUND_HALF_UP,
    Rounding.DOWN: ROUND_FLOOR,
    Rounding.UP: ROUND_CEILING,
}


def divide(numerator: int, denominator: int, *, rounding: Rounding) -> int:
    """Return `numerator / denominator` rounded to an integer; exact, for a positive denominator.

    DOWN goes towards minus infinity and UP towards plus infinity; halves of HALF_UP go up.
    """
    quotient, rest = divmod(numerator, denominator)
    match rounding:
        case Rounding.DOWN:
            return quotient
        case Rounding.UP:
            return quotient + (rest > 0)
        case Rounding.HALF_UP:
            return quotient + (2 * rest >= denominator)
        case Rounding.HALF_EVEN:
            doubled = 2 * rest
            up = doubled > denominator or (doubled == denominator and quotient % 2 == 1)
            return quotient + up
        case _:
            assert_never(rounding)


def apply_ppm(amount_minor: int, ppm: int, *, rounding: Rounding) -> int:
    """Return `ppm` parts per million of `amount_minor`, rounded as named.

    Units: minor units in and out.
    """
    return divide(amount_minor * ppm, PPM, rounding=rounding)


def round_decimal(value: Decimal, *, rounding: Rounding) -> int:
    """Return `value` as an integer of minor units, rounded as named."""
    return int(value.to_integral_value(rounding=DECIMAL_ROUNDING[rounding]))


def round_places(value: Decimal, *, decimals: int, rounding: Rounding) -> Decimal:
    """Return `value` with that many digits after the point, rounded once and as named.

    Halves of HALF_UP go away from zero.
    """
    return value.quantize(Decimal(1).scaleb(-decimals), rounding=DECIMAL_ROUNDING[rounding])
