"""What a customer asks for, through the program's own door: shown first, contested, decided."""

import json

import pytest
from make_book import World, assert_sound, buy, enrol, open_book, state, until
from make_program import Run, ended

from fenqi.store.pool import Store


@pytest.fixture
def world(store: Store) -> World:
    return open_book(store)


def test_a_stored_plan_is_previewed_contested_and_decided(world: World, fenqi: Run) -> None:
    account = enrol(world)
    _, plan = buy(world, account, 60_000, "flat", 6)
    until(world, world.day.replace(month=2, day=3))
    which = ("--account", account, "--plan", plan)

    shown = json.loads(ended(fenqi("plan", "preview", *which, "--defer", 7, "--json")))
    assert (shown["request"], shown["cost_minor"]) == ("defer", 0)
    assert shown["plans"][0]["after"][0]["due_on"] == "2026-02-17"
    assert "goes back" not in ended(fenqi("plan", "preview", *which, "--refund", "100"))
    bill = ("--account", account, "--statement", 1, "--product", "annuity18", "--count", 3)
    assert "becomes a plan of its own 103.00" in ended(fenqi("plan", "preview", *bill))
    free = ("--account", account, "--statement", 1, "--product", "free4", "--count", 4)
    refused = ended(fenqi("plan", "preview", *free), 2)
    assert "No statement becomes a plan of free4" in refused
    assert "annuity18, flat" in refused
    for words in ((*which, "--settle", "--withdraw"), (*which, *bill[2:], "--settle"), which):
        assert "ask one thing" in ended(fenqi("plan", "preview", *words), 2)

    words = ("contest", "open", *which, "--ground", "not-received", "It never came.")
    contest = ended(fenqi(*words)).split()[1].rstrip(",")
    assert "is contested since" in ended(fenqi(*words), 2)
    assert contest in ended(fenqi("contest", "list"))
    (line,) = json.loads(ended(fenqi("contest", "list", "--json")))
    assert (line["contest_id"], line["outcome"]) == (contest, None)
    for party in ("customer", "worker"):
        judge = ("contest", "close", contest, "--account", account, "--by", party)
        assert "Ask somebody else" in ended(fenqi(*judge, "--outcome", "upheld", "Mine."), 2)
    decide = ("contest", "close", contest, "--account", account, "--by", "Li Wei")
    said = ended(fenqi(*decide, "--outcome", "upheld", "The courier lost it."))
    assert "600.00 CNY undone, 0.00 CNY go back" in said
    assert "was decided already" in ended(fenqi(*decide, "--outcome", "upheld", "Again."), 2)
    assert "No contest." in ended(fenqi("contest", "list"))
    assert state(world, plan) == "closed"
    assert_sound(world)


def test_a_refund_is_read_in_the_currency_of_the_account(store: Store, fenqi: Run) -> None:
    world = open_book(store, currency="JPY")
    account = enrol(world)
    _, plan = buy(world, account, 60_000, "unsplit", 1)
    which = ("--account", account, "--plan", plan, "--refund")
    shown = json.loads(ended(fenqi("plan", "preview", *which, "1500", "--json")))
    assert sum(one["open_minor"] for one in shown["plans"][0]["after"]) == 58_500
    refused = ended(fenqi("plan", "preview", *which, "15.00"), 2)
    assert "15.00 is no amount of JPY" in refused
