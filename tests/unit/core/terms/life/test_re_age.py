"""A re-age of a plan whose interest follows the balance: days, balances, what was paid before."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from fenqi.core.terms.amortise.settings import (
    Accrual,
    DaysInMonth,
    DaysInYear,
    Interval,
    Unit,
)
from fenqi.core.terms.life.life import Life
from fenqi.core.terms.life.operations import (
    AddCharge,
    AddPeriods,
    Disburse,
    ReAge,
    ReAgeInterest,
)
from fenqi.core.terms.life.payoff import payoff_minor
from fenqi.core.terms.life.rules import Future
from fenqi.core.terms.product import Component
from random_lives import DEFAULT_ORDER, allocation, lend, receive, terms

START = date(2024, 1, 1)
PRINCIPAL = Component.PRINCIPAL


def re_age(
    life: Life,
    on: date,
    starts_on: date,
    count: int,
    interest: ReAgeInterest = ReAgeInterest.DEFAULT,
) -> None:
    life.record(
        ReAge(
            number=len(life.recorded) + 1,
            on=on,
            booked_on=on,
            starts_on=starts_on,
            every=1,
            unit=Unit.MONTHS,
            count=count,
            interest=interest,
        )
    )


def lengthen(life: Life, on: date, count: int) -> None:
    life.record(AddPeriods(number=len(life.recorded) + 1, on=on, booked_on=on, count=count))


def pay_off(life: Life, on: date) -> int:
    """Return what stays open after the pay-off."""
    receive(life, on, payoff_minor(life, on))
    return life.view(on).open_minor


def follows(**changed: Any) -> Life:
    return lend(terms("0.12", recalculates=True, **changed), 10_000)


@pytest.mark.parametrize("is_past_due_free", [False, True])
def test_principal_repaid_on_the_day_bears_no_interest_after_it(*, is_past_due_free: bool) -> None:
    life, on = follows(charges_interest_on_past_due=not is_past_due_free), date(2024, 2, 1)
    receive(life, on, 3_100)
    re_age(life, on, date(2024, 3, 1), 4)
    month_later = date(2024, 3, 1)
    assert payoff_minor(life, on) == 7_000
    assert payoff_minor(life, month_later) == 7_000 + 70
    assert pay_off(life, on) == 0


def test_what_is_overdue_on_the_last_due_day_is_repaid_once() -> None:
    """Its balance stood corrected in both of two segments that end on the day."""
    life = follows(count=3)
    lengthen(life, date(2024, 4, 1), 1)
    re_age(life, date(2024, 5, 1), date(2024, 5, 2), 3)
    assert payoff_minor(life, date(2024, 5, 1)) == 10_400  # four months of 1 %
    assert pay_off(life, date(2024, 5, 1)) == 0


@pytest.mark.parametrize("interest", ReAgeInterest)
@pytest.mark.parametrize("recalculates", [False, True])
def test_new_rows_keep_the_end_of_the_month(interest: ReAgeInterest, *, recalculates: bool) -> None:
    life = lend(terms("0.12", recalculates=recalculates), 10_000)
    re_age(life, date(2024, 3, 31), date(2024, 3, 31), 3, interest)
    new = [row.due_on for row in life.view().rows if row.open(PRINCIPAL)]
    assert new == [date(2024, 3, 31), date(2024, 4, 30), date(2024, 5, 31)]
    assert pay_off(life, date(2024, 3, 31)) == 0


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_what_was_paid_on_the_first_day_comes_on_top_of_the_new_instalments(count: int) -> None:
    life = follows(count=1)
    receive(life, START, 3_320)
    re_age(life, START, START, count)
    rows = life.view().rows
    assert sum(row.due[PRINCIPAL] for row in rows) == 10_000
    assert max(row.open_minor for row in rows) - min(row.open_minor for row in rows) <= 2


def test_a_row_lengthened_after_a_re_age_from_the_first_day_is_re_aged_again() -> None:
    """It kept what the re-age held at first, and counted for none that can be overdue."""
    life, on = follows(count=1), date(2024, 2, 2)
    re_age(life, START, START, 1)
    lengthen(life, date(2024, 1, 2), 1)
    re_age(life, on, on, 1)
    assert sum(row.due[PRINCIPAL] for row in life.view().rows) == 10_000
    assert pay_off(life, on) == 0


def test_a_row_of_no_length_keeps_its_instalment_when_others_follow() -> None:
    life = follows(count=1)
    re_age(life, date(2024, 1, 2), date(2024, 1, 2), 2)
    before = life.view().rows[1].due
    lengthen(life, date(2024, 1, 3), 1)
    assert life.view().rows[1].due == before
    re_age(life, date(2024, 1, 3), date(2024, 1, 3), 1)
    assert pay_off(life, date(2024, 1, 3)) == 0


def test_interest_agreed_for_rows_that_go_is_asked_for_by_the_new_ones() -> None:
    life, on = follows(), date(2024, 3, 10)
    re_age(life, date(2024, 2, 5), date(2024, 2, 21), 5, ReAgeInterest.EQUAL_FULL)
    owed = payoff_minor(life, on)
    re_age(life, on, date(2024, 4, 1), 6)
    assert payoff_minor(life, on) == owed
    assert pay_off(life, on) == 0


def test_interest_that_alone_is_open_is_asked_for() -> None:
    principal_first = allocation((PRINCIPAL, *DEFAULT_ORDER[:3]), Future.NEXT)
    life, on = follows(count=1, default_allocation=principal_first), date(2024, 1, 20)
    receive(life, on, 10_000)
    owed = payoff_minor(life, on)
    assert owed > 0
    re_age(life, on, on, 2)
    assert payoff_minor(life, on) == owed


def test_a_row_cut_short_bears_interest_for_its_days_of_the_period_it_was_laid_for() -> None:
    """A month counts as a twelfth of a year; a day of it is no twelfth."""
    agreed = terms("0.12", count=3, recalculates=True)
    by_period = replace(agreed, interest=replace(agreed.interest, accrual=Accrual.PER_PERIOD))
    life, on = lend(by_period, 10_000), date(2024, 1, 2)
    re_age(life, on, date(2024, 1, 3), 1)
    assert payoff_minor(life, on) == 10_003  # 1 % for one of 31 days


def test_new_rows_count_parts_of_whole_periods_by_their_days() -> None:
    """Of the month to 15 February, whose interest is 1 %, a row of five days bears 5/31."""
    agreed = terms("0.12", count=3, recalculates=True)
    by_period = replace(agreed, interest=replace(agreed.interest, accrual=Accrual.PER_PERIOD))
    life, on = lend(by_period, 1_000_000), date(2024, 2, 10)
    owed = payoff_minor(life, on)
    re_age(life, on, date(2024, 2, 15), 2)
    assert payoff_minor(life, on) == owed
    month_end = payoff_minor(life, date(2024, 2, 15))
    assert month_end - owed == round(1_000_000 * 5 / 31 / 100)


def test_another_re_age_of_new_rows_changes_nothing_that_ends_the_plan() -> None:
    """Empty rows that are joined go on counting by the periods they were laid for."""
    agreed = terms("0.12", count=3, recalculates=True)
    by_period = replace(agreed, interest=replace(agreed.interest, accrual=Accrual.PER_PERIOD))
    by_leap_day = replace(
        agreed,
        interest=replace(
            agreed.interest,
            days_in_month=DaysInMonth.ACTUAL,
            days_in_year=DaysInYear.ACTUAL_BY_LEAP_DAY,
        ),
    )
    for one in (by_period, by_leap_day):
        life = lend(one, 10_000_000)
        for on in (date(2024, 2, 10), date(2024, 2, 20), date(2024, 3, 25)):
            owed = payoff_minor(life, on)
            re_age(life, on, on + timedelta(days=20), 2)
            assert abs(payoff_minor(life, on) - owed) <= 1


@pytest.mark.parametrize("interest", ReAgeInterest)
def test_what_was_lent_after_the_last_due_day_stays_beside_the_new_rows(
    interest: ReAgeInterest,
) -> None:
    life, late = follows(count=2), date(2024, 3, 29)
    for _ in range(2):
        number = len(life.recorded) + 1
        life.record(Disburse(number=number, on=late, booked_on=late, amount_minor=1))
        re_age(life, late, late, 1, interest)
        late += timedelta(days=18)
    assert sum(row.due[PRINCIPAL] for row in life.view().rows) == 10_002
    assert pay_off(life, late) == 0


def test_a_charge_that_a_re_age_laid_out_is_not_laid_out_again_by_more_periods() -> None:
    """Most of it was paid on a row beyond the plan; new periods reach that row's day."""
    plain = terms("0.12", count=1, start=START, recalculates=True)
    interest = replace(
        plain.interest,
        interval=Interval(15, Unit.DAYS),
        days_in_month=DaysInMonth.ACTUAL,
        days_in_year=DaysInYear.ACTUAL,
    )
    life = lend(replace(plain, interest=interest), 10_000)
    early, late = date(2024, 1, 9), date(2024, 1, 17)
    receive(life, early, 10_049)
    life.record(Disburse(number=3, on=early, booked_on=early, amount_minor=1))
    for on, amount in ((early, 1), (late, 22)):
        life.record(
            AddCharge(
                number=len(life.recorded) + 1,
                on=on,
                booked_on=on,
                name="c",
                is_penalty=False,
                due_on=on,
                amount_minor=amount,
                percent=None,
            )
        )
    re_age(life, late, late, 2, ReAgeInterest.EQUAL_PAYABLE)
    charged = life.view(late).total("due", Component.FEE)
    lengthen(life, late + timedelta(days=1), 1)
    seen = life.view(late + timedelta(days=1))
    assert seen.total("due", Component.FEE) == charged == 23
    assert all(row.open(Component.FEE) >= 0 for row in seen.rows)
