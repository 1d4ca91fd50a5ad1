"""`fenqi plan`: what a purchase would cost, and what a request would make of it."""

from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console

from fenqi.machine import SystemClock
from fenqi.report import preview as previewing
from fenqi.report import quote as quoting

DAY = ["%Y-%m-%d"]


def register(app: typer.Typer) -> None:
    """Add the commands of this file to the program."""
    group = typer.Typer(no_args_is_help=True, help="Look at a plan before it exists.")
    group.command()(quote)
    group.command()(preview)
    app.add_typer(group, name="plan")


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
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
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
    quoting.show(quoted, Console(highlight=False, markup=False))


def preview(
    amount: Annotated[str, typer.Argument(help="What was bought for, such as 1299.50.")],
    on: Annotated[datetime, typer.Option("--on", formats=DAY, help="The day of purchase.")],
    asked_on: Annotated[
        datetime, typer.Option("--asked-on", formats=DAY, help="The day of the request.")
    ],
    product: Annotated[str, typer.Option(help="The product's name.")] = "flat",
    count: Annotated[int, typer.Option(help="In how many instalments.")] = 6,
    currency: Annotated[str, typer.Option(help="The currency's ISO 4217 code.")] = "CNY",
    statement_day: Annotated[
        int, typer.Option(help="The day of the month statements are cut on.")
    ] = 1,
    due_after_days: Annotated[
        int, typer.Option(help="How many days after the statement it falls due.")
    ] = quoting.DUE_AFTER_DAYS,
    defer: Annotated[
        int | None, typer.Option(help="Pay the next instalment so many days later.")
    ] = None,
    due_day: Annotated[
        int | None, typer.Option(help="Pay what is to come on this day of the month.")
    ] = None,
    extend: Annotated[int | None, typer.Option(help="Add so many instalments.")] = None,
    split_bill: Annotated[
        datetime | None,
        typer.Option(formats=DAY, help="Let what falls due through a day become another plan."),
    ] = None,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Withdraw from it.")] = False,
    settle: Annotated[bool, typer.Option("--settle", help="End it early.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Print a plan before and after a request, all paid on time so far; needs no database."""
    asked = quoting.Asked(
        amount=amount,
        currency=currency,
        product=product,
        count=count,
        on=on.date(),
        statement_day=statement_day,
        due_after_days=due_after_days,
    )
    wish = previewing.Wish(
        on=asked_on.date(),
        defer_days=defer,
        due_day=due_day,
        extend_count=extend,
        split_through=split_bill.date() if split_bill else None,
        withdraws=withdraw or None,
        settles=settle or None,
    )
    shown = previewing.preview(asked, wish)
    if as_json:
        typer.echo(previewing.to_json(shown))
        return
    previewing.show(shown, Console(highlight=False, markup=False))
