"""A menu that offers a plan at a price: granted at that price only, and it is what is booked."""

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from datetime import date, timedelta
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
from make_book import (
    World,
    as_owner,
    assert_sound,
    done,
    end_early,
    enrol,
    extended,
    give_back,
    kinds,
    open_book,
    opens,
    pay,
    purchase,
    row,
    rows,
    ship,
    until,
)
from rich.console import Console

from fenqi.core.risk import record as keeping
from fenqi.core.risk.decision import DecisionKind
from fenqi.core.risk.policy.read import read
from fenqi.core.risk.rulebook import Rulebook, rulebook
from fenqi.core.terms.cost import digest
from fenqi.core.terms.product import PriceOutOfRange
from fenqi.core.terms.schedule import PriceNotCheaper, Terms, schedule
from fenqi.core.values.ids import AccountId, OrderId, PlanId
from fenqi.flows import shadow as shadowing
from fenqi.flows.authorise import Authorise, Authorised, authorise
from fenqi.flows.extend import extend
from fenqi.report import decision as telling
from fenqi.report import policies as telling_policies
from fenqi.report import shadow as telling_shadows
from fenqi.report.check import check
from fenqi.report.language import Language, Speech
from fenqi.report.policy_difference import differ, to_json
from fenqi.report.preview import Wish
from fenqi.report.request import preview
from fenqi.store.features import shipped
from fenqi.store.pool import Refused, Store
from fenqi.worker.shadow import follow

HEAD = """
id = "{name}"
version = 1
kind = "purchase"
purpose = "credit"
owner = "risk"
author = "Analyst One"
valid_from = 2026-01-01
"""
TABLE = """
[[tables]]
id = "menu"
hit = "first"
columns = ["amount_minor"]
if_unknown = "usual"

[[tables.rows]]
id = "large"
when = ["> 1000.00 CNY"]
offers = [
    {{ product = "flat", counts = [3], price_ppm = {flat} }},
    {{ product = "flat", counts = [12] }},
    {{ product = "annuity18", counts = [6], price_ppm = {annuity} }},
    {{ product = "unsplit", counts = [1] }},
]

[[tables.rows]]
id = "usual"
otherwise = true
offers = [{{ product = "flat", counts = [3, 12] }}, {{ product = "annuity18", counts = [6] }}]
"""
NUDGE = """
[[rules]]
id = "large"
when = "amount_minor > 1000.00 CNY"
effects = [{ effect = "nudge" }]
reason = "large"

[[reasons]]
code = "large"
zh = "金额较大。"
en = "It is large."
"""
LISTED = 1_000_000


def made(flat: int = 800_000, annuity: int = 500_000, name: str = "cooler") -> Rulebook:
    """Return a policy that makes short plans of large purchases cheaper."""
    vocabulary = shipped().vocabulary
    text = HEAD.format(name=name) + TABLE.format(flat=flat, annuity=annuity)
    return rulebook(read(text, vocabulary, file="cooler.toml"), vocabulary)


def under(world: World, rules: Rulebook | None) -> World:
    """Return the same book, its purchases decided by these rules or by the built-in judge."""
    rulebooks = {} if rules is None else {DecisionKind.PURCHASE: rules}
    ground = dataclasses.replace(world.ground, rulebooks=rulebooks)
    return dataclasses.replace(world, ground=ground)


@pytest.fixture
def world(store: Store) -> World:
    return under(open_book(store, opened=date(2026, 1, 5)), made())


def ask(
    world: World, account: AccountId, amount: int, product: str, count: int, **how: Any
) -> Authorised:
    (answer,) = authorise(world.ground, [purchase(world, account, amount, product, count, **how)])
    return done(answer)


def buy_at(
    world: World, account: AccountId, amount: int, product: str, count: int, price: int
) -> tuple[OrderId, PlanId]:
    answer = ask(world, account, amount, product, count, price_ppm=price)
    assert answer.outcome == "approve", answer
    return OrderId(UUID(answer.order_id)), PlanId(UUID(answer.plan_id))


PLANS = "SELECT product, count, price_ppm, cost_minor FROM plans ORDER BY plan_id"


def terms_of(world: World, plan: PlanId) -> Terms:
    """Return the terms a plan was signed with, made of its product's file alone."""
    sql = """
        SELECT product, count, principal_minor, starts_on, due_on, price_ppm FROM plans
        WHERE plan_id = %(plan)s
    """
    ((name, count, principal, starts_on, due_on, price),) = rows(world.store, sql, plan=plan)
    listed = world.ground.catalogue.product(name)
    rates = (listed.fee_ppm_per_period, listed.interest_ppm_per_year)
    fee, interest = (rate * price // LISTED for rate in rates)
    product = dataclasses.replace(
        listed, fee_ppm_per_period=fee, interest_ppm_per_year=interest, price_ppm=price
    )
    return Terms(product, count, principal, starts_on, tuple(due_on))


def test_an_offered_price_is_signed_paid_and_earned_and_is_all_that_is_ever_asked_for(
    world: World,
) -> None:
    account = enrol(world)
    dear = ask(world, account, 120_000, "flat", 3)
    assert (dear.outcome, dear.reasons) == ("other-plan", ["price-not-offered"])
    assert dear.offers == [
        ["annuity18", 6, 500_000],
        ["flat", 3, 800_000],
        ["flat", 12, LISTED],
        ["unsplit", 1, LISTED],
    ]
    assert rows(world.store, PLANS) == []
    _, plan = buy_at(world, account, 120_000, "flat", 3, 800_000)
    # 0.5 % a period at four fifths of it is 0.4 %: 480 a period of 120,000.
    assert rows(world.store, PLANS) == [("flat", 3, 800_000, 1_440)]
    assert opens(world, plan) == [40_480] * 3
    sql = "SELECT shown_sha256 FROM {table} WHERE price_ppm = 800000"
    shown = digest(terms_of(world, plan))
    assert row(world.store, sql.format(table="plans")) == shown
    assert row(world.store, sql.format(table="orders")) == shown
    assert_sound(world, plans=1)
    for month in (2, 3, 4):
        until(world, date(2026, month, 10))
        pay(world, account, 40_480)
    until(world, date(2026, 4, 12))
    assert row(world.store, "SELECT state FROM plans") == "closed"
    earned = """
        SELECT SUM(CASE credit WHEN 'income-fee' THEN amount_minor ELSE -amount_minor END)::bigint
        FROM transfers WHERE 'income-fee' IN (debit, credit)
    """
    assert row(world.store, earned) == 1_440
    assert_sound(world, plans=1)


def test_a_price_that_is_not_offered_is_answered_with_those_that_are(world: World) -> None:
    account = enrol(world)
    for price in (0, 799_999, 800_001, LISTED):
        answer = ask(world, account, 120_000, "flat", 3, price_ppm=price)
        assert (answer.outcome, answer.reasons) == ("other-plan", ["price-not-offered"])
        assert ["flat", 3, 800_000] in (answer.offers or [])
    # What is offered as listed is not had for less, and a plan that is not there has no price.
    answer = ask(world, account, 120_000, "flat", 12, price_ppm=800_000)
    assert (answer.outcome, answer.reasons) == ("other-plan", ["price-not-offered"])
    answer = ask(world, account, 120_000, "flat", 6, price_ppm=800_000)
    assert (answer.outcome, answer.reasons) == ("other-plan", ["plan-not-offered"])
    # The decision about this very purchase counts, not one about a larger one.
    assert ask(world, account, 120_000, "flat", 3, price_ppm=800_000).outcome == "approve"
    answer = ask(world, account, 90_000, "flat", 3, price_ppm=800_000)
    assert (answer.outcome, answer.reasons) == ("other-plan", ["price-not-offered"])
    assert ask(world, account, 90_000, "flat", 3).outcome == "approve"
    assert [one[2] for one in rows(world.store, PLANS)] == [800_000, LISTED]
    assert kinds(world, account).count("purchase-paused") == 7
    assert_sound(world, plans=2)


def test_a_price_above_the_listed_one_or_below_nothing_is_refused_and_books_nothing(
    world: World,
) -> None:
    account = enrol(world)
    for price in (-1, LISTED + 1):
        command = purchase(world, account, 120_000, "flat", 3, price_ppm=price)
        (refused,) = authorise(world.ground, [command])
        assert isinstance(refused, PriceOutOfRange)
    assert rows(world.store, "SELECT 1 FROM decisions") == []


def test_a_price_that_rounding_makes_the_dearer_one_is_refused(store: Store) -> None:
    text = HEAD.format(name="tiny") + TABLE.format(flat=LISTED, annuity=999_999).replace(
        "> 1000.00", ">= 0.01"
    ).replace("counts = [6], price", "counts = [24], price")
    rules = rulebook(read(text, shipped().vocabulary, file="t.toml"), shipped().vocabulary)
    world = under(open_book(store), rules)
    account = enrol(world)
    asked = [
        purchase(world, account, amount, "annuity18", 24, price_ppm=999_999)
        for amount in range(100_000, 100_200)
    ]
    answers = authorise(world.ground, asked)
    refused = [one for one in answers if isinstance(one, PriceNotCheaper)]
    assert refused
    assert len(refused) < len(answers)
    for one in refused:
        cost, listed = one.fields["cost_minor"], one.fields["listed_minor"]
        assert isinstance(cost, int)
        assert isinstance(listed, int)
        assert cost > listed
    assert_sound(world)


def test_a_held_purchase_is_captured_at_its_price_whatever_is_offered_since(world: World) -> None:
    account = enrol(world)
    held = ask(world, account, 120_001, "flat", 3, price_ppm=800_000, capture_now=False)
    assert (held.outcome, held.plan_id) == ("approve", None)
    order = OrderId(UUID(held.order_id))
    payload = row(world.store, "SELECT payload FROM events WHERE kind = 'purchase-authorised'")
    assert payload["price_ppm"] == 800_000
    later = under(world, made(flat=900_000))
    for amount in (70_000, 50_001):
        ship(later, account, order, amount)
    fee = [round(amount * 12_000 / LISTED) for amount in (70_000, 50_001)]
    assert rows(world.store, PLANS) == [("flat", 3, 800_000, one) for one in fee]
    for (plan,) in rows(world.store, "SELECT plan_id FROM plans"):
        told = rows(
            world.store, "SELECT shown_sha256 FROM plans WHERE plan_id = %(plan)s", plan=plan
        )
        assert told == [(digest(terms_of(world, plan)),)]
    captured = rows(world.store, "SELECT payload FROM events WHERE kind = 'purchase-captured'")
    assert [one["price_ppm"] for (one,) in captured] == [800_000] * 2
    assert_sound(world, plans=2)


def test_plans_of_one_product_at_several_prices_are_signed_in_one_batch(world: World) -> None:
    account = enrol(world, limit_minor=5_000_000)
    asked = [
        purchase(world, account, 90_000, "flat", 3),
        purchase(world, account, 120_000, "flat", 3, price_ppm=800_000),
        purchase(world, account, 120_000, "annuity18", 6, price_ppm=500_000),
        purchase(world, account, 90_000, "annuity18", 6),
        purchase(world, account, 120_000, "flat", 3, price_ppm=800_000, capture_now=False),
        purchase(world, account, 120_000, "flat", 12),
    ]
    assert {done(one).outcome for one in authorise(world.ground, asked)} == {"approve"}
    found = rows(world.store, "SELECT plan_id, cost_minor FROM plans ORDER BY plan_id")
    assert len(found) == 5
    for plan, cost in found:
        assert cost == sum(_costs(terms_of(world, PlanId(plan))))
    costs = [cost for _, cost in found]
    assert costs[:2] == [1_350, 1_440]
    assert costs[2] * 3 < costs[3] * 2 * 2  # half the rate on four thirds of the principal
    assert_sound(world, plans=5)


def _costs(terms: Terms) -> Sequence[int]:
    return [due.amounts[1] + due.amounts[2] for due in schedule(terms)]


def test_a_cheaper_level_payment_lives_on_at_its_own_rate(world: World) -> None:
    account = enrol(world)
    order, plan = buy_at(world, account, 600_000, "annuity18", 6, 500_000)
    # 9 % a year: the first month's interest is 0.75 % of what was lent.
    assert row(world.store, "SELECT signed_interest_minor[1] FROM plans") == 4_500
    before = preview(world.ground, account, plan_id=plan, wish=Wish(world.day, extend_count=3))
    assert {one.price_ppm for one in before.plans} == {500_000}
    done(extend(world.ground, [extended(world, account, plan, 3)])[0])
    assert [one.open_minor for one in before.plans[0].after] == opens(world, plan)
    assert_sound(world, plans=1)
    until(world, date(2026, 2, 10))
    pay(world, account, opens(world, plan)[0])
    give_back(world, account, order, 200_000)
    assert_sound(world, plans=1)
    until(world, date(2026, 2, 25))
    shown = preview(world.ground, account, plan_id=plan, wish=Wish(world.day, settles=True))
    assert shown.to_pay_minor is not None
    # Half the listed rate on at most 400,000 for half a month.
    assert shown.to_pay_minor < 400_000 + 400_000 * 90_000 // LISTED // 20
    end_early(world, account, plan, shown.to_pay_minor)
    assert row(world.store, "SELECT state FROM plans") == "closed"
    until(world, date(2026, 3, 3))
    assert_sound(world, plans=1)


def test_a_price_of_nothing_is_a_plan_without_cost(store: Store) -> None:
    world = under(open_book(store), made(flat=0, annuity=0))
    account = enrol(world, limit_minor=2_000_000)
    buy_at(world, account, 120_000, "flat", 3, 0)
    _, plan = buy_at(world, account, 120_000, "annuity18", 6, 0)
    assert rows(world.store, PLANS) == [("flat", 3, 0, 0), ("annuity18", 6, 0, 0)]
    assert opens(world, plan) == [20_000] * 6
    assert_sound(world, plans=2)


def test_without_a_policy_nothing_is_cheaper_than_listed(store: Store) -> None:
    world = open_book(store)
    account = enrol(world)
    answer = ask(world, account, 120_000, "flat", 3, price_ppm=800_000)
    assert (answer.outcome, answer.reasons) == ("other-plan", ["price-not-offered"])
    assert {price for _, _, price in answer.offers or []} == {LISTED}
    assert ask(world, account, 120_000, "flat", 3, price_ppm=LISTED).outcome == "approve"


def test_a_command_that_names_no_price_keeps_the_digest_it_had_before_there_were_any(
    world: World,
) -> None:
    account = enrol(world)
    plain = purchase(world, account, 120_000, "flat", 3)
    named = purchase(world, account, 120_000, "flat", 3, key=plain.key, price_ppm=LISTED)
    assert plain.asked_ppm == named.asked_ppm == LISTED
    assert plain.body_sha256() != named.body_sha256()
    before = json.dumps(["authorise", _as_it_was(plain)], separators=(",", ":"))
    assert plain.body_sha256() == hashlib.sha256(before.encode()).hexdigest()


def _as_it_was(command: Authorise) -> dict[str, object]:
    """Return a command field by field, as it was written before it could name a price."""
    return {
        "scope_kind": "account",
        "scope_id": command.scope_id,
        "key": command.key,
        "actor": "system",
        "account_id": str(command.account_id),
        "merchant_id": str(command.merchant_id),
        "merchant_order": "order",
        "amount_minor": command.amount_minor,
        "product": "flat",
        "count": 3,
        "placed_at": command.placed_at.isoformat().replace("+00:00", "Z"),
        "capture_now": True,
    }


def test_an_answer_with_prices_is_the_same_when_it_is_asked_again(world: World) -> None:
    account = enrol(world)
    for how in ({}, {"price_ppm": 800_000}):
        command = purchase(world, account, 120_000, "flat", 3, **how)
        (first,) = authorise(world.ground, [command])
        assert authorise(world.ground, [command]) == [first]
    assert_sound(world, plans=1)


def decisions(world: World) -> list[UUID]:
    return [one[0] for one in rows(world.store, "SELECT decision_id FROM decisions ORDER BY 1")]


def test_a_decision_is_told_with_its_prices_and_made_again_with_them(world: World) -> None:
    account = enrol(world)
    ask(world, account, 120_000, "flat", 3)
    ask(world, account, 90_000, "flat", 3)
    first, second = (telling.read(world.store, one) for one in decisions(world))
    assert {"product": "flat", "count": 3, "price_ppm": 800_000} in first.offers
    assert {"product": "flat", "count": 12} in first.offers
    assert all("price_ppm" not in one for one in second.offers)
    for record in (first, second):
        again = keeping.from_json(keeping.to_json(record), file="record.json")
        assert again == record
        assert keeping.replay(again) is None
    for language, word in ((Language.ENGLISH, "flat x 3 @ 80.00%"), (Language.CHINESE, "80.00%")):
        console = Console(width=200, record=True, file=StringIO())
        telling.show(first, console, language)
        assert word in console.export_text()
    offers = tuple(
        {**one, "price_ppm": 700_000} if "price_ppm" in one else one for one in first.offers
    )
    found = keeping.replay(dataclasses.replace(first, offers=offers))
    assert found is not None
    assert found.what == "menu"


def test_a_price_in_the_record_of_a_policy_that_offers_none_is_found(store: Store) -> None:
    plain = HEAD.format(name="plain") + NUDGE
    rules = rulebook(read(plain, shipped().vocabulary, file="p.toml"), shipped().vocabulary)
    world = under(open_book(store), rules)
    ask(world, enrol(world), 120_000, "flat", 3)
    record = telling.read(store, decisions(world)[0])
    assert keeping.replay(record) is None
    cheaper = tuple({**one, "price_ppm": 700_000} for one in record.offers)
    found = keeping.replay(dataclasses.replace(record, offers=cheaper))
    assert found is not None
    assert found.what == "menu"


def test_a_purchase_that_waits_for_another_plan_tells_which_one_was_asked_for(
    world: World,
) -> None:
    account = enrol(world)
    ask(world, account, 120_000, "flat", 3, price_ppm=700_000)
    ask(world, account, 120_000, "flat", 6)
    found = "SELECT payload FROM events WHERE kind = 'purchase-paused' ORDER BY number"
    asked = [
        {name: one[name] for name in ("product", "count", "price_ppm") if name in one}
        for (one,) in rows(world.store, found)
    ]
    assert asked == [
        {"product": "flat", "count": 3, "price_ppm": 700_000},
        {"product": "flat", "count": 6},
    ]


def test_two_policies_that_differ_in_a_price_alone_are_told_apart(world: World) -> None:
    account = enrol(world)
    ask(world, account, 120_000, "flat", 3)
    ask(world, account, 90_000, "flat", 3)
    first, second = made().policy, made(flat=900_000).policy
    found = differ(world.store, world.clock, first, second, days=3650)
    assert (found.compared, found.changed, found.menus) == (2, 0, 1)
    told = to_json(found)
    assert told["menus"] == 1
    assert told["plans"] == [
        {
            "product": "flat",
            "instalments": 3,
            "first_ppm": 800_000,
            "second_ppm": 900_000,
            "decisions": 1,
        }
    ]
    console = Console(width=140, record=True, file=StringIO())
    telling_policies.show_difference(found, console, Speech(Language.ENGLISH))
    text = console.export_text()
    assert "1 of them offer another menu" in text
    assert "80.00% of its price" in text
    assert differ(world.store, world.clock, first, first, days=3650).menus == 0


def test_a_challenger_that_offers_another_price_is_told_apart(world: World) -> None:
    challenger, _ = shadowing.begin(world.ground, made(0, 500_000, "free"), by="Li Na", days=7)
    world.clock.set(world.clock.now() + timedelta(minutes=1))
    account = enrol(world)
    ask(world, account, 120_000, "flat", 3)
    ask(world, account, 90_000, "flat", 3)
    follow(world.ground)
    found = telling_shadows.read(world.store, challenger)
    comparison = found.comparison
    assert (comparison.decisions, comparison.differing, comparison.menus) == (2, 0, 1)
    ((moved, count),) = comparison.plans.items()
    assert (tuple(moved), count) == (("flat", 3, 800_000, 0), 1)
    table = json.loads(json.dumps(telling_shadows.as_table(found)))
    assert (table["menus"], table["plans"][0]["second_ppm"]) == (1, 0)
    console = Console(width=140, record=True, file=StringIO())
    telling_shadows.show(found, console, Speech(Language.ENGLISH))
    assert "1 would have been offered another menu" in console.export_text()


def test_the_ledger_check_finds_a_plan_whose_price_is_not_its_orders(world: World) -> None:
    account = enrol(world)
    buy_at(world, account, 120_000, "flat", 3, 800_000)
    assert_sound(world, plans=1)
    with as_owner(world.store) as session:
        session.run("UPDATE orders SET price_ppm = 900000")
    found = [one for one in check(world.store).findings if "price" in one.what]
    assert [one.found for one in found] == ["flat 3 x 3 at 800000"]
    with as_owner(world.store) as session:
        session.run("UPDATE orders SET price_ppm = 800000")
        session.run("UPDATE plans SET price_ppm = 1000000")
    assert any("M8 signed fee" in one.what for one in check(world.store).findings)


def test_the_ledger_check_finds_an_order_that_no_menu_offered(world: World) -> None:
    account = enrol(world)
    buy_at(world, account, 120_000, "flat", 3, 800_000)
    for price in (900_000, LISTED):  # offered is four fifths alone
        with as_owner(world.store) as session:
            session.run("UPDATE orders SET price_ppm = %(price)s", {"price": price})
            session.run("UPDATE plans SET price_ppm = %(price)s", {"price": price})
        found = [one for one in check(world.store).findings if "offers" in one.what]
        assert [one.found.partition(": ")[2] for one in found] == [f"flat x 3 at {price}"]


@pytest.mark.parametrize("table", ["orders", "plans"])
def test_the_program_may_not_change_a_price_that_was_signed(world: World, table: str) -> None:
    account = enrol(world)
    buy_at(world, account, 120_000, "flat", 3, 800_000)
    with pytest.raises(Refused), world.store.transaction() as session:
        session.run(f"UPDATE {table} SET price_ppm = 1")
