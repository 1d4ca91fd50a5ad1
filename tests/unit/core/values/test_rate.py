"""A rate is applied with one named rounding."""

from decimal import Decimal

import pytest

from fenqi.core.values.rate import Rounding, apply_ppm, divide, round_decimal

HALVES = [
    (Rounding.HALF_EVEN, [-2, -2, 0, 0, 2, 2]),
    (Rounding.HALF_UP, [-2, -1, 0, 1, 2, 3]),
    (Rounding.DOWN, [-3, -2, -1, 0, 1, 2]),
    (Rounding.UP, [-2, -1, 0, 1, 2, 3]),
]


@pytest.mark.parametrize(("rounding", "expected"), HALVES)
def test_halves_go_where_the_rounding_says(rounding: Rounding, expected: list[int]) -> None:
    halves = [-5, -3, -1, 1, 3, 5]
    assert [divide(half, 2, rounding=rounding) for half in halves] == expected


@pytest.mark.parametrize("rounding", list(Rounding))
def test_whole_results_are_never_moved(rounding: Rounding) -> None:
    assert divide(-12, 4, rounding=rounding) == -3
    assert divide(0, 7, rounding=rounding) == 0


@pytest.mark.parametrize(
    ("amount", "ppm", "rounding", "expected"),
    [
        (111_111, 45_000, Rounding.HALF_EVEN, 5_000),  # 4999.995
        (545, 23_000, Rounding.HALF_EVEN, 13),  # 12.535
        (50, 50_000, Rounding.HALF_EVEN, 2),  # 2.5
        (50, 50_000, Rounding.HALF_UP, 3),
        (10**13, 1, Rounding.DOWN, 10**7),
        (1, 1, Rounding.UP, 1),
    ],
)
def test_a_rate_applies_exactly(amount: int, ppm: int, rounding: Rounding, expected: int) -> None:
    assert apply_ppm(amount, ppm, rounding=rounding) == expected


def test_a_decimal_rounds_as_named() -> None:
    assert round_decimal(Decimal("2.5"), rounding=Rounding.HALF_EVEN) == 2
    assert round_decimal(Decimal("2.5"), rounding=Rounding.HALF_UP) == 3
    assert round_decimal(Decimal("-2.1"), rounding=Rounding.DOWN) == -3
    assert round_decimal(Decimal("2.1"), rounding=Rounding.UP) == 3
