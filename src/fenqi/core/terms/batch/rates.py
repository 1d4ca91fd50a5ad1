"""The yearly rates of many plans; twin of the rates of `core.terms.cost`.

Newton's method on all plans at once, in floating point. What it finds is not trusted but bounded:
what a plan's payments are worth at the discount factor found says how far the true one can be. A
plan whose rate could round the other way within that bound is handed to the scalar, which solves
in exact decimals, and so is a plan that did not converge or is no loan.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from fenqi.core.errors import Invalid
from fenqi.core.terms.batch.arrays import Flags, Minor, require
from fenqi.core.terms.cost import effective_annual, nominal_annual
from fenqi.core.terms.schedule import MONTHS_PER_YEAR
from fenqi.core.values.rate import PPM, Rounding, round_decimal

Reals = NDArray[np.float64]

RATE_PPM_MAX = 2**62  # a year; effectively, more than ten times the debt in a month is beyond it
STEPS_MAX = 40
STEP_MIN = 2.0**-30  # of the discount factor; the step is applied, what is left is its square
FLOAT_UNIT = 2.0**-53  # the relative error of one operation
EXACT_MAX = 2**53  # integers up to it are floats without an error
OFF_MAX = 2.0**-20  # of the worth, relative to what was lent: more has not converged


class RateTooLarge(Invalid):
    """A yearly rate in ppm beyond what a 64-bit integer holds."""

    code = "rate-too-large"


def nominal_annuals(principal_minor: Minor, amounts_minor: Minor, rounding: Rounding) -> Minor:
    """Return 12 x the monthly irr of many plans; twin of `nominal_annual`, rounded to ppm.

    Units: minor units in; whole ppm a year out, rounded as named.
    Shapes: `principal_minor` (plans,), `amounts_minor` (plans, periods), one payment at the end of
    each month and 0 where there is none -> (plans,) of int64.
    Errors: those of the scalar; ShapeInvalid, RateTooLarge.
    """
    _check(principal_minor, amounts_minor)
    growth, slack = _monthly_growths(principal_minor, amounts_minor)
    rate = (growth - 1) * MONTHS_PER_YEAR
    off = np.where(slack, growth * (slack + 4 * FLOAT_UNIT) * MONTHS_PER_YEAR, 0)
    found, is_sure = _rounded(rate, off, rounding)
    return _settled(nominal_annual, principal_minor, amounts_minor, found, is_sure, rounding)


def effective_annuals(principal_minor: Minor, amounts_minor: Minor, rounding: Rounding) -> Minor:
    """Return (1 + monthly irr) ^ 12 - 1 of many plans; twin of `effective_annual`, in ppm.

    Units, shapes and errors: as `nominal_annuals`.
    """
    _check(principal_minor, amounts_minor)
    growth, slack = _monthly_growths(principal_minor, amounts_minor)
    squared = growth * growth
    fourth = squared * squared
    grown = fourth * fourth * fourth
    # Below OFF_MAX the twelfth power of 1 + slack is under 1 + 13 slack.
    off = np.where(slack, grown * (13 * slack + 32 * FLOAT_UNIT), 0)
    found, is_sure = _rounded(grown - 1, off, rounding)
    return _settled(effective_annual, principal_minor, amounts_minor, found, is_sure, rounding)


def _check(principal_minor: Minor, amounts_minor: Minor) -> None:
    require("principal_minor", principal_minor, "int64", (-1,))
    require("amounts_minor", amounts_minor, "int64", (len(principal_minor), -1))


def _monthly_growths(principal_minor: Minor, amounts_minor: Minor) -> tuple[Reals, Reals]:
    """Return 1 + the monthly rate, and a bound of its relative error: 0 exact, infinite unsure.

    With f(v) the worth of the payments at the discount factor v less one, all relative to what was
    lent, v f'(v) is at least f(v) + 1, because each payment comes after a month or later. So the
    root is within |f(v)| of v, relatively, but for the square of that.
    """
    periods = amounts_minor.shape[1]
    most = EXACT_MAX // max(periods, 1)  # so that no sum is inexact either
    is_loan = (principal_minor > 0) & (principal_minor <= most)
    is_loan &= ((amounts_minor >= 0) & (amounts_minor <= most)).all(axis=1)
    is_loan &= amounts_minor.any(axis=1)
    growth, slack = np.ones(len(principal_minor)), np.full(len(principal_minor), np.inf)
    plain = np.flatnonzero(is_loan)
    if not plain.size:
        return growth, slack
    # Payments by month, then by plan: each step of Horner's rule reads one row.
    paid = np.ascontiguousarray((amounts_minor[plain] / principal_minor[plain, None]).T)
    discount, worth = _discounts(paid)
    with np.errstate(all="ignore"):
        off = np.abs(worth) + (4 * periods + 8) * FLOAT_UNIT
        off = np.where(off < OFF_MAX, off * (1 + 4 * OFF_MAX), np.inf)
        growth[plain], slack[plain] = 1 / discount, off
    # Nothing is earned on these, whatever a float says: neither here nor in the scalar.
    free = plain[amounts_minor[plain].sum(axis=1) == principal_minor[plain]]
    growth[free], slack[free] = 1, 0
    return growth, slack


def _discounts(paid: Reals) -> tuple[Reals, Reals]:
    """Return discount factors at which payments are worth one, and what their worth is off by.

    The worth rises and is convex in the factor, so Newton's method comes from the right after its
    first step.

    Shapes: (periods, plans) -> (plans,) and (plans,).
    """
    discount = np.ones(paid.shape[1])
    with np.errstate(all="ignore"):  # what overflows is unsure and goes to the scalar
        for _ in range(STEPS_MAX):
            worth, slope = _worth(paid, discount)
            step = worth / slope
            discount = discount - step
            if not (np.abs(step) > STEP_MIN * discount).any():
                break
        worth, _ = _worth(paid, discount)
    return discount, worth


def _worth(paid: Reals, discount: Reals) -> tuple[Reals, Reals]:
    """Return the worth of payments less one, and its slope, by Horner's rule."""
    worth, slope = np.zeros_like(discount), np.zeros_like(discount)
    for row in paid[::-1]:
        slope *= discount
        slope += worth
        worth *= discount
        worth += row
    slope *= discount
    slope += worth
    return worth * discount - 1, slope


def _rounded(rate: Reals, off: Reals, rounding: Rounding) -> tuple[Minor, Flags]:
    """Return rates in whole ppm, and where no rate within `off` of them rounds another way."""
    with np.errstate(all="ignore"):
        exact = rate * PPM
        slack = off * PPM + np.abs(exact) * 4 * FLOAT_UNIT
        below = np.floor(exact)
        part = exact - below
        match rounding:
            case Rounding.DOWN:
                found, room = below, np.minimum(part, 1 - part)
            case Rounding.UP:
                found, room = np.ceil(exact), np.minimum(part, 1 - part)
            case Rounding.HALF_UP | Rounding.HALF_EVEN:
                found, room = below + (part > 0.5), np.abs(part - 0.5)
            case _:
                assert_never(rounding)
        is_sure = (room > slack) | (slack == 0)
    return np.where(is_sure, found, 0).astype(np.int64), is_sure


def _settled(
    scalar: Callable[[int, Sequence[int]], Decimal],
    principal_minor: Minor,
    amounts_minor: Minor,
    found: Minor,
    is_sure: Flags,
    rounding: Rounding,
) -> Minor:
    """Let the scalar solve the plans that arrays cannot be sure of."""
    for place in np.flatnonzero(~is_sure):
        rate = scalar(int(principal_minor[place]), amounts_minor[place].tolist())
        ppm = round_decimal(rate * PPM, rounding=rounding)
        if abs(ppm) > RATE_PPM_MAX:
            raise RateTooLarge(rate_ppm_max=RATE_PPM_MAX, plan=int(place))
        found[place] = ppm
    return found
