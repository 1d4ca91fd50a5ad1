"""`fenqi contest`: a customer contests a purchase; a person finds for or against it."""

from typing import Annotated
from uuid import UUID

import typer

from fenqi.cli import answers
from fenqi.cli.language import say, speech
from fenqi.cli.objections import Found, Words, listing, plain
from fenqi.cli.sending import about, send
from fenqi.core.servicing.contest import Finding, Ground
from fenqi.core.values.ids import AccountId, PlanId
from fenqi.flows.contest import (
    CUSTOMER,
    CloseContest,
    OpenContest,
    close_contest,
    open_contest,
)
from fenqi.report import contest as telling
from fenqi.runtime import Runtime

Account = Annotated[UUID, typer.Option("--account", help="The account's id.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file to the program."""
    group = typer.Typer(no_args_is_help=True, help="Purchases that customers contest.")
    group.command("list", help="List contests, the longest open first.")(listing(telling))
    group.command("open")(open_)
    group.command("close")(close)
    app.add_typer(group, name="contest")


def open_(
    account_id: Account,
    plan_id: Annotated[UUID, typer.Option("--plan", help="The plan of the purchase.")],
    ground: Annotated[Ground, typer.Option("--ground", help="Why.")],
    text: Words,
) -> None:
    """Contest a purchase for its customer; until it is decided nothing of it is claimed."""
    with Runtime.open(stop_after=True) as runtime:
        command = OpenContest(
            **about(runtime, account_id),
            actor=CUSTOMER,
            account_id=AccountId(account_id),
            plan_id=PlanId(plan_id),
            ground=ground,
            text=text,
            asked_at=runtime.clock.now(),
        )
        answer = send(runtime, open_contest, command)
    told = say(answers.CONTESTED, contest=answer.contest_id, case=answer.case_id)
    plain().print(told, soft_wrap=True)


def close(
    contest_id: Annotated[UUID, typer.Argument(metavar="CONTEST", help="The contest's id.")],
    account_id: Account,
    outcome: Annotated[Finding, typer.Option("--outcome", help="What was found.")],
    by: Annotated[str, typer.Option("--by", help="The person who found it.")],
    text: Found,
) -> None:
    """Find for the customer, which undoes the purchase, or against, which gives the days back."""
    with Runtime.open(stop_after=True) as runtime:
        command = CloseContest(
            **about(runtime, account_id),
            actor=by,
            account_id=AccountId(account_id),
            contest_id=contest_id,
            outcome=outcome,
            text=text,
            found_at=runtime.clock.now(),
        )
        answer = send(runtime, close_contest, command)
        unit = telling.unit_of(runtime.store, account_id)
    closed = telling.Closed(
        is_upheld=outcome is Finding.UPHELD,
        principal_minor=answer.principal_minor,
        returned_minor=answer.returned_minor,
        days_given=answer.days_given,
    )
    telling.show_close(contest_id, closed, unit, plain(), speech())
