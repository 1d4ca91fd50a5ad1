"""`fenqi bureau`: reports by file, applications that wait for one, a bureau on this machine."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from fenqi.channels.bureau_file import read_reports
from fenqi.channels.sandbox.bureau import SECRET, SUBSCRIBER, Mood, SandboxBureau
from fenqi.cli import answers as said
from fenqi.cli.errors import sentence, tell_of
from fenqi.cli.language import say
from fenqi.core.errors import FenqiError
from fenqi.flows.decide import Decided
from fenqi.flows.import_reports import Delivered, import_reports, refuse_unknown
from fenqi.lines import open_bureau
from fenqi.machine import Config, SystemClock
from fenqi.report import breaker as choosing
from fenqi.report.folding import FoldingTable
from fenqi.runtime import Runtime
from fenqi.worker.admit import admit, ask_again

PORT_MAX = 65_535


def register(app: typer.Typer) -> None:
    """Add the commands of this file to the program."""
    group = typer.Typer(no_args_is_help=True, help="What credit bureaus say of those who apply.")
    group.command("import")(import_file)
    group.command("ask")(ask)
    group.command("sandbox")(sandbox)
    app.add_typer(group, name="bureau")


def import_file(
    file: Annotated[Path, typer.Argument(help="Reports, as csv or parquet.")],
    name: Annotated[
        str,
        typer.Option(
            "--bureau",
            help="Whose reports they are: `file`, `bureau`, or a name of FENQI_BUREAU_FILES.",
        ),
    ] = "file",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Take in a bureau's reports; the whole FILE, or nothing if a line makes no sense."""
    config = Config.from_environment()
    refuse_unknown(name, config.bureaus)  # before a long file is read
    read = read_reports(file)
    with Runtime.open(config, stop_after=True) as runtime:
        tell_of(runtime.others)
        lines = [Delivered(one.line, one.person, one.report) for one in read]
        done = import_reports(runtime.ground, lines, name=name, known=config.bureaus)
    if as_json:
        counts = {
            "stored": done.stored,
            "known": done.known,
            "nobody": done.nobody,
            "without_consent": done.without_consent,
        }
        typer.echo(json.dumps(counts))
        return
    console = Console(highlight=False, markup=False)
    console.print(say(said.REPORTS_KNOWN, file=file, count=f"{done.stored:,}"))
    for count, what in (
        (done.known, said.KNOWN_BEFORE),
        (done.nobody, said.REPORTS_OF_NOBODY),
        (done.without_consent, said.REPORTS_WITHOUT_CONSENT),
    ):
        if count:
            console.print("  " + say(what, count=f"{count:>8,}"))


def ask(
    book_id: Annotated[
        str | None, typer.Option("--book", help="Only this book; default: all.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Ask the bureau about everybody whose application waits, and decide it.

    Then again about offers that were made without its word: they grow or stay as they are.
    Without FENQI_BUREAU_URL nobody is asked: all are decided on what they say themselves.
    """
    config = Config.from_environment()
    with Runtime.open(config, stop_after=True) as runtime, open_bureau(config) as bureau:
        tell_of(runtime.others)
        choosing.refuse_unknown(runtime.store, book_id)
        answers: dict[str, Decided | FenqiError] = {}
        budget = config.bureau_budget_minor
        while some := admit(runtime.ground, bureau, book_id=book_id, budget_minor=budget):
            answers |= some
        while some := ask_again(runtime.ground, bureau, book_id=book_id, budget_minor=budget):
            answers |= some
    if as_json:
        told = {
            one: answer.code if isinstance(answer, FenqiError) else answer.state
            for one, answer in answers.items()
        }
        typer.echo(json.dumps(told))
        return
    console = Console(highlight=False, markup=False)
    if not answers:
        console.print(say(said.NONE_WAITS))
        return
    table = FoldingTable(*map(say, said.ASKED), box=None)
    for one, answer in answers.items():
        if isinstance(answer, FenqiError):
            table.add_row(one, sentence(answer), "")
        else:
            table.add_row(one, answer.state, ", ".join(answer.reasons))
    console.print(table)


def sandbox(
    port: Annotated[
        int, typer.Option("--port", min=0, max=PORT_MAX, help="Where to answer; 0 finds one.")
    ] = 0,
    seed: Annotated[int, typer.Option("--seed", help="Which invented files it has.")] = 1,
    mood: Annotated[Mood, typer.Option("--mood", help="How it behaves.")] = Mood.NORMAL,
) -> None:
    """Run an invented bureau on this machine until Ctrl-C; it says how to ask it."""
    house = SandboxBureau(SystemClock().now, seed=seed, mood=mood, port=port)
    typer.echo(
        f"FENQI_BUREAU_URL={house.url} FENQI_BUREAU_SUBSCRIBER={SUBSCRIBER} "
        f"FENQI_BUREAU_SECRET={SECRET}"
    )
    house.serve_forever()
