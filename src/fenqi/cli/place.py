"""`fenqi place`: addresses that many honest people share, by whose word and until when."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console

from fenqi.cli import answers
from fenqi.cli.language import say, speech
from fenqi.core.risk.crowd import PlaceKind
from fenqi.flows.allow import Sharing, add_place, remove_place
from fenqi.report import place as telling
from fenqi.runtime import Runtime

Who = Annotated[str, typer.Option("--by", help="The person who says so.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file to the program."""
    group = typer.Typer(no_args_is_help=True, help="Addresses that many honest people share.")
    group.command("add")(add)
    group.command("list")(list_)
    group.command("remove")(remove)
    app.add_typer(group, name="place")


def add(
    addresses: Annotated[
        str,
        typer.Argument(
            metavar="RANGE", help="An address, or a range such as 203.0.113.0/24 or 2001:db8::/48."
        ),
    ],
    kind: Annotated[PlaceKind, typer.Option("--kind", help="What it is.")],
    note: Annotated[str, typer.Option("--note", help="Why it is believed, without addresses.")],
    by: Who,
    last_on: Annotated[
        datetime | None,
        typer.Option("--until", formats=["%Y-%m-%d"], help="Its last day; without it, no end."),
    ] = None,
) -> None:
    """Write down that many share an address or range: no crowd there is held or frozen."""
    with Runtime.open(stop_after=True) as runtime:
        sharing = Sharing(addresses, kind, note, last_on.date() if last_on else None)
        added = add_place(runtime.ground, sharing, runtime.sealer(), by=by)
    said = answers.PLACE_ADDED if added.is_new else answers.PLACE_THERE
    typer.echo(say(said, place=added.place.place_id, size=telling.size(added.place)))


def list_(
    with_over: Annotated[
        bool, typer.Option("--all", help="Those that were removed or are over, too.")
    ] = False,
    address: Annotated[
        str | None, typer.Option("--of", help="Only those that hold this address.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """List places, the latest first. Addresses are known by seals; --of looks one up."""
    with Runtime.open(stop_after=True) as runtime:
        found = telling.read(runtime, with_over=with_over, address=address)
        if as_json:
            typer.echo(telling.to_json(found, runtime.clock))
            return
        telling.show(found, runtime.clock, Console(highlight=False, markup=False), speech())


def remove(
    place_id: Annotated[UUID, typer.Argument(metavar="PLACE", help="The place's id.")],
    by: Who,
) -> None:
    """Let a place count no more, from now on."""
    with Runtime.open(stop_after=True) as runtime:
        place = remove_place(runtime.ground, place_id, by=by)
    typer.echo(say(answers.PLACE_REMOVED, place=place.place_id, size=telling.size(place)))
