"""`fenqi report`: what a book stands at."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from fenqi.cli import answers
from fenqi.cli.language import preferred_language, say
from fenqi.report import book, page, terminal
from fenqi.report.language import Language, Speech
from fenqi.runtime import Runtime


def register(app: typer.Typer) -> None:
    """Add the command of this file to the program."""
    app.command()(report)


def report(
    book_id: Annotated[
        str | None, typer.Option("--book", help="Which book; needed if there are several.")
    ] = None,
    as_of: Annotated[
        datetime | None,
        typer.Option(
            "--as-of", formats=["%Y-%m-%d"], help="At the end of that day; default: today's books."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
    html: Annotated[
        Path | None,
        typer.Option("--html", help="Write the report as one HTML file to look at and send."),
    ] = None,
    language: Annotated[
        Language | None,
        typer.Option("--lang", help="The language of the report; default: FENQI_LANGUAGE."),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--out", help="The folder a replay wrote: where its payments came from."),
    ] = None,
) -> None:
    """Print receivables, lateness, roll rates, bad debt, cash, income and decisions of a book."""
    language = language or preferred_language()
    with Runtime.open(stop_after=True) as runtime:
        day = as_of.date() if as_of else None
        found = book.read(runtime.store, book_id, day, folder=folder)
    if html is not None:
        page.write(found, html, language)
    if as_json:
        typer.echo(book.to_json(found))
        return
    if html is not None:
        typer.echo(say(answers.REPORT_IS_IN, place=html))
        return
    terminal.show(found, Console(highlight=False, markup=False), Speech(language))
