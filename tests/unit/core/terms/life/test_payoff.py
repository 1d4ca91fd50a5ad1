"""What ends a plan on a day does end it, wherever early money goes."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from fenqi.core.terms.amortise.settings import DaysInMonth, Interval, Settings, Unit
from fenqi.core.terms.life.life import Life
from fenqi.core.terms.life.operations import (
    AddPeriods,
    Disburse,
    ReAmortise,
    ReAmortiseInterest,
)
from fenqi.core.terms.life.payoff import payoff_minor
from fenqi.core.terms.life.rules import Future, Processing
from fenqi.core.terms.product import Component
from random_lives import allocation, lend, receive, terms

START = date(2024, 1, 1)
PRINCIPAL_FIRST = (Component.PRINCIPAL, Component.PENALTY, Component.INTEREST, Component.FEE)


def left_after_pay_off(life: Life, on: date) -> tuple[int, int]:
    """Return what is open and what is overpaid after a plan was paid off."""
    receive(life, on, payoff_minor(life, on))
    return life.view(on).open_minor, life.view(on).overpaid_minor


def test_a_row_that_larger_rows_left_a_rest_asks_for_it_before_its_time() -> None:
    """Seven of eight rounded instalments are all that was lent; of the first two one takes all."""
    agreed = terms(count=8, recalculates=True, default_allocation=allocation(future=Future.LAST))
    coarse = Settings(Interval(1, Unit.MONTHS), Decimal("0.36"), multiple=1, is_last_smoothed=False)
    life = lend(replace(agreed, interest=coarse), 140)
    assert payoff_minor(life, START) == 140
    assert left_after_pay_off(life, START) == (0, 0)


def test_interest_that_ran_in_the_last_row_is_asked_for_though_it_was_paid_ahead() -> None:
    """Of 33.60 out since the first day three months at 3 % are owed, each 1.01, one late."""
    first = allocation(PRINCIPAL_FIRST, Future.NEXT_LAST)
    agreed = terms(
        "0.36",
        count=3,
        recalculates=True,
        processing=Processing.VERTICAL,
        default_allocation=first,
    )
    life, on = lend(agreed, 10_000), date(2024, 6, 20)
    receive(life, START, 6_640)
    life.record(Disburse(number=3, on=on, booked_on=on, amount_minor=1_395))  # after the last row
    assert payoff_minor(life, on) == 3_360 + 303 + 1_395
    assert left_after_pay_off(life, on) == (0, 0)


def test_a_row_paid_in_part_is_asked_for_all_it_has_become() -> None:
    """The last row keeps 502 paid ahead beyond what the later rows were levelled to."""
    agreed = terms(
        "0.12",
        recalculates=True,
        processing=Processing.VERTICAL,
        default_allocation=allocation(future=Future.NEXT_LAST),
    )
    life, on = lend(agreed, 10_000), date(2024, 3, 1)
    receive(life, START, 2_562)
    life.record(AddPeriods(number=3, on=START, booked_on=START, count=1))
    equally = ReAmortiseInterest.EQUAL_SPLIT
    life.record(ReAmortise(number=4, on=on, booked_on=on, interest=equally))
    assert left_after_pay_off(life, on) == (0, 0)


def re_amortised(amount_minor: int, count: int, on: date, **interest: Any) -> Life:
    """Return a plan at 12 %, free of interest past due, whose first row was shared out equally."""
    agreed = terms(
        "0.12",
        count=count,
        recalculates=True,
        processing=Processing.VERTICAL,
        charges_interest_on_past_due=False,
        default_allocation=allocation(PRINCIPAL_FIRST, Future.NEXT_LAST),
    )
    coarse = replace(agreed.interest, is_last_smoothed=False, **interest)
    life = lend(replace(agreed, interest=coarse), amount_minor)
    equally = ReAmortiseInterest.EQUAL_SPLIT
    life.record(ReAmortise(number=2, on=on, booked_on=on, interest=equally))
    return life


def test_after_a_re_amortisation_no_row_asks_for_more_principal_than_there_is() -> None:
    """10,000 bear 107 up to the day, and each row to come keeps room for its part of them."""
    on = date(2024, 2, 2)
    life = re_amortised(10_000, 5, on, days_in_month=DaysInMonth.ACTUAL)
    assert payoff_minor(life, on) == 10_107
    assert left_after_pay_off(life, on) == (0, 0)


def test_interest_that_a_row_without_room_left_to_the_last_is_asked_for_there_alone() -> None:
    """Instalments of 200 leave the last one a large rest, where what ran finds its room."""
    on = date(2024, 2, 7)
    life = re_amortised(1_180, 6, on, multiple=1)
    assert payoff_minor(life, on) == 1_192
    assert left_after_pay_off(life, on) == (0, 0)
