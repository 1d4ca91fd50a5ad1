"""What ends a plan on a day does end it, wherever early money goes."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

from fenqi.core.terms.amortise.settings import Interval, Settings, Unit
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
