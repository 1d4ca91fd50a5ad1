"""Laws of the one engine: a stored plan is a life, however it is looked at (M8)."""

from collections.abc import Sequence
from dataclasses import astuple, replace
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from fenqi.core.errors import FenqiError
from fenqi.core.terms.life.late import ONE_DAY
from fenqi.core.terms.life.life import Life
from fenqi.core.terms.life.payoff import settle_quote as life_quote
from fenqi.core.terms.life.view import View
from fenqi.core.terms.operation import Operation
from fenqi.core.terms.replay import life_operation, life_terms, replay, settle_quote
from histories import History, histories
from make import later


def told(seen: View) -> tuple[object, ...]:
    """Return what the ledger and the store read of a plan."""
    rows = [astuple(replace(row, met_on=None)) for row in seen.rows]
    lines = {one.number: one.lines for one in seen.transactions if one.lines}
    sums = (seen.excess_minor, seen.returned_minor, seen.refunded_minor, seen.status)
    return rows, lines, sums


def recorded(history: History) -> tuple[Life, Sequence[Operation]]:
    """Return a life that took the operations in one by one, and those it did not refuse."""
    life, taken = Life(life_terms(history.terms), excused=history.excused), []
    for one in history.operations:
        offered = replace(one, number=len(taken) + 1)
        try:
            life.record(life_operation(offered))
        except FenqiError:
            continue
        taken.append(offered)
    return life, taken


@given(histories(), st.integers(1, 200))
def test_operations_taken_in_one_by_one_stand_where_their_replay_does(
    history: History, wait: int
) -> None:
    life, taken = recorded(history)
    as_of = later(max(one.effective_on for one in taken), wait)
    at_once = replay(history.terms, taken, charged_through=as_of - ONE_DAY, excused=history.excused)
    assert told(life.view(as_of)) == told(at_once)


@given(histories(), st.integers(0, 200))
def test_the_quote_of_a_life_is_the_quote_of_the_stored_plan(history: History, wait: int) -> None:
    life, taken = recorded(history)
    on: date = later(history.last_on, wait)
    quote = settle_quote(history.terms, taken, on, excused=history.excused)
    assert life_quote(life, on).amount_minor == quote
