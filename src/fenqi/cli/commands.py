"""Every command by its name: the module that has it, and its line in `fenqi --help`.

A command's module is loaded when that command is given and not before: what one command needs
(array libraries, the database driver, an HTTP client) takes seconds of a slow machine to load, and
nobody who asks for help, or for a quote, should wait for it.

A new command needs a line here; `tests/unit/test_commands.py` compares each with its module.
"""

import importlib
from typing import Any

import typer
from typer.core import TyperCommand
from typer.main import get_group

from fenqi.cli.errors import Group
from fenqi.cli.help import tell

# name: (module of this folder, what `fenqi --help` says of it), in the order of `fenqi --help`
COMMANDS = {
    "apply": (
        "apply",
        "Apply for an account: take in FILE, ask the bureau if there is one, tell the decision.",
    ),
    "assess": (
        "assess",
        "Look at every open account once today: keep, cut with reasons, or offer more.",
    ),
    "close-day": (
        "close",
        "Close every open day of a book up to DAY; a day that is closed already stays as it is.",
    ),
    "demo": (
        "replay",
        "Live a year of invented shoppers from nothing, check the books and print the report.",
    ),
    "observe": (
        "observe",
        "Take in facts about accounts: logins, changes of device or phone, failed payments.",
    ),
    "replay": (
        "replay",
        "Live a merchant's history: accounts, plans, drawn payments, and a closed book every day.",
    ),
    "report": (
        "report",
        "Print receivables, lateness, roll rates, bad debt, cash, income and decisions of a book.",
    ),
    "verify": (
        "verify",
        "Let a customer pass the check that is asked for before the next purchase.",
    ),
    "watch": (
        "watch",
        "Hold rings within a second of their tenth login, until Ctrl-C; any number may watch.",
    ),
    "account": ("account", "Look at accounts."),
    "appeal": ("appeal", "Decisions that customers contest."),
    "application": ("apply", "Applications: show, sign, decide in person."),
    "breaker": ("breaker", "See which caps on harm were met; reset them."),
    "bureau": ("bureau", "What credit bureaus say of those who apply."),
    "case": ("case", "Work on cases."),
    "contest": ("contest", "Purchases that customers contest."),
    "db": ("db", "Start, stop and look into the database server."),
    "decision": ("decision", "Look at decisions, and make them again."),
    "incident": ("incident", "Outages that never count against a customer."),
    "ledger": ("ledger", "Check the ledger, or export it."),
    "offer": ("offer", "Higher limits: what is offered, answered and asked for."),
    "place": ("place", "Addresses that many honest people share."),
    "plan": ("plan", "Look at a plan before it exists or changes."),
    "policy": ("policy", "Policies: what decides, and by whose word."),
    "shadow": ("shadow", "Judge policies beside the live ones."),
    "worker": ("worker", "What fenqi does by itself."),
}


class Program(Group):
    """All commands. It lists them from the table, and loads the one that is given."""

    def __init__(self, **settings: Any) -> None:
        listed = {name: TyperCommand(name, help=line) for name, (_, line) in COMMANDS.items()}
        super().__init__(**{**settings, "commands": listed})

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the list of commands in the language of the person."""
        tell(self)
        super().format_help(ctx, formatter)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that is given, loaded; a wrong name is told as ever."""
        name, listed, rest = super().resolve_command(ctx, args)
        return name, listed and load(str(name)), rest


def load(name: str) -> Any:
    """Return a command of the table in full, with all that its module imports."""
    app = typer.Typer()
    importlib.import_module(f"fenqi.cli.{COMMANDS[name][0]}").register(app)
    command = get_group(app).commands[name]
    tell(command)
    return command
