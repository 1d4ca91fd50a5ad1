"""The sets about contracts: schedules, engine cases and whole lives; bars, tables and lines.

`fineract/` and `frappe-lending/` in the folder of vectors. A set with a bar must reach it; the
others are reported.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.frappe import is_schedule, judge_frappe
from conformance.interest import TIERS as SCHEDULE_TIERS
from conformance.interest import judge_engine_case, judge_schedule, schedule_tier
from conformance.lives import TIERS as LIFE_TIERS
from conformance.lives import (
    LifeVerdict,
    judge_lives,
    judge_reported,
    read_lives,
    read_products,
)

Say = Callable[[str], None]

# The share of a set that must agree in every asserted cell, in percent; the others are reported.
BARS = {
    "schedules_progressive": 100,
    "emi_unit": 93,
    "progressive_zero_rate": 98,
    "progressive_rate": 96,
    "progressive_recalc": 90,
    "frappe-schedules": 100,
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a set: how many cases, and the first fault of each failed one by its name."""

    name: str
    count: int
    faults: Mapping[str, str]

    @property
    def passed(self) -> int:
        """How many cases have no fault."""
        return self.count - len(self.faults)

    @property
    def is_enough(self) -> bool:
        """Whether the set reaches its bar, if it has one."""
        return self.passed * 100 >= self.count * BARS.get(self.name, 0)


def outcomes(folder: Path) -> Iterator[Outcome]:
    """Yield the outcome of every set that is there."""
    fineract = folder / "fineract"
    if (fineract / "schedules.json").is_file():
        schedules = _read(fineract / "schedules.json", "schedules")
        for tier in SCHEDULE_TIERS:
            of_tier = [case for case in schedules if schedule_tier(case) == tier]
            yield _judged(tier, of_tier, judge_schedule, "id")
    if (fineract / "emi_unit.json").is_file():
        cases = _read(fineract / "emi_unit.json", "cases")
        yield _judged("emi_unit", cases, judge_engine_case, "source_test")
    if (fineract / "products.json").is_file():
        verdicts = judge_lives(fineract)
        for tier in LIFE_TIERS:
            yield life_outcome(tier, verdicts)
        yield from reported_outcomes(fineract)
    if (folder / "frappe-lending" / "cases.json").is_file():
        cases = _read(folder / "frappe-lending" / "cases.json", "cases")
        of_schedule = [case for case in cases if is_schedule(case)]
        yield _judged("frappe-schedules", of_schedule, judge_frappe, "id")
        yield _judged("frappe-lending", cases, judge_frappe, "id")


def life_outcome(tier: str, verdicts: Sequence[LifeVerdict]) -> Outcome:
    """Return the outcome of the lives of a tier."""
    of_tier = [verdict for verdict in verdicts if verdict.tier == tier]
    faults = {verdict.case: verdict.fault for verdict in of_tier if verdict.fault}
    return Outcome(tier, len(of_tier), faults)


def reported_outcomes(folder: Path) -> Iterator[Outcome]:
    """Yield what is reported of lives: the entries they book, and since when they are behind."""
    products = read_products(folder)
    found = {life["id"]: judge_reported(life, products) for life in read_lives(folder)}
    for what in ("journals", "delinquency"):
        of_set = {case: faults[what] for case, faults in found.items() if what in faults}
        yield Outcome(what, len(of_set), {case: fault for case, fault in of_set.items() if fault})


def tell(folder: Path, say: Say) -> bool:
    """Print faults, tables and one line per set; return whether every bar is reached."""
    found = list(outcomes(folder))
    for outcome in found:
        for case, fault in outcome.faults.items():
            say(f"  failed {outcome.name} {case}: {fault}")
    if (folder / "fineract" / "products.json").is_file():
        for line in operation_table(judge_lives(folder / "fineract")):
            say(line)
    for outcome in found:
        say(f"tier {outcome.name}: passed {outcome.passed} of {outcome.count}")
    return all(outcome.is_enough for outcome in found)


def operation_table(verdicts: Sequence[LifeVerdict]) -> Iterator[str]:
    """Yield a table: for each kind of operation, the lives that have it, passed of all, by tier."""
    kinds = sorted({kind for verdict in verdicts for kind in verdict.operations})
    yield f"{'lives with':24}" + "".join(f"{tier:>24}" for tier in LIFE_TIERS)
    for kind in kinds:
        cells = []
        for tier in LIFE_TIERS:
            there = [one for one in verdicts if one.tier == tier and kind in one.operations]
            passed = sum(one.fault is None for one in there)
            cells.append(f"{passed} of {len(there)}" if there else "-")
        yield f"{kind:24}" + "".join(f"{cell:>24}" for cell in cells)


def _judged(
    name: str,
    cases: Sequence[Mapping[str, Any]],
    judge: Callable[[Mapping[str, Any]], tuple[str, ...]],
    key: str,
) -> Outcome:
    faults = {}
    for number, case in enumerate(cases, start=1):
        found = judge(case)
        if found:
            faults[f"{case.get(key, '')} ({number})"] = found[0]
    return Outcome(name, len(cases), faults)


def _read(file: Path, key: str) -> Sequence[Mapping[str, Any]]:
    cases: Sequence[Mapping[str, Any]] = json.loads(file.read_text(encoding="utf-8"))[key]
    return cases
