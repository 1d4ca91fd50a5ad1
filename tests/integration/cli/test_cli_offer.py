"""Offers of a higher limit at their door: listed, accepted, declined; a wish is decided."""

import json
from uuid import uuid4

from make_book import World, assert_sound, enrol, kinds, row
from make_change import move, offer_of
from make_program import Run

from fenqi.core.risk.change import Pull

LIMIT = 1_000_000
LOYAL = Pull("loyal", 300_000)


def test_an_offer_is_listed_accepted_once_and_the_limit_rises_then(
    world: World, fenqi: Run
) -> None:
    account = enrol(world, limit_minor=LIMIT)
    assert fenqi("offer", "list").stdout.strip() == "No offer."
    assert move(world, account, [LOYAL]).is_offer
    offer = offer_of(world, account)
    (listed,) = json.loads(fenqi("offer", "list", "--account", account, "--json").stdout)
    assert (listed["offer_id"], listed["old_minor"], listed["state"]) == (str(offer), LIMIT, "open")
    assert str(offer) in fenqi("offer", "list").stdout
    sql = "SELECT limit_minor FROM accounts WHERE account_id = %(account)s"
    assert row(world.store, sql, account=account) == LIMIT
    done = fenqi("offer", "accept", offer, "--account", account)
    assert done.exit_code == 0, done.output
    limit = row(world.store, sql, account=account)
    assert limit == listed["new_minor"] > LIMIT
    assert done.stdout.startswith(f"accepted: the limit is {limit / 100:,.2f}")
    assert kinds(world, account)[-1] == "limit-raised"
    again = fenqi("offer", "accept", offer, "--account", account)
    assert (again.exit_code, f"The offer {offer} is accepted already." in again.stderr) == (2, True)
    assert json.loads(fenqi("offer", "list", "--json").stdout) == []
    (answered,) = json.loads(fenqi("offer", "list", "--all", "--json").stdout)
    assert answered["state"] == "accepted"
    assert_sound(world)


def test_an_offer_that_is_declined_changes_no_limit(world: World, fenqi: Run) -> None:
    account = enrol(world, limit_minor=LIMIT)
    move(world, account, [LOYAL])
    offer = offer_of(world, account)
    done = fenqi("offer", "decline", offer, "--account", account)
    assert done.stdout == "declined: the limit stays 10,000.00\n"
    assert kinds(world, account)[-1] == "limit-offer-declined"


def test_who_asks_for_a_limit_is_decided_about_and_told(world: World, fenqi: Run) -> None:
    account = enrol(world, limit_minor=LIMIT)
    done = fenqi("offer", "ask", account, "--limit", 2 * LIMIT)
    assert done.exit_code == 0, done.output
    assert done.stdout == (
        "kept: the limit stays 10,000.00; nothing that is known speaks for a higher one yet\n"
    )
    assert kinds(world, account)[-1] == "limit-kept"
    assert row(world.store, "SELECT actor FROM events WHERE kind = 'limit-kept'") == "customer"


def test_what_cannot_be_answered_is_told_and_changes_nothing(world: World, fenqi: Run) -> None:
    account, other = enrol(world, limit_minor=LIMIT), enrol(world, "bea")
    move(world, account, [LOYAL])
    offer = offer_of(world, account)
    house = row(world.store, "SELECT house_account_id FROM books")
    wrong = [
        (("accept", offer, "--account", other), "There is no offer"),
        (("accept", uuid4(), "--account", account), "There is no offer"),
        (("accept", offer, "--account", uuid4()), "There is no account"),
        (("accept", offer), "--account"),
        (("accept", "x", "--account", account), "an id such as"),
        (("list", "--account", uuid4()), "There is no account"),
        (("ask", house, "--limit", LIMIT), "There is no account"),
        (("accept", offer, "--account", house), "There is no account"),
        (
            ("ask", account, "--limit", LIMIT),
            "Asked for is a limit of 10,000.00 CNY; it is 10,000.00 CNY already",
        ),
        (("ask", account, "--limit", 0), "a whole number from 1 to"),
        (("ask", account, "--limit", "much"), "a whole number from 1 to"),
        (("ask", account), "--limit"),
        (("ask", uuid4(), "--limit", LIMIT), "There is no account"),
    ]
    for words, said in wrong:
        ended = fenqi("offer", *words)
        assert (ended.exit_code, ended.stdout) == (2, ""), words
        assert said in ended.stderr, words
    assert offer_of(world, account) == offer
