"""Whatever command fails, a person reads one sentence and a script gets the right exit code."""

import ast
import errno
import json
import logging
import os
import signal
from pathlib import Path
from string import Formatter

import pytest
import typer
from typer.testing import CliRunner

import fenqi
from fenqi.cli import app
from fenqi.cli.errors import Ended, Group, LogFile, sentence
from fenqi.cli.sentences import SENTENCES
from fenqi.core.errors import (
    Broken,
    Conflict,
    FenqiError,
    Forbidden,
    Invalid,
    Missing,
    Unavailable,
)
from fenqi.core.risk.appeal import NothingToContest
from fenqi.replay.rows import ONCE, ColumnMissing
from fenqi.replay.source import REMEDY, LineUnreadable
from fenqi.store.changes import OfferGone
from fenqi.store.migrate import MigrationEdited
from fenqi.store.server import Server

SOURCE = Path(fenqi.__file__).parent
AMBIGUOUS = {"catalogue-file-unreadable", "file-unreadable", "replay-file-unreadable", "invalid"}


def failing(error: BaseException) -> typer.Typer:
    program = typer.Typer(cls=Group)

    @program.command()
    def fail() -> None:
        raise error

    @program.command()
    def rest() -> None:
        """A second command, so that the first keeps its name."""

    return program


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Invalid(), 2),
        (Missing(), 2),
        (Forbidden(), 2),
        (Conflict(), 2),
        (Unavailable(), 3),
        (Broken(invariant="books-balance"), 70),
        (KeyboardInterrupt(), 130),
        (Ended(signal.SIGTERM), 143),
        (Ended(signal.SIGHUP), 129),
    ],
)
def test_each_family_of_errors_has_its_exit_code(error: BaseException, code: int) -> None:
    outcome = CliRunner().invoke(failing(error), ["fail"])
    assert outcome.exit_code == code
    assert "fenqi:" in outcome.stderr
    assert "Traceback" not in outcome.output


def test_a_command_that_ends_by_itself_keeps_its_exit_code() -> None:
    outcome = CliRunner().invoke(failing(typer.Exit(7)), ["fail"])
    assert (outcome.exit_code, outcome.output) == (7, "")


def test_an_interrupted_command_says_that_it_can_be_resumed() -> None:
    outcome = CliRunner().invoke(failing(KeyboardInterrupt()), ["fail"])
    assert "run the same command again to go on" in outcome.stderr


def test_a_sentence_names_the_values_of_the_error() -> None:
    assert "0001_create_books.sql was changed" in sentence(
        MigrationEdited(file="0001_create_books.sql")
    )


def test_an_error_without_a_sentence_shows_its_code_and_values() -> None:
    class Unheard(Conflict):
        code = "unheard"

    assert sentence(Unheard(of=1)) == "unheard, of=1"
    assert sentence(MigrationEdited()) == "migration-edited"  # its value is missing


def test_an_error_is_told_in_the_readers_language(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FENQI_LANGUAGE", "zh-CN")
    error = Invalid()
    assert sentence(error) == "这样的请求没有意义。"
    unread = LineUnreadable(
        file="f.csv", line=7, column="Price", value="x", wanted="a positive number", remedy=REMEDY
    )
    said = CliRunner().invoke(failing(unread), ["fail"]).stderr
    assert "f.csv 第 7 行" in said
    assert "x 不是正数。未记任何账。" in said
    assert "--skip-bad FILE" in said
    assert "已中断" in CliRunner().invoke(failing(KeyboardInterrupt()), ["fail"]).stderr
    monkeypatch.setenv("FENQI_LANGUAGE", "en")
    assert "a positive number. Nothing was booked." in sentence(unread)


def test_an_error_names_a_state_and_an_outcome_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = OfferGone(offer="7", state="accepted")
    took_nothing = NothingToContest(outcome="approve")
    monkeypatch.setenv("FENQI_LANGUAGE", "zh-CN")
    assert "的状态已是已接受 accepted" in sentence(gone)
    assert "结果为通过 approve" in sentence(took_nothing)
    monkeypatch.setenv("FENQI_LANGUAGE", "en")
    assert "is accepted already" in sentence(gone)
    assert "outcome is approve." in sentence(took_nothing)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("--defer", "400"), "days out of range; 400 is not from 1 to "),
        (("--due-day", "0"), "no day of a month; 0 is not from 1 to 31."),
        (("--refund", "700"), "refund above what was lent; 70000 minor units of 60000."),
        (("--refund", ""), " is no amount of CNY."),
    ],
)
def test_a_request_beyond_its_bounds_is_told_them(asked: tuple[str, str], said: str) -> None:
    words = ("plan", "preview", "600", "--on", "2026-01-05", "--asked-on", "2026-01-10", *asked)
    outcome = CliRunner().invoke(app, words)
    assert outcome.exit_code == 2
    assert said in outcome.stderr


def test_a_name_somebody_wrote_is_not_translated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FENQI_LANGUAGE", "zh-CN")
    unfound = ColumnMissing(
        file="f", column="missing", key="missing", found="not in it", remedy=ONCE, allowed="a"
    )
    assert "列 missing" in sentence(unfound)
    assert "不在其中" in sentence(unfound)


def test_brackets_in_a_value_are_printed_as_they_are() -> None:
    error = MigrationEdited(file="[bold]odd[/bold].sql")
    outcome = CliRunner().invoke(failing(error), ["fail"])
    assert "[bold]odd[/bold].sql" in outcome.stderr


def families() -> list[type[FenqiError]]:
    found: list[type[FenqiError]] = [FenqiError]
    for family in found:
        found.extend(family.__subclasses__())
    return found


def test_every_error_has_a_sentence_that_takes_the_values_it_is_raised_with() -> None:
    """Read from the source, so that a code nobody raises in a test is found too."""
    trees = [ast.parse(file.read_text("utf-8")) for file in SOURCE.rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    of_class = {error.__name__: error.code for error in families()}
    raised = [
        (of_class[node.func.id], {word.arg for word in node.keywords})
        for node in nodes
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in of_class
    ]
    codes = {error.code for error in families() if error.__module__.startswith("fenqi.")}
    assert len(raised) > 50
    assert codes - SENTENCES.keys() == set()
    for code, names in raised:
        if None in names or code in AMBIGUOUS:
            continue  # some values come from a table
        templates = SENTENCES[code]
        wanted = [
            {name for _, name, _, _ in Formatter().parse(one) if name}
            for one in ((templates,) if isinstance(templates, str) else templates)
        ]
        # With their currency, amounts are told as money too.
        money = {str(one).removesuffix("_minor") for one in names if "currency" in names}
        assert any(one <= names | money for one in wanted), (code, names)


def test_an_unforeseen_fault_is_one_sentence_and_a_trace_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FENQI_DATA", str(tmp_path))
    outcome = CliRunner().invoke(failing(ZeroDivisionError("who would have thought")), ["fail"])

    assert outcome.exit_code == 70
    (log,) = (tmp_path / "log").iterdir()
    assert str(log) in outcome.stderr
    assert "who would have thought" in log.read_text("utf-8")
    assert "Traceback" not in outcome.stderr
    assert log.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(("number", "code"), [(errno.ENOSPC, 3), (errno.EACCES, 2)])
def test_a_file_that_cannot_be_used_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, code: int
) -> None:
    monkeypatch.setenv("FENQI_DATA", str(tmp_path))
    outcome = CliRunner().invoke(failing(OSError(number, os.strerror(number), "a/b")), ["fail"])

    assert outcome.exit_code == code
    assert "a/b: " + os.strerror(number) in outcome.stderr


def test_the_warnings_of_libraries_go_to_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FENQI_DATA", str(tmp_path))
    logger = logging.Logger("psycopg.pool")
    logger.addHandler(LogFile())
    logger.warning("discarding closed connection")

    assert "discarding" in (tmp_path / "log" / "fenqi.log").read_text("utf-8")
    assert capfd.readouterr() == ("", "")


def test_the_database_is_started_shown_and_stopped_by_commands(
    private_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = private_folder / "commands"
    monkeypatch.setenv("FENQI_DATA", str(data))
    monkeypatch.delenv("FENQI_DATABASE_URL", raising=False)

    def run(*arguments: str) -> str:
        outcome = CliRunner().invoke(app, arguments)
        assert outcome.exit_code == 0, outcome.output
        return outcome.stdout

    try:
        assert "started" in run("db", "start")
        assert "running already" in run("db", "start")
        shown = json.loads(run("db", "status", "--json"))
        assert (shown["is_running"], shown["folder"]) == (True, str(data / "postgres"))
        password = (data / "postgres" / "password").read_text()
        assert password not in run("db", "status")
        assert "stopped" in run("db", "stop")
        assert "not running" in run("db", "stop")
    finally:
        Server(data / "postgres").stop()


def test_starting_is_refused_when_the_server_is_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FENQI_DATABASE_URL", "postgresql://elsewhere/credit")
    outcome = CliRunner().invoke(app, ["db", "start"])
    assert outcome.exit_code == 2
    assert "FENQI_DATABASE_URL is set" in outcome.stderr
