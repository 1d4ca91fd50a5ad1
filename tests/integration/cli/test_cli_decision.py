"""`fenqi decision`, `shadow` and `breaker` at the door: what a person types and reads."""

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from click.testing import Result
from make_book import World, buy, done, enrol, open_book, purchase, rows
from typer.testing import CliRunner

from fenqi.cli import app
from fenqi.flows.authorise import authorise
from fenqi.store.pool import Store

POLICY = """
id = "tried"
version = 1
kind = "purchase"
purpose = "credit"
owner = "risk"
author = "the risk desk"
valid_from = 2026-01-01

[[reasons]]
code = "large"
zh = "金额较大。"
en = "The amount is large."

[[rules]]
id = "large"
when = "amount_minor > 2000.00 CNY"
effects = [{effect = "review", priority = 2}]
reason = "large"
"""


@pytest.fixture
def world(store: Store, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("FENQI_DATABASE_URL", database_url)
    monkeypatch.setenv("FENQI_LANGUAGE", "en")
    world = open_book(store)
    account = enrol(world, limit_minor=500_000)
    buy(world, account, 300_000, "flat", 3)
    done(authorise(world.ground, [purchase(world, account, 300_000, "flat", 3)])[0])
    return world


def fenqi(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def declined(world: World) -> UUID:
    sql = "SELECT decision_id FROM decisions WHERE outcome = 'decline'"
    found: UUID = rows(world.store, sql)[0][0]
    return found


def test_a_decision_is_shown_listed_exported_and_made_again_without_a_database(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decision = declined(world)
    shown = fenqi("decision", "show", decision)
    assert shown.exit_code == 0, shown.output
    assert "limit-exceeded" in shown.output
    assert str(decision) in fenqi("decision", "list", "--outcome", "decline").output
    listed = json.loads(fenqi("decision", "list", "--json", "--kind", "purchase").output)
    assert len(listed) == 2
    again = fenqi("decision", "replay", decision)
    assert (again.exit_code, "The same" in again.output) == (0, True)
    file = tmp_path / "decision.json"
    file.write_text(fenqi("decision", "show", "--json", decision).output, "utf-8")
    monkeypatch.setenv("FENQI_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nowhere")
    again = fenqi("decision", "replay", file)
    assert (again.exit_code, "The same" in again.output) == (0, True)


def test_what_cannot_be_shown_is_told_in_a_sentence(world: World, tmp_path: Path) -> None:
    missing = fenqi("decision", "show", uuid4())
    assert missing.exit_code == 2
    assert "There is no decision" in missing.stderr
    file = tmp_path / "altered.json"
    text = fenqi("decision", "show", "--json", declined(world)).output
    file.write_text(text.replace('"outcome": "decline"', '"outcome": "approve"'), "utf-8")
    altered = fenqi("decision", "replay", file)
    assert altered.exit_code == 2
    assert "digest does not fit" in altered.stderr
    assert fenqi("decision", "replay", tmp_path / "nothing.json").exit_code == 2
    assert fenqi("decision", "list", "--outcome", "perhaps").exit_code == 2


def test_a_record_that_comes_out_differently_ends_with_one(world: World) -> None:
    with world.store.transaction() as session:
        session.run("SET LOCAL ROLE NONE")
        session.run("UPDATE decisions SET reasons = '{payment-overdue}' WHERE outcome = 'decline'")
    found = fenqi("decision", "replay", declined(world))
    assert found.exit_code == 1
    assert "It differs in reasons" in found.output


@pytest.mark.usefixtures("world")
def test_a_challenger_is_started_run_reported_and_stopped(tmp_path: Path) -> None:
    file = tmp_path / "tried.toml"
    file.write_text(POLICY, "utf-8")
    begun = fenqi("shadow", "start", file, "--by", "Li Na", "--days", 3)
    assert begun.exit_code == 0, begun.output
    challenger = begun.output.partition(":")[0]
    assert "tried 1" in fenqi("shadow", "list").output
    ran = fenqi("shadow", "run")
    assert (ran.exit_code, ran.output) == (0, "0 judged\n")
    reported = json.loads(fenqi("shadow", "report", "--json", challenger).output)
    assert (reported["decisions"], list(reported["rules"])) == (0, ["large"])
    assert fenqi("shadow", "stop", challenger, "--by", "Li Na").exit_code == 0
    assert fenqi("shadow", "stop", challenger, "--by", "Li Na").exit_code == 2
    file.write_text(POLICY.replace("amount_minor", "amount_miner"), "utf-8")
    wrong = fenqi("shadow", "start", file, "--by", "Li Na")
    assert wrong.exit_code == 2
    assert "amount_miner" in wrong.stderr


@pytest.mark.usefixtures("world")
def test_caps_that_were_met_are_listed_and_a_reset_needs_something_open() -> None:
    assert fenqi("breaker", "list").output == "No cap was met.\n"
    assert json.loads(fenqi("breaker", "list", "--json", "--open").output) == []
    reset = fenqi("breaker", "reset", "purchase", "--by", "Li Na", "--finding", "looked")
    assert reset.exit_code == 2
    assert "No breaker" in reset.stderr


def test_an_account_whose_limit_never_changed_says_so(world: World) -> None:
    account = rows(world.store, "SELECT account_id FROM accounts WHERE kind = 'customer'")[0][0]
    assert "ever changed" in fenqi("decision", "changes", account).output
    assert json.loads(fenqi("decision", "changes", account, "--json").output) == []
