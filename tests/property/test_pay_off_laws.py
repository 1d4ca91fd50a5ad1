"""Plans whose last rows were paid first: a pay-off asks for whatever interest is owed alone."""

from datetime import date, timedelta

from hypothesis import given, reject, settings
from hypothesis import strategies as st

from fenqi.core.errors import Conflict
from fenqi.core.terms.amortise.settings import Unit
from fenqi.core.terms.life.operations import ReAge
from fenqi.core.terms.life.payoff import payoff_minor
from fenqi.core.terms.life.rules import Future
from fenqi.core.terms.product import Component
from random_lives import allocation, lend, receive, terms

START = date(2024, 1, 1)


LAST_FIRST = allocation(
    (Component.PRINCIPAL, Component.PENALTY, Component.INTEREST, Component.FEE), Future.LAST
)
ROW_MINOR = 770


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(-12, 12)), min_size=3, max_size=3),
    st.integers(1, 20),
    st.tuples(st.integers(0, 30), st.integers(1, 5)),
    st.integers(0, 70),
)
@settings(max_examples=300)
def test_who_paid_the_last_rows_first_and_was_re_aged_can_end_the_plan(
    payments: list[tuple[int, int]], little: int, again: tuple[int, int], wait: int
) -> None:
    """Each payment is about a row, so that little but the interest of the days gone is left.

    None but the last ends the plan.
    """
    agreed = terms("0.12", count=3, recalculates=True, default_allocation=LAST_FIRST)
    life, on = lend(agreed, 3 * ROW_MINOR - 10), START
    for days, more in [*payments, (10, little - ROW_MINOR)]:
        on += timedelta(days=days)
        receive(life, on, max(1, min(ROW_MINOR + more, payoff_minor(life, on) - 1)))
    starts_in, count = again
    common = {"number": len(life.recorded) + 1, "on": on, "booked_on": on}
    starts_on = on + timedelta(days=starts_in)
    try:
        life.record(ReAge(every=1, unit=Unit.MONTHS, starts_on=starts_on, count=count, **common))
    except Conflict:
        reject()  # nothing is left to be laid out
    on += timedelta(days=wait)
    receive(life, on, payoff_minor(life, on))
    assert (life.view(on).open_minor, life.view(on).overpaid_minor) == (0, 0)
