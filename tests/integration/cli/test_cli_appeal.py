"""`fenqi appeal` and `fenqi decision told`: a declined purchase is contested from a terminal."""

import json
from collections.abc import Callable
from uuid import UUID

import pytest
from click.testing import Result
from make_book import World, done, enrol, open_book, purchase, row
from typer.testing import CliRunner

from fenqi.cli import app
from fenqi.flows.authorise import authorise
from fenqi.store.pool import Store

Run = Callable[..., Result]


@pytest.fixture
def world(store: Store) -> World:
    world = open_book(store)
    account = enrol(world, limit_minor=100_000)
    done(authorise(world.ground, [purchase(world, account, 200_000)])[0])
    return world


@pytest.fixture
def fenqi(database_url: str) -> Run:
    def run(*words: object, language: str = "en", exit_code: int = 0) -> Result:
        environment = {"FENQI_DATABASE_URL": database_url, "FENQI_LANGUAGE": language}
        ended = CliRunner().invoke(app, [str(word) for word in words], env=environment)
        assert ended.exit_code == exit_code, ended.output
        return ended

    return run


def decision_of(world: World) -> UUID:
    decision: UUID = row(world.store, "SELECT decision_id FROM decisions")
    return decision


def test_a_declined_purchase_is_contested_looked_at_and_answered(world: World, fenqi: Run) -> None:
    decision = decision_of(world)
    said = fenqi("appeal", "open", decision, "my limit was raised")
    appeal = said.stdout.split()[1].rstrip(",")
    (listed,) = json.loads(fenqi("appeal", "list", "--json").stdout)
    assert (listed["appeal_id"], listed["decision_id"]) == (appeal, str(decision))
    assert listed["kind"] == "purchase"
    shown = fenqi("appeal", "list", language="zh").stdout.replace("\n", "")
    assert "申诉" in shown
    again = fenqi("appeal", "open", decision, "once more", exit_code=2)
    assert appeal in again.stderr
    words = ("--outcome", "not-upheld", "--by", "ola", "it was not raised")
    closed = fenqi("appeal", "close", appeal, *words).stdout
    assert "The amount is above what is left of your limit." in closed
    assert "No appeal." in fenqi("appeal", "list").stdout
    assert appeal in fenqi("appeal", "list", "--all", "--json").stdout
    gone = fenqi("appeal", "close", appeal, *words, exit_code=2)
    assert "decided already" in gone.stderr


def test_an_appeal_that_is_upheld_says_so(world: World, fenqi: Run) -> None:
    said = fenqi("appeal", "open", decision_of(world), "my limit was raised")
    appeal = said.stdout.split()[1].rstrip(",")
    words = ("--outcome", "upheld", "--by", "ola", "--reason", "limit-exceeded", "it was")
    assert "is upheld" in fenqi("appeal", "close", appeal, *words).stdout


def test_income_is_not_taken_where_nobody_looks_at_it(world: World, fenqi: Run) -> None:
    said = fenqi("appeal", "open", decision_of(world), "my limit was raised")
    appeal = said.stdout.split()[1].rstrip(",")
    words = ("appeal", "close", appeal, "--outcome", "upheld", "--by", "ola", "it was")
    for more in (("--income", 500, "--evidence", "payslip"), ("--evidence", "payslip")):
        refused = fenqi(*words, *more, exit_code=2).stderr
        assert "Leave --income and --evidence out" in " ".join(refused.split())
    assert "\u8bf7\u53bb\u6389" in fenqi(*words, *more, language="zh", exit_code=2).stderr
    assert "is upheld" in fenqi(*words).stdout


def test_what_a_customer_was_told_is_printed_with_how_to_contest_it(
    world: World, fenqi: Run
) -> None:
    account = row(world.store, "SELECT account_id FROM accounts WHERE kind = 'customer'")
    told = fenqi("decision", "told", account).stdout
    assert "A purchase of 2,000.00 CNY was declined." in told
    assert "The amount is above what is left of your limit." in told
    printed = f'fenqi appeal open {decision_of(world)} "IN YOUR OWN WORDS"'
    assert printed in told
    (one,) = json.loads(fenqi("decision", "told", account, "--json").stdout)
    assert one["kind"] == "purchase-declined"
    assert "未获批准" in fenqi("decision", "told", account, language="zh").stdout
