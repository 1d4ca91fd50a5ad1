"""`fenqi case`: what people look at, who has it, what they found; holds and freezes of a case."""

from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.console import Console

from fenqi.cli import answers
from fenqi.cli.language import say, speech
from fenqi.cli.sending import about, send
from fenqi.core.risk.case import CaseOutcome
from fenqi.core.risk.crowd import PlaceKind
from fenqi.core.values.ids import AccountId
from fenqi.flows.freeze import Freeze, Second, freeze, second
from fenqi.flows.lift import Lift, lift
from fenqi.flows.review import (
    AssignCase,
    CloseCase,
    NoteCase,
    OpenCase,
    assign_case,
    close_case,
    note_case,
    open_case,
)
from fenqi.report import case as telling
from fenqi.report.names import word
from fenqi.runtime import Runtime


class Found(StrEnum):
    """What a person may find; that a case goes on in another is nobody's word."""

    CONFIRMED = CaseOutcome.CONFIRMED.value
    FALSE_ALARM = CaseOutcome.FALSE_ALARM.value


Which = Annotated[UUID, typer.Argument(metavar="CASE", help="The case's id.")]
Who = Annotated[str, typer.Option("--by", help="The person who does this.")]
Account = Annotated[UUID, typer.Option("--account", help="The account's id.")]
Protection = Annotated[UUID, typer.Argument(metavar="PROTECTION", help="The protection's id.")]
Words = Annotated[str, typer.Argument(metavar="TEXT", help="In your own words.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file to the program."""
    group = typer.Typer(no_args_is_help=True, help="Work on cases.")
    group.command("list")(list_)
    group.command("open")(open_)
    group.command("freeze")(freeze_)
    group.command("second")(second_)
    group.command("lift")(lift_)
    for command in (show, assign, note, close):
        group.command()(command)
    app.add_typer(group, name="case")


def list_(
    assignee: Annotated[str | None, typer.Option("--with", help="Only this person's.")] = None,
    account_id: Annotated[
        UUID | None, typer.Option("--account", help="Only those about this account.")
    ] = None,
    with_closed: Annotated[bool, typer.Option("--all", help="Closed ones too.")] = False,
    most: Annotated[int, typer.Option("--most", min=1, max=1_000, help="At most so many.")] = 50,
    before: Annotated[
        UUID | None, typer.Option("--before", help="Go on after this case, the last seen.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List open cases, the most urgent first, page by page."""
    with Runtime.open(stop_after=True) as runtime:
        lines = telling.listed(
            runtime.store,
            runtime.clock,
            assignee=assignee,
            account_id=account_id,
            with_closed=with_closed,
            most=most,
            before=before,
        )
    if as_json:
        typer.echo(telling.to_json(lines))
        return
    telling.show_list(lines, runtime.clock, _console(), speech())
    if len(lines) == most:
        _say(answers.MORE, last=lines[-1].case_id)


def show(
    case_id: Which,
    as_json: AsJson = False,
) -> None:
    """Tell a case: its accounts, the evidence with the links, and who did what."""
    with Runtime.open(stop_after=True) as runtime:
        story = telling.read(runtime.store, runtime.clock, case_id)
    if as_json:
        typer.echo(telling.to_json(story))
        return
    telling.show(story, runtime.clock, _console(), speech())


def open_(
    account_id: Account,
    subject: Annotated[str, typer.Option("--subject", help="What it is about, in few words.")],
    text: Words,
    by: Who,
    priority: Annotated[int, typer.Option("--priority", min=1, max=4, help="1 is first.")] = 3,
    appeal: Annotated[
        UUID | None, typer.Option("--appeal", help="The case the customer appeals against.")
    ] = None,
) -> None:
    """Open a case about an account, or a customer's appeal against another case."""
    with Runtime.open(stop_after=True) as runtime:
        command = OpenCase(
            **about(runtime, account_id),
            actor=by,
            account_id=AccountId(account_id),
            subject=subject,
            text=text,
            priority=priority,
            about_case_id=appeal,
        )
        answer = send(runtime, open_case, command)
    _say(answers.OPENED, case=answer.case_id)


def assign(
    case_id: Which,
    assignee: Annotated[str, typer.Argument(metavar="PERSON", help="Who is to work on it.")],
    by: Who,
    priority: Annotated[
        int | None, typer.Option("--priority", min=1, max=4, help="Another priority; 1 is first.")
    ] = None,
) -> None:
    """Give a case to a person. Whoever took part is kept out of the appeal."""
    with Runtime.open(stop_after=True) as runtime:
        how: dict[str, Any] = {"assignee": assignee, "priority": priority}
        command = AssignCase(**_of_case(runtime, case_id, by), **how)
        send(runtime, assign_case, command)
    _say(answers.IS_WITH, case=case_id, person=assignee)


def note(case_id: Which, text: Words, by: Who) -> None:
    """Write in a case."""
    with Runtime.open(stop_after=True) as runtime:
        command = NoteCase(**_of_case(runtime, case_id, by), text=text)
        answer = send(runtime, note_case, command)
    _say(answers.LINE, case=case_id, number=answer.entry_count)


def close(
    case_id: Which,
    found: Annotated[Found, typer.Argument(metavar="OUTCOME", help="What was found.")],
    text: Words,
    by: Who,
    place: Annotated[
        PlaceKind | None,
        typer.Option("--place", help="Remember the case's address as one that many share."),
    ] = None,
) -> None:
    """Close a case. A false alarm ends at once all it did to customers, who are told."""
    with Runtime.open(stop_after=True) as runtime:
        outcome = CaseOutcome(found.value)
        how: dict[str, Any] = {"outcome": outcome, "text": text, "place": place}
        answer = send(runtime, close_case, CloseCase(**_of_case(runtime, case_id, by), **how))
    said = word(outcome.value, speech())
    _say(answers.CLOSED, case=case_id, outcome=said, count=answer.ended)


def freeze_(
    case_id: Which,
    account_id: Account,
    days: Annotated[int, typer.Option("--days", min=1, max=365, help="For how long.")],
    reasons: Annotated[list[str], typer.Option("--reason", help="What the customer is told.")],
    by: Who,
) -> None:
    """Freeze an account's new purchases; for more days than one may order, a second one agrees."""
    with Runtime.open(stop_after=True) as runtime:
        command = Freeze(
            **about(runtime, account_id),
            actor=by,
            account_id=AccountId(account_id),
            case_id=case_id,
            days=days,
            reasons=tuple(reasons),
        )
        answer = send(runtime, freeze, command)
    waits = answer.until != answer.asked_until
    _say(answers.FROZEN, until=answer.until, protection=answer.protection_id)
    if waits:
        _say(
            answers.ONCE_SECONDED,
            until=answer.asked_until,
            protection=answer.protection_id,
            account=account_id,
        )


def second_(protection_id: Protection, account_id: Account, by: Who) -> None:
    """Agree, as a second person, to a freeze as long as was asked."""
    with Runtime.open(stop_after=True) as runtime:
        command = Second(
            **about(runtime, account_id),
            actor=by,
            account_id=AccountId(account_id),
            protection_id=protection_id,
        )
        answer = send(runtime, second, command)
    _say(answers.SECONDED, until=answer.until)


def lift_(protection_id: Protection, account_id: Account, by: Who) -> None:
    """End a hold, freeze, smaller limit or check now."""
    with Runtime.open(stop_after=True) as runtime:
        command = Lift(
            **about(runtime, account_id),
            actor=by,
            account_id=AccountId(account_id),
            protection_id=protection_id,
        )
        send(runtime, lift, command)
    _say(answers.LIFTED)


def _of_case(runtime: Runtime, case_id: UUID, by: str) -> dict[str, Any]:
    """Return what every command about a case says. Errors: CaseMissing."""
    book_id = telling.read(runtime.store, runtime.clock, case_id).line.book_id
    key = f"cli-{runtime.ids.new()}"
    scope = {"scope_kind": "book", "scope_id": book_id, "key": key}
    return {**scope, "case_id": case_id, "actor": by}


def _say(said: str, **values: object) -> None:
    _console().print(say(said, **values), soft_wrap=True)


def _console() -> Console:
    return Console(highlight=False, markup=False)
