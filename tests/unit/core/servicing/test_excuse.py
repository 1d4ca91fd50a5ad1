from datetime import date, timedelta

import pytest

from fenqi.core.servicing.ageing import days_past_due
from fenqi.core.servicing.excuse import (
    Owed,
    Pending,
    Span,
    channel_excuse,
    granted_alone,
    money_excuses,
    overdue_anew,
)

DUE = date(2026, 2, 10)
NEXT = date(2026, 3, 10)
OWED = [Owed(NEXT, 50), Owed(DUE, 100)]


def on(days: int) -> date:
    return DUE + timedelta(days=days)


@pytest.mark.parametrize(
    ("pending", "spans"),
    [
        ([Pending(100, DUE)], [Span(on(1), on(10))]),
        ([Pending(100, on(-3))], [Span(on(-2), on(7))]),
        ([Pending(100, on(5))], [Span(on(6), on(15))]),  # late it is, but no later
        ([Pending(99, DUE)], []),  # not all that is due
        ([Pending(60, DUE), Pending(40, on(2))], [Span(on(3), on(12))]),  # together it is
        ([Pending(100, on(-20))], []),  # longer on its way than anybody waits
        ([Pending(100, on(22))], [Span(on(23), NEXT)]),  # until what it does not pay falls due
        ([Pending(150, on(22))], [Span(on(23), on(32))]),
        ([], []),
    ],
)
def test_money_on_its_way_excuses_while_it_pays_all_that_falls_due(
    pending: list[Pending], spans: list[Span]
) -> None:
    assert money_excuses(pending, OWED, 10) == spans


def test_money_for_which_nothing_is_due_excuses_nothing() -> None:
    assert money_excuses([Pending(100, DUE)], [], 10) == []


def test_a_channel_excuses_its_day_and_those_after() -> None:
    assert channel_excuse(DUE, 10) == Span(DUE, on(10))
    assert len(channel_excuse(DUE, 10).days) == 11


def test_what_seemed_late_is_as_late_as_the_days_that_count() -> None:
    """Whatever was excused before: the due day is found again from what was said."""
    before = frozenset({on(2), on(7)})
    after = before | {on(3), on(4), on(9)}
    for seen in range(1, 15):
        said = days_past_due(DUE, on(seen), before)
        assert overdue_anew(said, on(seen), before=before, after=after) == days_past_due(
            DUE, on(seen), after
        )
    assert overdue_anew(0, DUE, before=before, after=after) == 0


@pytest.mark.parametrize(
    ("said", "days_max", "last"),
    [
        ([], 3, 2),
        ([], 9, 4),  # no more than is asked
        ([], 0, -1),
        ([-9], 3, 1),
        ([-3, -2, -1], 3, -1),
        ([0, 1], 3, 2),  # days said already cost nothing again
        ([-2, 1], 3, 1),
        ([-2, -1, 0], 3, 0),
    ],
)
def test_one_person_excuses_so_many_days_however_they_are_asked_for(
    said: list[int], days_max: int, last: int
) -> None:
    days = frozenset(on(one) for one in said)
    assert granted_alone(Span(on(0), on(4)), days, days_max) == on(last)
