"""The sets about contracts: schedules, engine cases and whole lives; bars, tables and lines.

`fineract/` and `frappe-lending/` in the folder of vectors. A set with a bar must reach it; the
others are reported. A folder that is there must be whole: a file that is missing or broken, a set
without a case and a life of no known tier are named and fail.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from conformance.frappe import is_schedule, judge_frappe
from conformance.interest import TIERS as SCHEDULE_TIERS
from conformance.interest import judge_engine_case, judge_schedule, schedule_tier
from conformance.life_reported import REPORTED
from conformance.life_words import TIERS as LIFE_TIERS
from conformance.outcome import EVERY, Outcome, outcome_of
from conformance.published_lives import Judged, LifeVerdict, judge_lives
from conformance.reading import Unreadable, read_object

# The share of a set that must agree in every asserted cell, in percent; the others are reported.
BARS = {
    "schedules_progressive": EVERY,
    "emi_unit": 93,  # 28 of 30
    "progressive_zero_rate": 98,
    "progressive_rate": 96,
    "progressive_recalc": 90,
    "frappe-schedules": EVERY,
}
Judge = Callable[[Any], tuple[str, ...]]
Case = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Report:
    """What came of all sets: their outcomes, and a table of the lives by operation."""

    outcomes: Sequence[Outcome]
    table: Sequence[str]
    skipped: Sequence[str]


def report(folder: Path) -> Report:
    """Return what came of every set of a folder of vectors."""
    outcomes: list[Outcome] = []
    table: list[str] = []
    skipped: list[str] = []
    fineract, frappe = folder / "fineract", folder / "frappe-lending"
    if fineract.is_dir():
        outcomes += schedule_outcomes(fineract / "schedules.json")
        outcomes += engine_outcomes(fineract / "emi_unit.json")
        judged = judge_lives(fineract)
        outcomes += life_outcomes(judged)
        table += operation_table(judged.verdicts)
    else:
        skipped.append(f"skipped: there is no {fineract}")
    if frappe.is_dir():
        outcomes += frappe_outcomes(frappe / "cases.json")
    else:
        skipped.append(f"skipped: there is no {frappe}")
    return Report(outcomes, table, skipped)


def schedule_outcomes(file: Path) -> Iterator[Outcome]:
    """Yield the outcomes of the schedules by tier."""
    cases, details = _read(file, "schedules")
    for tier in SCHEDULE_TIERS:
        of_tier = [case for case in cases if schedule_tier(case) == tier]
        yield _noted(_judged(tier, of_tier, judge_schedule, "id"), details)


def engine_outcomes(file: Path) -> Iterator[Outcome]:
    """Yield the outcome of the engine cases."""
    cases, details = _read(file, "cases")
    yield _noted(_judged("emi_unit", cases, judge_engine_case, "source_test"), details)


def frappe_outcomes(file: Path) -> Iterator[Outcome]:
    """Yield the outcomes of Frappe's cases: those of schedules, and all."""
    cases, details = _read(file, "cases")
    of_schedule = [case for case in cases if is_schedule(case)]
    yield _noted(_judged("frappe-schedules", of_schedule, judge_frappe, "id"), details)
    yield _noted(_judged("frappe-lending", cases, judge_frappe, "id"), details)


def life_outcomes(judged: Judged) -> Iterator[Outcome]:
    """Yield the outcome of each tier of lives, of unknown ones too, and what is only reported."""
    if judged.unreadable:
        details = [f"  unreadable {why}" for why in judged.unreadable]
        yield Outcome("life-files", len(details), len(details), details, EVERY)
    unknown = sorted({one.tier for one in judged.verdicts} - set(LIFE_TIERS))
    for tier in (*LIFE_TIERS, *unknown):
        of_tier = [(one.case, one.fault) for one in judged.verdicts if one.tier == tier]
        yield outcome_of(tier, of_tier, bar=EVERY if tier in unknown else BARS.get(tier, 0))
    for what in REPORTED.values():
        of_set = [(one.case, one.reported[what]) for one in judged.verdicts if what in one.reported]
        yield outcome_of(what, of_set, may_be_empty=True)


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


def _judged(name: str, cases: Sequence[Case], judge: Judge, key: str) -> Outcome:
    faults = []
    for number, case in enumerate(cases, start=1):
        named = case.get(key) if isinstance(case, Mapping) else None
        faults.append((f"{named or 'case'} ({number})", next(iter(judge(case)), None)))
    return outcome_of(name, faults, bar=BARS.get(name, 0))


def _noted(outcome: Outcome, details: Sequence[str]) -> Outcome:
    """Return an outcome that says first what could not be read."""
    return replace(outcome, details=(*details, *outcome.details))


def _read(file: Path, key: str) -> tuple[Sequence[Case], Sequence[str]]:
    """Return a file's cases, or none and why it cannot be read."""
    try:
        return read_object(file, key)[1], ()
    except Unreadable as fault:
        return (), (f"  unreadable {fault}",)
