"""Published lives of loans: the bars of the sets, and a harness that finds every wrong cell.

Where the folder of vectors is absent these tests are skipped and say so. The mutants live in a
folder of their own: each is a passing life in which one asserted cell is another, and beside each
stands the life as it was published.
"""

import copy
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from conformance.contracts import BARS, life_outcomes
from conformance.life_compare import CHARGE, PLACELESS
from conformance.life_words import JOURNAL, SCHEDULE, TIERS, TOTALS, TRANSACTION
from conformance.published_lives import Judged, judge_lives
from conformance.run import SETTING, vectors_folder

FOLDER = vectors_folder() / "fineract"
pytestmark = pytest.mark.skipif(
    not (FOLDER / "products.json").is_file(),
    reason=f"there is no {FOLDER}; {SETTING} names another folder",
)
FAILURES = Path(__file__).parents[2] / "docs" / "reference" / "conformance.md"
LEAST_SAID = 80  # characters about each failure
Life = dict[str, Any]
Expect = dict[str, Any]
Change = Callable[[Expect], bool]  # changes one cell, or returns that there is none to change
BARE = ("status", "outstanding", "overpaid", "total_overdue", "all_obligations_met")
LISTS = ("transactions", "transactions_without_accruals")


@cache
def verdicts() -> Judged:
    return judge_lives(FOLDER)


@pytest.mark.parametrize("tier", [tier for tier in TIERS if tier in BARS])
def test_lives_agree_in_every_asserted_cell(tier: str) -> None:
    outcome = next(one for one in life_outcomes(verdicts()) if one.name == tier)
    assert outcome.count
    assert outcome.is_enough, "\n".join(outcome.details)


def test_every_file_is_read_and_every_life_has_its_tier() -> None:
    assert verdicts().unreadable == ()
    assert {one.tier for one in verdicts().verdicts} == set(TIERS)


def page() -> str:
    return FAILURES.read_text("utf-8")


def failures_told() -> dict[str, str]:
    """Return the failing lives of the page about them, each with its first differing cell."""
    rows = [
        line.split(" | ") for line in page().splitlines() if line.startswith("| ") and "#C" in line
    ]
    assert all(len(row) == 3 and len(row[2]) > LEAST_SAID for row in rows)
    return {row[0].removeprefix("| "): row[1] for row in rows}


@pytest.fixture
def told() -> dict[str, str]:
    """The failures told, where the folder is the one that the page is about."""
    failures, lives = failures_told(), {one.case for one in verdicts().verdicts}
    is_same = failures.keys() <= lives and f"plays {len(lives)} published lives" in page()
    if not is_same:
        pytest.skip(f"{FAILURES.name} is about other lives than those of {FOLDER}")
    return failures


def test_the_page_of_failures_names_each_life_and_its_first_differing_cell(
    told: dict[str, str],
) -> None:
    """What fails is told by id with why; a life mended or broken changes the page too."""
    failed = {one.case: one.fault for one in verdicts().verdicts if one.fault and one.tier in BARS}
    assert told == failed


@pytest.mark.usefixtures("told")
def test_the_page_of_failures_counts_as_a_run_does() -> None:
    for outcome in life_outcomes(verdicts()):
        if outcome.name in BARS:
            assert f"`{outcome.name}` {outcome.passed} of {outcome.count}" in page()


def another(cell: Any) -> Any:
    """Return a value of the same kind that is not the one given."""
    match cell:
        case bool():
            return not cell
        case int():
            return cell + 1
        case None:
            return "2001-02-03"
        case str() if cell.count("-") == 2 and cell[:4].isdigit():
            return (date.fromisoformat(cell) + timedelta(days=1)).isoformat()
        case str() if cell.replace(".", "").isdigit():
            return cell[:-1] + str((int(cell[-1]) + 1) % 10)
        case _:
            return f"{cell} not"


def in_a_row(what: str, column: int, *, lent: bool | None = None) -> Change:
    """Return a change of one cell of the last row that asserts the column."""

    def change(expect: Expect) -> bool:
        for row in reversed(expect.get(what, [])):
            is_wanted = lent is None or (row[0] is None) is lent
            if is_wanted and (row[column] is not None or SCHEDULE[column] == "paid_date"):
                row[column] = another(row[column])
                return True
        return False

    return change


def in_a_table(what: str, name: str) -> Change:
    """Return a change of one field of an object, or of the first of a list of them."""

    def change(expect: Expect) -> bool:
        there = expect.get(what) or {}
        table = there[0] if isinstance(there, list) else there
        if table.get(name) is None:
            return False
        table[name] = another(table[name])
        return True

    return change


def in_an_entry(column: int) -> Change:
    """Return a change of one cell of a journal."""

    def change(expect: Expect) -> bool:
        entries = [entry for one in expect.get("journal", []) for entry in one["entries"]]
        entry = next((one for one in entries if one[column] is not None), None)
        if entry is not None:
            entry[column] = another(entry[column])
        return entry is not None

    return change


def alone(what: str) -> Change:
    def change(expect: Expect) -> bool:
        if what in expect:
            expect[what] = "Approved" if what == "status" else another(expect[what])
        return what in expect

    return change


def dropped(what: str) -> Change:
    def change(expect: Expect) -> bool:
        return bool(expect.get(what)) and expect[what].pop() is not None

    return change


def doubled(what: str) -> Change:
    def change(expect: Expect) -> bool:
        rows = expect.get(what) or []
        rows.extend(copy.deepcopy(rows[-1:]))
        return bool(rows)

    return change


def swapped(what: str) -> Change:
    """Return a change of the order of two different rows that have a place."""

    def change(expect: Expect) -> bool:
        rows = expect.get(what) or []
        for at in range(len(rows) - 1):
            one, other = rows[at : at + 2]
            has_place = what == "schedule" or not PLACELESS & {one[1], other[1]}
            if has_place and one != other and one[0] is not None and other[0] is not None:
                rows[at : at + 2] = [other, one]
                return True
        return False

    return change


def changes() -> Iterator[tuple[str, Change]]:
    """Yield a change for every kind of asserted cell that has a bar."""
    for column, name in enumerate(SCHEDULE):
        yield f"row-{name}", in_a_row("schedule", column, lent=False)
    for name in ("due_date", "balance", "fees", "due", "paid", "outstanding"):
        yield f"lent-{name}", in_a_row("schedule", SCHEDULE.index(name), lent=True)
    for what in LISTS:
        for column, name in enumerate(TRANSACTION):
            yield f"{what}-{name}", in_a_row(what, column)
    for name in (*TOTALS, "outstanding"):
        yield f"totals-{name}", in_a_table("totals", name)
    for name in CHARGE:
        yield f"charge-{name}", in_a_table("charges", name)
    for what in BARE:
        yield what, alone(what)
    for what in ("schedule", *LISTS, "charges"):
        yield f"dropped-{what}", dropped(what)
        yield f"doubled-{what}", doubled(what)
    for what in ("schedule", *LISTS):
        yield f"swapped-{what}", swapped(what)


def reported_changes() -> Iterator[tuple[str, Change]]:
    """Yield a change for every kind of cell that is only reported."""
    for column, name in enumerate(JOURNAL):
        yield f"journal-{name}", in_an_entry(column)
    for name in ("transaction_type", "date"):
        yield f"journal-{name}", in_a_table("journal", name)
    for name in ("range", "date"):
        yield f"delinquency-{name}", in_a_table("delinquency", name)


def lives_as_published() -> list[Life]:
    files = sorted(FOLDER.glob("life_*.json"))
    lives = [life for file in files for life in json.loads(file.read_text("utf-8"))["cases"]]
    return sorted(lives, key=lambda life: len(life["steps"]))


def mutant(lives: list[Life], name: str, change: Change) -> tuple[Life, Life]:
    """Return the first life with a cell to change: as it is, and changed, under a new name."""
    for life in lives:
        changed = copy.deepcopy(life)
        if any(change(step["expect"]) for step in changed["steps"] if "expect" in step):
            return {**life, "id": f"as-published-{name}"}, {**changed, "id": f"changed-{name}"}
    raise AssertionError(f"no published life has {name}")


def write_folder(folder: Path, lives: list[Life]) -> None:
    """Write lives to one file of another name, beside the products."""
    shutil.copy(FOLDER / "products.json", folder)
    meta = json.loads(next(FOLDER.glob("life_*.json")).read_text("utf-8"))["meta"]
    text = json.dumps({"meta": meta, "cases": lives})
    (folder / "life_other.json").write_text(text, encoding="utf-8")


def passing_lives(is_passing: Callable[[Any], bool]) -> list[Life]:
    passing = {one.case for one in verdicts().verdicts if is_passing(one)}
    return [life for life in lives_as_published() if life["id"] in passing]


def test_a_change_of_any_asserted_cell_fails_its_life_and_no_other(tmp_path: Path) -> None:
    lives = passing_lives(lambda verdict: verdict.fault is None)
    named = dict(changes())
    pairs = [mutant(lives, name, change) for name, change in named.items()]
    write_folder(tmp_path, [life for pair in pairs for life in pair])
    found = {one.case: one.fault for one in judge_lives(tmp_path).verdicts if one.fault}
    assert found.keys() == {f"changed-{name}" for name in named}
    for name in named:
        what, _, cell = name.rpartition("-")
        if what in ("row", "lent", "totals", "charge"):  # the fault names the cell
            assert f" {cell}: wanted " in found[f"changed-{name}"], name


def test_a_change_of_any_reported_cell_is_found_in_its_life_and_no_other(tmp_path: Path) -> None:
    lives = passing_lives(lambda verdict: verdict.fault is None and not any(reported(verdict)))
    named = dict(reported_changes())
    pairs = [mutant(lives, name, change) for name, change in named.items()]
    write_folder(tmp_path, [life for pair in pairs for life in pair])
    found = judge_lives(tmp_path).verdicts
    assert {one.case for one in found if any(reported(one))} == {f"changed-{one}" for one in named}
    assert [one.case for one in found if one.fault] == []  # they are not asked to agree


def reported(verdict: Any) -> list[str | None]:
    return list(verdict.reported.values())


def test_another_folder_with_other_ids_files_products_and_counts_is_judged_alike(
    tmp_path: Path,
) -> None:
    lives = lives_as_published()[::9]
    text = json.dumps(lives)
    products = json.loads((FOLDER / "products.json").read_text("utf-8"))
    for number, product in enumerate(products["products"]):
        text = text.replace(json.dumps(product["name"]), f'"P{number}"')
        product["name"] = f"P{number}"
    renamed = json.loads(text)
    for number, life in enumerate(renamed):
        life["id"] = f"L{number}"
    write_folder(tmp_path, renamed)
    (tmp_path / "products.json").write_text(json.dumps(products), encoding="utf-8")
    before: Mapping[str, str | None] = {one.case: one.fault for one in verdicts().verdicts}
    found = judge_lives(tmp_path)
    assert found.unreadable == ()
    assert [one.fault for one in found.verdicts] == [before[life["id"]] for life in lives]
