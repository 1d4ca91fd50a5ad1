"""`fenqi watch`: answer crowds within a second and write down what is over, until it is ended."""

import threading
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console

from fenqi.cli import answers
from fenqi.cli.errors import tell_of
from fenqi.cli.language import say
from fenqi.runtime import Runtime
from fenqi.worker.watch import Watch, watch_once


def register(app: typer.Typer) -> None:
    """Add the command of this file to the program."""
    app.command("watch")(watch)


def watch(
    is_once: Annotated[bool, typer.Option("--once", help="Answer what is there and end.")] = False,
) -> None:
    """Hold rings within a second of their tenth login, until Ctrl-C; any number may watch."""
    console = Console(highlight=False, markup=False)
    with Runtime.open(stop_after=True) as runtime:
        if is_once:
            found, over = watch_once(runtime.ground, by=runtime.words)
            counts = {name: f"{count:,}" for name, count in asdict(found).items()}
            console.print(say(answers.WATCHED, over=f"{over:,}", **counts))
            return
        tell_of(runtime.others)
        console.print(say(answers.WATCHING))
        with Watch(runtime.ground, by=runtime.words):
            threading.Event().wait()
