"""`fenqi appeal`: somebody contests a decision about them; a person who did not make it finds."""

from typing import Annotated
from uuid import UUID

import typer

from fenqi.cli import answers
from fenqi.cli.language import say, speech
from fenqi.cli.objections import Found, Words, listing, plain
from fenqi.cli.sending import about, send
from fenqi.core.risk.appeal import Answer
from fenqi.core.values.ids import AccountId
from fenqi.flows.appeal import CUSTOMER, OpenAppeal, open_appeal
from fenqi.flows.close_appeal import CloseAppeal, close_appeal
from fenqi.report import appeal as telling
from fenqi.report import decision as decisions
from fenqi.runtime import Runtime


def register(app: typer.Typer) -> None:
    """Add the commands of this file to the program."""
    group = typer.Typer(no_args_is_help=True, help="Decisions that customers contest.")
    group.command("list", help="List appeals, those first that are to be answered first.")(
        listing(telling)
    )
    group.command("open")(open_)
    group.command("close")(close)
    app.add_typer(group, name="appeal")


def open_(
    decision_id: Annotated[UUID, typer.Argument(metavar="DECISION", help="The decision's id.")],
    text: Words,
    by: Annotated[
        str, typer.Option("--by", help="Who writes it down for them, and will not answer it.")
    ] = CUSTOMER,
) -> None:
    """Contest a decision for whom it is about: a decline, a cut, a dearer price, a hold."""
    with Runtime.open(stop_after=True) as runtime:
        account_id = decisions.read(runtime.store, decision_id).account_id
        command = OpenAppeal(
            **about(runtime, account_id),
            actor=by,
            account_id=AccountId(account_id),
            decision_id=decision_id,
            text=text,
        )
        answer = send(runtime, open_appeal, command)
    told = {"appeal": answer.appeal_id, "case": answer.case_id, "day": answer.due_on}
    said = say(answers.APPEALED, **told)
    plain().print(said, soft_wrap=True)


def close(
    appeal_id: Annotated[UUID, typer.Argument(metavar="APPEAL", help="The appeal's id.")],
    outcome: Annotated[Answer, typer.Option("--outcome", help="What was found.")],
    by: Annotated[str, typer.Option("--by", help="The person who found it.")],
    text: Found,
    reasons: Annotated[
        list[str] | None,
        typer.Option(
            "--reason", help="A reason of the decision that is refuted, or stands; none names all."
        ),
    ] = None,
    income: Annotated[
        int | None,
        typer.Option(
            "--income", help="What an applicant has shown to earn, in minor units a month."
        ),
    ] = None,
    evidence: Annotated[
        str | None, typer.Option("--evidence", help="By what: payslip, bank-statement, tax-record.")
    ] = None,
) -> None:
    """Find for the customer, which undoes the decision, or against, which says why it stands."""
    with Runtime.open(stop_after=True) as runtime:
        account_id = telling.account_of(runtime.store, appeal_id)
        command = CloseAppeal(
            **about(runtime, account_id),
            actor=by,
            account_id=AccountId(account_id),
            appeal_id=appeal_id,
            outcome=outcome,
            text=text,
            reasons=tuple(reasons or ()),
            income_evidenced_minor=income,
            evidence=evidence,
        )
        answer = send(runtime, close_appeal, command)
        appeal = telling.read(runtime.store, appeal_id)
        record = decisions.read(runtime.store, appeal.decision_id)
    telling.show_close(
        appeal,
        record,
        plain(),
        speech(),
        restored=answer.restored,
        ended=answer.ended,
        is_reopened=answer.is_reopened,
        stands=answer.stands,
    )
