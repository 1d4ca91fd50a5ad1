"""Whatever command fails, a person reads one sentence and a script gets the right exit code."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from fenqi.cli import app
from fenqi.cli.errors import Group, sentence
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
from fenqi.store.migrate import MigrationEdited
from fenqi.store.server import Server


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
    ],
)
def test_each_family_of_errors_has_its_exit_code(error: BaseException, code: int) -> None:
    outcome = CliRunner().invoke(failing(error), ["fail"])
    assert outcome.exit_code == code
    assert "fenqi:" in outcome.stderr
    assert "Traceback" not in outcome.output


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


def test_brackets_in_a_value_are_printed_as_they_are() -> None:
    error = MigrationEdited(file="[bold]odd[/bold].sql")
    outcome = CliRunner().invoke(failing(error), ["fail"])
    assert "[bold]odd[/bold].sql" in outcome.stderr


def families() -> list[type[FenqiError]]:
    found: list[type[FenqiError]] = [FenqiError]
    for family in found:
        found.extend(family.__subclasses__())
    return found


def test_every_error_of_the_store_and_the_runtime_has_a_sentence() -> None:
    ground = ("fenqi.store.", "fenqi.runtime")
    own = ("pool", "migrate", "programs", "server", "runtime")
    codes = {
        error.code
        for error in families()
        if error.__module__.startswith(ground) and error.__module__.rpartition(".")[2] in own
    }
    assert codes
    assert codes - SENTENCES.keys() == set()


def test_the_database_is_started_shown_and_stopped_by_commands(
    private_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = private_folder / "commands"
    monkeypatch.setenv("FENQI_DATA", str(data))
    monkeypatch.delenv("FENQI_DATABASE_URL", raising=False)

    def fenqi(*arguments: str) -> str:
        outcome = CliRunner().invoke(app, arguments)
        assert outcome.exit_code == 0, outcome.output
        return outcome.stdout

    try:
        assert "started" in fenqi("db", "start")
        assert "running already" in fenqi("db", "start")
        shown = json.loads(fenqi("db", "status", "--json"))
        assert (shown["is_running"], shown["folder"]) == (True, str(data / "postgres"))
        password = (data / "postgres" / "password").read_text()
        assert password not in fenqi("db", "status")
        assert "stopped" in fenqi("db", "stop")
        assert "not running" in fenqi("db", "stop")
    finally:
        Server(data / "postgres").stop()


def test_starting_is_refused_when_the_server_is_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FENQI_DATABASE_URL", "postgresql://elsewhere/credit")
    outcome = CliRunner().invoke(app, ["db", "start"])
    assert outcome.exit_code == 2
    assert "FENQI_DATABASE_URL is set" in outcome.stderr
