"""Money adds within a currency, prints exactly and splits without losing a unit."""

import pytest

from fenqi.core.errors import Invalid
from fenqi.core.values.money import (
    CURRENCIES,
    CurrencyMixed,
    CurrencyUnknown,
    Money,
    OddUnits,
    currency,
    decimal_text,
    split,
    take_in_order,
)

CNY, JPY, KWD = currency("CNY"), currency("JPY"), currency("KWD")


def test_money_of_one_currency_adds() -> None:
    assert Money(1_230, CNY) + Money(70, CNY) == Money(1_300, CNY)


def test_money_of_two_currencies_does_not_add() -> None:
    with pytest.raises(CurrencyMixed) as refusal:
        Money(1, CNY) + Money(1, JPY)
    assert refusal.value.fields == {"left": "CNY", "right": "JPY"}


def test_an_unknown_currency_is_refused_with_the_known_ones() -> None:
    with pytest.raises(CurrencyUnknown) as refusal:
        currency("XYZ")
    assert refusal.value.fields == {"code": "XYZ", "known": sorted(CURRENCIES)}


@pytest.mark.parametrize(
    ("minor", "of", "text"),
    [
        (0, CNY, "0.00"),
        (-5, CNY, "-0.05"),
        (123_456_789, CNY, "1234567.89"),
        (-123, JPY, "-123"),
        (1_005, KWD, "1.005"),
        (10**18 + 1, CNY, "10000000000000000.01"),
    ],
)
def test_an_amount_is_printed_exactly(minor: int, of: object, text: str) -> None:
    assert decimal_text(minor, of) == text  # type: ignore[arg-type]


def test_money_prints_its_currency_first() -> None:
    assert str(Money(1_230, CNY)) == "CNY 12.30"


@pytest.mark.parametrize(
    ("odd_units", "parts"),
    [
        (OddUnits.FIRST, (27, 25, 25)),
        (OddUnits.EARLIEST, (26, 26, 25)),
        (OddUnits.LAST, (25, 25, 27)),
    ],
)
def test_odd_units_go_where_the_product_says(odd_units: OddUnits, parts: tuple[int, ...]) -> None:
    assert split(77, 3, odd_units=odd_units) == parts


def test_less_than_one_unit_each_leaves_empty_parts() -> None:
    assert split(2, 3, odd_units=OddUnits.FIRST) == (2, 0, 0)
    assert split(2, 3, odd_units=OddUnits.EARLIEST) == (1, 1, 0)


@pytest.mark.parametrize(("total", "parts"), [(-1, 3), (1, 0)])
def test_a_split_that_makes_no_sense_is_refused(total: int, parts: int) -> None:
    with pytest.raises(Invalid):
        split(total, parts, odd_units=OddUnits.FIRST)


def test_money_is_taken_first_come_first_served() -> None:
    assert take_in_order(10, [4, 0, 5, 9]) == [4, 0, 5, 1]
    assert take_in_order(100, [4, 5]) == [4, 5]
