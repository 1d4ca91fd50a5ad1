"""`fenqi observe`: a file of facts about accounts, told as if they came one by one."""

import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from fenqi.channels.fact_file import FactsUnreadable
from fenqi.cli import answers
from fenqi.cli.errors import tell_of
from fenqi.cli.language import say, speech
from fenqi.core.values.phrase import Phrase
from fenqi.replay.leftovers import Table, check_place
from fenqi.replay.telling import BAD_FACTS, Tally, Waiting, tell
from fenqi.report.names import word
from fenqi.runtime import Runtime

STANDARD_INPUT = Path("-")


def register(app: typer.Typer) -> None:
    """Add the command of this file to the program."""
    app.command()(observe)


def observe(
    file: Annotated[
        Path, typer.Argument(help="Facts, one on a line, as JSON or CSV; `-` reads what comes in.")
    ],
    is_csv: Annotated[
        bool, typer.Option("--csv", help="It is CSV, whatever its name; .csv is CSV anyway.")
    ] = False,
    skip_bad: Annotated[
        Path | None,
        typer.Option(
            "--skip-bad", help="Leave out lines that make no sense; the CSV file that names them."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Take in facts about accounts: logins, changes of device or phone, failed payments.

    A file is told whole or, if a line makes no sense, not at all. What is known already stays as
    it is, so a file that was cut off goes on when it is given again.
    """
    with Runtime.open(stop_after=True) as runtime:
        tell_of(runtime.others)
        waiting = _read(runtime, file, is_csv=is_csv or file.suffix == ".csv", skip_bad=skip_bad)
        progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=_console(stderr=True),
        )
        with progress:
            task = progress.add_task(say(answers.TELLING), total=len(waiting))
            tally = tell(runtime, waiting, lambda more: progress.advance(task, more))
    _tell(file, tally, skip_bad, as_json=as_json)


def _read(runtime: Runtime, file: Path, *, is_csv: bool, skip_bad: Path | None) -> Waiting:
    """Read the file before anything is told; lines that make no sense go to `skip_bad`."""
    with ExitStack() as stack:
        if file == STANDARD_INPUT:
            opened = _standard_input()
        else:
            opened = stack.enter_context(file.open("rb"))
        bad = None
        if skip_bad is not None:
            check_place(skip_bad, () if file == STANDARD_INPUT else (file,))
            bad = stack.enter_context(Table(skip_bad, BAD_FACTS))
        stack.enter_context(_console(stderr=True).status(say(answers.READING)))
        return Waiting.read(runtime, opened, str(file), is_csv=is_csv, bad=bad)


def _standard_input() -> BinaryIO:
    """Return what comes in. Errors: FactsUnreadable if a shell closed it."""
    opened: BinaryIO | None = getattr(sys.stdin, "buffer", None)
    if opened is None:
        raise FactsUnreadable(
            file=str(STANDARD_INPUT), problem=Phrase("nothing comes in: standard input is closed")
        )
    return opened


def _tell(file: Path, tally: Tally, skip_bad: Path | None, *, as_json: bool) -> None:
    if as_json:
        counts = {
            "stored": tally.stored,
            "known": tally.known,
            "late": tally.late,
            "skewed": tally.skewed,
            "left_out": tally.left_out,
            "outcomes": dict(sorted(tally.outcomes.items())),
        }
        typer.echo(json.dumps(counts))
        return
    told = [say(answers.FACTS_STORED, file=file, count=f"{tally.stored:,}")]
    for count, what in (
        (tally.known, answers.KNOWN_BEFORE),
        (tally.late, answers.FACTS_LATE),
        (tally.skewed, answers.FACTS_SKEWED),
    ):
        if count:
            told.append("  " + say(what, count=f"{count:>8,}"))
    if tally.known and not tally.stored:
        told.append(say(answers.FACTS_UNCHANGED))
    for outcome, count in sorted(tally.outcomes.items()):
        told.append(f"  {count:>8,} {word(outcome, speech())}")
    if skip_bad is not None:
        told.append(say(answers.LEFT_OUT, count=f"{tally.left_out:,}", place=skip_bad))
    for line in told:
        _console().print(line, soft_wrap=True)


def _console(*, stderr: bool = False) -> Console:
    return Console(highlight=False, markup=False, stderr=stderr)
