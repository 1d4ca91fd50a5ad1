"""`fenqi ledger`: check the books, and hand them to a stranger's tool."""

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from fenqi.cli import answers
from fenqi.cli.errors import BROKEN
from fenqi.cli.language import say
from fenqi.report import beancount
from fenqi.report import check as checking
from fenqi.report.folding import FoldingTable
from fenqi.runtime import Runtime

FINDINGS_SHOWN = 50
SAMPLE_MAX = 1_000_000_000  # plans


class Format(StrEnum):
    """What an export is written in."""

    BEANCOUNT = "beancount"


def register(app: typer.Typer) -> None:
    """Add the commands of this file to the program."""
    group = typer.Typer(no_args_is_help=True, help="Check the ledger, or export it.")
    for command in (check, export):
        group.command()(command)
    app.add_typer(group, name="ledger")


def check(
    book_id: Annotated[
        str | None, typer.Option("--book", help="Only this book; default: all.")
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option(
            "--sample",
            min=0,
            max=SAMPLE_MAX,
            help="Replay that many plans and trails of a book; default: all.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Compare all records of one fact, replay plans and trails. Exit code 70 if any differs."""
    with Runtime.open(stop_after=True) as runtime, _progress() as progress:
        bars = {}

        def tell(what: str, done: int, whole: int) -> None:
            if what not in bars:
                bars[what] = progress.add_task(what, total=whole)
            progress.update(bars[what], completed=done, total=whole)

        checked = checking.check(runtime.store, sample, book_id=book_id, progress=tell)
    if as_json:
        typer.echo(json.dumps(checking.as_table(checked), ensure_ascii=False, indent=2))
    else:
        _show(checked)
    if checked.findings:
        raise typer.Exit(BROKEN)


def export(
    form: Annotated[Format, typer.Option("--format", help="What to write.")] = Format.BEANCOUNT,
    by: Annotated[
        beancount.By | None,
        typer.Option(
            "--by",
            help="One transaction per event, or per day and pair of accounts; default: per event "
            f"up to {beancount.EVENTS_MAX_IN_FULL:,} lines.",
        ),
    ] = None,
    book_id: Annotated[
        str | None, typer.Option("--book", help="Which book; needed if there are several.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="The file to write; default: standard output.")
    ] = None,
) -> None:
    """Write the whole ledger with its balances asserted, for `bean-check` to add up again."""
    with Runtime.open(stop_after=True) as runtime:
        went_by = beancount.export(runtime.store, book_id, out or sys.stdout, by)
    if out is not None:
        went = say(answers.PER_EVENT if went_by is beancount.By.EVENT else answers.PER_DAY)
        told = say(answers.EXPORTED, place=out, form=form.value, by=went)
        _console().print(told, soft_wrap=True)


def _show(checked: checking.Checked) -> None:
    counts = {"accounts": checked.accounts, "plans": checked.plans, "trails": checked.trails}
    looked = {name: f"{count:,}" for name, count in counts.items()}
    console = _console()
    if not checked.findings:
        console.print(say(answers.AGREE, **looked))
        return
    table = FoldingTable(box=SIMPLE_HEAD, header_style="dim")
    for label in answers.FINDING:
        table.add_column(say(label), overflow="fold")
    for one in checked.findings[:FINDINGS_SHOWN]:
        table.add_row(one.what, one.account, one.plan, one.expected, one.found)
    console.print(table)
    rest = len(checked.findings) - FINDINGS_SHOWN
    if rest > 0:
        console.print(say(answers.AND_MORE, count=f"{rest:,}"))
    told = say(answers.DISAGREE, count=f"{len(checked.findings):,}", **looked)
    console.print(Text(told, "bold red"))


def _progress() -> Progress:
    console = Console(stderr=True, highlight=False, markup=False)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(complete_style="#2a9d83", finished_style="#2a9d83"),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def _console() -> Console:
    return Console(highlight=False, markup=False)
