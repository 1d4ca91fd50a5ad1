"""Whatever the amount: splitting loses nothing, rounding stays near, printing is exact."""

from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from fenqi.core.values.money import (
    CURRENCIES,
    Currency,
    OddUnits,
    decimal_text,
    split,
    take_in_order,
)
from fenqi.core.values.rate import PPM, Rounding, apply_ppm, divide

AMOUNTS = st.integers(0, 10**15)
SIGNED = st.integers(-(10**18), 10**18)
CURRENCY = st.sampled_from(sorted(CURRENCIES.values(), key=lambda one: one.code))


@given(AMOUNTS, st.integers(1, 60), st.sampled_from(OddUnits))
def test_the_parts_of_a_split_sum_to_the_total(total: int, parts: int, odd: OddUnits) -> None:
    shares = split(total, parts, odd_units=odd)
    assert len(shares) == parts
    assert sum(shares) == total
    assert max(shares) - min(shares) < parts


@given(AMOUNTS, st.integers(1, 60))
def test_the_odd_units_only_change_their_place(total: int, parts: int) -> None:
    first, earliest, last = (split(total, parts, odd_units=odd) for odd in OddUnits)
    assert first == last[::-1]
    assert sum(earliest) == sum(first)
    assert max(earliest) - min(earliest) <= 1
    assert list(earliest) == sorted(earliest, reverse=True)


@given(AMOUNTS, AMOUNTS, st.integers(1, 60))
def test_more_money_makes_no_equal_part_smaller(one: int, other: int, parts: int) -> None:
    low, high = sorted((one, other))
    smaller = split(low, parts, odd_units=OddUnits.EARLIEST)
    larger = split(high, parts, odd_units=OddUnits.EARLIEST)
    assert all(less <= more for less, more in zip(smaller, larger, strict=True))


@given(SIGNED, st.integers(1, 10**12), st.sampled_from(Rounding))
def test_a_rounded_quotient_is_within_one_unit_on_its_side(
    numerator: int, denominator: int, rounding: Rounding
) -> None:
    exact = Fraction(numerator, denominator)
    error = divide(numerator, denominator, rounding=rounding) - exact
    match rounding:
        case Rounding.DOWN:
            assert -1 < error <= 0
        case Rounding.UP:
            assert 0 <= error < 1
        case Rounding.HALF_UP:
            assert -Fraction(1, 2) < error <= Fraction(1, 2)
        case Rounding.HALF_EVEN:
            assert round(exact) == exact + error  # Python rounds halves to even


@given(
    st.integers(0, 10**13), st.integers(0, 10**13), st.integers(0, PPM), st.sampled_from(Rounding)
)
def test_a_charge_never_falls_when_the_amount_grows(
    one: int, other: int, ppm: int, rounding: Rounding
) -> None:
    low, high = sorted((one, other))
    assert apply_ppm(low, ppm, rounding=rounding) <= apply_ppm(high, ppm, rounding=rounding)


@given(SIGNED, CURRENCY)
def test_a_printed_amount_reads_back_exactly(minor: int, currency: Currency) -> None:
    text = decimal_text(minor, currency)
    assert int(Decimal(text).scaleb(currency.digits)) == minor
    assert len(text.partition(".")[2]) == currency.digits


@given(AMOUNTS, st.lists(st.integers(0, 10**12), max_size=20))
def test_what_is_taken_never_exceeds_what_is_open(amount: int, open_minor: list[int]) -> None:
    takes = take_in_order(amount, open_minor)
    assert sum(takes) == min(amount, sum(open_minor))
    assert all(0 <= take <= part for take, part in zip(takes, open_minor, strict=True))
