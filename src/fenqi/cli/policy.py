"""`fenqi policy`: check a policy, adopt it, take it back, and see what another would decide."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from fenqi.cli import answers
from fenqi.cli.language import say, speech
from fenqi.flows import adopt as adopting
from fenqi.machine import Config, SystemClock
from fenqi.report import breaker as choosing
from fenqi.report import policies as telling
from fenqi.report import policy_difference
from fenqi.report.names import word
from fenqi.runtime import Runtime

DAYS = 30
DAYS_MAX = 3_650

File = Annotated[Path, typer.Argument(metavar="FILE", help="A policy, in TOML.")]
By = Annotated[str, typer.Option("--by", help="Who says so: the name of a person.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file to the program."""
    group = typer.Typer(no_args_is_help=True, help="Policies: what decides, and by whose word.")
    group.command("list")(list_)
    for command in (check, adopt, rollback, diff):
        group.command()(command)
    app.add_typer(group, name="policy")


def check(
    file: File,
    book_id: Annotated[
        str | None,
        typer.Option("--book", help="Check against what this book sells; default: the files."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a policy: types, units, purposes, rows nobody reaches, examples, cost.

    It needs no database, unless --book names one whose products it is checked against.
    """
    policy = telling.read_file(file)
    today = SystemClock().now().date()
    known = _known(book_id)
    checked = adopting.checked(policy, known, today)
    if as_json:
        typer.echo(json.dumps(telling.check_to_json(policy, checked), ensure_ascii=False))
    else:
        telling.show_check(policy, checked, _console(), speech(), book_id=book_id)
    adopting.fit(policy, known, today)


def _known(book_id: str | None) -> telling.Known:
    """Return what a book sells, or what the files do. Errors: BookMissing; those of the files."""
    if book_id is None:
        return telling.of_files(Config.from_environment().catalogue_folder)
    with Runtime.open(stop_after=True) as runtime:
        choosing.chosen(runtime.store, book_id)
        return runtime.ground.catalogue


def adopt(
    file: File,
    by: By,
    because: Annotated[str, typer.Option("--because", help="Why.")] = "",
) -> None:
    """Let a policy decide from now on; somebody other than its author must say so."""
    policy = telling.read_file(file)
    with Runtime.open(stop_after=True) as runtime:
        adoption = adopting.adopt(runtime.ground, policy, by=by, because=because)
    kind = word(adoption.kind.value, speech())
    told = {"policy": adoption.policy, "version": adoption.version, "kind": kind}
    typer.echo(say(answers.ADOPTED, **told, by=adoption.adopted_by))


def rollback(
    name: Annotated[
        str, typer.Argument(metavar="ID", help="A policy's name, or what it decides about.")
    ],
    by: By,
    because: Annotated[str, typer.Option("--because", help="What is wrong with it.")],
) -> None:
    """Take the last adoption back: what decided before decides again."""
    with Runtime.open(stop_after=True) as runtime:
        gone, back = adopting.roll_back(runtime.ground, name, by=by, because=because)
    kind = word(back.kind.value, speech())
    told = {"policy": back.policy, "version": back.version, "kind": kind}
    were = {"gone": gone.policy, "gone_version": gone.version}
    typer.echo(say(answers.TAKEN_BACK, **told, **were, by=back.adopted_by))


def list_(
    as_json: AsJson = False,
) -> None:
    """List who adopted which policy, and when, and what decides now in each book."""
    with Runtime.open(stop_after=True) as runtime:
        adoptions = telling.listed(runtime.store)
        now = telling.deciding(runtime.store)
    if as_json:
        typer.echo(json.dumps([telling.adoption_to_json(one) for one in adoptions]))
        return
    telling.show_adoptions(adoptions, _console(), speech())
    telling.show_deciding(now, _console(), speech())


def diff(
    first: Annotated[str, typer.Argument(metavar="A", help="A file, NAME:VERSION, or a kind.")],
    second: Annotated[str, typer.Argument(metavar="B", help="The other one.")],
    days: Annotated[
        int, typer.Option("--days", min=1, max=DAYS_MAX, help="Decisions of how many days.")
    ] = DAYS,
    as_json: AsJson = False,
) -> None:
    """Make the last days' decisions again by two policies, and tell where they differ."""
    with Runtime.open(stop_after=True) as runtime:
        one, other = telling.find(runtime.store, first), telling.find(runtime.store, second)
        found = policy_difference.differ(runtime.store, runtime.clock, one, other, days=days)
    if as_json:
        typer.echo(json.dumps(policy_difference.to_json(found), ensure_ascii=False))
        return
    telling.show_difference(found, _console(), speech())


def _console() -> Console:
    return Console(highlight=False, markup=False)
