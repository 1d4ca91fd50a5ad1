"""The replay of a life with 24 operations against the naive way.

    PYTHONPATH=src:tests python tests/bench/life.py [--rounds 5] [--lives 40] [--json FILE]
    PYTHONPATH=src:tests python tests/bench/life.py --old 5000  # how long a look takes

The naive way rebuilds the whole schedule in Decimal after every operation, as most programs do: due
days, instalment, interest by the day on what is really outstanding. Both give the same rows, which
is checked for every life before anything is timed. Rounds alternate between the two. A life is 23
monthly instalments, each paid in full, every third of them nine days late.

An old plan has 240 rows and a payment a day, too small, so that rows are overdue and every look has
to count their interest on a copy; with `--nights` a nightly run stands beside each payment.
"""

import argparse
import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

from fenqi.core.terms.amortise.dates import spans
from fenqi.core.terms.amortise.settings import (
    DaysInMonth,
    DaysInYear,
    Interval,
    Settings,
    Unit,
)
from fenqi.core.terms.life.life import Life, replay
from fenqi.core.terms.life.operations import (
    Disburse,
    NightlyRun,
    Operation,
    Receipt,
    Receive,
)
from fenqi.core.terms.life.rules import Allocation, Future, LifeRules, Processing, Timing
from fenqi.core.terms.life.terms import LifeTerms
from fenqi.core.terms.life.view import View
from fenqi.core.terms.product import Component
from fenqi.core.values.day import add_months

COUNT = 23
START = date(2024, 1, 31)
LATE_DAYS = 9
TARGET = 3
OLD_COUNT = 240  # rows of an old plan
OLD_LENT_MINOR, OLD_PAID_MINOR = 10_000_000, 3_000
LOOKS = 40  # at an old plan, on days of their own
LOOK_MS = 50
MATH = Context(prec=19, rounding=ROUND_HALF_EVEN)
CENT = Decimal("0.01")
ROUNDS_OF_SMOOTHING = 3
Rows = list[tuple[int, int]]


@dataclass
class NaiveRow:
    """A row of the naive schedule, in currency units."""

    due_on: date
    principal: Decimal
    interest: Decimal
    paid_principal: Decimal = Decimal(0)
    paid_interest: Decimal = Decimal(0)


@dataclass
class Naive:
    """A loan kept the naive way: every operation rebuilds everything from the beginning."""

    principal: Decimal
    rate: Decimal
    repaid: list[tuple[date, Decimal]] = field(default_factory=list)
    paid: list[tuple[Decimal, Decimal]] = field(default_factory=list)

    def rebuild(self, today: date) -> list[NaiveRow]:
        days = [add_months(START, number) for number in range(COUNT + 1)]
        month = MATH.divide(MATH.multiply(self.rate, Decimal(30)), Decimal(360))
        amount = self.instalment(days, month)
        return self.amortise(days, month, amount, today)

    def instalment(self, days: list[date], month: Decimal) -> Decimal:
        product = worth = Decimal(1)
        for number in range(COUNT):
            product = MATH.multiply(product, 1 + month)
            if number:
                worth = MATH.add(Decimal(1), MATH.multiply(worth, 1 + month))
        exact = MATH.divide(MATH.multiply(product, self.principal), worth)
        amount = exact.quantize(CENT, ROUND_HALF_EVEN)
        gap = self.gap(days, month, amount)
        for _ in range(ROUNDS_OF_SMOOTHING):
            if abs(gap) * 100 <= COUNT // 2:
                break
            tried = amount + (gap / COUNT).quantize(CENT, ROUND_HALF_EVEN)
            new_gap = self.gap(days, month, tried)
            if tried == amount or abs(new_gap) >= abs(gap):
                break
            amount, gap = tried, new_gap
        return amount

    def gap(self, days: list[date], month: Decimal, amount: Decimal) -> Decimal:
        last = self.amortise(days, month, amount, START, is_as_agreed=True)[-1]
        return last.principal + last.interest - amount

    def amortise(
        self,
        days: list[date],
        month: Decimal,
        amount: Decimal,
        today: date,
        *,
        is_as_agreed: bool = False,
    ) -> list[NaiveRow]:
        rows: list[NaiveRow] = []
        left = self.principal
        repaid = [] if is_as_agreed else self.repaid
        for number, (start, due_on) in enumerate(pairwise(days)):
            exact = Decimal(0)
            cuts = sorted({start, due_on, *(on for on, _ in repaid), today})
            inside = [day for day in cuts if start <= day <= due_on]
            for first, last in pairwise(inside):
                balance = left
                if first < today:
                    balance = self.principal - sum(part for on, part in repaid if on <= first)
                to_due = MATH.divide(
                    MATH.multiply(month, Decimal((due_on - first).days)),
                    Decimal((due_on - start).days),
                )
                daily = MATH.divide(MATH.multiply(balance, to_due), Decimal((due_on - first).days))
                exact += MATH.multiply(daily, Decimal((last - first).days))
            interest = exact.quantize(CENT, ROUND_HALF_EVEN)
            principal = left if number == COUNT - 1 else amount - interest
            left -= principal
            rows.append(NaiveRow(due_on, principal, interest))
        for row, (principal, interest) in zip(rows, self.paid, strict=False):
            row.paid_principal, row.paid_interest = principal, interest
        return rows

    def pay(self, on: date, amount: Decimal) -> None:
        for number, row in enumerate(self.rebuild(on)):
            if number == len(self.paid):
                self.paid.append((Decimal(0), Decimal(0)))
            principal, interest = self.paid[number]
            to_interest = min(amount, row.interest - interest)
            to_principal = min(amount - to_interest, row.principal - principal)
            self.paid[number] = (principal + to_principal, interest + to_interest)
            if to_principal:
                self.repaid.append((on, to_principal))
            amount -= to_interest + to_principal
            if not amount:
                return


def naive_replay(terms: LifeTerms, operations: Sequence[Operation]) -> Rows:
    lent, *receipts = operations
    assert isinstance(lent, Disburse)
    loan = Naive(Decimal(lent.amount_minor) / 100, terms.interest.rate)
    loan.rebuild(lent.on)
    for receipt in receipts:
        assert isinstance(receipt, Receive)
        loan.pay(receipt.on, Decimal(receipt.amount_minor) / 100)
    rows = loan.rebuild(operations[-1].on)
    return [(int(row.paid_principal * 100), int(row.paid_interest * 100)) for row in rows]


def our_rows(view: View) -> Rows:
    return [(row.paid[Component.PRINCIPAL], row.paid[Component.INTEREST]) for row in view.rows]


def lives(chance: random.Random, number: int) -> Iterator[tuple[LifeTerms, list[Operation]]]:
    """Yield lives of 24 operations: each row is paid what it asks for, some of them late."""
    for _ in range(number):
        terms = terms_of(Decimal(chance.randrange(300, 3_600)) / 10_000)
        amount = chance.randrange(50_000, 5_000_000)
        operations: list[Operation] = [
            Disburse(number=1, on=START, booked_on=START, amount_minor=amount)
        ]
        life = Life(terms)
        life.record(operations[0])
        for row, (_, due_on) in enumerate(spans(START, terms.interest.interval, COUNT)):
            on = due_on + timedelta(days=LATE_DAYS if row % 3 == 2 else 0)
            receipt = Receive(
                number=row + 2,
                on=on,
                booked_on=on,
                receipt=Receipt.REPAYMENT,
                amount_minor=life.view(on).rows[row].open_minor,
            )
            life.record(receipt)
            operations.append(receipt)
        yield terms, operations


def terms_of(rate: Decimal, count: int = COUNT, *, accrues: bool = False) -> LifeTerms:
    settings = Settings(
        Interval(1, Unit.MONTHS),
        rate,
        days_in_month=DaysInMonth.THIRTY,
        days_in_year=DaysInYear.FIXED_360,
    )
    parts = (Component.PENALTY, Component.FEE, Component.INTEREST, Component.PRINCIPAL)
    order = tuple((timing, part) for timing in Timing for part in parts)
    rules = LifeRules(
        processing=Processing.HORIZONTAL,
        allocations={},
        default_allocation=Allocation(order, Future.NEXT),
        recalculates=True,
        accrues=accrues,
    )
    return LifeTerms(rules=rules, interest=settings, count=count, submitted_on=START)


def old_life(number: int, *, nights: bool) -> tuple[Life, date, list[float]]:
    """Return a life with so many operations, its last day, and the seconds of each fifth."""
    life = Life(terms_of(Decimal("0.12"), OLD_COUNT, accrues=nights))
    on, marks, start = START, [], time.process_time()
    life.record(Disburse(number=1, on=on, booked_on=on, amount_minor=OLD_LENT_MINOR))
    while len(life.recorded) < number:
        on += timedelta(days=1)
        at = {"number": len(life.recorded) + 1, "on": on, "booked_on": on}
        life.record(Receive(receipt=Receipt.REPAYMENT, amount_minor=OLD_PAID_MINOR, **at))
        if nights:
            life.record(NightlyRun(**at | {"number": len(life.recorded) + 1}))
        if len(life.recorded) >= number * (len(marks) + 1) // 5:
            marks.append(round(time.process_time() - start, 2))
            start = time.process_time()
    return life, on, marks


def read_old(number: int, *, nights: bool) -> dict[str, Any]:
    """Look at an old plan on many days; the bar is on the slowest look but one, in own time."""
    life, on, marks = old_life(number, nights=nights)
    life.view(on)
    own, clock = [], []
    for days in range(1, LOOKS + 1):
        start, started = time.process_time(), time.perf_counter()
        life.view(on + timedelta(days=days))
        own.append((time.process_time() - start) * 1e3)
        clock.append((time.perf_counter() - started) * 1e3)
    overdue = sum(row.is_open and row.due_on < on for row in life.walk.rows)
    return {
        "bench": f"reading a plan with {number} operations after the first read",
        "rows_overdue": overdue,
        "nights": nights,
        "own_ms_median": round(statistics.median(own), 1),
        "own_ms_slowest_but_one": round(sorted(own)[-2], 1),
        "clock_ms_median": round(statistics.median(clock), 1),
        "own_seconds_of_each_fifth_recorded": marks,
        "limit_ms": LOOK_MS,
        "is_met": sorted(own)[-2] < LOOK_MS,
    }


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def main() -> None:
    words = argparse.ArgumentParser()
    words.add_argument("--rounds", type=int, default=5)
    words.add_argument("--lives", type=int, default=40)
    words.add_argument("--json", type=Path)
    words.add_argument("--old", type=int, metavar="OPERATIONS")
    words.add_argument("--nights", action="store_true")
    asked = words.parse_args()
    if asked.old:
        result = read_old(asked.old, nights=asked.nights)
        sys.stdout.write(json.dumps(result, indent=1) + "\n")
        sys.exit(not result["is_met"])
    both = list(lives(random.Random(1), asked.lives))
    for terms, operations in both:
        if our_rows(replay(terms, operations, operations[-1].on)) != naive_replay(
            terms, operations
        ):
            raise SystemExit("the two ways do not agree; nothing is timed")
    ours, naive = [], []
    for _ in range(asked.rounds):
        for terms, operations in both:
            ours.append(seconds(lambda: replay(terms, operations, operations[-1].on)))  # noqa: B023 - run at once
            naive.append(seconds(lambda: naive_replay(terms, operations)))  # noqa: B023 - run at once
    result = told(ours, naive)
    sys.stdout.write(json.dumps(result, indent=1) + "\n")
    if asked.json:
        asked.json.write_text(json.dumps(result, indent=1) + "\n")
    sys.exit(not result["is_met"])


def told(ours: list[float], naive: list[float]) -> dict[str, Any]:
    ratios = sorted(slow / fast for fast, slow in zip(ours, naive, strict=True))
    ratio = statistics.median(ratios)
    tenth = len(ratios) // 10
    return {
        "bench": "replay of a life with 24 operations against the schedule rebuilt each time",
        "our_ms_median": round(statistics.median(ours) * 1e3, 3),
        "our_ms_p99": round(sorted(ours)[len(ours) * 99 // 100] * 1e3, 3),
        "naive_ms_median": round(statistics.median(naive) * 1e3, 3),
        "naive_ms_p99": round(sorted(naive)[len(naive) * 99 // 100] * 1e3, 3),
        "median_ratio": round(ratio, 2),
        "spread": [round(ratios[tenth], 2), round(ratios[-tenth - 1], 2)],
        "target": TARGET,
        "is_met": ratio >= TARGET,
    }


if __name__ == "__main__":
    main()
