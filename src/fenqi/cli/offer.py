"""`fenqi offer`: a limit rises only when its customer says so: an offer accepted, or a wish."""

from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console

from fenqi.cli import answers
from fenqi.cli.language import say, speech
from fenqi.cli.sending import about, send
from fenqi.core.values.ids import AccountId
from fenqi.flows.accept import Accept, Accepted, accept
from fenqi.flows.assess import Assess, Assessed, assess
from fenqi.report import offer as telling
from fenqi.report.ink import money_text
from fenqi.report.names import words
from fenqi.runtime import Runtime

CUSTOMER = "customer"
LIMIT_MAX = 10**15
KEPT, CUT = "kept", "cut"

Which = Annotated[UUID, typer.Argument(metavar="OFFER", help="The offer's id.")]
Account = Annotated[UUID, typer.Option("--account", help="The account's id.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file to the program."""
    group = typer.Typer(
        no_args_is_help=True, help="Higher limits: what is offered, answered and asked for."
    )
    group.command("list")(list_)
    group.command("accept")(accept_)
    group.command("decline")(decline)
    group.command("ask")(ask)
    app.add_typer(group, name="offer")


def list_(
    account_id: Annotated[
        UUID | None, typer.Option("--account", help="Only those to this account.")
    ] = None,
    with_answered: Annotated[bool, typer.Option("--all", help="Answered ones too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """List offers of a higher limit, those first that end first."""
    with Runtime.open(stop_after=True) as runtime:
        found = telling.read(runtime.store, account_id, with_answered=with_answered)
        if as_json:
            typer.echo(telling.to_json(found))
            return
        telling.show(runtime.store, found, Console(highlight=False, markup=False), speech())


def accept_(offer_id: Which, account_id: Account) -> None:
    """Take the higher limit, for whom it was offered to."""
    _answer(offer_id, account_id, answers.OFFER_ACCEPTED, is_taken=True)


def decline(offer_id: Which, account_id: Account) -> None:
    """Leave the limit as it is; another offer may come."""
    _answer(offer_id, account_id, answers.OFFER_DECLINED, is_taken=False)


def ask(
    account_id: Annotated[UUID, typer.Argument(metavar="ACCOUNT", help="The account's id.")],
    asked_minor: Annotated[
        int,
        typer.Option(
            "--limit",
            min=1,
            max=LIMIT_MAX,
            help="What the customer asks for, in minor units (300000 is 3,000.00 CNY).",
        ),
    ],
) -> None:
    """Ask for a higher limit, for the customer; the live policy decides, with reasons."""
    with Runtime.open(stop_after=True) as runtime:
        command = Assess(
            **about(runtime, account_id),
            actor=CUSTOMER,
            account_id=AccountId(account_id),
            asked_minor=asked_minor,
        )
        done: Assessed = send(runtime, assess, command)
        limit = money_text(done.new_minor, telling.currency_of(runtime.store, account_id))
    why = words([*done.reasons, *done.bounds], speech())
    kept = answers.LIMIT_KEPT if why else answers.LIMIT_KEPT_SO_FAR
    said = {KEPT: kept, CUT: answers.LIMIT_CUT}.get(done.outcome, answers.LIMIT_RAISED)
    typer.echo(say(said, limit=limit, reasons=why))


def _answer(offer_id: UUID, account_id: UUID, said: str, *, is_taken: bool) -> None:
    with Runtime.open(stop_after=True) as runtime:
        command = Accept(
            **about(runtime, account_id),
            actor=CUSTOMER,
            account_id=AccountId(account_id),
            offer_id=offer_id,
            accepts=is_taken,
        )
        done: Accepted = send(runtime, accept, command)
        limit = money_text(done.limit_minor, telling.currency_of(runtime.store, account_id))
    typer.echo(say(said, limit=limit))
