"""`fenqi plan`: what a purchase would cost, before anyone signs anything."""

from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console

from fenqi.report import quote as quoting
from fenqi.runtime import SystemClock

DAY = ["%Y-%m-%d"]


def register(app: typer.Typer) -> None:
    """Add the commands of this file to the program."""
    group = typer.Typer(no_args_is_help=True, help="Look at a plan before it exists.")
    group.callback()(_plan)  # keeps `quote` a command of its own while it is the only one
    group.command()(quote)
    app.add_typer(group, name="plan")


def _plan() -> None:
    """Look at a plan before it exists."""


def quote(
    amount: Annotated[str, typer.Argument(help="What is bought for, such as 1299.50.")],
    product: Annotated[str, typer.Option(help="The product's name.")] = "flat",
    count: Annotated[int, typer.Option(help="In how many instalments.")] = 6,
    on: Annotated[
        datetime | None,
        typer.Option("--on", formats=DAY, help="The day of purchase; default: today, in UTC."),
    ] = None,
    currency: Annotated[str, typer.Option(help="The currency's ISO 4217 code.")] = "CNY",
    statement_day: Annotated[
        int, typer.Option(help="The day of the month statements are cut on.")
    ] = 1,
    due_after_days: Annotated[
        int, typer.Option(help="How many days after the statement it falls due.")
    ] = quoting.DUE_AFTER_DAYS,
    settle_on: Annotated[
        datetime | None,
        typer.Option("--settle-on", formats=DAY, help="Also quote ending it early that day."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,  # noqa: FBT002 - an option, named when given
) -> None:
    """Print schedule, cost table and yearly rates; needs no database."""
    quoted = quoting.quote(
        quoting.Asked(
            amount=amount,
            currency=currency,
            product=product,
            count=count,
            on=(on or SystemClock().now()).date(),
            statement_day=statement_day,
            due_after_days=due_after_days,
            settle_on=settle_on.date() if settle_on else None,
        )
    )
    if as_json:
        typer.echo(quoting.to_json(quoted))
        return
    quoting.show(quoted, Console(highlight=False))
