"""Reports by file: kept once, of those who consented, and used as a bureau's own answer is."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import Result
from make_application import EVERYTHING, SaidBureau, applied, consents
from make_book import World, done, open_book, row, rows
from typer.testing import CliRunner

from fenqi.cli import app
from fenqi.core.values.bureau import BureauReport
from fenqi.flows.import_reports import (
    BureauUnknown,
    Delivered,
    Imported,
    ReportAhead,
    import_reports,
)
from fenqi.store.pool import Store
from fenqi.worker.admit import admit


@pytest.fixture
def world(store: Store) -> World:
    world = open_book(store)
    applied(world, "ann")
    applied(world, "bob", consents=consents(world, *(set(EVERYTHING) - {"bureau"})))
    return world


def lines(world: World, *people: str) -> list[Delivered]:
    report = BureauReport(world.clock.now() - timedelta(days=2), 710, overdue_accounts=3)
    return [Delivered(2 + place, one, report) for place, one in enumerate(people)]


def test_a_file_is_kept_once_and_of_those_who_consented(world: World) -> None:
    told = lines(world, "ann", "bob", "nobody")
    first = import_reports(world.ground, told, name="north", known=("north",))
    assert first == Imported(stored=1, known=0, nobody=1, without_consent=1)
    again = import_reports(world.ground, told, name="north", known=("north",))
    assert again == Imported(stored=0, known=1, nobody=1, without_consent=1)
    kept = rows(
        world.store, "SELECT bureau, source, finding, score, cost_minor, said FROM bureau_reports"
    )
    assert kept == [("north", "file", "report", 710, None, "line 2")]
    other = [replace(told[0], report=replace(told[0].report, score=711))]
    assert import_reports(world.ground, other, name="north", known=("north",)).stored == 1


def test_a_file_of_a_bureau_nobody_registered_keeps_nothing(world: World) -> None:
    with pytest.raises(BureauUnknown) as refusal:
        import_reports(world.ground, lines(world, "ann"), name="nrth", known=("north", "file"))
    assert refusal.value.fields == {"bureau": "nrth", "known": "file, north"}
    assert row(world.store, "SELECT COUNT(*) FROM bureau_reports") == 0


def test_the_command_takes_only_files_of_bureaus_that_are_known(
    world: World, database_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "reports.csv"
    file.write_text(f"person,as_of,score\nann,{world.day - timedelta(days=2)},700\n", "utf-8")

    def run(name: str, **more: str) -> Result:
        environment = {"FENQI_DATABASE_URL": database_url, "COLUMNS": "200"} | more
        words = ["bureau", "import", str(file), "--bureau", name]
        return CliRunner().invoke(app, words, env=environment)

    refused = run("pboc")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "No bureau pboc is known; there are: bureau, file." in refused.stderr
    assert "没有名为 pboc 的征信机构" in run("pboc", FENQI_LANGUAGE="zh").stderr
    assert run("pboc", FENQI_BUREAU_FILES="PBOC credit").exit_code == 2
    assert row(world.store, "SELECT COUNT(*) FROM bureau_reports") == 0
    taken = run("pboc", FENQI_BUREAU_FILES="baihang, pboc")
    assert taken.exit_code == 0, taken.output
    assert row(world.store, "SELECT bureau FROM bureau_reports") == "pboc"
    assert run("file").exit_code == 0


def test_a_report_of_the_future_keeps_nothing(world: World) -> None:
    told = lines(world, "ann", "ann")
    ahead = replace(told[1].report, as_of=world.clock.now() + timedelta(seconds=1))
    told[1] = replace(told[1], report=ahead)
    with pytest.raises(ReportAhead) as refusal:
        import_reports(world.ground, told, name="north", known=("north",))
    assert refusal.value.fields["line"] == 3
    assert row(world.store, "SELECT COUNT(*) FROM bureau_reports") == 0


def test_a_report_of_a_file_decides_and_nobody_is_asked(world: World) -> None:
    import_reports(world.ground, lines(world, "ann"), name="north", known=("north",))
    bureau = SaidBureau()
    answers = admit(world.ground, bureau)
    assert bureau.asked == []
    outcomes = {done(one).outcome: done(one).reasons for one in answers.values()}
    assert outcomes == {"decline": ["overdue-elsewhere"], "smaller-limit": ["no-bureau-report"]}
