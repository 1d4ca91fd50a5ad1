"""`fenqi plan`: what a purchase would cost, and what a request would make of a plan."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Annotated, TypeVar
from uuid import UUID

import typer
from rich.console import Console

from fenqi.cli.language import speech
from fenqi.core.values.ids import AccountId, PlanId
from fenqi.core.values.money import currency as currency_of
from fenqi.core.values.rate import PPM
from fenqi.machine import SystemClock
from fenqi.report import preview as previewing
from fenqi.report import quote as quoting
from fenqi.report import request as requesting
from fenqi.report.language import Speech
from fenqi.report.quote import read_amount
from fenqi.runtime import Runtime

DAY = ["%Y-%m-%d"]
STATEMENT_MAX = 1_000_000  # of one account

Product = Annotated[str, typer.Option(help="The product's name.")]
Count = Annotated[int, typer.Option(help="In how many instalments.")]
Unit = Annotated[str, typer.Option(help="The currency's ISO 4217 code.")]
Price = Annotated[
    int, typer.Option("--price-ppm", help="At so many millionths of the product's own price.")
]
StatementDay = Annotated[int, typer.Option(help="The day of the month statements are cut on.")]
DueAfter = Annotated[int, typer.Option(help="How many days after the statement it falls due.")]
Statement = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=STATEMENT_MAX,
        help="A stored statement that becomes --product in --count, by its number.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file to the program."""
    group = typer.Typer(no_args_is_help=True, help="Look at a plan before it exists or changes.")
    group.command()(quote)
    group.command()(preview)
    app.add_typer(group, name="plan")


def quote(
    amount: Annotated[str, typer.Argument(help="What is bought for, such as 1299.50.")],
    product: Product = "flat",
    count: Count = 6,
    on: Annotated[
        datetime | None,
        typer.Option("--on", formats=DAY, help="The day of purchase; default: today, in UTC."),
    ] = None,
    currency: Unit = "CNY",
    statement_day: StatementDay = 1,
    due_after_days: DueAfter = quoting.DUE_AFTER_DAYS,
    price_ppm: Price = PPM,
    settle_on: Annotated[
        datetime | None,
        typer.Option("--settle-on", formats=DAY, help="Also quote ending it early that day."),
    ] = None,
    as_json: AsJson = False,
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
            price_ppm=price_ppm,
        )
    )
    if as_json:
        typer.echo(quoting.to_json(quoted))
        return
    quoting.show(quoted, Console(highlight=False, markup=False), speech())


def preview(
    amount: Annotated[
        str | None, typer.Argument(help="What was bought for, such as 1299.50; not with --plan.")
    ] = None,
    on: Annotated[
        datetime | None, typer.Option("--on", formats=DAY, help="The day of purchase.")
    ] = None,
    asked_on: Annotated[
        datetime | None,
        typer.Option("--asked-on", formats=DAY, help="The day of the request; stored: the book's."),
    ] = None,
    account: Annotated[UUID | None, typer.Option(help="Whose stored plan or statement.")] = None,
    plan: Annotated[UUID | None, typer.Option(help="A stored plan, by its id.")] = None,
    statement: Statement = None,
    product: Product = "flat",
    count: Count = 6,
    currency: Unit = "CNY",
    statement_day: StatementDay = 1,
    due_after_days: DueAfter = quoting.DUE_AFTER_DAYS,
    price_ppm: Price = PPM,
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
    cancel: Annotated[bool, typer.Option("--cancel", help="End it on the day it began.")] = False,
    refund: Annotated[
        str | None, typer.Option(help="Goods of so much go back, such as 99.50.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print a plan before and after a request, as it would be booked; nothing is booked.

    Of a stored plan (--account and --plan) or statement (--account and --statement); or of a
    purchase that is described here, all paid on time so far, which needs no database.
    """
    wish = previewing.Wish(
        on=(asked_on or SystemClock().now()).date(),
        defer_days=defer,
        due_day=due_day,
        extend_count=extend,
        split_through=split_bill.date() if split_bill else None,
        withdraws=withdraw or None,
        settles=settle or None,
        cancels=cancel or None,
    )
    bill = requesting.Bill(statement, product, count) if statement is not None else None
    if account is not None and amount is None:
        if price_ppm != PPM:
            raise previewing.PreviewUnclear()  # what is stored has its own price
        given = (AccountId(account), plan, bill, wish)
        stored = _stored(*given, refund=refund, is_open_day=asked_on is None)
        _print(requesting.to_json, requesting.show, stored, as_json=as_json)
        return
    if amount is None or on is None or asked_on is None or account or plan or bill:
        raise previewing.PreviewUnclear()
    if refund is not None:
        wish = replace(wish, refund_minor=read_amount(refund, currency_of(currency)))
    place = (statement_day, due_after_days)
    asked = quoting.Asked(amount, currency, product, count, on.date(), *place, price_ppm=price_ppm)
    shown = previewing.preview(asked, wish)
    _print(previewing.to_json, previewing.show, shown, as_json=as_json)


def _stored(
    account_id: AccountId,
    plan: UUID | None,
    bill: requesting.Bill | None,
    wish: previewing.Wish,
    *,
    refund: str | None,
    is_open_day: bool,
) -> requesting.Answer:
    """Return what a request would make of what is stored; a refund is in the account's currency.

    Errors: AmountInvalid, PreviewUnclear, and those of `requesting.preview`.
    """
    is_plain = wish == previewing.Wish(wish.on) and refund is None
    is_clear = is_plain if bill else wish.split_through is None
    if (plan is None) == (bill is None) or not is_clear:
        raise previewing.PreviewUnclear()
    with Runtime.open(stop_after=True) as runtime:
        if refund is not None:
            unit = requesting.unit_of(runtime.ground, account_id)
            wish = replace(wish, refund_minor=read_amount(refund, unit))
        if is_open_day:
            wish = replace(wish, on=requesting.open_day(runtime.ground, account_id))
        plan_id = None if plan is None else PlanId(plan)
        return requesting.preview(runtime.ground, account_id, plan_id=plan_id, wish=wish, bill=bill)


Shown = TypeVar("Shown")


def _print(
    to_json: Callable[[Shown], str],
    show: Callable[[Shown, Console, Speech], None],
    shown: Shown,
    *,
    as_json: bool,
) -> None:
    if as_json:
        typer.echo(to_json(shown))
        return
    show(shown, Console(highlight=False, markup=False), speech())
