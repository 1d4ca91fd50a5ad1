"""Level and stepped payments, exactly."""

from fractions import Fraction

import pytest

from fenqi.core.terms.annuity import (
    COUNT_MAX,
    AnnuityInvalid,
    balance_after,
    interest_part,
    level_amount,
    stepped_amount,
)

TENTH = Fraction(1, 10)


def test_one_payment_repays_all_with_its_interest() -> None:
    assert level_amount(Fraction(100), count=1, rate=TENTH) == 110


def test_two_payments_are_exact() -> None:
    amount = level_amount(Fraction(210), count=2, rate=TENTH)
    assert amount == 121
    assert interest_part(Fraction(210), amount, number=1, rate=TENTH) == 21
    assert balance_after(Fraction(210), amount, number=1, rate=TENTH) == 110
    assert interest_part(Fraction(210), amount, number=2, rate=TENTH) == 11
    assert balance_after(Fraction(210), amount, number=2, rate=TENTH) == 0


def test_at_a_rate_of_zero_payments_are_equal_parts() -> None:
    amount = level_amount(Fraction(100), count=3, rate=Fraction(0))
    assert amount == Fraction(100, 3)
    assert interest_part(Fraction(100), amount, number=2, rate=Fraction(0)) == 0
    assert balance_after(Fraction(100), amount, number=2, rate=Fraction(0)) == amount


def test_a_balloon_is_what_is_left() -> None:
    amount = level_amount(Fraction(200), count=2, rate=TENTH, left=Fraction(100))
    assert balance_after(Fraction(200), amount, number=2, rate=TENTH) == 100


def test_payments_in_advance_bear_one_period_less() -> None:
    end = level_amount(Fraction(210), count=2, rate=TENTH)
    start = level_amount(Fraction(210), count=2, rate=TENTH, is_in_advance=True)
    assert start == end / Fraction(11, 10)
    owed = balance_after(Fraction(210), start, number=2, rate=TENTH, is_in_advance=True)
    assert owed == 0
    first, second = (
        interest_part(Fraction(210), start, number=number, rate=TENTH, is_in_advance=True)
        for number in (1, 2)
    )
    assert first == 0
    assert second == (210 - start) * TENTH
    assert 2 * start - first - second == 210


def test_steps_are_weights_of_one_amount() -> None:
    amount = stepped_amount(Fraction(220), weights=[Fraction(1), Fraction(11, 10)], rate=TENTH)
    assert amount == 121


def test_before_the_first_payment_all_is_owed() -> None:
    assert balance_after(Fraction(5), Fraction(1), number=0, rate=TENTH) == 5


@pytest.mark.parametrize(
    ("count", "rate"),
    [(0, TENTH), (-1, TENTH), (COUNT_MAX + 1, TENTH), (3, Fraction(-1)), (3, Fraction(-2))],
)
def test_payments_that_repay_nothing_are_refused(count: int, rate: Fraction) -> None:
    with pytest.raises(AnnuityInvalid) as refused:
        level_amount(Fraction(100), count=count, rate=rate)
    assert (refused.value.fields["count"], refused.value.fields["rate"]) == (count, rate)
    with pytest.raises(AnnuityInvalid):
        interest_part(Fraction(100), Fraction(1), number=count, rate=rate)


@pytest.mark.parametrize("weights", [[], [Fraction(0)], [Fraction(1), Fraction(-2)]])
def test_weights_worth_nothing_are_refused(weights: list[Fraction]) -> None:
    with pytest.raises(AnnuityInvalid):
        stepped_amount(Fraction(100), weights=weights, rate=Fraction(0))
