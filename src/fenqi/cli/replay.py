"""`fenqi demo` and `fenqi replay`: a year of invented shoppers, or a history of your own."""

import dataclasses
import shlex
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from fenqi.cli.errors import tell_of
from fenqi.cli.language import preferred_language, speech
from fenqi.machine import Config
from fenqi.replay import challenger, leftovers, run, source
from fenqi.replay.mapping import Mapping, read_mapping
from fenqi.replay.source import Stream
from fenqi.report import beancount, check, page, terminal
from fenqi.report import shadow as shadowing
from fenqi.report.book import Book
from fenqi.report.whole import whole_file
from fenqi.runtime import (
    Ids,
    MovingClock,
    Runtime,
    keep_for,
    let_go,
    make_database_for,
)
from fenqi.worker.close import close_through
from fenqi.worker.shadow import follow

PAGE = "report.html"
CHALLENGED = "challenger.txt"
PAPER_COLUMNS = 100
DEMO_SEED = 20260101
DEMO_FIRST_ON = date(2026, 1, 1)
DEMO_DAYS = 365
START = datetime(2000, 1, 1, tzinfo=UTC)  # the clock stands here until the first day is lived


def register(app: typer.Typer) -> None:
    """Add the commands of this file to the program."""
    app.command()(demo)
    app.command()(replay)


def demo(
    out: Annotated[
        Path, typer.Option(help="The folder for the report, the ledger and the provenance.")
    ] = Path("out/demo"),
    shoppers: Annotated[int, typer.Option(min=1, max=100_000, help="How many people.")] = 1000,
    days: Annotated[
        int, typer.Option(min=1, max=3660, help="How many days they live.")
    ] = DEMO_DAYS,
    seed: Annotated[int, typer.Option(help="Another seed, another population.")] = DEMO_SEED,
) -> None:
    """Live a year of invented shoppers from nothing, check the books and print the report.

    It uses a database of its own, made anew each time and stopped at the end; one that was
    interrupted goes on where it stopped when it is started again.
    """
    run.make_room(out)
    config = Config.from_environment()
    is_own = config.database_url is None
    clock = MovingClock(START)
    console = Console(highlight=False, markup=False)
    plan = run.of_population(
        size=shoppers, seed=seed, first_on=DEMO_FIRST_ON, days=days, book_id="demo"
    )
    if is_own:
        # A challenger judges all that is decided in a database: so only in the demo's own.
        plan = dataclasses.replace(plan, challenger=out / challenger.FILE)
        config = dataclasses.replace(config, data_folder=config.data_folder / "demo")
        make_database_for(config, plan.book.origin)
    ids = Ids(clock, seed=seed)
    with Runtime.open(config, clock=clock, ids=ids, stop_after=True) as runtime:
        if is_own:
            runtime.refuse_others()  # the same demo, begun twice
            keep_for(config, plan.book.origin)
        found = _live(runtime, clock, plan, None, out)
        _finish(runtime, found, out, console)
        if is_own:
            _tell_challenger(runtime, out, console)
            let_go(config)
            # In a database of its own, which no other command looks at unless it is told to.
            console.print(f"Look at it again: {escape(look_again(config))}", soft_wrap=True)


def look_again(config: Config) -> str:
    """Return the command that prints the demo's report again, as a shell takes it."""
    program = Path(sys.argv[0])
    words = "python -m fenqi" if program.name == "__main__.py" else shlex.quote(str(program))
    return f"FENQI_DATA={shlex.quote(str(config.data_folder.absolute()))} {words} report"


def replay(
    file: Annotated[Path, typer.Argument(help="A parquet or csv file of invoice lines.")],
    mapping_file: Annotated[
        Path, typer.Option("--map", help="What its columns mean; see docs/reference/mapping.md.")
    ],
    out: Annotated[Path, typer.Option(help="The folder for exceptions, tally and report.")],
    book_id: Annotated[
        str | None, typer.Option("--book", help="The book to live in; default: the file's name.")
    ] = None,
    skip_bad: Annotated[
        Path | None,
        typer.Option(
            "--skip-bad", help="Leave out lines that make no sense; the CSV file that names them."
        ),
    ] = None,
) -> None:
    """Live a merchant's history: accounts, plans, drawn payments, and a closed book every day.

    A replay that was interrupted goes on where it stopped when it is started again.
    """
    mapping = read_mapping(mapping_file)
    stream = _read(file, mapping, skip_bad, mapping_file, out)
    run.make_room(out)
    plan = run.of_file(stream, mapping, book_id=book_id or file.stem, name=file.name)
    clock = MovingClock(START)
    with Runtime.open(clock=clock, stop_after=True) as runtime:
        tell_of(runtime.others)
        run.check_offers(runtime, mapping, mapping_file)
        found = _live(runtime, clock, plan, stream, out)
        _finish(runtime, found, out, Console(highlight=False, markup=False))


def _read(
    file: Path, mapping: Mapping, skip_bad: Path | None, mapping_file: Path, out: Path
) -> Stream:
    """Read the file before anything is booked; lines that make no sense go to `skip_bad`."""
    console = Console(highlight=False, markup=False, stderr=True)
    if skip_bad is None:
        with console.status("Reading the file"):
            return source.load(file, mapping)
    leftovers.check_place(skip_bad, (file, mapping_file), out)
    with console.status("Reading the file"), leftovers.BadLines(skip_bad, file) as bad:
        stream = source.load(file, mapping, on_bad=bad.note)
    word = "bad line" if bad.count == 1 else "bad lines"
    console.print(f"{bad.count:,} {word} left out: {escape(str(skip_bad))}")
    return stream


def _live(
    runtime: Runtime, clock: MovingClock, plan: run.Plan, stream: Stream | None, out: Path
) -> Book:
    def close_day(day: date) -> None:
        close_through(runtime.ground, plan.book.book_id, day)

    with _Bar() as bar:
        driven = run.live(runtime, clock, plan, close_day, bar)
    return run.leave(runtime, plan, driven, stream, out)


def _finish(runtime: Runtime, found: Book, out: Path, console: Console) -> None:
    """Print the report, check the book, export its ledger and say where everything is."""
    terminal.show(found, console)
    page.write(found, out / PAGE, preferred_language())
    checked = check.check(runtime.store, book_id=found.book_id)
    beancount.export(runtime.store, found.book_id, out / "ledger.beancount")
    word = "clean" if not checked.findings else _findings(len(checked.findings))
    place = escape(str(out))
    is_file = (out / "exceptions.csv").exists()
    what = "Report, ledger and exceptions" if is_file else "Report and ledger"
    console.print(
        f"Books checked: {word}. {what} are in {place}/\n"
        f"The picture of the book: {escape(str(out / PAGE))}",
        soft_wrap=True,  # a path that is cut in two cannot be opened
    )
    if checked.findings:
        raise typer.Exit(70)


def _tell_challenger(runtime: Runtime, out: Path, console: Console) -> None:
    """Let the demo's challenger judge all that was decided, and leave where it parts."""
    follow(runtime.ground)
    found = shadowing.read(runtime.store, challenger.find(runtime))
    with whole_file(out / CHALLENGED) as file:
        paper = Console(file=file, width=PAPER_COLUMNS, highlight=False, markup=False)
        shadowing.show(found, paper, speech())
    console.print(
        f"A challenger judged beside the policy: {found.comparison.differing:,} of "
        f"{found.comparison.decisions:,} decisions would have come out differently.\n"
        f"Where they part: {escape(str(out / CHALLENGED))}",
        soft_wrap=True,
    )


def _findings(count: int) -> str:
    return "1 finding" if count == 1 else f"{count:,} findings"


class _Bar:
    """A progress bar of days on standard error."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("days"),
            TimeRemainingColumn(),
            console=Console(stderr=True, markup=False),
        )
        self._task = self._progress.add_task("Opening the book", total=None)

    def __enter__(self) -> "_Bar":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def begin(self, first_on: date, last_on: date) -> None:
        """Show how many days there are."""
        self._progress.update(self._task, total=(last_on - first_on).days + 1)

    def lived(self, day: date) -> None:
        """Move on by a day."""
        self._progress.update(self._task, advance=1, description=f"Living {day.isoformat()}")
