"""What time has not earned of a plan's cost, method by method, by known figures."""

from datetime import date

import pytest

from fenqi.core.terms.amortise.settings import Interval, Unit
from fenqi.core.terms.life.rules import SettlementRule
from fenqi.core.terms.life.state import Row, RowKind
from fenqi.core.terms.life.unearned import Ending, unearned
from fenqi.core.terms.product import Component, Settlement
from fenqi.core.values.day import add_months
from fenqi.core.values.rate import Rounding

START = date(2026, 1, 1)
MONTHLY = Interval(1, Unit.MONTHS)


def rows_of(count: int, *, principal: int, fee: int, interest: int = 0) -> list[Row]:
    return [
        Row(
            key=number,
            kind=RowKind.INSTALMENT,
            starts_on=add_months(START, number - 1),
            due_on=add_months(START, number),
            due=[principal, interest, fee, 0],
        )
        for number in range(1, count + 1)
    ]


def left_over(rows: list[Row], on: date, method: Settlement, **rule: Rounding) -> int:
    lent = [(START, sum(row.due[Component.PRINCIPAL] for row in rows))]
    settlement = SettlementRule(method, **rule)  # type: ignore[arg-type] # a test's words
    return sum(map(sum, unearned(Ending(rows, lent, on, MONTHLY), settlement)))


@pytest.mark.parametrize(
    ("method", "wanted"),
    [
        (Settlement.BY_THE_DAY, 27_000),
        (Settlement.LINEAR, 27_123),  # 275 of 365 days are left; by whole months it is 27,000
        (Settlement.ACTUARIAL, 20_955),
        (Settlement.RULE_OF_78, 20_769),
    ],
)
def test_a_flat_fee_settled_with_the_third_of_twelve(method: Settlement, wanted: int) -> None:
    # 6,000.00 in 12 x 530.00.
    rows = rows_of(12, principal=50_000, fee=3_000)
    assert left_over(rows, date(2026, 4, 1), method, rounding=Rounding.HALF_UP) == wanted


def test_the_british_rebate_is_that_of_the_regulation() -> None:
    # 5,000.00 in 48 x 134.57, a yearly rate of 14 %, settled with the twelfth: 860.52 as published.
    interest = 13_457 * 48 - 500_000
    rows = rows_of(48, principal=10_416, fee=0)
    rows[-1].due[Component.PRINCIPAL] += 500_000 - 10_416 * 48
    for row in rows:
        row.due[Component.INTEREST] = 13_457 - row.due[Component.PRINCIPAL]
    assert sum(row.due[Component.INTEREST] for row in rows) == interest
    given = left_over(rows, date(2027, 1, 1), Settlement.UK_REGULATION, rounding=Rounding.HALF_UP)
    assert given == 86_052


@pytest.mark.parametrize("method", list(Settlement))
def test_on_the_first_day_nothing_is_earned_and_at_the_end_everything(method: Settlement) -> None:
    rows = rows_of(6, principal=10_000, fee=101, interest=7)
    assert left_over(rows, START, method) == 6 * 108
    assert left_over(rows, add_months(START, 6), method) == 0
    assert left_over(rows, add_months(START, 60), method) == 0


@pytest.mark.parametrize("method", list(Settlement))
def test_what_was_waived_before_is_not_waived_again(method: Settlement) -> None:
    rows = rows_of(3, principal=10_000, fee=300)
    for row in rows:
        row.relieved[Component.FEE] = 300
    assert left_over(rows, date(2026, 1, 20), method) == 0


@pytest.mark.parametrize("method", list(Settlement))
def test_a_penalty_is_no_cost_of_time(method: Settlement) -> None:
    rows = rows_of(3, principal=10_000, fee=0)
    rows[0].due[Component.PENALTY] = 500
    assert left_over(rows, date(2026, 1, 20), method) == 0


def test_the_running_period_counts_by_the_day_in_every_method() -> None:
    rows = rows_of(4, principal=25_000, fee=310)
    for method in Settlement:
        amounts = [left_over(rows, date(2026, 2, day), method) for day in range(1, 29)]
        assert amounts == sorted(amounts, reverse=True), method
        assert amounts[0] > amounts[-1], method


def test_what_a_method_leaves_comes_off_the_last_rows_first() -> None:
    rows = rows_of(4, principal=25_000, fee=100)
    lent = [(START, 100_000)]
    ending = Ending(rows, lent, date(2026, 3, 1), MONTHLY)
    parts = unearned(ending, SettlementRule(Settlement.RULE_OF_78))
    assert [part[Component.FEE] for part in parts] == [0, 0, 20, 100]  # 400 x 3 / 10


def test_a_plan_without_cost_has_none_to_leave() -> None:
    rows = rows_of(3, principal=10_000, fee=0)
    for method in Settlement:
        assert left_over(rows, date(2026, 2, 10), method) == 0


def test_by_the_day_a_fraction_is_not_asked_for() -> None:
    rows = rows_of(1, principal=10_000, fee=100)
    assert left_over(rows, date(2026, 1, 11), Settlement.BY_THE_DAY) == 68  # 67.7 of 31 days
