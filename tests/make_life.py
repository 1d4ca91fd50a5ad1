"""Builders of lives for tests: a plan by example, and operations with few words."""

from dataclasses import asdict, replace
from datetime import date
from decimal import Decimal
from typing import Any

from fenqi.core.terms.allowances import (
    Allowances,
    BillInstalmentRule,
    DeferralRule,
    DueDayRule,
    ExtensionRule,
    WithdrawalRule,
)
from fenqi.core.terms.amortise.settings import DaysInMonth, DaysInYear, Interval, Settings, Unit
from fenqi.core.terms.life.life import Life
from fenqi.core.terms.life.operations import (
    BillInstalment,
    Disburse,
    Operation,
    Receipt,
    Receive,
    Settle,
)
from fenqi.core.terms.life.rules import (
    Allocation,
    Future,
    LifeRules,
    Processing,
    SettlementRule,
    Timing,
)
from fenqi.core.terms.life.terms import LifeTerms
from fenqi.core.terms.life.view import View
from fenqi.core.terms.product import Component

START = date(2026, 1, 15)
ORDER = tuple(
    (timing, component)
    for timing in Timing
    for component in (Component.PENALTY, Component.FEE, Component.INTEREST, Component.PRINCIPAL)
)
PLAIN = LifeRules(
    processing=Processing.HORIZONTAL,
    allocations={},
    default_allocation=Allocation(ORDER, Future.NEXT),
)
GENEROUS = Allowances(
    deferral=DeferralRule(days_max=14, times_a_year=2),
    due_day=DueDayRule(times_a_year=1),
    extension=ExtensionRule(count_max=12, times_a_year=1),
    bill_instalment=BillInstalmentRule(least_minor=1_000),
    withdrawal=WithdrawalRule(days=14),
)


def life_terms(
    rate: str = "0.12",
    count: int = 6,
    *,
    digits: int = 2,
    start: date = START,
    interval: Interval | None = None,
    **rules: Any,
) -> LifeTerms:
    """Return terms of monthly instalments of 30 days in a year of 360; `rules` are LifeRules'."""
    settings = Settings(
        interval or Interval(1, Unit.MONTHS),
        Decimal(rate),
        digits=digits,
        days_in_month=DaysInMonth.THIRTY,
        days_in_year=DaysInYear.FIXED_360,
    )
    return LifeTerms(replace(PLAIN, **rules), settings, count, start)


def life_of(terms: LifeTerms, amount_minor: int = 120_000, on: date = START) -> Life:
    """Return a life in which an amount was lent."""
    life = Life(terms)
    life.record(Disburse(number=1, on=on, booked_on=on, amount_minor=amount_minor))
    return life


def next_one(life: Life, kind: type[Operation], on: date, **more: Any) -> Any:
    """Return an operation with the next number, recorded on its own day unless told otherwise."""
    more.setdefault("booked_on", on)
    return kind(number=len(life.recorded) + 1, on=on, **more)


def pay(life: Life, on: date, amount_minor: int, **more: Any) -> None:
    more.setdefault("receipt", Receipt.REPAYMENT)
    life.record(next_one(life, Receive, on, amount_minor=amount_minor, **more))


def end_early(life: Life, on: date, amount_minor: int, **more: Any) -> None:
    life.record(next_one(life, Settle, on, amount_minor=amount_minor, **more))


def settled_by(method: Any) -> SettlementRule:
    return SettlementRule(method=method)


def figures(view: View) -> dict[str, Any]:
    """Return all that a view says, to be compared with another."""
    return asdict(view)


def totals(view: View) -> tuple[int, int]:
    """Return both sides of what always holds: what fell due, and what became of it."""
    due = gone = 0
    for row in view.rows:
        due += sum(row.due)
        gone += sum(row.paid) + sum(row.relieved) + sum(row.written_off) + sum(row.moved)
        gone += row.open_minor
    return due, gone


def plan_of_bill(terms: LifeTerms, bills: list[BillInstalment]) -> Life:
    """Return the plan that takes over what statements of one day ask for, of one plan or many."""
    life = Life(terms)
    on, booked_on = bills[0].on, bills[0].booked_on
    amount = sum(one.amount_minor for one in bills)
    life.record(Disburse(number=1, on=on, booked_on=booked_on, amount_minor=amount))
    return life
