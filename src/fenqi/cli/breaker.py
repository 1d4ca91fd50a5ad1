"""`fenqi breaker`: caps on the harm a machine may do, which of them were met, and their reset."""

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console

from fenqi.cli import answers
from fenqi.cli.language import say, speech
from fenqi.core.risk.decision import DecisionKind
from fenqi.flows.reset import reset as reset_breaker
from fenqi.report import breaker as telling
from fenqi.runtime import Runtime

Book = Annotated[
    str | None, typer.Option("--book", help="Which book; needed if there are several.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this file to the program."""
    group = typer.Typer(no_args_is_help=True, help="See which caps on harm were met; reset them.")
    group.command("list")(list_)
    group.command()(reset)
    app.add_typer(group, name="breaker")


def list_(
    book_id: Annotated[
        str | None, typer.Option("--book", help="Only of this book; default: all.")
    ] = None,
    only_open: Annotated[bool, typer.Option("--open", help="Only those that are open.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """List the caps that were met: the kind's policy fell back to its last good version."""
    with Runtime.open(stop_after=True) as runtime:
        trips = telling.read(runtime.store, book_id, only_open=only_open)
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in trips], default=str, ensure_ascii=False))
        return
    telling.show(trips, Console(highlight=False, markup=False), speech())


def reset(
    kind: Annotated[DecisionKind, typer.Argument(help="The kind of decision.")],
    by: Annotated[str, typer.Option("--by", help="Your name: who looked.")],
    finding: Annotated[str, typer.Option("--finding", help="What was found.")],
    book_id: Book = None,
) -> None:
    """Close the open breakers of a kind; its newest policy decides again. The caps stay."""
    with Runtime.open(stop_after=True) as runtime:
        book = telling.chosen(runtime.store, book_id)
        closed = reset_breaker(runtime.ground, book, kind, by=by, finding=finding)
    typer.echo(say(answers.RESET, count=closed, by=by, kind=kind.value))
