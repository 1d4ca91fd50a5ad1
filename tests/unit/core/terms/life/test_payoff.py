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
from fenqi.core.terms.life.terms import LifeTerms
from fenqi.core.terms.product import Component
from random_lives import allocation, lend, receive, terms

START = date(2024, 1, 1)
MONTHLY = Interval(1, Unit.MONTHS)
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


def agreed_on(future: Future, **interest: Any) -> LifeTerms:
    """Return terms at 12 % a year by fortnights; principal comes first, late or ahead."""
    order = (Component.PRINCIPAL, Component.INTEREST, Component.FEE, Component.PENALTY)
    plain = terms(
        "0.12",
        recalculates=True,
        charges_interest_on_past_due=True,
        default_allocation=allocation(order, future),
    )
    by_fortnight = replace(plain.interest, interval=Interval(2, Unit.WEEKS), **interest)
    return replace(plain, interest=by_fortnight)


def test_money_beyond_all_principal_pays_the_interest_that_found_no_room() -> None:
    """Principal in equal parts closes all rows; what ran in the month so far is paid, not lost."""
    life, on = lend(agreed_on(Future.REAMORTISE), 5_601_200), date(2024, 2, 6)
    owed = payoff_minor(life, on)
    assert owed > 5_601_200
    assert left_after_pay_off(life, on) == (0, 0)
    assert life.view(on).total("paid", Component.INTEREST) == owed - 5_601_200


def test_whoever_closed_a_plan_is_asked_for_nothing_more() -> None:
    life, on = lend(agreed_on(Future.REAMORTISE), 5_601_200), date(2024, 2, 6)
    receive(life, on, payoff_minor(life, on))
    receive(life, on, 700)
    assert (life.view(on).open_minor, life.view(on).overpaid_minor) == (0, 700)


def test_rows_ask_for_no_more_principal_than_is_out_beside_the_interest_of_the_last() -> None:
    """The last row keeps room for 12.79 of interest, so the rows before it give way."""
    by_month = agreed_on(Future.REAMORTISE, rate=Decimal("0.36"))
    by_month = replace(by_month, interest=replace(by_month.interest, interval=MONTHLY), count=3)
    life, on = lend(by_month, 44_050), date(2024, 1, 31)
    receive(life, on, 41_700)
    receive(life, on, 3_500)
    rows = life.view(on).rows
    assert sum(row.due[Component.PRINCIPAL] for row in rows) == 44_050
    assert left_after_pay_off(life, on) == (0, 0)


def share_out(life: Life, on: date) -> None:
    """Re-amortise a plan, its unpaid interest in equal parts."""
    equally, number = ReAmortiseInterest.EQUAL_SPLIT, len(life.recorded) + 1
    life.record(ReAmortise(number=number, on=on, booked_on=on, interest=equally))


def test_interest_deferred_and_paid_is_asked_for_once() -> None:
    """A late row asks for what ran in later, closed ones; once paid, none of them asks for it."""
    agreed = agreed_on(Future.LAST)
    vertical = replace(agreed.rules, processing=Processing.VERTICAL)
    life = lend(replace(agreed, rules=vertical), 37_573_000)
    receive(life, date(2024, 1, 2), 9_503_000)
    share_out(life, date(2024, 1, 15))
    receive(life, date(2024, 1, 15), 14_211_000)
    assert left_after_pay_off(life, date(2024, 2, 13)) == (0, 0)


def test_what_ran_while_late_is_deferred_whenever_it_is_paid() -> None:
    agreed = agreed_on(Future.LAST, multiple=1)
    by_month = replace(agreed, interest=replace(agreed.interest, interval=MONTHLY))
    life = lend(by_month, 49_500)
    receive(life, date(2024, 1, 31), 25_200)
    share_out(life, date(2024, 3, 7))
    assert left_after_pay_off(life, date(2024, 4, 2)) == (0, 0)


def test_shared_interest_that_a_later_row_was_paid_is_not_asked_for_again() -> None:
    agreed = replace(agreed_on(Future.LAST, is_last_smoothed=False), count=6)
    free = replace(agreed.rules, charges_interest_on_past_due=False)
    life, on, again = lend(replace(agreed, rules=free), 43_600), date(2024, 2, 10), date(2024, 3, 9)
    share_out(life, on)
    receive(life, on, 11_000)
    receive(life, on, 11_000)
    share_out(life, again)
    assert left_after_pay_off(life, again) == (0, 0)


def test_shared_interest_paid_where_it_is_asked_is_not_left_with_a_row_before() -> None:
    """Three parts of 0.01, one of them deferred while the last row had no room for it."""
    agreed = agreed_on(Future.REAMORTISE)
    by_month = replace(agreed, interest=replace(agreed.interest, interval=MONTHLY))
    free = replace(agreed.rules, charges_interest_on_past_due=False)
    late_start = date(2024, 2, 29)
    life = lend(replace(by_month, rules=free, submitted_on=late_start), 400)
    on = date(2024, 3, 29)
    share_out(life, on)
    assert left_after_pay_off(life, on) == (0, 0)
