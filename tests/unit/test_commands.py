"""The table of commands says of each what its module says, and loads nothing to say it."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from fenqi import cli
from fenqi.cli import app
from fenqi.cli.commands import COMMANDS, load
from fenqi.cli.replay import look_again
from fenqi.machine import Config

ROOM = Path(cli.__file__).parent
NOT_FOR_HELP = ("numpy", "scipy", "pyarrow", "psycopg", "httpx", "jinja2", "fenqi.runtime")


@pytest.mark.parametrize("name", COMMANDS)
def test_each_line_of_the_table_loads_and_tells_the_help_of_its_command(name: str) -> None:
    lines = (load(name).help or "").split("\n\n")
    assert lines[0].replace("\n", " ") == COMMANDS[name][1]


def test_every_module_that_registers_a_command_is_in_the_table() -> None:
    registering = {
        file.stem for file in ROOM.glob("*.py") if "def register(" in file.read_text("utf-8")
    }
    assert registering == {module for module, _ in COMMANDS.values()}


def test_help_lists_every_command_with_its_line() -> None:
    said = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"}).stdout
    for name, (_, line) in COMMANDS.items():
        assert f" {name} " in said
        assert line in said


def test_a_mistyped_command_is_hinted_at() -> None:
    said = CliRunner().invoke(app, ["polcy"])
    assert said.exit_code == 2
    assert "'policy'" in said.stderr


def test_completion_knows_commands_and_what_is_below_them() -> None:
    def completed(words: str) -> str:
        asked = {"_FENQI_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": "1"}
        asked["COMP_CWORD"] = str(len(words.split()) - (0 if words.endswith(" ") else 1))
        return CliRunner().invoke(app, [], env=asked, prog_name="fenqi").stdout

    assert completed("fenqi clo").split() == ["close-day"]
    assert completed("fenqi ledger ").split() == ["check", "export"]


def test_nothing_dear_is_loaded_for_help() -> None:
    asked = "import sys, fenqi.cli; print(*[one for one in sys.argv[1:] if one in sys.modules])"
    said = subprocess.run(
        [sys.executable, "-c", asked, *NOT_FOR_HELP], capture_output=True, text=True, check=True
    )
    assert said.stdout.split() == []


def test_the_program_is_made_of_the_table() -> None:
    assert list(get_command(app).commands) == list(COMMANDS)  # type: ignore[attr-defined]


def test_the_demo_says_how_to_look_at_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    config = Config(Path("/a folder/demo"))
    for program, words in (
        (".venv/bin/fenqi", ".venv/bin/fenqi report"),
        ("/lib/fenqi/__main__.py", "python -m fenqi report"),
    ):
        monkeypatch.setattr(sys, "argv", [program, "demo"])
        assert look_again(config) == f"FENQI_DATA='/a folder/demo' {words}"
