"""`fenqi db`: the embedded database server."""

import dataclasses
import json
import os
from typing import Annotated

import typer
from rich.console import Console

from fenqi import runtime
from fenqi.cli import answers
from fenqi.cli.language import say
from fenqi.machine import Config
from fenqi.report.folding import FoldingTable


def register(app: typer.Typer) -> None:
    """Add the commands of this file to the program."""
    group = typer.Typer(no_args_is_help=True, help="Start, stop and look into the database server.")
    for command in (start, stop, status, psql):
        group.command()(command)
    app.add_typer(group, name="db")


def start() -> None:
    """Start the embedded server, create the database if there is none, and migrate it."""
    found, is_new = runtime.start_database(Config.from_environment())
    state = answers.STARTED if is_new else answers.RAN_ALREADY
    _console().print(say(state, version=found.version, folder=found.folder))


def stop(
    force: Annotated[bool, typer.Option(help="Stop it although programs work with it.")] = False,
) -> None:
    """Stop the embedded server; it is refused while programs work with it."""
    ran = runtime.stop_database(Config.from_environment(), while_used=force)
    _console().print(say(answers.STOPPED_SERVER if ran else answers.NOT_RUNNING))


def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Tell whether the embedded server answers. The exit code is 0 either way."""
    found = runtime.embedded(Config.from_environment()).status()
    values = {
        name: str(value) if name in ("folder", "socket") and value else value
        for name, value in dataclasses.asdict(found).items()
    }
    if as_json:
        typer.echo(json.dumps(values))
        return
    table = FoldingTable(show_header=False, box=None)
    for name, value in values.items():
        table.add_row(say(answers.STATUS[name]), _word(value))
    _console().print(table)


def psql(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(help="What psql itself is given, after --, such as: -- -c '\\dt'."),
    ] = None,
) -> None:
    """Open a database shell as the owner of the tables, starting the server if needed."""
    command, environment = runtime.shell_command(Config.from_environment())
    program, place = command
    os.execve(program, [program, *(arguments or []), place], environment)  # noqa: S606 - no shell on purpose


def _word(value: object) -> str:
    """Return a value as a person reads it."""
    if isinstance(value, bool):
        return say(answers.YES if value else answers.NO)
    return "-" if value is None else str(value)


def _console() -> Console:
    return Console(highlight=False, markup=False, soft_wrap=True)
