"""The program itself, run on a database as from a terminal."""

from collections.abc import Callable

from click.testing import Result
from typer.testing import CliRunner

from fenqi.cli import app

Run = Callable[..., Result]


def program(url: str, *, columns: int, **environment: str) -> Run:
    """Return what runs the program on a database, in English unless a run says otherwise.

    Words are written as text; `taken` is what the program reads, `more` its environment.
    """
    given = {
        "FENQI_DATABASE_URL": url,
        "FENQI_LANGUAGE": "en",
        "COLUMNS": str(columns),
        "TERM": "dumb",
        **environment,
    }

    def run(*words: object, taken: str | None = None, **more: str) -> Result:
        return CliRunner().invoke(app, list(map(str, words)), input=taken, env=given | more)

    return run


def ended(result: Result, code: int = 0) -> str:
    """Return what a run said: its answer, or the sentence it failed with, on one line."""
    assert result.exit_code == code, result.output
    return result.stdout if code == 0 else result.stderr.replace("\n", " ")
