"""Pay-offs to the rest, principal grace, rows of a drawdown's own, and rows beside the schedule."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from fenqi.core.terms.allowances import Allowances, WithdrawalRule
from fenqi.core.terms.amortise.settings import (
    DaysInMonth,
    DaysInYear,
    Interval,
    PayOffInterest,
    Rest,
    SettingsInvalid,
    Unit,
)
from fenqi.core.terms.life import customer
from fenqi.core.terms.life.life import Life
from fenqi.core.terms.life.operations import (
    AddPeriods,
    Disburse,
    MoveDueDay,
    ReAge,
    ReAmortise,
    ReAmortiseInterest,
    Receipt,
)
from fenqi.core.terms.life.payoff import payoff_minor, settle_quote
from fenqi.core.terms.life.rules import Future
from fenqi.core.terms.life.terms import LifeTerms
from fenqi.core.terms.product import Component
from random_lives import allocation, lend, receive, terms

START = date(2024, 1, 1)
PRINCIPAL, INTEREST = Component.PRINCIPAL, Component.INTEREST
PRINCIPAL_FIRST = (PRINCIPAL, Component.PENALTY, INTEREST, Component.FEE)


def agreed(rows: int, order: tuple[Component, ...] | None = None, **interest: Any) -> LifeTerms:
    """Return terms at 12 % a year; early money goes to the last row."""
    rule = allocation(future=Future.LAST) if order is None else allocation(order, Future.LAST)
    plain = terms("0.12", count=rows, recalculates=True, default_allocation=rule)
    return replace(plain, interest=replace(plain.interest, **interest))


def disburse(life: Life, on: date, amount_minor: int) -> None:
    number = len(life.recorded) + 1
    life.record(Disburse(number=number, on=on, booked_on=on, amount_minor=amount_minor))


def re_age(life: Life, on: date, starts_on: date, count: int) -> None:
    number, days = len(life.recorded) + 1, {"on": on, "booked_on": on}
    again = {"every": 1, "unit": Unit.MONTHS, "count": count}
    life.record(ReAge(number=number, starts_on=starts_on, **again, **days))


def left_after_pay_off(life: Life, on: date) -> tuple[int, int]:
    receive(life, on, payoff_minor(life, on))
    return life.view(on).open_minor, life.view(on).overpaid_minor


def test_a_pay_off_to_the_rest_counts_from_its_end_whichever_row_it_pays_first() -> None:
    """A whole month of 10,000 at 1 % is 100, on the 14th too; the last row is paid first."""
    life, on = lend(agreed(2, pay_off_interest=PayOffInterest.TO_REST), 10_000), date(2024, 1, 14)
    assert payoff_minor(life, on) == 10_100
    assert left_after_pay_off(life, on) == (0, 0)
    assert life.view(on).total("paid", INTEREST) == 100


@pytest.mark.parametrize("rest", Rest)
def test_what_is_overdue_bears_interest_to_the_rest_in_quote_and_pay_off(rest: Rest) -> None:
    """Of one row of 10,000 two months are owed at the start of the second one."""
    to_rest = agreed(1, PRINCIPAL_FIRST, pay_off_interest=PayOffInterest.TO_REST, rest=rest)
    life, on = lend(to_rest, 10_000), date(2024, 2, 2)
    life.record(AddPeriods(number=2, on=START, booked_on=START, count=1))
    assert payoff_minor(life, on) == settle_quote(life, on).amount_minor == 10_000 + 200
    assert left_after_pay_off(life, on) == (0, 0)


def test_less_than_a_pay_off_to_the_rest_owes_interest_to_its_day() -> None:
    life, on = lend(agreed(2, pay_off_interest=PayOffInterest.TO_REST), 10_000), date(2024, 1, 11)
    receive(life, on, payoff_minor(life, on) - 100)
    assert life.view(on).total("paid", INTEREST) < 100


@pytest.mark.parametrize("rest", Rest)
@pytest.mark.parametrize("future", Future)
def test_a_withdrawal_owes_interest_to_its_day_where_pay_offs_owe_it_to_the_rest(
    future: Future, rest: Rest
) -> None:
    """Ten of the 31 days of January, which bears 100."""
    to_rest = agreed(2, pay_off_interest=PayOffInterest.TO_REST, rest=rest)
    offered = Allowances(withdrawal=WithdrawalRule(14))
    rules = replace(to_rest.rules, allowances=offered, default_allocation=allocation(future=future))
    life, on = lend(replace(to_rest, rules=rules), 10_000), date(2024, 1, 11)
    assert settle_quote(life, on).amount_minor == 10_100
    withdrawal = customer.withdrawal(life, on)
    assert withdrawal.amount_minor == 10_032
    life.record(withdrawal)
    assert (life.view(on).open_minor, life.view(on).overpaid_minor) == (0, 0)
    assert life.view(date(2024, 3, 1)).open_minor == 0


def test_a_withdrawal_owes_interest_to_its_day_on_what_is_overdue_too() -> None:
    """A row of a week is overdue for two days: 10,000 bear interest for nine days of 365."""
    weekly = Interval(1, Unit.WEEKS)
    by_days = {"days_in_month": DaysInMonth.ACTUAL, "days_in_year": DaysInYear.FIXED_365}
    settings = {"interval": weekly, "rest": Rest.PER_PERIOD, **by_days}
    to_rest = agreed(2, pay_off_interest=PayOffInterest.TO_REST, **settings)
    rules = replace(to_rest.rules, allowances=Allowances(withdrawal=WithdrawalRule(14)))
    life, on = lend(replace(to_rest, rules=rules), 1_000_000), date(2024, 1, 10)
    withdrawal = customer.withdrawal(life, on)
    assert abs(withdrawal.amount_minor - 1_000_000 - round(1_000_000 * 0.12 * 9 / 365)) <= 1
    life.record(withdrawal)
    assert (life.view(on).open_minor, life.view(on).overpaid_minor) == (0, 0)


@pytest.mark.parametrize("rest", Rest)
@pytest.mark.parametrize("future", Future)
def test_a_settlement_to_the_rest_leaves_nothing_open_and_nothing_overpaid(
    future: Future, rest: Rest
) -> None:
    to_rest = agreed(2, pay_off_interest=PayOffInterest.TO_REST, rest=rest)
    rules = replace(to_rest.rules, default_allocation=allocation(future=future))
    life, on = lend(replace(to_rest, rules=rules), 10_000), date(2024, 1, 11)
    life.record(customer.settlement(life, on))
    assert (life.view(on).open_minor, life.view(on).overpaid_minor) == (0, 0)
    assert life.view(on).total("paid", INTEREST) == 100


def test_a_drawdown_leaves_a_row_of_grace_what_was_paid_for_it() -> None:
    """The first row asks for interest only, and keeps the 0.40 paid ahead for it."""
    agreement = agreed(2, principal_grace=1)
    ahead = replace(agreement.rules, default_allocation=allocation())
    life, on = lend(replace(agreement, rules=ahead), 4_000), date(2024, 1, 2)
    receive(life, START, 2_000)
    disburse(life, on, 2_000)
    assert [row.due[PRINCIPAL] for row in life.view(on).rows] == [40, 5_960]
    assert left_after_pay_off(life, on) == (0, 0)


def test_a_drawdown_of_a_full_term_takes_the_rows_a_re_age_made() -> None:
    """One row from 1 January to 1 February is there already, the other follows it."""
    life = lend(agreed(2, count=2), 10_000)
    re_age(life, START, date(2024, 2, 1), 1)
    disburse(life, START, 1_000)
    rows = [row for row in life.view(START).rows if any(row.due)]
    assert [row.due_on for row in rows] == [date(2024, 2, 1), date(2024, 3, 1)]
    assert [row.due[PRINCIPAL] for row in rows] == [10_498, 502]
    assert left_after_pay_off(life, START) == (0, 0)


def test_a_drawdown_of_a_full_term_makes_no_row_that_ends_before_it_begins() -> None:
    """A re-age has made the only row a month long; a fortnight's term of its own takes that row."""
    life = lend(agreed(1, count=1, interval=Interval(15, Unit.DAYS)), 10_000)
    re_age(life, START, START, 1)
    disburse(life, START, 1_000)
    assert [row.due[PRINCIPAL] for row in life.view(START).rows] == [11_000]
    assert left_after_pay_off(life, START) == (0, 0)


def test_rows_of_a_full_term_keep_the_ends_of_months() -> None:
    at_end = replace(agreed(2, count=2), submitted_on=date(2024, 1, 31))
    life = lend(at_end, 10_000)
    disburse(life, date(2024, 3, 1), 1_000)
    due_days = [row.due_on for row in life.view(date(2024, 3, 1)).rows]
    assert due_days == [date(2024, 2, 29), date(2024, 3, 31), date(2024, 4, 30)]


def test_periods_added_after_a_drawdown_of_a_full_term_ask_for_what_is_left() -> None:
    life, on = lend(agreed(2, count=2), 10_000), date(2024, 1, 3)
    re_age(life, START, date(2024, 1, 2), 1)
    disburse(life, START, 1)
    life.record(AddPeriods(number=4, on=on, booked_on=on, count=1))
    assert sum(row.due[PRINCIPAL] for row in life.view(on).rows) == 10_001
    assert left_after_pay_off(life, on) == (0, 0)


def plainly(agreement: LifeTerms, **changed: Any) -> LifeTerms:
    """Return terms by 15 days whose last row is not smoothed, with other rules."""
    coarse = replace(agreement.interest, interval=Interval(15, Unit.DAYS), is_last_smoothed=False)
    return replace(agreement, interest=coarse, rules=replace(agreement.rules, **changed))


def test_too_little_to_be_shared_out_is_left_to_the_last_row() -> None:
    """Of a drawdown of 1 over four rows the last asks for it; two more rows make it theirs."""
    free = {"default_allocation": allocation(), "charges_interest_on_past_due": False}
    late = plainly(agreed(4, count=4), **free)
    life, on = lend(late, 10_000), date(2024, 3, 2)
    receive(life, START, 2_531)
    disburse(life, date(2024, 1, 17), 1)
    life.record(AddPeriods(number=4, on=on, booked_on=on, count=2))
    rows = life.view(on).rows
    assert [row.due[PRINCIPAL] for row in rows[4:]] == [0, 0, 1]
    assert sum(row.due[PRINCIPAL] for row in rows) == 10_001


def test_interest_paid_beyond_its_row_is_taken_off_no_other() -> None:
    """Principal paid first leaves no room for interest in rows that early money pays equally."""
    rule = allocation((PRINCIPAL, Component.FEE, INTEREST, Component.PENALTY), Future.REAMORTISE)
    by_days = {"days_in_month": DaysInMonth.ACTUAL, "days_in_year": DaysInYear.ACTUAL}
    rules = {"default_allocation": rule, "allocations": {Receipt.GOODWILL: allocation()}}
    equally = plainly(agreed(5, count=5, **by_days), **rules)
    life, on = lend(equally, 10_000), date(2024, 4, 19)
    disburse(life, START, 1)
    receive(life, date(2024, 1, 4), 2_030, Receipt.GOODWILL)
    for day in (date(2024, 1, 4), date(2024, 1, 17), date(2024, 3, 2), date(2024, 4, 16)):
        disburse(life, day, 1)
    receive(life, on, 8_260)
    assert sum(row.due[PRINCIPAL] for row in life.view(on).rows) == 10_005
    assert left_after_pay_off(life, on) == (0, 0)


@pytest.mark.parametrize("grace", [1, 2])
def test_no_plan_lives_by_a_grace_of_interest(grace: int) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        agreed(2, interest_grace=grace)
    assert caught.value.fields == {"interest_grace": grace, "most": 0}


def test_interest_deferred_from_a_row_that_a_drawdown_opens_is_asked_for_once() -> None:
    """10,001 are out and two days of February, 7, are owed beside the 102 of January."""
    by_days = {"days_in_month": DaysInMonth.ACTUAL, "days_in_year": DaysInYear.ACTUAL}
    life, on = lend(agreed(1, count=1, **by_days), 10_000), date(2024, 2, 3)
    life.record(AddPeriods(number=2, on=START, booked_on=START, count=1))
    disburse(life, on, 1)
    assert payoff_minor(life, on) == 10_001 + 102 + 7
    default = ReAmortiseInterest.DEFAULT
    life.record(ReAmortise(number=4, on=on, booked_on=on, interest=default))
    assert payoff_minor(life, on) == 10_001 + 102 + 7


def test_a_moved_due_day_leaves_principal_beside_the_schedule_where_it_is() -> None:
    """A re-age after the last row, and a drawdown on it that no row of the model holds."""
    life, on = lend(agreed(1), 10_000), date(2024, 3, 2)
    disburse(life, on, 5)
    to = date(2024, 4, 2)
    re_age(life, on, to, 1)
    due_on = life.view(on).rows[-1].due_on
    life.record(
        MoveDueDay(number=len(life.recorded) + 1, on=due_on, booked_on=on, to=date(2024, 4, 9))
    )
    assert sum(row.due[PRINCIPAL] for row in life.view(on).rows) == 10_005
    assert left_after_pay_off(life, on) == (0, 0)


INTEREST_ALONE: dict[str, tuple[int, list[tuple[date, int]], date, date]] = {
    "10.00": (
        1_000,
        [
            (date(2024, 1, 30), 340),
            (date(2024, 2, 26), 333),
            (date(2024, 3, 19), 336),
            (date(2024, 3, 30), 3),
        ],
        date(2024, 4, 22),
        date(2024, 5, 25),
    ),
    "23.00": (
        2_300,
        [
            (date(2024, 1, 29), 782),
            (date(2024, 3, 2), 765),
            (date(2024, 4, 5), 773),
            (date(2024, 4, 22), 4),
        ],
        date(2024, 5, 3),
        date(2024, 6, 29),
    ),
}


@pytest.mark.parametrize("name", INTEREST_ALONE)
def test_a_pay_off_after_a_re_age_asks_for_all_interest_that_is_owed_alone(name: str) -> None:
    """All principal is repaid, the last row first; the rest is interest of the days gone."""
    amount, payments, starts_on, on = INTEREST_ALONE[name]
    life = lend(agreed(3, PRINCIPAL_FIRST), amount)
    for day, paid in payments:
        receive(life, day, paid)
    last, _ = payments[-1]
    re_age(life, last, starts_on, 3)
    receive(life, starts_on, 1)
    owed = life.view(on).open_minor
    assert owed > 1
    assert payoff_minor(life, on) == settle_quote(life, on).amount_minor == owed
    assert left_after_pay_off(life, on) == (0, 0)
