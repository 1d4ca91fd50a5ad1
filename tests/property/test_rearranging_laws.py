"""Laws of re-ages and re-amortisations: time changes, and what is owed does not."""

from dataclasses import replace
from datetime import date, timedelta

from hypothesis import assume, given
from hypothesis import strategies as st

from fenqi.core.errors import Conflict, Invalid
from fenqi.core.terms.amortise.settings import PayOffInterest, Unit
from fenqi.core.terms.life.operations import (
    AddPeriods,
    Disburse,
    MoveDueDay,
    Operation,
    ReAge,
    ReAgeInterest,
    ReAmortise,
    ReAmortiseInterest,
    Receive,
)
from fenqi.core.terms.life.payoff import payoff_minor
from random_lives import AS_LENT, Told, lives, receive

KINDS = (Receive, AddPeriods, Disburse, MoveDueDay, ReAge, ReAmortise)
TO_DATE = AS_LENT.map(
    lambda agreed: replace(
        agreed, interest=replace(agreed.interest, pay_off_interest=PayOffInterest.TO_DATE)
    )
)  # to the rest, what ends the plan changes with the end of the running period
WHENS = st.tuples(st.integers(0, 8), st.integers(-5, 40))


def when(told: Told, row: int, days: int) -> date:
    """Return a day around one on which a row falls due, no earlier than all that happened."""
    due_days = [one.due_on for one in told.life().walk.rows]
    return max(told.today, due_days[row % len(due_days)] + timedelta(days=days))


@given(
    lives(KINDS, TO_DATE),
    WHENS,
    st.sampled_from([ReAgeInterest.DEFAULT, ReAgeInterest.EQUAL_PAYABLE, *ReAmortiseInterest]),
    st.integers(0, 40),
    st.integers(1, 6),
)
def test_what_ends_the_plan_that_day_stays(
    told: Told, at: tuple[int, int], interest, wait: int, count: int
) -> None:
    life, on = told.life(), when(told, *at)
    assume(on <= life.walk.the_model.periods[-1].due_on)
    number, before = len(life.recorded) + 1, payoff_minor(life, on)
    if isinstance(interest, ReAmortiseInterest):
        one: Operation = ReAmortise(number=number, on=on, booked_on=on, interest=interest)
    else:
        one = ReAge(
            number=number,
            on=on,
            booked_on=on,
            starts_on=on + timedelta(days=wait),
            every=1,
            unit=Unit.MONTHS,
            count=count,
            interest=interest,
        )
    try:
        life.record(one)
    except (Conflict, Invalid):
        assume(False)
    rows = sum(len(walk.rows) for walk in (told.life().walk, life.walk))
    assert abs(payoff_minor(life, on) - before) <= rows
    overpaid = life.view(on).overpaid_minor
    receive(life, on, payoff_minor(life, on))
    seen = life.view(on)
    assert (seen.open_minor, seen.overpaid_minor) == (0, overpaid)
