"""Who asks about an account or a book that is not there is told so, never that there is nothing."""

from uuid import UUID, uuid4

import pytest
from make_application import applied
from make_book import World, enrol, open_book
from make_program import Run, program
from typer.testing import CliRunner

from fenqi.cli import app
from fenqi.store.pool import Store


@pytest.fixture
def world(store: Store) -> World:
    return open_book(store)


@pytest.fixture
def fenqi(database_url: str, world: World) -> Run:
    """Runs the program on a database with one book."""
    assert world
    return program(database_url, columns=120)


OF_ACCOUNTS = {
    "account show": lambda one: ("account", "show", one),
    "decision changes": lambda one: ("decision", "changes", one),
    "decision list": lambda one: ("decision", "list", "--account", one),
    "case list": lambda one: ("case", "list", "--account", one),
    "contest list": lambda one: ("contest", "list", "--account", one),
}
OF_BOOKS = {
    "account list": ("account", "list"),
    "breaker list": ("breaker", "list"),
    "bureau ask": ("bureau", "ask"),
    "ledger check": ("ledger", "check"),
    "ledger export": ("ledger", "export"),
    "assess": ("assess",),
    "report": ("report",),
}


@pytest.mark.parametrize("command", OF_ACCOUNTS)
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_an_account_that_is_not_there_is_told_as_missing(
    fenqi: Run, world: World, command: str, form: tuple[str, ...]
) -> None:
    one: UUID = uuid4()
    words = OF_ACCOUNTS[command]
    ended = fenqi(*words(one), *form)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert f"There is no account {one}." in ended.stderr
    assert fenqi(*words(enrol(world)), *form).exit_code == 0  # that one has nothing, but is there


def test_decisions_and_cases_of_somebody_who_applied_are_no_unknown_ones(
    fenqi: Run, world: World
) -> None:
    one = applied(world).application_id
    assert fenqi("decision", "list", "--account", one).exit_code == 0
    assert fenqi("case", "list", "--account", one).exit_code == 0
    assert fenqi("decision", "changes", one).exit_code == 2  # no account opened yet


@pytest.mark.parametrize("command", OF_BOOKS)
def test_a_book_that_is_not_there_is_told_with_those_there_are(fenqi: Run, command: str) -> None:
    ended = fenqi(*OF_BOOKS[command], "--book", "nowhere")
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert "There is no book nowhere. There are: book." in ended.stderr.replace("\n", " ")


WITHOUT_A_BOOK = (
    ("account", "list"),
    ("decision", "list"),
    ("case", "list"),
    ("contest", "list"),
    ("breaker", "list"),
    ("application", "parked"),
    ("bureau", "ask"),
    ("policy", "diff", "limit", "limit"),
    ("ledger", "check"),
    ("ledger", "export"),
    ("assess",),
    ("report",),
)


def test_every_list_tells_in_the_same_words_that_there_is_no_book_and_how_to_name_one(
    database_url: str,
) -> None:
    told = set()
    for words in WITHOUT_A_BOOK:
        environment = {"FENQI_DATABASE_URL": database_url, "TERM": "dumb", "FENQI_LANGUAGE": "en"}
        ended = CliRunner().invoke(app, list(words), env=environment)
        assert (ended.exit_code, ended.stdout) == (2, ""), words
        told.add(ended.stderr)
    (said,) = told
    assert said.startswith("fenqi: There is no book yet: run fenqi demo or fenqi replay.")
    assert "FENQI_DATA=<data folder>/demo" in said
