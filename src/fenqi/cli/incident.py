"""`fenqi incident`: outages that must not count against customers, opened, agreed to and closed."""

import json
from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.console import Console

from fenqi.cli import answers
from fenqi.cli.language import say, speech
from fenqi.core.values.day import days_after
from fenqi.flows import excuse
from fenqi.flows.excuse import DAYS_MAX, Outage
from fenqi.report import incident as telling
from fenqi.runtime import Runtime

Which = Annotated[UUID, typer.Argument(metavar="INCIDENT", help="The incident's id.")]
Who = Annotated[str, typer.Option("--by", help="The person who does this.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file to the program."""
    group = typer.Typer(no_args_is_help=True, help="Outages that never count against a customer.")
    group.command("list")(list_)
    group.command("open")(open_)
    group.command("second")(second_)
    group.command("close")(close_)
    app.add_typer(group, name="incident")


def list_(
    with_closed: Annotated[bool, typer.Option("--all", help="Closed ones too.")] = False,
    as_json: AsJson = False,
) -> None:
    """List incidents, the latest first: which days each excuses."""
    with Runtime.open(stop_after=True) as runtime:
        found = telling.read(runtime.store, with_closed=with_closed)
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found], default=str, ensure_ascii=False))
        return
    telling.show(found, _console(), speech())


def open_(
    from_on: Annotated[
        datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="Its first day.")
    ],
    reason: Annotated[str, typer.Option("--reason", help="What was down, in your own words.")],
    by: Who,
    through_on: Annotated[
        datetime | None,
        typer.Option("--to", formats=["%Y-%m-%d"], help="Its last day; without it, it runs."),
    ] = None,
    days: Annotated[
        int | None,
        typer.Option("--days", min=1, max=DAYS_MAX, help="Instead of --to: how many days."),
    ] = None,
    channel: Annotated[
        str | None, typer.Option("--channel", help="Only those who pay by it; default: everybody.")
    ] = None,
    book_id: Annotated[
        str | None, typer.Option("--book", help="Which book; needed if there are several.")
    ] = None,
    only_preview: Annotated[
        bool, typer.Option("--preview", help="Only tell what it would take back from whom.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Excuse the days of an outage, and take back what was held against customers for them."""
    if days is not None and through_on is not None:
        raise typer.BadParameter(say(answers.DAYS_OR_TO))
    first = from_on.date()
    last = through_on.date() if through_on else None
    if days is not None:
        last = days_after(first, days - 1)
    with Runtime.open(stop_after=True) as runtime:
        book = telling.chosen(runtime.store, book_id)
        outage = Outage(book.book_id, reason, first, last, channel)
        if only_preview:
            seen = excuse.preview(runtime.ground, outage, by=by)
            if as_json:
                typer.echo(telling.preview_to_json(seen))
            else:
                telling.show_preview(seen, book, _console(), speech())
            return
        one = excuse.open_incident(runtime.ground, outage, by=by)
        found = telling.read_taken_back(runtime.store, one.incident_id)
    if as_json:
        typer.echo(telling.to_json(one, found))
        return
    _tell(one, telling.taken_back(found, book, speech()))


def second_(incident_id: Which, by: Who) -> None:
    """Agree, as a second person, to all the days that were asked."""
    with Runtime.open(stop_after=True) as runtime:
        one = excuse.second(runtime.ground, incident_id, by=by)
        back = _taken_back(runtime, one)
    _tell(one, back)


def close_(incident_id: Which, by: Who) -> None:
    """End an incident with today; what it excused stays excused."""
    with Runtime.open(stop_after=True) as runtime:
        one = excuse.close_incident(runtime.ground, incident_id, by=by)
        back = _taken_back(runtime, one)
    closed = answers.INCIDENT_CLOSED if one.span else answers.INCIDENT_CLOSED_UNUSED
    typer.echo(say(closed, incident=one.incident_id, first=one.from_on, last=one.granted_on))
    typer.echo(back)


def _taken_back(runtime: Runtime, one: Any) -> str:
    """Return in a sentence what an incident really took back so far."""
    book = telling.chosen(runtime.store, one.book_id)
    found = telling.read_taken_back(runtime.store, one.incident_id)
    return telling.taken_back(found, book, speech())


def _tell(one: Any, back: str) -> None:
    told: dict[str, date | UUID | str] = {
        "incident": one.incident_id,
        "first": one.from_on,
        "last": one.granted_on,
        "until": one.through_on,
    }
    said = answers.EXCUSED if one.span else answers.NOT_EXCUSED
    typer.echo(say(said, **told))
    typer.echo(back)
    if one.waits_for_second:
        typer.echo(say(answers.EXCUSED_ONCE_SECONDED, **told))


def _console() -> Console:
    return Console(highlight=False, markup=False)
