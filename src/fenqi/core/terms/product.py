"""A product is versioned data: how a purchase becomes instalments and what may ever be charged.

`Product.read` turns a parsed TOML table into a checked value; the files themselves are read by
`store.catalogue`. A plan keeps the product version it was signed with for life.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import TypeVar

from fenqi.core.errors import Invalid
from fenqi.core.values.money import OddUnits
from fenqi.core.values.rate import Rounding


Choice = TypeVar("Choice", bound=StrEnum)


class ProductInvalid(Invalid):
    """A product table has a field that is missing, unknown or out of range."""

    code = "product-invalid"


class Component(IntEnum):
    """The parts an instalment is made of; the number is the part's place in every amounts tuple."""

    PRINCIPAL = 0
    INTEREST = 1
    FEE = 2
    PENALTY = 3


COMPONENTS = len(Component)


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
    """One version of one product.

    Units: `fee_ppm_per_period` of the original principal; `interest_ppm_per_year` nominal;
    `merchant_discount_ppm` of the captured amount, kept back from what the merchant is paid.
    """

    product_id: str
    version: int
    kind: ScheduleKind
    counts: tuple[int, ...]  # the numbers of instalments it may be taken in
    fee_ppm_per_period: int
    interest_ppm_per_year: int
    merchant_discount_ppm: int
    rounding: Rounding  # of each instalment's cost
    odd_units: OddUnits
    allocation: tuple[Component, ...]
    settlement: Settlement
    refund_cost_bearer: CostBearer
    late: LateRule

    @classmethod
    def read(cls, table: Mapping[str, object]) -> "Product":
        """Return the product a parsed TOML table describes.

        Errors: ProductInvalid naming the field, what it holds and what it may hold.
        """
        reader = _Reader(table)
        late = _Reader(reader.table("late_charge"))
        product = cls(
            product_id=reader.text("id"),
            version=reader.integer("version", least=1),
            kind=reader.choice("schedule", ScheduleKind),
            counts=reader.counts("counts"),
            fee_ppm_per_period=reader.integer("fee_ppm_per_period"),
            interest_ppm_per_year=reader.integer("interest_ppm_per_year"),
            merchant_discount_ppm=reader.integer("merchant_discount_ppm"),
            rounding=reader.choice("rounding", Rounding),
            odd_units=reader.choice("odd_units", OddUnits),
            allocation=reader.components("allocation"),
            settlement=reader.choice("settlement", Settlement),
            refund_cost_bearer=reader.choice("refund_cost_bearer", CostBearer),
            late=LateRule(
                rate_ppm_per_day=late.integer("rate_ppm_per_day"),
                grace_days=late.integer("grace_days"),
                cap_ppm=late.integer("cap_ppm"),
            ),
        )
        late.done()
        reader.done()
        _check_kind(product)
        return product


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


class _Reader:
    """Takes typed fields out of a table and remembers which were taken."""

    def __init__(self, table: Mapping[str, object]) -> None:
        self._table = table
        self._left = set(table) - {"title", "source", "note"}  # for people; not read by the core

    def _take(self, field: str, expected: str) -> object:
        self._left.discard(field)
        if field not in self._table:
            raise ProductInvalid(field=field, value="(missing)", expected=expected)
        return self._table[field]

    def _refuse(self, field: str, expected: str) -> ProductInvalid:
        return ProductInvalid(field=field, value=self._table[field], expected=expected)

    def text(self, field: str) -> str:
        value = self._take(field, "text")
        if not isinstance(value, str) or not value:
            raise self._refuse(field, "text")
        return value

    def integer(self, field: str, *, least: int = 0) -> int:
        expected = f"a whole number, at least {least}"
        value = self._take(field, expected)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise self._refuse(field, expected)
        return value

    def choice(self, field: str, choices: type[Choice]) -> Choice:
        expected = "one of " + ", ".join(choice.value for choice in choices)
        value = self._take(field, expected)
        if value not in {choice.value for choice in choices}:
            raise self._refuse(field, expected)
        return choices(str(value))

    def counts(self, field: str) -> tuple[int, ...]:
        expected = "a list of different whole numbers from 1 to 60"
        value = self._take(field, expected)
        if (
            not isinstance(value, list)
            or not value
            or len(set(value)) != len(value)
            or not all(isinstance(n, int) and 1 <= n <= 60 for n in value)
        ):
            raise self._refuse(field, expected)
        return tuple(value)

    def components(self, field: str) -> tuple[Component, ...]:
        expected = "each of penalty, fee, interest, principal once"
        value = self._take(field, expected)
        names = {component.name.lower(): component for component in Component}
        if not isinstance(value, list) or sorted(map(str, value)) != sorted(names):
            raise self._refuse(field, expected)
        return tuple(names[name] for name in value)

    def table(self, field: str) -> Mapping[str, object]:
        value = self._take(field, "a table")
        if not isinstance(value, dict):
            raise self._refuse(field, "a table")
        return value

    def done(self) -> None:
        """Refuse fields nobody took: a typo must not be a silent default."""
        if self._left:
            field = sorted(self._left)[0]
            raise ProductInvalid(field=field, value=self._table[field], expected="no such field")
