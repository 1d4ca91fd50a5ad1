"""The statement calendar: when bills are cut and fall due."""

from datetime import date

import pytest

from fenqi.core.servicing.statement import Cycle, CycleInvalid, due_days, statement_days_of


def test_a_purchase_falls_due_after_its_next_statement() -> None:
    cycle = Cycle(statement_day=1, due_after_days=9)
    assert due_days(cycle, date(2026, 12, 5), 2) == (date(2027, 1, 10), date(2027, 2, 10))


def test_a_purchase_on_the_statement_day_goes_to_the_next_statement() -> None:
    cycle = Cycle(statement_day=5, due_after_days=9)
    assert due_days(cycle, date(2026, 12, 5), 1) == (date(2027, 1, 14),)
    assert due_days(cycle, date(2026, 12, 4), 1) == (date(2026, 12, 14),)


def test_the_31st_becomes_the_last_day_of_a_shorter_month_and_comes_back() -> None:
    cycle = Cycle(statement_day=31, due_after_days=1)
    assert due_days(cycle, date(2028, 1, 30), 4) == (
        date(2028, 2, 1),
        date(2028, 3, 1),
        date(2028, 4, 1),
        date(2028, 5, 1),
    )
    thirtieth = Cycle(statement_day=30, due_after_days=10)
    assert due_days(thirtieth, date(2027, 1, 30), 2) == (date(2027, 3, 10), date(2027, 4, 9))


@pytest.mark.parametrize(("day", "wait"), [(0, 9), (32, 9), (1, 0), (1, 28)])
def test_a_cycle_no_month_can_follow_is_refused(day: int, wait: int) -> None:
    with pytest.raises(CycleInvalid):
        Cycle(statement_day=day, due_after_days=wait)


def test_the_last_day_of_a_month_cuts_all_later_statement_days() -> None:
    assert statement_days_of(date(2027, 2, 28)) == (28, 29, 30, 31)
    assert statement_days_of(date(2028, 2, 28)) == (28,)
    assert statement_days_of(date(2028, 2, 29)) == (29, 30, 31)
    assert statement_days_of(date(2027, 4, 30)) == (30, 31)
    assert statement_days_of(date(2027, 1, 31)) == (31,)
