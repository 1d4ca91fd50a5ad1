"""The command line: one module per group of commands, registered here, one line each."""

import io
import sys
from typing import Annotated

import typer

from fenqi import __version__
from fenqi.cli import (
    apply,
    assess,
    breaker,
    bureau,
    case,
    close,
    contest,
    db,
    decision,
    ledger,
    plan,
    policy,
    replay,
    report,
    shadow,
    watch,
)
from fenqi.cli.errors import Group, interrupt_on_signals, keep_quiet, tell

app = typer.Typer(
    name="fenqi",
    cls=Group,
    help="Instalment credit: contracts, ledger, and risk control that explains itself.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)


def _tell_version(is_asked: bool) -> None:  # noqa: FBT001 - typer calls it so
    if is_asked:
        typer.echo(f"fenqi {__version__}")
        raise typer.Exit


@app.callback()
def _program(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_tell_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Instalment credit: contracts, ledger, and risk control that explains itself."""


apply.register(app)
assess.register(app)
breaker.register(app)
bureau.register(app)
case.register(app)
close.register(app)
contest.register(app)
db.register(app)
decision.register(app)
ledger.register(app)
plan.register(app)
policy.register(app)
replay.register(app)
report.register(app)
shadow.register(app)
watch.register(app)


def main() -> None:
    """Run the program `fenqi`; nothing a person reads of a fault is a stack trace."""
    keep_quiet()
    interrupt_on_signals()
    # A terminal that knows fewer characters shows a question mark for the rest.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        app()
    except (KeyboardInterrupt, Exception) as fault:  # outside of any command
        sys.exit(tell(fault))
