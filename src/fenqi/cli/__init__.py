"""The command line: one module per group of commands, in the table of `commands`."""

import io
import sys
from typing import Annotated

import typer

from fenqi import __version__
from fenqi.cli.commands import Program
from fenqi.cli.errors import interrupt_on_signals, keep_quiet, tell

app = typer.Typer(
    name="fenqi",
    cls=Program,
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
