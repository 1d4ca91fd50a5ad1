"""Who asks for a plan that is left out is told why, and what would put it on the menu."""

import dataclasses
from io import StringIO
from uuid import UUID

import pytest
from make_book import World, done, enrol, key, open_book, purchase, row, rows, told_of_last
from rich.console import Console

from fenqi.core.risk import record
from fenqi.core.risk.appeal import NothingToContest
from fenqi.core.risk.consequence import Telling
from fenqi.core.risk.decision import DecisionKind
from fenqi.core.risk.policy.read import read
from fenqi.core.risk.record import Record, from_json, to_json
from fenqi.core.values.ids import AccountId
from fenqi.flows.appeal import OpenAppeal, open_appeal
from fenqi.flows.authorise import Authorised, authorise
from fenqi.report import decision as telling
from fenqi.report import told as messages
from fenqi.report.language import Language
from fenqi.store import decision_records, features, policies
from fenqi.store.pool import Store

TEXT = """
id = "purchase"
version = 9
kind = "purchase"
purpose = "credit"
owner = "risk"
author = "Li Wei"
valid_from = 2026-01-01

[[tables]]
id = "menu"
hit = "first"
columns = ["amount_minor", "account_age_days"]
if_unknown = "all"

[[tables.rows]]
id = "large"
when = ["> 50000 minor", "any"]
reason = "large"
offers = [{ product = "flat", counts = [3] }, { product = "unsplit", counts = [1] }]

[[tables.rows]]
id = "young"
when = ["any", "< 30 days"]
reason = "young"
offers = [
    { product = "flat", counts = [3] },
    { product = "flat", counts = [6], price_ppm = 950000 },
    { product = "unsplit", counts = [1] },
]

[[tables.rows]]
id = "all"
otherwise = true
offers = [
    { product = "flat", counts = [3, 6, 12] },
    { product = "flat", counts = [6], price_ppm = 900000 },
    { product = "unsplit", counts = [1] },
]

[[reasons]]
code = "large"
zh = "金额较大。"
en = "The amount is large, so fewer plans are on offer."

[[reasons]]
code = "young"
zh = "开户不足30天。"
en = "Your account is younger than 30 days, so fewer plans are on offer."
"""


@pytest.fixture
def world(store: Store) -> World:
    return under(open_book(store), TEXT)


def under(world: World, text: str) -> World:
    """Return the book with another policy of purchases."""
    book = policies.book_of(read(text, features.shipped().vocabulary))
    ground = dataclasses.replace(world.ground, rulebooks={DecisionKind.PURCHASE: book})
    return dataclasses.replace(world, ground=ground)


def try_buy(
    world: World, account: AccountId, amount: int, *plan: object, **more: int
) -> Authorised:
    return done(authorise(world.ground, [purchase(world, account, amount, *plan, **more)])[0])


def latest(world: World) -> Record:
    """Return the last decision; its record alone, written out and read in, decides the same."""
    asked = "SELECT decision_id FROM decisions ORDER BY decision_id DESC LIMIT 1"
    with world.store.transaction() as session:
        found = decision_records.read(session, UUID(str(row(world.store, asked))))
    assert record.replay(found) is None
    assert record.replay(from_json(to_json(found), file="record")) is None
    return found


def test_a_plan_a_row_leaves_out_is_told_with_the_reason_of_the_row(world: World) -> None:
    account = enrol(world)
    answer = try_buy(world, account, 60_000, "flat", 12)
    assert (answer.outcome, answer.reasons) == ("other-plan", ["plan-not-offered"])
    assert told_of_last(world, account) == ["large"]
    found = latest(world)
    assert (found.outcome, found.reasons, found.telling) == ("approve", ("large",), Telling.FULL)


def test_what_no_row_offers_is_no_doing_of_the_row(world: World) -> None:
    account = enrol(world)
    for plan in (("flat", 24), ("annuity18", 3)):
        assert try_buy(world, account, 60_000, *plan).outcome == "other-plan"
        assert told_of_last(world, account) == ["plan-not-offered"]


def test_a_price_of_another_row_is_told_first_and_then_why(world: World) -> None:
    account = enrol(world)
    answer = try_buy(world, account, 40_000, "flat", 6, price_ppm=900_000)
    assert (answer.outcome, answer.reasons) == ("other-plan", ["price-not-offered"])
    assert told_of_last(world, account) == ["price-not-offered", "young"]
    try_buy(
        world, account, 40_000, "flat", 6
    )  # dearer than his row has it: no other row is to blame
    assert told_of_last(world, account)[0] == "price-not-offered"


def test_what_would_put_the_plan_on_the_menu_is_kept_and_told(world: World) -> None:
    account = enrol(world)
    try_buy(world, account, 60_000, "flat", 6, price_ppm=950_000)
    found = latest(world)
    assert found.would_change == {
        "name": "amount_minor",
        "value": 60_000,
        "would_be": 50_000,
        "outcome": "approve",
    }
    assert try_buy(world, account, 50_000, "flat", 6, price_ppm=950_000).outcome == "approve"
    # Nobody is told to be older: then nothing a customer can do is told, but the plans there are.
    try_buy(world, account, 40_000, "flat", 12)
    assert latest(world).would_change is None
    young, large = messages.told(world.ground, account, Language.CHINESE)
    assert (young.because, young.would_change) == (("开户不足30天。",), None)
    assert "flat x 3" in young.instead
    assert (large.because, "500.00" in (large.would_change or "")) == (("金额较大。",), True)


@pytest.mark.parametrize("has_reason", [True, False])
def test_a_left_out_plan_can_be_contested_if_something_left_it_out(
    world: World, has_reason: bool
) -> None:
    """Where nothing was decided about the customer there is nothing to contest."""
    world = world if has_reason else under(world, TEXT.replace('reason = "young"\n', ""))
    account = enrol(world)
    assert try_buy(world, account, 40_000, "flat", 12).outcome == "other-plan"
    (said,) = messages.told(world.ground, account, Language.ENGLISH)
    command = OpenAppeal(
        scope_id=str(account),
        key=key(world),
        account_id=account,
        decision_id=latest(world).decision_id,
        actor="mei",
        text="It was on offer last week.",
    )
    opened = open_appeal(world.ground, [command])[0]
    assert (said.contest_until is not None) is has_reason
    assert isinstance(opened, NothingToContest) is not has_reason


def test_a_decision_of_before_is_made_again_as_it_was_told(world: World) -> None:
    account = enrol(world)
    try_buy(world, account, 60_000, "flat", 12)
    before = dataclasses.replace(latest(world), reasons=(), telling=Telling.OUTCOME)
    assert record.replay(before) is None
    other = record.replay(dataclasses.replace(before, telling=Telling.FULL))
    assert other is not None
    assert other.what == "reasons"


def test_a_decision_shows_why_its_menu_is_short(world: World) -> None:
    try_buy(world, enrol(world), 60_000, "flat", 12)
    console = Console(width=160, record=True, file=StringIO())
    telling.show(latest(world), console, Language.ENGLISH)
    assert "The amount is large" in console.export_text()
    assert rows(world.store, "SELECT telling FROM decisions") == [(3,)]
