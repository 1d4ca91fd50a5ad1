"""The schedule: what a signed plan asks for, instalment by instalment.

A pure function of the signed terms; it is computed again whenever needed and never stored as the
truth. The principal parts always sum to the principal, no amount is ever negative, and every
rounding is the product's. A period is a month, whatever its days.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import assert_never

from fenqi.core.errors import Invalid
from fenqi.core.terms.product import Component, Product, ScheduleKind
from fenqi.core.values.money import split
from fenqi.core.values.rate import PPM, Rounding, apply_ppm, divide

PRINCIPAL_MINOR_MAX = 10**13  # sums of many plans still fit a 64-bit integer
MONTHS_PER_YEAR = 12


class CountNotOffered(Invalid):
    """The product is not offered in that number of instalments."""

    code = "count-not-offered"


class PrincipalOutOfRange(Invalid):
    """A plan lends from one minor unit to a named limit, and no more is sent to end it."""

    code = "principal-out-of-range"


class DueDaysInvalid(Invalid):
    """The due days are not one per instalment, rising, and all after the start."""

    code = "due-days-invalid"


class PriceNotCheaper(Invalid):
    """So little is bought that rounding makes the plan at a lower price the dearer one."""

    code = "price-not-cheaper"


@dataclass(frozen=True, slots=True)
class Frame:
    """What a purchase is signed with but for its amount; many purchases of a day share one.

    Shapes: `due_on` holds `count` strictly rising days, all after `starts_on`.
    Errors: CountNotOffered, DueDaysInvalid.
    """

    product: Product
    count: int
    starts_on: date
    due_on: tuple[date, ...]

    def __post_init__(self) -> None:
        """Refuse what no schedule can follow."""
        _check_days(self.product, self.count, self.starts_on, self.due_on)

    def terms(self, principal_minor: int) -> "Terms":
        """Return the terms for an amount. Errors: PrincipalOutOfRange."""
        return Terms(self.product, self.count, principal_minor, self.starts_on, self.due_on)


@dataclass(frozen=True, slots=True)
class Terms:
    """What one plan was signed with; a value that exists is one that can be scheduled.

    Units: minor units of the plan's currency.
    Shapes: `due_on` holds `count` strictly rising days, all after `starts_on`.
    Errors: CountNotOffered, PrincipalOutOfRange, DueDaysInvalid.
    """

    product: Product
    count: int
    principal_minor: int
    starts_on: date
    due_on: tuple[date, ...]

    def __post_init__(self) -> None:
        """Refuse terms that no schedule can follow."""
        check_principal(self.principal_minor)
        _check_days(self.product, self.count, self.starts_on, self.due_on)

    @property
    def frame(self) -> Frame:
        """The terms without their amount."""
        return Frame(self.product, self.count, self.starts_on, self.due_on)


def check_principal(principal_minor: int) -> None:
    """Refuse an amount that no plan can lend. Errors: PrincipalOutOfRange."""
    if type(principal_minor) is not int or not 1 <= principal_minor <= PRINCIPAL_MINOR_MAX:
        raise PrincipalOutOfRange(
            principal_minor=principal_minor, least=1, most=PRINCIPAL_MINOR_MAX
        )


def _check_days(product: Product, count: int, starts_on: date, due_on: Sequence[date]) -> None:
    if count not in product.counts:
        raise CountNotOffered(product=product.product_id, count=count, offered=product.counts)
    if len(due_on) != count:
        raise DueDaysInvalid(days=len(due_on), count=count)
    previous = starts_on
    for day in due_on:
        if day <= previous:
            raise DueDaysInvalid(day=day, must_follow=previous)
        previous = day


@dataclass(frozen=True, slots=True)
class Due:
    """One instalment as signed.

    Units: `amounts` in minor units by Component: principal, interest, fee, penalty (always 0).
    """

    number: int  # from 1
    starts_on: date  # the previous due day, or the plan's start
    due_on: date
    amounts: tuple[int, int, int, int]

    @property
    def total_minor(self) -> int:
        """What the customer pays on the due day, all components together."""
        return sum(self.amounts)


def schedule(terms: Terms) -> tuple[Due, ...]:
    """Return the instalments of a plan as signed.

    Units: minor units of the plan's currency.
    Shapes: `terms.count` instalments in the order of their due days.
    Source: docs/reference/products.md.
    """
    product = terms.product
    principals: Sequence[int]
    interests: Sequence[int] = (0,) * terms.count
    fees: Sequence[int] = interests
    match product.kind:
        case ScheduleKind.FREE:
            principals = _equal_parts(terms)
        case ScheduleKind.FLAT_FEE:
            principals = _equal_parts(terms)
            fees = _flat_fees(terms)
        case ScheduleKind.ANNUITY if product.interest_ppm_per_year == 0:
            principals = _equal_parts(terms)
        case ScheduleKind.ANNUITY:
            principals, interests = _annuity(terms)
        case _:
            assert_never(product.kind)
    starts = (terms.starts_on, *terms.due_on)
    return tuple(
        Due(index + 1, starts[index], due_on, (principal, interest, fee, 0))
        for index, (due_on, principal, interest, fee) in enumerate(
            zip(terms.due_on, principals, interests, fees, strict=True)
        )
    )


def signed_cost(terms: Terms) -> int:
    """Return the cost disclosed at signing: all interest and fees if everything goes normally.

    Units: minor units of the plan's currency.
    """
    return sum(
        due.amounts[Component.INTEREST] + due.amounts[Component.FEE] for due in schedule(terms)
    )


def check_price(frame: Frame, principal_minor: int, listed: Product) -> None:
    """Refuse a plan at a price below the listed one that would cost more than at the listed one.

    Each row of a level payment rounds its interest, so on a few cents, or a millionth below the
    listed price, the rounding can outweigh the rate. A fee is rounded once and never does.

    Errors: PriceNotCheaper, PrincipalOutOfRange.
    """
    product = frame.product
    if product.price_ppm == listed.price_ppm or product.kind is not ScheduleKind.ANNUITY:
        return
    terms = frame.terms(principal_minor)
    cost, most = signed_cost(terms), signed_cost(replace(terms, product=listed))
    if cost > most:
        raise PriceNotCheaper(
            product=product.product_id,
            count=frame.count,
            price_ppm=product.price_ppm,
            cost_minor=cost,
            listed_minor=most,
        )


def level_payment(
    principal_minor: int, count: int, *, interest_ppm_per_year: int, rounding: Rounding
) -> int:
    """Return the level payment that repays a principal with interest in `count` months.

    With r = R/D the monthly rate as a fraction, the payment is P r / (1 - (1+r)^-count), kept in
    integers so that the only rounding is the named one.

    Units: minor units in and out; the rate is nominal and above zero.
    """
    base = MONTHS_PER_YEAR * PPM
    grown = (base + interest_ppm_per_year) ** count
    return divide(
        principal_minor * interest_ppm_per_year * grown,
        base * (grown - base**count),
        rounding=rounding,
    )


def _equal_parts(terms: Terms) -> tuple[int, ...]:
    return split(terms.principal_minor, terms.count, odd_units=terms.product.odd_units)


def _flat_fees(terms: Terms) -> tuple[int, ...]:
    """Return the fees: the whole fee is rounded once, then split as the principal is.

    Source: the published instalment rule of Huabei (each part dropped to the cent, the rest in
    the first instalment); tests/conformance/rates.csv has its printed figures.
    """
    product = terms.product
    fee_ppm = product.fee_ppm_per_period * terms.count
    whole = apply_ppm(terms.principal_minor, fee_ppm, rounding=product.rounding)
    return split(whole, terms.count, odd_units=product.odd_units)


def _annuity(terms: Terms) -> tuple[list[int], list[int]]:
    """Return the principal and interest parts of a level payment.

    The level payment and each row's interest are rounded; the last instalment takes the balance
    that is left. No part is negative: a payment and its interest are rounded alike, and the exact
    payment always exceeds the exact interest. A payment rounded up may end a tiny balance before
    the last row, hence the `min`.
    """
    product = terms.product
    rate = product.interest_ppm_per_year
    level = level_payment(
        terms.principal_minor, terms.count, interest_ppm_per_year=rate, rounding=product.rounding
    )
    balance = terms.principal_minor
    principals, interests = [], []
    for row in range(terms.count):
        interest = divide(balance * rate, MONTHS_PER_YEAR * PPM, rounding=product.rounding)
        is_last = row == terms.count - 1
        principal = balance if is_last else min(level - interest, balance)
        principals.append(principal)
        interests.append(interest)
        balance -= principal
    return principals, interests
