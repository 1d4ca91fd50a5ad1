"""`fenqi close-day`: close a book through a day."""

import json
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from fenqi.cli import answers
from fenqi.cli.errors import tell_of
from fenqi.cli.language import say
from fenqi.runtime import Runtime
from fenqi.worker.close import close_through


def register(app: typer.Typer) -> None:
    """Add the command of this file to the program."""
    app.command("close-day")(close_day)


def close_day(
    day: Annotated[datetime, typer.Argument(formats=["%Y-%m-%d"], help="The last day to close.")],
    book_id: Annotated[str, typer.Option("--book", help="Which book.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Close every open day of a book up to DAY; a day that is closed already stays as it is."""
    with (
        Runtime.open(stop_after=True) as runtime,
        Progress(console=Console(stderr=True, markup=False), transient=True) as progress,
    ):
        tell_of(runtime.others)
        task = progress.add_task(say(answers.CLOSING), total=None)

        def on_day(done: object) -> None:
            progress.update(task, advance=1, description=say(answers.CLOSED_DAY, day=done))

        closed = close_through(runtime.ground, book_id, day.date(), on_day=on_day)
    if as_json:
        days = [one.isoformat() for one in closed.days]
        typer.echo(json.dumps({"book": book_id, "days": days, "touched": closed.touched}))
        return
    console = Console(highlight=False, markup=False)
    if not closed.days:
        console.print(say(answers.CLOSED_ALREADY, book=book_id, day=day.date()))
        return
    ends = {"first": closed.days[0], "last": closed.days[-1]}
    console.print(say(answers.CLOSED_DAYS, book=book_id, **ends))
    for step, touched in closed.touched.items():
        console.print(f"  {step:16} {touched:>8,}  {say(answers.COUNTED[step])}")
