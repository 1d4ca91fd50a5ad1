"""Array twins against the scalars they equal, per plan in batches of 1,000.

One race is against a stranger: the schedule of a level payment by numpy-financial, the library most
people would take, one plan after the other as it is called, and all plans in one call.

    PYTHONPATH=src:tests python tests/bench/schedules.py [--rounds 5] [--json FILE]

The scalar is what production calls, with its arguments made beforehand; the twin gets arrays made
beforehand and returns the same numbers, which is checked before anything is timed. Rounds alternate
between the two, so a neighbour's load falls on both. Ends with status 1 if a target is missed.
"""

import argparse
import json
import random
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import numpy_financial
from numpy.typing import NDArray

from fenqi.core.servicing.ageing import days_past_due
from fenqi.core.servicing.allocation import Debt, allocate
from fenqi.core.terms import batch
from fenqi.core.terms.cost import effective_annual, nominal_annual
from fenqi.core.terms.operation import Operation
from fenqi.core.terms.product import Product
from fenqi.core.terms.replay import settle_quote
from fenqi.core.terms.schedule import Due, Terms, schedule
from fenqi.core.values.ids import PlanId
from fenqi.core.values.rate import PPM, Rounding, round_decimal
from make import annuity, flat, later, life, pay, terms

PLANS = 1_000
COUNTS = (6, 12, 24)
STEPS_MAX = 4  # repayments of one plan
DEBTS_MAX = 12  # of one account
TODAY = date(2027, 6, 15)
BATCH_SECONDS = 0.1  # a twin is timed over as many batches as this takes, at least
FLAT_TARGET = 20
ANNUITY_TARGET = 10
STRANGER_TARGET = 20
CENT = 1  # a stranger rounds nothing; our rows carry their roundings forward


@dataclass(frozen=True)
class Race:
    """One scalar over a batch of plans, and its twin; both return comparable lists."""

    name: str
    scalar: Callable[[], object]
    twin: Callable[[], object]
    target: int | None = None
    against: str = "scalar"


def principals(chance: random.Random) -> list[int]:
    return [chance.randrange(5_000, 5_000_000) for _ in range(PLANS)]


def schedule_races(chance: random.Random) -> list[Race]:
    races = []
    kinds = (("flat", flat(), FLAT_TARGET), ("annuity", annuity(), ANNUITY_TARGET))
    for name, product, target in kinds:
        for count in COUNTS:
            lent = principals(chance)
            plans = [terms(product, principal, count) for principal in lent]
            array = np.array(lent, dtype=np.int64)
            scalar, twin = scheduled(plans), twin_of(product, count, array)
            same(
                [[due.amounts for due in dues] for dues in scalar()],
                [[tuple(row) for row in plan] for plan in twin().tolist()],
            )
            races.append(Race(f"schedule, {name}, {count}", scalar, twin, target))
            if count == 12:
                races.append(Race(f"schedule, {name}, {count}, as lists", scalar, listed(twin)))
    return races


def scheduled(plans: list[Terms]) -> Callable[[], list[tuple[Due, ...]]]:
    return lambda: [schedule(plan) for plan in plans]


def twin_of(product: Product, count: int, lent: batch.Minor) -> Callable[[], batch.Minor]:
    return lambda: batch.schedules(product, count, lent)


def listed(twin: Callable[[], batch.Minor]) -> Callable[[], object]:
    return lambda: twin().tolist()


def stranger_races(chance: random.Random) -> list[Race]:
    """Race our twin against numpy-financial: interest and principal of 12 rows of each plan."""
    product, count, name = annuity(), 12, "schedule, annuity, 12"
    lent = np.array(principals(chance), dtype=np.int64)
    rate = product.interest_ppm_per_year / PPM / 12
    numbers = np.arange(1, count + 1)

    def one_by_one() -> list[NDArray[np.float64]]:
        return [
            np.stack(
                [
                    numpy_financial.ppmt(rate, numbers, count, -principal),
                    numpy_financial.ipmt(rate, numbers, count, -principal),
                ]
            )
            for principal in lent
        ]

    def together() -> NDArray[np.float64]:
        debts = -lent[:, None]
        return np.stack(
            [
                numpy_financial.ppmt(rate, numbers[None, :], count, debts),
                numpy_financial.ipmt(rate, numbers[None, :], count, debts),
            ]
        )

    twin = twin_of(product, count, lent)
    close(np.stack(one_by_one()), twin()[:, :, :2].swapaxes(1, 2), count)
    close(together(), np.moveaxis(twin()[:, :, :2], 2, 0), count)
    return [
        Race(name, one_by_one, twin, STRANGER_TARGET, "numpy-financial, plan by plan"),
        Race(name, together, twin, against="numpy-financial, all in one call"),
    ]


def close(theirs: NDArray[np.float64], ours: batch.Minor, count: int) -> None:
    """Refuse to time what is not the same schedule but for rounding to whole cents."""
    if not np.allclose(theirs, ours, rtol=0, atol=CENT * count):
        raise SystemExit("numpy-financial and the twin do not agree; nothing is timed")


def rate_races(chance: random.Random) -> list[Race]:
    lent = np.array(principals(chance), dtype=np.int64)
    amounts = batch.schedules(flat(), 12, lent).sum(axis=2)
    return [
        rate_race("nominal annual, flat, 12", nominal_annual, batch.nominal_annuals, lent, amounts),
        rate_race(
            "effective annual, flat, 12", effective_annual, batch.effective_annuals, lent, amounts
        ),
    ]


def rate_race(
    name: str,
    one: Callable[[int, list[int]], Decimal],
    many: Callable[[batch.Minor, batch.Minor, Rounding], batch.Minor],
    lent: batch.Minor,
    amounts: batch.Minor,
) -> Race:
    plans = list(zip(lent.tolist(), amounts.tolist(), strict=True))

    def scalar() -> list[int]:
        rates = [one(principal, paid) for principal, paid in plans]
        return [round_decimal(rate * PPM, rounding=Rounding.HALF_EVEN) for rate in rates]

    def twin() -> batch.Minor:
        return many(lent, amounts, Rounding.HALF_EVEN)

    same(scalar(), twin().tolist())
    return Race(name, scalar, twin)


def settlement_race(name: str, product: Product, chance: random.Random) -> Race:
    plans = [terms(product, principal, 12) for principal in principals(chance)]
    on = later(plans[0].due_on[4], 11)
    lives, histories = lives_of(plans, chance)
    both = list(zip(plans, histories, strict=True))

    def scalar() -> list[int]:
        return [settle_quote(plan, operations, on) for plan, operations in both]

    def twin() -> batch.Minor:
        return batch.settle_quotes(lives, on)

    same(scalar(), twin().tolist())
    return Race(f"settlement quote, {name}, 12", scalar, twin)


def lives_of(
    plans: list[Terms], chance: random.Random
) -> tuple[batch.Lives, list[list[Operation]]]:
    """Return plans on which nothing to four instalments were paid, some late, both ways."""
    shape = len(plans), STEPS_MAX
    kind, amounts = np.full(shape, -1, dtype=np.int8), np.zeros(shape, dtype=np.int64)
    effective_on = np.full(shape, "NaT", dtype="datetime64[D]")
    histories = []
    for place, plan in enumerate(plans):
        steps = [
            pay(later(due.due_on, chance.choice((0, 0, 0, 9))), due.total_minor)
            for due in schedule(plan)[: chance.randrange(STEPS_MAX + 1)]
        ]
        histories.append(life(plan, *steps))
        for column, (what, day, amount) in enumerate(steps):
            kind[place, column] = batch.KINDS.index(what)
            effective_on[place, column], amounts[place, column] = day, amount
    return batch.Lives(
        product=plans[0].product,
        count=plans[0].count,
        principal_minor=np.array([plan.principal_minor for plan in plans], dtype=np.int64),
        starts_on=np.array([plan.starts_on for plan in plans], dtype="datetime64[D]"),
        due_on=np.array([plan.due_on for plan in plans], dtype="datetime64[D]"),
        kind=kind,
        effective_on=effective_on,
        amount_minor=amounts,
    ), histories


def allocation_race(chance: random.Random, today: date) -> Race:
    shape = PLANS, DEBTS_MAX
    claims = np.zeros(shape, dtype=np.int64)
    due_on = np.full(shape, "NaT", dtype="datetime64[D]")
    is_written_off = np.zeros(shape, dtype=np.bool_)
    accounts = []
    for place in range(PLANS):
        debts = []
        for column in range(chance.randrange(1, DEBTS_MAX + 1)):
            day = later(today, chance.randrange(-40, 20))
            debt = Debt(PlanId(UUID(int=column)), day, chance.randrange(1, 90_000), column == 9)
            debts.append(debt)
            claims[place, column], due_on[place, column] = debt.claim_minor, day
            is_written_off[place, column] = debt.is_written_off
        accounts.append((chance.randrange(1, 200_000), debts))
    money = np.array([amount for amount, _ in accounts], dtype=np.int64)

    def scalar() -> list[tuple[dict[PlanId, int], int]]:
        return [allocate(amount, debts, today) for amount, debts in accounts]

    def twin() -> batch.Allocated:
        return batch.allocations(money, claims, due_on, is_written_off, today)

    same([rest for _, rest in scalar()], twin().rest_minor.tolist())
    return Race("allocation, 1 to 12 debts", scalar, twin)


def ageing_race(chance: random.Random, today: date) -> Race:
    oldest = [later(today, chance.randrange(-100, 30)) for _ in range(PLANS)]
    excused = frozenset({later(today, -3), later(today, -20)})
    array = np.array(oldest, dtype="datetime64[D]")

    def scalar() -> list[int]:
        return [days_past_due(day, today, excused) for day in oldest]

    def twin() -> NDArray[np.int64]:
        return batch.days_past_due(array, today, excused)

    same(scalar(), twin().tolist())
    return Race("days past due, two excused", scalar, twin)


def same(scalar: object, twin: object) -> None:
    if scalar != twin:
        raise SystemExit("the twin does not equal the scalar; nothing is timed")


def seconds(run: Callable[[], object], *, at_least: float = 0) -> float:
    """Return the seconds one run takes, as the mean of as many as take `at_least`."""
    runs, start = 0, time.perf_counter()
    while True:
        run()
        runs += 1
        passed = time.perf_counter() - start
        if passed >= at_least:
            return passed / runs


def timed(race: Race, rounds: int) -> dict[str, Any]:
    pairs = [
        (seconds(race.scalar), seconds(race.twin, at_least=BATCH_SECONDS)) for _ in range(rounds)
    ]
    ratios = [scalar / twin for scalar, twin in pairs]
    ratio = statistics.median(ratios)
    return {
        "race": race.name,
        "against": race.against,
        "scalar_us_per_plan": round(statistics.median(pair[0] for pair in pairs) * 1e6 / PLANS, 3),
        "twin_us_per_plan": round(statistics.median(pair[1] for pair in pairs) * 1e6 / PLANS, 3),
        "median_ratio": round(ratio, 1),
        "spread": [round(min(ratios), 1), round(max(ratios), 1)],
        "target": race.target,
        "is_met": None if race.target is None else ratio >= race.target,
    }


def row(result: dict[str, Any]) -> str:
    least, most = result["spread"]
    target = "" if result["target"] is None else f"{result['target']} x"
    met = {None: "", True: "met", False: "MISSED"}[result["is_met"]]
    against = "" if result["against"] == "scalar" else f" / {result['against']}"
    return (
        f"{result['race'] + against:<58}"
        f"{result['scalar_us_per_plan']:>10}{result['twin_us_per_plan']:>10}"
        f"{result['median_ratio']:>8} x{f'{least} to {most}':>18}{target:>8} {met}"
    )


def main() -> None:
    words = argparse.ArgumentParser()
    words.add_argument("--rounds", type=int, default=5)
    words.add_argument("--json", type=Path)
    asked = words.parse_args()
    chance = random.Random(1)
    races = [
        *schedule_races(chance),
        *stranger_races(chance),
        *rate_races(chance),
        settlement_race("flat", flat(), chance),
        settlement_race("annuity", annuity(), chance),
        allocation_race(chance, TODAY),
        ageing_race(chance, TODAY),
    ]
    sys.stdout.write(
        f"{'':<58}{'scalar us':>10}{'twin us':>10}{'median':>10}{'spread':>18}{'target':>8}\n"
    )
    results = []
    for race in races:
        results.append(timed(race, asked.rounds))
        sys.stdout.write(row(results[-1]) + "\n")
        sys.stdout.flush()
    if asked.json:
        result = {
            "bench": f"array twins against their scalars, per plan in batches of {PLANS}",
            "rounds": asked.rounds,
            "races": results,
        }
        asked.json.write_text(json.dumps(result, indent=1) + "\n")
    sys.exit(any(result["is_met"] is False for result in results))


if __name__ == "__main__":
    main()
