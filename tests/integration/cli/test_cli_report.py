"""The commands report, ledger and plan, through the program's own door."""

import json
import os
from pathlib import Path

import psycopg
import pytest
from make_program import Run, program
from typer.testing import CliRunner

from fenqi import __version__
from fenqi.cli import app
from fenqi.cli.answers import COUNTED
from fenqi.worker.close import STEPS


@pytest.fixture
def fenqi(lived_url: str) -> Run:
    """Runs the program on the lived book's database."""
    return program(lived_url, columns=100)


def test_report_prints_the_book(fenqi: Run) -> None:
    ended = fenqi("report")
    assert ended.exit_code == 0
    assert 'Small "Honest" Credit Ltd' in ended.stdout
    assert "business date 15 Oct 2026" in ended.stdout


def test_report_prints_json_as_of_a_day(fenqi: Run) -> None:
    ended = fenqi("report", "--book", "small", "--as-of", "2026-03-31", "--json")
    assert ended.exit_code == 0
    assert json.loads(ended.stdout)["as_of"] == "2026-03-31"


def test_report_writes_a_page_in_the_language_of_the_person(fenqi: Run, tmp_path: Path) -> None:
    path = tmp_path / "book.html"
    ended = fenqi("report", "--html", str(path), "--lang", "zh-CN")
    assert ended.exit_code == 0
    assert ended.stdout == f"The report is in {path}\n"
    assert '<html lang="zh-CN">' in path.read_text(encoding="utf-8")
    ended = fenqi("report", "--html", str(path), "--lang", "en", "--json")
    assert json.loads(ended.stdout)["book_id"] == "small"
    assert '<html lang="en">' in path.read_text(encoding="utf-8")


def test_a_page_that_cannot_be_written_gets_a_sentence(fenqi: Run, tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "book.html"
    ended = fenqi("report", "--html", str(path))
    assert ended.exit_code == 2
    assert str(path) in ended.stderr.replace("\n", "")
    said = ended.stderr.replace("\n", " ")
    assert "cannot be written: there is no folder" in said
    assert "Errno" not in said
    assert ".part" not in said


def test_report_of_an_unknown_book_is_refused(fenqi: Run) -> None:
    assert fenqi("report", "--book", "other").exit_code == 2


def test_ledger_check_of_a_sound_book_ends_with_zero(fenqi: Run) -> None:
    ended = fenqi("ledger", "check")
    assert ended.exit_code == 0
    said = "The books agree: 9 accounts compared, 8 plans replayed, 0 trails made again."
    assert said in ended.stdout.replace("\n", " ")


def test_ledger_check_of_a_changed_book_ends_with_seventy(fenqi: Run, lived_url: str) -> None:
    with psycopg.connect(lived_url) as connection:
        connection.execute("UPDATE accounts SET held_minor = held_minor + 7 WHERE kind = 'house'")
    told = fenqi("ledger", "check", "--sample", "2", "--json")
    assert told.exit_code == 70
    (finding,) = json.loads(told.stdout)["findings"]
    assert finding["what"] == "M5 limit used"
    assert finding["found"] == "held 7"
    printed = fenqi("ledger", "check")
    assert printed.exit_code == 70
    assert "Contradictions: 1. " in printed.stdout


def test_ledger_export_writes_a_file_or_prints_it(fenqi: Run, tmp_path: Path) -> None:
    path = tmp_path / "small.beancount"
    ended = fenqi("ledger", "export", "--format", "beancount", "--out", str(path))
    assert ended.exit_code == 0
    assert path.read_text(encoding="utf-8") == fenqi("ledger", "export").stdout
    assert "one transaction per day" in fenqi("ledger", "export", "--by", "day").stdout


def test_plan_quote_needs_no_database() -> None:
    environment = {"FENQI_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    arguments = ["plan", "quote", "6000", "--on", "2026-11-24", "--json"]
    ended = CliRunner().invoke(app, arguments, env=environment)
    assert ended.exit_code == 0
    assert json.loads(ended.stdout)["cost_minor"] == 18_000


def test_plan_quote_of_an_unknown_count_is_refused() -> None:
    assert CliRunner().invoke(app, ["plan", "quote", "6000", "--count", "7"]).exit_code == 2


def test_without_a_book_the_commands_say_how_to_get_one(database_url: str) -> None:
    environment = {"FENQI_DATABASE_URL": database_url}
    for words, said in (
        (["report"], "There is no book yet"),
        (["report", "--book", "demo"], "There is no book demo, and no other yet"),
        (["ledger", "check"], "There is no book yet"),
    ):
        ended = CliRunner().invoke(app, words, env=environment)
        assert f"{said}: run fenqi demo or fenqi replay." in ended.output.replace("\n", " ")
        assert "agree" not in ended.output


def test_a_wrong_name_is_answered_with_the_right_ones(fenqi: Run) -> None:
    ended = fenqi("report", "--book", "demo")
    assert ended.exit_code == 2
    assert "There is no book demo. There are: small." in ended.stderr


def test_a_folder_that_no_replay_wrote_is_named(fenqi: Run, tmp_path: Path) -> None:
    ended = fenqi("report", "--out", str(tmp_path / "typo"))
    assert ended.exit_code == 2
    assert f"{tmp_path / 'typo'}/provenance.json: it is not there" in ended.stderr


def test_a_number_no_database_holds_is_refused_at_the_door(fenqi: Run) -> None:
    nobody = "00000000-0000-0000-0000-000000000000"
    huge = "9" * 20
    for words, most in (
        (("ledger", "check", "--sample", huge), 1_000_000_000),
        (("plan", "preview", "--account", nobody, "--statement", huge, "--count", "3"), 1_000_000),
    ):
        ended = fenqi(*words)
        assert ended.exit_code == 2, ended.output
        assert (
            f"it must be a whole number from {words[1] == 'preview':d} to {most}." in ended.stderr
        )


def test_words_after_two_dashes_go_to_psql(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[list[str]] = []
    monkeypatch.setattr(os, "execve", lambda _program, words, _environment: given.append(words))
    environment = {"FENQI_DATABASE_URL": "postgresql://nobody@127.0.0.1/none"}
    ended = CliRunner().invoke(app, ["db", "psql", "--", "-c", "\\dt"], env=environment)
    assert ended.exit_code == 0
    assert given[0][1:3] == ["-c", "\\dt"]
    assert "dbname=none" in given[0][3]


def test_each_step_of_a_close_says_what_it_counts() -> None:
    assert list(COUNTED) == [step.name for step in STEPS]


def test_the_program_tells_its_version() -> None:
    ended = CliRunner().invoke(app, ["--version"])
    assert (ended.exit_code, ended.stdout) == (0, f"fenqi {__version__}\n")
