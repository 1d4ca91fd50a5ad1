"""`fenqi account`: which accounts there are, and one with all an officer looks at first."""

from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console

from fenqi.cli import answers
from fenqi.cli.language import preferred_language, say, speech
from fenqi.core.account import AccountStatus
from fenqi.core.risk.response import ProtectionKind
from fenqi.report import account as telling
from fenqi.report.rolls import LAST_BUCKET
from fenqi.runtime import Runtime

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file to the program."""
    group = typer.Typer(no_args_is_help=True, help="Look at accounts.")
    group.command("list")(list_)
    group.command()(show)
    app.add_typer(group, name="account")


def list_(
    book_id: Annotated[
        str | None, typer.Option("--book", help="Only those of this book; default: all.")
    ] = None,
    status: Annotated[
        AccountStatus | None, typer.Option("--status", help="Only those that are so now.")
    ] = None,
    under: Annotated[
        ProtectionKind | None,
        typer.Option("--under", help="Only those whose purchases this keeps back now."),
    ] = None,
    bucket: Annotated[
        int | None,
        typer.Option(
            "--bucket",
            min=0,
            max=LAST_BUCKET,
            help="Only those whose worst plan is so late: 0 on time, 2 is M2, 7 is M7 and beyond.",
        ),
    ] = None,
    person: Annotated[
        str | None, typer.Option("--person", help="Only this person's, by the reference given.")
    ] = None,
    most: Annotated[int, typer.Option("--most", min=1, max=1_000, help="At most so many.")] = 50,
    before: Annotated[
        UUID | None, typer.Option("--before", help="Go on after this account, the last seen.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List accounts, those opened last first, page by page."""
    with Runtime.open(stop_after=True) as runtime:
        lines = telling.listed(
            runtime.store,
            runtime.clock,
            book_id=book_id,
            status=status.value if status else None,
            under=under,
            bucket=bucket,
            person=person,
            most=most,
            before=before,
        )
    if as_json:
        typer.echo(telling.to_json(lines))
        return
    filters = {
        "--book": book_id,
        "--status": status,
        "--under": under,
        "--bucket": bucket,
        "--person": person,
        "--before": before,
    }
    asked = [f"{name} {value}" for name, value in filters.items() if value is not None]
    telling.show_list(lines, _console(), speech(), asked=asked)
    if len(lines) == most:
        _console().print(say(answers.MORE, last=lines[-1].account_id), soft_wrap=True)


def show(
    account_id: Annotated[UUID, typer.Argument(metavar="ACCOUNT", help="The account's id.")],
    as_json: AsJson = False,
) -> None:
    """Tell an account: limit, what is owed and overdue, what keeps purchases back, and why."""
    with Runtime.open(stop_after=True) as runtime:
        story = telling.read(runtime.ground, account_id, preferred_language())
    if as_json:
        typer.echo(telling.to_json(story))
        return
    telling.show(story, runtime.clock, _console(), speech())


def _console() -> Console:
    return Console(highlight=False, markup=False)
