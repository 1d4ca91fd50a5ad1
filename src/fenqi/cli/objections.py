"""What customers object to, listed: purchases they contest and decisions they appeal against."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Annotated, Any, Protocol
from uuid import UUID

import typer
from rich.console import Console

from fenqi.cli.language import speech
from fenqi.report.language import Speech
from fenqi.runtime import Runtime

Words = Annotated[str, typer.Argument(metavar="TEXT", help="In their own words.")]
Found = Annotated[
    str,
    typer.Argument(metavar="TEXT", help="What was found and why, in the words of who found it."),
]


class Telling(Protocol):
    """How objections of a kind are read and printed: a module of `report`."""

    def listed(self, store: Any, *, account_id: UUID | None, with_ended: bool) -> Sequence[Any]:
        """Return objections, those first that are to be answered first."""

    def show(self, lines: Sequence[Any], console: Console, speech: Speech) -> None:
        """Print one objection a row."""


def listing(telling: Telling) -> Callable[..., None]:
    """Return the command that lists objections of a kind."""

    def list_(
        account_id: Annotated[
            UUID | None, typer.Option("--account", help="Only those of this account.")
        ] = None,
        with_ended: Annotated[bool, typer.Option("--all", help="Decided ones too.")] = False,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
    ) -> None:
        with Runtime.open(stop_after=True) as runtime:
            lines = telling.listed(runtime.store, account_id=account_id, with_ended=with_ended)
        if as_json:
            table = [asdict(one) for one in lines]
            typer.echo(json.dumps(table, default=str, ensure_ascii=False, indent=2))
            return
        telling.show(lines, plain(), speech())

    return list_


def plain() -> Console:
    """Return a console that prints what it is given as it is."""
    return Console(highlight=False, markup=False)
