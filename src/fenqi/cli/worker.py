"""`fenqi worker`: what fenqi does by itself, how that stands, and what is to be tried again."""

import threading
from typing import Annotated

import typer
from rich.console import Console

from fenqi.cli import answers
from fenqi.cli.errors import tell_of
from fenqi.cli.language import say, speech
from fenqi.flows.protect import retry_suspicions
from fenqi.lines import open_bureau
from fenqi.machine import DUTIES, Config
from fenqi.report import duty as telling
from fenqi.report.names import words
from fenqi.runtime import Runtime
from fenqi.worker.rota import Rota, duties_of, run_round
from fenqi.worker.watch import WATCH, watch_once


def register(app: typer.Typer) -> None:
    """Add the commands of this file to the program."""
    group = typer.Typer(no_args_is_help=True, help="What fenqi does by itself.")
    for command in (run, status, retry):
        group.command()(command)
    app.add_typer(group, name="worker")


def run(
    is_once: Annotated[
        bool, typer.Option("--once", help="One round of each duty, due or not, and end.")
    ] = False,
) -> None:
    """Run the duties of FENQI_DUTIES until Ctrl-C; any number of programs may, each round is one's.

    By default: answer crowds, decide applications, let challengers judge.
    """
    config = Config.from_environment()
    console = Console(highlight=False, markup=False)
    with Runtime.open(config, stop_after=True) as runtime, open_bureau(config) as bureau:
        known = duties_of(
            bureau, assess_days=config.assess_days, budget_minor=config.bureau_budget_minor
        )
        if is_once:
            if WATCH in config.duties:
                watch_once(runtime.ground, by=runtime.words)
            for duty in known:
                if duty.name in config.duties:
                    run_round(runtime.ground, duty, by=runtime.words, is_forced=True)
            told = telling.read(runtime.store, DUTIES)
            telling.show(told, config.duties, runtime.clock, console, speech())
            return
        tell_of(runtime.others)
        console.print(say(answers.RUNNING, duties=words(config.duties, speech())))
        with Rota(runtime.ground, known, config.duties, by=runtime.words):
            threading.Event().wait()


def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Tell when each duty last ran, by which program, what failed and what waits for a person."""
    config = Config.from_environment()
    with Runtime.open(config, stop_after=True) as runtime:
        told = telling.read(runtime.store, DUTIES)
        if as_json:
            typer.echo(telling.to_json(told, runtime.clock))
            return
        console = Console(highlight=False, markup=False)
        telling.show(told, config.duties, runtime.clock, console, speech())


def retry() -> None:
    """Let suspicions of crowds that failed too often be looked at again."""
    with Runtime.open(stop_after=True) as runtime:
        count = retry_suspicions(runtime.ground)
    typer.echo(say(answers.WAIT_AGAIN, count=f"{count:,}"))
