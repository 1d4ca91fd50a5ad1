"""`fenqi verify`: whoever is met in person buys on."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from make_book import World, enrol
from make_program import Run
from make_shipped import shipped_book, tell, told, try_buy, wait

from fenqi.store.pool import Store


@pytest.fixture
def world(store: Store) -> World:
    opened = shipped_book(store)
    opened.clock.set(datetime.now(UTC))  # commands go by the clock of the machine
    return opened


def test_a_person_lets_a_customer_pass_the_check(world: World, fenqi: Run) -> None:
    account = enrol(world)
    assert fenqi("verify", account, "--by", "mei").exit_code == 2  # nothing is asked
    tell(world, account, "device-changed", device="a")
    tell(world, account, "phone-changed", phone="0100")
    assert try_buy(world, account).outcome == "step-up"
    assert fenqi("verify", account, "--by", " ").exit_code == 2

    passed = fenqi("verify", account, "--by", "mei")

    assert (passed.exit_code, passed.stdout) == (0, f"{account} has passed the check\n")
    assert [kind for kind, _ in told(world, account)] == [
        *("step-up-asked", "purchase-paused", "step-up-passed")
    ]
    wait(world, hours=1)
    assert try_buy(world, account).outcome == "approve"
    again = fenqi("verify", account, "--by", "mei")
    assert (again.exit_code, "No check is asked" in again.output) == (2, True)


def test_it_is_said_in_chinese(world: World, fenqi: Run) -> None:
    account = enrol(world)
    tell(world, account, "device-changed", device="a")
    tell(world, account, "phone-changed", phone="0100")
    said = fenqi("verify", account, "--by", "mei", FENQI_LANGUAGE="zh").stdout
    assert said == f"{account} 已通过身份核实\n"


def test_an_account_that_is_not_there_gets_a_sentence(world: World, fenqi: Run) -> None:
    assert world
    said = fenqi("verify", uuid4(), "--by", "mei")
    assert said.exit_code == 2
    assert "account" in said.output
