"""`fenqi assess`: all limits, or prices, of a book are looked at again by the live policy."""

import json
from typing import Annotated

import typer

from fenqi.cli import answers
from fenqi.cli.language import say, speech
from fenqi.core.risk.change import Subject
from fenqi.report import breaker as choosing
from fenqi.report.names import pair, together, word
from fenqi.runtime import Runtime
from fenqi.worker.assess import assess_book


def register(app: typer.Typer) -> None:
    """Add the command of this file to the program."""
    app.command()(assess)


def assess(
    subject: Annotated[Subject, typer.Argument(help="What is looked at.")] = Subject.LIMIT,
    book_id: Annotated[
        str | None, typer.Option("--book", help="Which book; needed if there are several.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Look at every open account once today: keep, cut with reasons, or offer more.

    Cut off, it goes on where it stopped when it is given again.
    """
    with Runtime.open(stop_after=True) as runtime:
        book = choosing.chosen(runtime.store, book_id)
        found = assess_book(runtime.ground, book, subject)
        met = choosing.read(runtime.store, book, only_open=True)
    if as_json:
        typer.echo(json.dumps(dict(sorted(found.items()))))
        return
    counts = [f"{count:,} {word(outcome, speech())}" for outcome, count in sorted(found.items())]
    told = together(counts, speech()) or say(answers.NO_ACCOUNT)
    typer.echo(pair(word(subject.value, speech()), told, speech()))
    for one in met:
        if one.kind == subject.value:
            cap = choosing.cap_words(one, speech())
            typer.echo(say(answers.CAP_MET, effect=word(one.effect, speech()), cap=cap))
