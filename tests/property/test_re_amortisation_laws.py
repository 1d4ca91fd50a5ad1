"""Laws of a re-amortisation: it spreads what is owed, and nothing that is not."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fenqi.core.terms.amortise.settings import (
    Accrual,
    DaysInMonth,
    DaysInYear,
    Interval,
    Settings,
    Unit,
)
from fenqi.core.terms.life.life import Life
from fenqi.core.terms.life.operations import (
    Disburse,
    Operation,
    ReAmortise,
    ReAmortiseInterest,
    Receipt,
    Receive,
)
from fenqi.core.terms.life.payoff import payoff_minor
from fenqi.core.terms.life.rules import Future, LifeRules, Processing
from fenqi.core.terms.life.state import Kind
from fenqi.core.terms.life.terms import LifeTerms
from fenqi.core.terms.life.view import View
from fenqi.core.terms.product import Component
from random_lives import ALLOCATIONS, AS_LENT, Told, allocation, lives, receive, rules

START = date(2024, 1, 1)
RATE, DAYS_A_YEAR = Decimal("0.12"), 365
PRINCIPAL, INTEREST = Component.PRINCIPAL, Component.INTEREST
EQUALLY = ReAmortiseInterest.EQUAL_SPLIT
BY_THE_DAY = Settings(
    Interval(1, Unit.MONTHS),
    RATE,
    digits=2,
    days_in_month=DaysInMonth.ACTUAL,
    days_in_year=DaysInYear.FIXED_365,
    accrual=Accrual.DAILY,
)
AS_RUN = st.builds(
    LifeTerms,
    st.builds(
        LifeRules,
        st.sampled_from(Processing),
        st.just({}),
        ALLOCATIONS,
        recalculates=st.just(True),
        charges_interest_on_past_due=st.booleans(),
        accrues=st.just(False),
    ),
    st.just(BY_THE_DAY),
    st.integers(2, 6),
    submitted_on=st.just(START),
)


def agreed(
    count: int, future: Future = Future.LAST, processing: Processing = Processing.VERTICAL
) -> LifeTerms:
    plain = rules(
        recalculates=True,
        charges_interest_on_past_due=False,
        processing=processing,
        default_allocation=allocation(future=future),
    )
    return LifeTerms(plain, BY_THE_DAY, count, submitted_on=START)


def told(terms: LifeTerms, *ahead_minor: int, on: date = date(2024, 2, 1)) -> Told:
    """Return a life in which money came in on the first day, and a re-amortisation later."""
    operations: list[Operation] = [
        Disburse(number=1, on=START, booked_on=START, amount_minor=10_000)
    ]
    for number, amount in enumerate(ahead_minor, start=2):
        operations.append(
            Receive(
                number=number,
                on=START,
                booked_on=START,
                receipt=Receipt.REPAYMENT,
                amount_minor=amount,
            )
        )
    number = len(operations) + 1
    operations.append(ReAmortise(number=number, on=on, booked_on=on, interest=EQUALLY))
    return Told(terms, tuple(operations), on)


PAST_DUE = told(agreed(5))  # 78 of the shared interest stayed open, and as much was overpaid
PAID_AHEAD = told(agreed(5), 2_060, 2_060)  # asked for 30 of principal more than was lent
PAID_AHEAD_BY_ROW = told(agreed(3, processing=Processing.HORIZONTAL), 3_400, 3_400)


def re_amortised(told: Told, interest: ReAmortiseInterest, row: int, days: int) -> Told:
    """Return a life that is re-amortised some days after a row fell due, if one is to come then."""
    life = told.life()
    due_days = [one.due_on for one in life.walk.rows]
    on = max(told.today, due_days[row % len(due_days)] + timedelta(days=days))
    if on >= due_days[-1] or not life.view(on).open_minor:
        return told
    last = ReAmortise(number=len(told.operations) + 1, on=on, booked_on=on, interest=interest)
    return replace(told, operations=(*told.operations, last), today=on)


def run_minor(seen: View, until: date) -> Decimal:
    """Return the interest that ran by a day on what was really outstanding, unrounded."""
    balance, run, since = Decimal(seen.lent_minor), Decimal(0), START
    for one in sorted(seen.transactions, key=lambda one: one.on):
        if one.is_receipt and one.parts[PRINCIPAL]:
            run += balance * RATE * (one.on - since).days / DAYS_A_YEAR
            balance, since = balance - one.parts[PRINCIPAL], one.on
    return run + balance * RATE * (until - since).days / DAYS_A_YEAR


@given(
    lives([Receive, ReAmortise], AS_RUN),
    st.sampled_from(ReAmortiseInterest),
    st.tuples(st.integers(0, 4), st.integers(0, 20)),
    st.integers(0, 60),
)
def test_no_interest_is_asked_for_beyond_what_ran_on_what_was_outstanding(
    told: Told, interest: ReAmortiseInterest, when: tuple[int, int], days: int
) -> None:
    told = re_amortised(told, interest, *when)
    life, on = told.life(), told.today + timedelta(days=days)
    assume(on <= life.walk.rows[-1].due_on)
    seen = life.view(on)
    paid = sum(one.parts[INTEREST] for one in seen.transactions if one.is_receipt)
    open_principal = sum(row.open(PRINCIPAL) for row in seen.rows)
    asked = payoff_minor(life, on) - open_principal + paid
    spread = sum(one.kind is Kind.RE_AMORTISE for one in seen.transactions)
    roundings = len(seen.rows) * (1 + spread)  # of each row, and of each part of what was spread
    assert asked <= run_minor(seen, on) + roundings


@pytest.mark.parametrize("told", [PAST_DUE, PAID_AHEAD, PAID_AHEAD_BY_ROW])
def test_the_pay_off_is_what_a_plan_shared_out_equally_takes(told: Told) -> None:
    life, on = told.life(), told.today
    receive(life, on, payoff_minor(life, on))
    seen = life.view(on)
    assert (seen.open_minor, seen.overpaid_minor) == (0, 0)


@given(
    lives([Receive, ReAmortise], AS_LENT),
    st.tuples(st.integers(0, 4), st.integers(0, 20)),
    st.integers(0, 60),
)
def test_the_pay_off_takes_the_interest_that_was_shared_out(
    told: Told, when: tuple[int, int], days: int
) -> None:
    told = re_amortised(told, EQUALLY, *when)
    life, on = told.life(), told.today + timedelta(days=days)
    amount, overpaid = payoff_minor(life, on), life.view(on).overpaid_minor
    assume(amount)
    receive(life, on, amount)
    seen = life.view(on)
    assert (seen.open_minor, seen.overpaid_minor) == (0, overpaid)


@pytest.mark.parametrize("interest", ReAmortiseInterest)
def test_money_paid_ahead_for_the_last_rows_bears_no_interest(interest: ReAmortiseInterest) -> None:
    lent, *paid, spread = PAID_AHEAD.operations
    assert isinstance(spread, ReAmortise)
    life = Life(PAID_AHEAD.terms)
    for one in (lent, *paid, replace(spread, interest=interest)):
        life.record(one)
    rows = life.view(PAID_AHEAD.today).rows
    assert [row.open_minor for row in rows[-2:]] == [0, 0]
    assert payoff_minor(life, PAID_AHEAD.today) == 5_880 + 60  # 5,880 at 12 % for 31 of 365 days


def test_principal_repaid_on_the_day_lowers_the_balance_on_it() -> None:
    """A late row is paid on the day of the re-amortisation, which spreads the one after it."""
    late = replace(
        agreed(4, Future.NEXT, Processing.HORIZONTAL),
        rules=rules(recalculates=True, charges_interest_on_past_due=True),
    )
    life, on = Life(late), date(2024, 3, 1)
    life.record(Disburse(number=1, on=START, booked_on=START, amount_minor=10_000))
    receive(life, on, 2_600)
    life.record(ReAmortise(number=3, on=on, booked_on=on, interest=ReAmortiseInterest.DEFAULT))
    seen = life.view(on)
    out = sum(row.open(PRINCIPAL) for row in seen.rows)
    month = payoff_minor(life, date(2024, 4, 1)) - payoff_minor(life, on)
    assert month == round(out * RATE * 31 / DAYS_A_YEAR)


@pytest.mark.parametrize("interest", ReAmortiseInterest)
def test_what_was_overdue_free_of_interest_stays_free_of_it(interest: ReAmortiseInterest) -> None:
    """The terms say no interest on what is past due, and two rows are when it is spread."""
    life, on = Life(agreed(4, Future.NEXT, Processing.HORIZONTAL)), date(2024, 3, 20)
    life.record(Disburse(number=1, on=START, booked_on=START, amount_minor=10_000))
    owed = payoff_minor(life, on)
    life.record(ReAmortise(number=2, on=on, booked_on=on, interest=interest))
    assert abs(payoff_minor(life, on) - owed) <= 1  # of the two shares, each rounded
