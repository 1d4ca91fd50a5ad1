"""What many plans of one product ask for; twin of `core.terms.schedule`, and of signing.

Plans whose level payment comes near a rounding tie in floating point, or whose products would
overflow 64 bits, are handed to the scalar.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from fenqi.core.terms.batch.arrays import PRODUCT_MAX, Minor, divided, require, shares
from fenqi.core.terms.product import COMPONENTS, Component, Product, ScheduleKind
from fenqi.core.terms.schedule import (
    MONTHS_PER_YEAR,
    PRINCIPAL_MINOR_MAX,
    CountNotOffered,
    PrincipalOutOfRange,
    Terms,
    schedule,
)
from fenqi.core.values.day import add_months
from fenqi.core.values.money import OddUnits
from fenqi.core.values.rate import PPM, Rounding

FLOAT_SLACK = 2.0**-48  # bounds the relative error of a factor and one multiplication, with room
ANY_START = date(2026, 1, 1)  # the scalar wants days; amounts do not depend on them


def schedules(product: Product, count: int, principal_minor: Minor) -> Minor:
    """Return the instalments of many plans of one product as signed; twin of `schedule`.

    Units: minor units in and out, by Component on the last axis.
    Shapes: `principal_minor` (plans,) -> (plans, count, 4).
    Errors: CountNotOffered, PrincipalOutOfRange, ShapeInvalid.
    """
    _check(product, count, principal_minor)
    amounts = np.zeros((len(principal_minor), count, COMPONENTS), dtype=np.int64)
    match product.kind:
        case ScheduleKind.FREE:
            amounts[:, :, Component.PRINCIPAL] = _splits(principal_minor, count, product.odd_units)
        case ScheduleKind.FLAT_FEE:
            amounts[:, :, Component.PRINCIPAL] = _splits(principal_minor, count, product.odd_units)
            _flat_fees(product, count, principal_minor, amounts)
        case ScheduleKind.ANNUITY if product.interest_ppm_per_year == 0:
            amounts[:, :, Component.PRINCIPAL] = _splits(principal_minor, count, product.odd_units)
        case ScheduleKind.ANNUITY:
            _annuities(product, count, principal_minor, amounts)
        case _:
            assert_never(product.kind)
    return amounts


@dataclass(frozen=True, slots=True)
class Signed:
    """What plans of one product and count are on the day they are signed, before anything happens.

    Units: minor units. Shapes: `amounts` (plans, count, 4) by Component; the others (plans,).
    """

    amounts: Minor
    cost_minor: Minor  # interest and fee, if all goes normally
    discount_minor: Minor  # kept back from what the merchant is paid
    first: NDArray[np.int64]  # place of the first instalment that asks for something

    def of(self, where: Sequence[int]) -> "Signed":
        """Return some of the plans, by their places."""
        if len(where) == len(self.cost_minor):
            return self
        return Signed(
            amounts=self.amounts[where],
            cost_minor=self.cost_minor[where],
            discount_minor=self.discount_minor[where],
            first=self.first[where],
        )


def sign(product: Product, count: int, principal_minor: Minor) -> Signed:
    """Return what signing makes of many plans; twin of `schedule`, a fresh replay and its postings.

    Shapes: `principal_minor` (plans,). Errors: those of `schedules`.
    """
    amounts = schedules(product, count, principal_minor)
    asked = amounts.sum(axis=2)
    return Signed(
        amounts=amounts,
        cost_minor=asked.sum(axis=1) - principal_minor,
        discount_minor=shares(principal_minor, product.merchant_discount_ppm, Rounding.HALF_EVEN),
        first=np.argmax(asked > 0, axis=1).astype(np.int64),
    )


def _check(product: Product, count: int, principal_minor: Minor) -> None:
    if count not in product.counts:
        raise CountNotOffered(product=product.product_id, count=count, offered=product.counts)
    require("principal_minor", principal_minor, "int64", (-1,))
    if principal_minor.size:
        least, most = int(principal_minor.min()), int(principal_minor.max())
        if least < 1 or most > PRINCIPAL_MINOR_MAX:
            wrong = least if least < 1 else most
            raise PrincipalOutOfRange(principal_minor=wrong, least=1, most=PRINCIPAL_MINOR_MAX)


def _splits(total_minor: Minor, parts: int, odd_units: OddUnits) -> Minor:
    """Return equal parts and their odd units: (plans,) -> (plans, parts)."""
    share, odd = np.divmod(total_minor, parts)
    shares = np.repeat(share[:, None], parts, axis=1)
    match odd_units:
        case OddUnits.FIRST:
            shares[:, 0] += odd
        case OddUnits.EARLIEST:
            shares += np.arange(parts) < odd[:, None]
        case OddUnits.LAST:
            shares[:, -1] += odd
        case _:
            assert_never(odd_units)
    return shares


def _flat_fees(product: Product, count: int, principal_minor: Minor, amounts: Minor) -> None:
    fee_ppm = product.fee_ppm_per_period * count
    is_small = principal_minor <= PRODUCT_MAX // max(fee_ppm, 1)
    whole = divided(np.where(is_small, principal_minor, 0) * fee_ppm, PPM, product.rounding)
    amounts[:, :, Component.FEE] = _splits(whole, count, product.odd_units)
    _hand_over(product, count, principal_minor, ~is_small, amounts)


def _annuities(product: Product, count: int, principal_minor: Minor, amounts: Minor) -> None:
    rate, denominator = product.interest_ppm_per_year, MONTHS_PER_YEAR * PPM
    is_small = principal_minor <= PRODUCT_MAX // rate
    balance = np.where(is_small, principal_minor, 0)
    level, is_sure = _level_payments(product, count, balance)
    for row in range(count):
        interest = divided(balance * rate, denominator, product.rounding)
        is_last = row == count - 1
        principal = balance if is_last else np.minimum(level - interest, balance)
        amounts[:, row, Component.PRINCIPAL] = principal
        amounts[:, row, Component.INTEREST] = interest
        balance = balance - principal
    _hand_over(product, count, principal_minor, ~(is_small & is_sure), amounts)


def _level_payments(
    product: Product, count: int, principal_minor: Minor
) -> tuple[Minor, NDArray[np.bool_]]:
    """Return level payments, and where floating point was far enough from a tie to be sure."""
    base, rate = MONTHS_PER_YEAR * PPM, product.interest_ppm_per_year
    grown = (base + rate) ** count
    factor = Fraction(rate * grown, base * (grown - base**count))
    exact = principal_minor * (factor.numerator / factor.denominator)
    below = np.floor(exact)
    fraction = exact - below
    slack = exact * FLOAT_SLACK + FLOAT_SLACK
    match product.rounding:
        case Rounding.DOWN:
            level, is_sure = below, (fraction > slack) & (fraction < 1 - slack)
        case Rounding.UP:
            level, is_sure = below + 1, (fraction > slack) & (fraction < 1 - slack)
        case Rounding.HALF_UP | Rounding.HALF_EVEN:
            level, is_sure = below + (fraction > 0.5), np.abs(fraction - 0.5) > slack
        case _:
            assert_never(product.rounding)
    return level.astype(np.int64), is_sure


def _hand_over(
    product: Product,
    count: int,
    principal_minor: Minor,
    is_left: NDArray[np.bool_],
    amounts: Minor,
) -> None:
    """Let the scalar compute the plans that arrays cannot."""
    due_on = tuple(add_months(ANY_START, month) for month in range(1, count + 1))
    for place in np.flatnonzero(is_left):
        terms = Terms(product, count, int(principal_minor[place]), ANY_START, due_on)
        amounts[place] = [due.amounts for due in schedule(terms)]
