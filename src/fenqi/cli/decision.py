"""`fenqi decision`: what was decided about whom, by what and why; whether it comes out again."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console

from fenqi.cli import answers
from fenqi.cli.language import preferred_language, say
from fenqi.core.risk import record as keeping
from fenqi.core.risk.decision import DecisionKind, Effect
from fenqi.core.values.phrase import Phrase
from fenqi.report import decision as telling
from fenqi.report import told as messaging
from fenqi.report.language import Language
from fenqi.runtime import Runtime

DIFFERS = 1
LISTED = 50
DAYS_MAX = 36_500

Which = Annotated[UUID, typer.Argument(metavar="ID", help="The decision's id.")]
AsRecord = Annotated[
    bool, typer.Option("--json", help="Print the whole record, which `replay` takes.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file to the program."""
    group = typer.Typer(no_args_is_help=True, help="Look at decisions, and make them again.")
    group.command("list")(list_)
    for command in (show, replay, changes, told):
        group.command()(command)
    app.add_typer(group, name="decision")


def show(
    decision_id: Which,
    as_json: AsRecord = False,
    language: Annotated[
        Language | None, typer.Option("--lang", help="In which language; default: FENQI_LANGUAGE.")
    ] = None,
) -> None:
    """Tell a decision: from what, by which rules and versions, with which reasons."""
    with Runtime.open(stop_after=True) as runtime:
        record = telling.read(runtime.store, decision_id)
    if as_json:
        typer.echo(keeping.to_json(record), nl=False)
        return
    telling.show(record, _console(), language or preferred_language())


def replay(
    which: Annotated[
        str, typer.Argument(metavar="ID|FILE", help="A decision's id, or a file of `show --json`.")
    ],
) -> None:
    """Make a decision again from its record alone. Exit code 1 if it comes out differently.

    A file needs no database and no other file of the house.
    """
    try:
        decision_id = UUID(which)
    except ValueError:
        record = telling.read_file(Path(which))
    else:
        with Runtime.open(stop_after=True) as runtime:
            record = telling.read(runtime.store, decision_id)
    difference = keeping.replay(record)
    telling.show_difference(difference, record, _console(), preferred_language())
    if difference is not None:
        raise typer.Exit(DIFFERS)


def list_(
    account_id: Annotated[
        UUID | None, typer.Option("--account", help="Only this account's.")
    ] = None,
    kind: Annotated[DecisionKind | None, typer.Option("--kind", help="Only of this kind.")] = None,
    outcome: Annotated[
        str | None, typer.Option("--outcome", help="Only with this outcome, such as decline.")
    ] = None,
    days: Annotated[
        int | None,
        typer.Option("--days", min=1, max=DAYS_MAX, help="Only of the last days; default: all."),
    ] = None,
    most: Annotated[
        int, typer.Option("--most", min=1, max=1_000, help="At most so many.")
    ] = LISTED,
    before: Annotated[
        UUID | None, typer.Option("--before", help="Go on after this decision, the last seen.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List decisions, the latest first, page by page."""
    outcomes = [keeping.APPROVE, *(effect.value for effect in Effect)]
    if outcome is not None and outcome not in outcomes:
        expected = Phrase("one of {choices}", choices=", ".join(outcomes))
        raise typer.BadParameter(expected, param_hint="--outcome")
    with Runtime.open(stop_after=True) as runtime:
        lines = telling.listed(
            runtime.store,
            runtime.clock,
            days=days,
            account_id=account_id,
            kind=kind.value if kind else None,
            outcome=outcome,
            most=most,
            before=before,
        )
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in lines], default=str, ensure_ascii=False))
        return
    telling.show_list(lines, _console(), preferred_language())
    if len(lines) == most:
        _console().print(say(answers.MORE, last=lines[-1].decision_id), soft_wrap=True)


def changes(
    account_id: Annotated[UUID, typer.Argument(metavar="ACCOUNT", help="The account's id.")],
    as_json: AsJson = False,
) -> None:
    """Tell how an account's limit and price changed, by parts that sum to each change."""
    with Runtime.open(stop_after=True) as runtime:
        told, unit = telling.story(runtime.store, account_id)
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in told], default=str, ensure_ascii=False))
        return
    telling.show_story(told, unit, _console(), preferred_language())


def told(
    account_id: Annotated[UUID, typer.Argument(metavar="ACCOUNT", help="The account's id.")],
    as_json: AsJson = False,
) -> None:
    """Tell what a customer was told of harm: what, why in words, until when to contest it."""
    language = preferred_language()
    with Runtime.open(stop_after=True) as runtime:
        messages = messaging.told(runtime.ground, account_id, language)
    if as_json:
        typer.echo(json.dumps([one.to_dict() for one in messages], ensure_ascii=False, indent=2))
        return
    messaging.show(messages, _console(), language)


def _console() -> Console:
    return Console(highlight=False, markup=False)
