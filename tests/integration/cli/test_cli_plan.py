"""`fenqi plan preview` of a stored plan: its day is the open day of the book."""

import json
from datetime import date

from click.testing import Result
from make_book import buy, enrol, open_book, until
from typer.testing import CliRunner

from fenqi.cli import app
from fenqi.store.pool import Store

OPENED = date(2095, 1, 2)  # a book that has gone on beyond the machine's clock, as an invented one
GONE_ON_TO = date(2095, 1, 20)


def test_a_stored_plan_is_previewed_on_the_open_day_of_its_book(
    store: Store, database_url: str
) -> None:
    world = open_book(store, opened=OPENED)
    account = enrol(world)
    _, plan = buy(world, account, 60_000, "flat", 3)
    until(world, GONE_ON_TO)

    def settled(*more: str) -> tuple[str, int]:
        words = ["plan", "preview", "--account", str(account), "--plan", str(plan), "--settle"]
        environment = {"FENQI_DATABASE_URL": database_url, "TERM": "dumb"}
        ended: Result = CliRunner().invoke(app, [*words, *more, "--json"], env=environment)
        assert ended.exit_code == 0, ended.output
        told = json.loads(ended.stdout)
        return told["on"], told["to_pay_minor"]

    assert settled() == settled("--asked-on", str(GONE_ON_TO))
    assert settled()[0] == str(GONE_ON_TO)
    assert settled("--asked-on", "2095-01-03")[1] < settled()[1]
