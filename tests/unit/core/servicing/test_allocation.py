"""Which debts a payment pays, and what stays the customer's."""

from datetime import date
from uuid import UUID

from fenqi.core.servicing.allocation import Debt, allocate
from fenqi.core.values.ids import PlanId

TODAY = date(2027, 1, 10)
ONE, TWO = PlanId(UUID(int=1)), PlanId(UUID(int=2))


def debt(plan: PlanId, month: int, claim_minor: int = 100, *, given_up: bool = False) -> Debt:
    return Debt(plan, date(2027, month, 10), claim_minor, given_up)


def test_without_debts_all_money_stays_the_customers() -> None:
    assert allocate(70, [], TODAY) == ({}, 70)


def test_the_oldest_due_is_paid_first_across_plans() -> None:
    debts = [debt(TWO, 1), Debt(ONE, date(2026, 12, 10), 100, False)]
    assert allocate(150, debts, TODAY) == ({ONE: 100, TWO: 50}, 0)


def test_debts_of_one_day_are_paid_in_the_order_the_plans_began() -> None:
    assert allocate(150, [debt(TWO, 1), debt(ONE, 1)], TODAY) == ({ONE: 100, TWO: 50}, 0)


def test_money_pays_ahead_to_the_next_due_day_and_no_further() -> None:
    debts = [debt(ONE, month) for month in (1, 2, 3)]
    assert allocate(250, debts, TODAY) == ({ONE: 200}, 50)


def test_several_instalments_of_one_plan_are_one_part() -> None:
    debts = [Debt(ONE, date(2026, 12, 10), 100, False), debt(ONE, 1)]
    assert allocate(120, debts, TODAY) == ({ONE: 120}, 0)


def test_a_claim_given_up_is_paid_after_what_falls_due_next() -> None:
    debts = [Debt(ONE, date(2026, 1, 10), 100, True), debt(TWO, 2)]
    assert allocate(150, debts, TODAY) == ({TWO: 100, ONE: 50}, 0)


def test_a_debt_already_paid_takes_nothing() -> None:
    assert allocate(50, [debt(ONE, 1, 0), debt(TWO, 1)], TODAY) == ({TWO: 50}, 0)
