"""`fenqi shadow`: policies judged beside the live ones, on what really came, before they decide."""

import json
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console

from fenqi.cli import answers
from fenqi.cli.language import say, speech
from fenqi.flows import shadow as shadowing
from fenqi.report import shadow as telling
from fenqi.runtime import Runtime
from fenqi.worker.shadow import follow

DAYS = 14
EXAMPLES = 10

Which = Annotated[UUID, typer.Argument(metavar="CHALLENGER", help="The challenger's id.")]
Person = Annotated[str, typer.Option("--by", help="Your name.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file to the program."""
    group = typer.Typer(no_args_is_help=True, help="Judge policies beside the live ones.")
    group.command("list")(list_)
    for command in (start, run, report, stop):
        group.command()(command)
    app.add_typer(group, name="shadow")


def start(
    file: Annotated[Path, typer.Argument(help="The policy's TOML file.")],
    by: Person,
    days: Annotated[int, typer.Option("--days", help="For how many days.")] = DAYS,
) -> None:
    """Begin to judge a policy on the inputs of live decisions of its kind."""
    book = telling.rulebook_of(file)
    with Runtime.open(stop_after=True) as runtime:
        challenger_id, ends_at = shadowing.begin(runtime.ground, book, by=by, days=days)
    policy = telling.title(book.kind, book.name, book.version, speech())
    until = f"{ends_at:%Y-%m-%d %H:%M}"
    typer.echo(say(answers.CHALLENGES, challenger=challenger_id, policy=policy, until=until))


def run() -> None:
    """Ask every challenger about the live decisions it has not seen."""
    with Runtime.open(stop_after=True) as runtime:
        judged = follow(runtime.ground)
    typer.echo(say(answers.JUDGED, count=f"{judged:,}"))


def report(
    challenger_id: Which,
    examples: Annotated[
        int, typer.Option("--examples", min=0, max=100, help="How many decisions to show.")
    ] = EXAMPLES,
    as_json: AsJson = False,
) -> None:
    """Tell where a challenger parts from the live policy: outcomes, each rule, examples."""
    with Runtime.open(stop_after=True) as runtime:
        found = telling.read(runtime.store, challenger_id, examples=examples)
    if as_json:
        typer.echo(json.dumps(telling.as_table(found), ensure_ascii=False, indent=2))
        return
    telling.show(found, Console(highlight=False, markup=False), speech())


def list_() -> None:
    """List the challengers, those that run and those that ended."""
    with Runtime.open(stop_after=True) as runtime:
        found = telling.every(runtime.store)
    telling.show_all(found, Console(highlight=False, markup=False), speech())


def stop(challenger_id: Which, by: Person) -> None:
    """Stop a challenger before its end; what it said stays."""
    with Runtime.open(stop_after=True) as runtime:
        shadowing.stop(runtime.ground, challenger_id, by=by)
    typer.echo(say(answers.STOPPED, challenger=challenger_id, by=by))
