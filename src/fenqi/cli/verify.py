"""`fenqi verify`: a person has met the customer, who has passed the check that was asked for."""

from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console

from fenqi.cli import answers
from fenqi.cli.language import say
from fenqi.cli.sending import about, send
from fenqi.core.risk.case import check_name
from fenqi.core.values.ids import AccountId
from fenqi.flows.verify import Verify
from fenqi.flows.verify import verify as verifying
from fenqi.runtime import Runtime


def register(app: typer.Typer) -> None:
    """Add the command of this file to the program."""
    app.command()(verify)


def verify(
    account_id: Annotated[UUID, typer.Argument(metavar="ACCOUNT", help="The account's id.")],
    by: Annotated[str, typer.Option("--by", help="The person who checked who it is.")],
) -> None:
    """Let a customer pass the check that is asked for before the next purchase.

    A hold that only a crowded network placed ends too, no other and no freeze; only facts that come
    later ask for another check.
    """
    with Runtime.open(stop_after=True) as runtime:
        command = Verify(
            **about(runtime, account_id),
            actor=check_name("actor", by),
            account_id=AccountId(account_id),
        )
        send(runtime, verifying, command)
    said = say(answers.VERIFIED, account=account_id)
    Console(highlight=False, markup=False).print(said, soft_wrap=True)
