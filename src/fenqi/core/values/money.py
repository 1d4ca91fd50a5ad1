"""Money is an integer of the minor unit of a currency; it is never a float and never a Decimal.

Inside the core and the tables an amount is a plain `int` whose name ends in `_minor`; `Money`
binds it to its currency where amounts of different currencies could meet.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from fenqi.core.errors import Invalid


class CurrencyUnknown(Invalid):
    """No such currency in our table."""

    code = "currency-unknown"


class CurrencyMixed(Invalid):
    """Two currencies met where one is needed."""

    code = "currency-mixed"


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency: its ISO 4217 code and how many decimal digits its minor unit has."""

    code: str
    digits: int


# ISO 4217 codes and minor units; add a line to add a currency.
CURRENCIES = {
    currency.code: currency
    for currency in (
        Currency("AUD", 2),
        Currency("CAD", 2),
        Currency("CHF", 2),
        Currency("CNY", 2),
        Currency("EUR", 2),
        Currency("GBP", 2),
        Currency("HKD", 2),
        Currency("JPY", 0),
        Currency("KWD", 3),
        Currency("SGD", 2),
        Currency("USD", 2),
    )
}


def currency(code: str) -> Currency:
    """Return the currency with this ISO 4217 code.

    Errors: CurrencyUnknown.
    """
    if code not in CURRENCIES:
        raise CurrencyUnknown(code=code, known=sorted(CURRENCIES))
    return CURRENCIES[code]


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in the minor unit of its currency."""

    minor: int
    currency: Currency

    def __add__(self, other: "Money") -> "Money":
        """Return the sum; only equal currencies add. Errors: CurrencyMixed."""
        if self.currency != other.currency:
            raise CurrencyMixed(left=self.currency.code, right=other.currency.code)
        return Money(self.minor + other.minor, self.currency)

    def __str__(self) -> str:
        """Return the amount with its decimal point and code, as in `CNY 12.30`."""
        return f"{self.currency.code} {decimal_text(self.minor, self.currency)}"


def decimal_text(minor: int, currency: Currency) -> str:
    """Return `minor` with its decimal point and no grouping, exact: `-0.05` for -5 of CNY."""
    sign = "-" if minor < 0 else ""
    whole, part = divmod(abs(minor), 10**currency.digits)
    return f"{sign}{whole}.{part:0{currency.digits}d}" if currency.digits else f"{sign}{whole}"


class OddUnits(StrEnum):
    """Which parts of an equal split carry the units that do not divide evenly."""

    FIRST = "first"  # all odd units in the first part
    EARLIEST = "earliest"  # one unit each in the earliest parts
    LAST = "last"  # all odd units in the last part


def split(total_minor: int, parts: int, *, odd_units: OddUnits) -> tuple[int, ...]:
    """Return `parts` amounts that sum to `total_minor` and differ by the odd units only.

    Units: minor units in and out.
    Errors: Invalid if `parts` is below one or the total is negative.
    """
    if parts < 1 or total_minor < 0:
        raise Invalid(total_minor=total_minor, parts=parts)
    share, odd = divmod(total_minor, parts)
    shares = [share] * parts
    match odd_units:
        case OddUnits.FIRST:
            shares[0] += odd
        case OddUnits.EARLIEST:
            for index in range(odd):
                shares[index] += 1
        case OddUnits.LAST:
            shares[-1] += odd
        case _:
            assert_never(odd_units)
    return tuple(shares)


def take_in_order(amount_minor: int, open_minor: Sequence[int]) -> list[int]:
    """Return how much of `amount_minor` each open amount takes, first come first served.

    The takes sum to the smaller of the amount and the total open; none exceeds its open amount.
    Units: minor units in and out.
    """
    takes = []
    for open_part in open_minor:
        take = min(amount_minor, open_part)
        takes.append(take)
        amount_minor -= take
    return takes
