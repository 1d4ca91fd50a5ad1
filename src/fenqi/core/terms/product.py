"""A product is versioned data: how a purchase becomes instalments and what may ever be charged.

`Product.read` turns a parsed TOML table into a checked value; the files themselves are read by
`store.catalogue`. A plan keeps the product version it was signed with for life.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum
from functools import lru_cache

from fenqi.core.errors import Invalid
from fenqi.core.terms.allowances import (
    NOTHING_OFFERED,
    Allowances,
    BillInstalmentRule,
    DeferralRule,
    DueDayRule,
    ExtensionRule,
    TakeOverRule,
)
from fenqi.core.terms.reading import Reader
from fenqi.core.values.money import OddUnits
from fenqi.core.values.rate import PPM, Rounding, apply_ppm

COUNT_MAX = 60  # instalments of one plan
DAYS_MAX = 31  # of a deferral and of a quote
CUSTOMER = "customer"  # a table a product may leave out
TAKES_OVER_BILLS = "takes_over_bills"  # likewise; left out, no statement becomes a plan of it
TIMES_A_YEAR_MAX = 12  # statements in a year
AGAIN_MAX = 12  # times that what was moved is moved again
PRICES_KEPT = 4096  # products at a price below their own that are remembered


class ProductInvalid(Invalid):
    """A product table has a field that is missing, unknown or out of range."""

    code = "product-invalid"


class PriceOutOfRange(Invalid):
    """A product is sold at its own price or below it, and never below nothing."""

    code = "price-out-of-range"


class Component(IntEnum):
    """The parts an instalment is made of; the number is the part's place in every amounts tuple."""

    PRINCIPAL = 0
    INTEREST = 1
    FEE = 2
    PENALTY = 3


COMPONENTS = len(Component)
CONTRACT = (Component.PRINCIPAL, Component.INTEREST, Component.FEE)  # what was signed
COST = (Component.INTEREST, Component.FEE)


class ScheduleKind(StrEnum):
    """How principal and cost are laid over the instalments."""

    FREE = "interest-free"  # equal split, no cost
    FLAT_FEE = "flat-fee"  # equal split, a fee on the original principal each period
    ANNUITY = "annuity"  # level payment, interest on the declining balance


class CostBearer(StrEnum):
    """Who gives back the cost of goods that were returned."""

    MERCHANT = "merchant"
    LENDER = "lender"


class Settlement(StrEnum):
    """Which cost an early settlement still asks for."""

    BY_THE_DAY = "by-the-day"  # the running period counts by the day, unused time costs nothing
    LINEAR = "linear"  # each day of the whole term has cost the same
    ACTUARIAL = "actuarial"  # what the payments still to come are worth at the plan's own rate
    RULE_OF_78 = "rule-of-78"  # early periods have cost more; where the law allows it
    UK_REGULATION = "uk-regulation"  # the rebate of SI 2004/1483


DEFAULT_ALLOCATION = (Component.PENALTY, Component.FEE, Component.INTEREST, Component.PRINCIPAL)


@dataclass(frozen=True, slots=True)
class LateRule:
    """What being late costs: a daily rate on the overdue amount, never on the penalty itself.

    A day counts if at its end the instalment is more than `grace_days` past due and still open.
    The total charged on an instalment never exceeds `cap_ppm` of what it first asked for.
    """

    rate_ppm_per_day: int
    grace_days: int
    cap_ppm: int


@dataclass(frozen=True, slots=True)
class Product:
    """One version of one product, at its own price or below it (`at`).

    Units: `fee_ppm_per_period` of the original principal; `interest_ppm_per_year` nominal;
    `merchant_discount_ppm` of the captured amount, kept back from what the merchant is paid;
    `price_ppm` of the price its file lists.
    """

    product_id: str
    version: int
    kind: ScheduleKind
    counts: tuple[int, ...]  # the numbers of instalments it may be taken in
    fee_ppm_per_period: int
    interest_ppm_per_year: int
    merchant_discount_ppm: int
    rounding: Rounding  # of the whole fee; of the level payment and each row's interest
    odd_units: OddUnits  # of an equal split; a level payment's last row takes what is left
    allocation: tuple[Component, ...]
    settlement: Settlement
    refund_cost_bearer: CostBearer
    late: LateRule
    allowances: Allowances = NOTHING_OFFERED
    quote_days: int = 0  # how long a quote of an early settlement holds after its day
    takes_over: TakeOverRule | None = None  # statements that become plans; None takes none
    price_ppm: int = PPM  # the rates above are those of this price already

    def at(self, price_ppm: int) -> "Product":
        """Return the product at a share of its listed price.

        The price is what is signed for: the fee or the interest. Its rate is rounded down to whole
        ppm, in the customer's favour. What may be charged later (late, for a deferral, for an
        extension) stays as the product discloses it.

        Units: `price_ppm` of the listed price, PPM the listed price itself.
        Errors: PriceOutOfRange below 0 or above PPM.
        Source: docs/adr/0027-sign-a-plan-at-the-price-of-its-menu.md.
        """
        return self if price_ppm == self.price_ppm else _priced(self, price_ppm)

    @classmethod
    def read(cls, table: Mapping[str, object]) -> "Product":
        """Return the product a parsed TOML table describes.

        Errors: ProductInvalid naming the field, what it holds and what it may hold.
        """
        reader = Reader(table, ProductInvalid)
        late = reader.table("late_charge")
        product = cls(
            product_id=reader.identity("id"),
            version=reader.integer("version", least=1),
            kind=reader.choice("schedule", ScheduleKind),
            counts=tuple(reader.integers("counts", least=1, most=COUNT_MAX, length_max=COUNT_MAX)),
            fee_ppm_per_period=reader.integer("fee_ppm_per_period"),
            interest_ppm_per_year=reader.integer("interest_ppm_per_year"),
            merchant_discount_ppm=reader.integer("merchant_discount_ppm"),
            rounding=reader.choice("rounding", Rounding),
            odd_units=reader.choice("odd_units", OddUnits),
            allocation=_allocation(reader),
            settlement=reader.choice("settlement", Settlement),
            refund_cost_bearer=reader.choice("refund_cost_bearer", CostBearer),
            late=LateRule(
                rate_ppm_per_day=late.integer("rate_ppm_per_day"),
                grace_days=late.integer("grace_days"),
                cap_ppm=late.integer("cap_ppm"),
            ),
        )
        late.done()
        if CUSTOMER in table:
            product = _with_customer(product, reader.table(CUSTOMER))
        if TAKES_OVER_BILLS in table:
            product = replace(product, takes_over=_takes_over(reader.table(TAKES_OVER_BILLS)))
        reader.done()
        _check_kind(product)
        return product


@lru_cache(maxsize=PRICES_KEPT)
def _priced(product: Product, price_ppm: int) -> Product:
    """Return a listed product at another price. Errors: PriceOutOfRange."""
    if type(price_ppm) is not int or not 0 <= price_ppm <= PPM or product.price_ppm != PPM:
        raise PriceOutOfRange(product=product.product_id, price_ppm=price_ppm, most=PPM)
    fee, interest = (
        apply_ppm(rate, price_ppm, rounding=Rounding.DOWN)
        for rate in (product.fee_ppm_per_period, product.interest_ppm_per_year)
    )
    return replace(
        product, fee_ppm_per_period=fee, interest_ppm_per_year=interest, price_ppm=price_ppm
    )


def _with_customer(product: Product, reader: Reader) -> Product:
    """Return a product with what its customers may ask for; 0 of a thing is not to offer it.

    A price may be left out, and is none then. It is charged beyond the free times of a year only,
    and has its line in the cost table.
    """
    quote_days = reader.integer("quote_days", most=DAYS_MAX)
    days = reader.integer("deferral_days_max", most=DAYS_MAX)
    deferrals = reader.integer("deferrals_a_year")
    due_days = reader.integer("due_day_changes_a_year")
    count = reader.integer("extension_count_max", most=COUNT_MAX)
    extensions = reader.integer("extensions_a_year")
    least = reader.integer("bill_instalment_least_minor")
    deferral = DeferralRule(
        days,
        deferrals,
        cost_ppm=reader.integer_or("deferral_cost_ppm", 0, most=PPM),
        free_a_year=reader.integer_or("deferrals_free_a_year", 0),
    )
    extension = ExtensionRule(
        count,
        extensions,
        cost_ppm_per_period=reader.integer_or("extension_cost_ppm_per_period", 0, most=PPM),
        free_a_year=reader.integer_or("extensions_free_a_year", 0),
    )
    reader.done()
    allowances = Allowances(
        deferral=deferral if days and deferrals else None,
        due_day=DueDayRule(due_days) if due_days else None,
        extension=extension if count and extensions else None,
        bill_instalment=BillInstalmentRule(least) if least else None,
    )
    return replace(product, allowances=allowances, quote_days=quote_days)


def _takes_over(reader: Reader) -> TakeOverRule:
    """Return the bounds within which statements become plans of a product."""
    rule = TakeOverRule(
        times_a_year=reader.integer("times_a_year", least=1, most=TIMES_A_YEAR_MAX),
        again_max=reader.integer("again_max", most=AGAIN_MAX),
    )
    reader.done()
    return rule


def _allocation(reader: Reader) -> tuple[Component, ...]:
    """Return the order in which a payment fills an instalment's parts."""
    expected = "each of penalty, fee, interest, principal once"
    names = {component.name.lower(): component for component in Component}
    order = reader.texts("allocation", expected)
    if sorted(order) != sorted(names):
        raise reader.refused("allocation", expected)
    return tuple(names[name] for name in order)


def _check_kind(product: Product) -> None:
    """Refuse a rate that the schedule kind would silently ignore."""
    stray = {
        ScheduleKind.FREE: ("fee_ppm_per_period", "interest_ppm_per_year"),
        ScheduleKind.FLAT_FEE: ("interest_ppm_per_year",),
        ScheduleKind.ANNUITY: ("fee_ppm_per_period",),
    }[product.kind]
    for field in stray:
        if getattr(product, field):
            raise ProductInvalid(
                product=product.product_id,
                field=field,
                value=getattr(product, field),
                expected=f"0 for schedule {product.kind.value}",
            )
