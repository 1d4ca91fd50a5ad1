"""The command line: one module per group of commands, registered here, one line each."""

import typer

from fenqi.cli import close, db, ledger, plan, replay, report
from fenqi.cli.errors import Group

app = typer.Typer(
    name="fenqi",
    cls=Group,
    help="Instalment credit: contracts, ledger, and risk control that explains itself.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)
close.register(app)
db.register(app)
ledger.register(app)
plan.register(app)
replay.register(app)
report.register(app)


def main() -> None:
    """Run the program `fenqi`."""
    app()
