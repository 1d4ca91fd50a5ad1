"""Limits and prices are looked at again by a policy: decided, explained, told, held back."""

from datetime import timedelta
from io import StringIO
from itertools import pairwise
from uuid import UUID

import pytest
from make_book import (
    BOOK,
    World,
    assert_sound,
    buy,
    done,
    enrol,
    key,
    kinds,
    noon,
    open_book,
    pay,
    row,
    rows,
    until,
)
from make_change import trip
from rich.console import Console
from typer.testing import CliRunner

from fenqi.cli import app
from fenqi.core.errors import FenqiError
from fenqi.core.risk import record as keeping
from fenqi.core.risk.breaker import Caps
from fenqi.core.risk.change import Subject
from fenqi.core.risk.decision import DecisionKind
from fenqi.core.risk.policy.read import read
from fenqi.core.risk.rulebook import Rulebook, rulebook
from fenqi.core.values.day import add_months
from fenqi.core.values.ids import AccountId
from fenqi.flows.accept import Accept, accept
from fenqi.flows.assess import AccountNotOpen, AskedInvalid, Assess, Assessed, UnderWay, assess
from fenqi.flows.reprice import PriceNotOpen, Reprice, Repriced, reprice
from fenqi.flows.reset import reset
from fenqi.report import decision as telling
from fenqi.report import told as messages
from fenqi.report.language import Language
from fenqi.store import books, changes, policies
from fenqi.store.deciding import Deciding
from fenqi.store.features import shipped
from fenqi.store.pool import Store
from fenqi.worker.assess import assess_book

LIMIT = 1_000_000
HEAD = """
id = "tried-{kind}"
version = {version}
kind = "{kind}"
purpose = "credit"
owner = "risk"
author = "the risk desk"
valid_from = 2026-01-01

[[reasons]]
code = "payment-overdue"
zh = "有逾期未还的款项。"
en = "A payment is overdue."
"""
CUT = """
[[rules]]
id = "overdue"
when = "overdue_days > 3 days"
effects = [{effect = "smaller-limit", limit_ppm = 800000}]
reason = "payment-overdue"

[[rules]]
id = "well-paid"
when = "payments_90d >= 1 and overdue_days == 0 days"
points = -100
"""
DEARER = """
[[rules]]
id = "overdue"
when = "overdue_days > 3 days"
effects = [{effect = "dearer-price", rise_ppm = 700000}]
reason = "payment-overdue"
"""


def live(kind: DecisionKind, body: str, *, version: int = 1) -> Rulebook:
    """Return a policy as one that decides now."""
    vocabulary = shipped().vocabulary
    head = HEAD.format(kind=kind.value, version=version)
    policy = read(head + body, vocabulary, file="tried.toml")
    return rulebook(policy, vocabulary)


LIMITS = live(DecisionKind.LIMIT, CUT)
PRICES = live(DecisionKind.PRICE, DEARER)


@pytest.fixture
def world(store: Store) -> World:
    world = open_book(store, slices=1)
    adopt(world, LIMITS, PRICES)
    return world


def adopt(world: World, *books: Rulebook) -> None:
    """Let policies decide from now on."""
    with world.store.transaction() as session:
        for book in books:
            policies.adopt(session, book, world.clock.now(), by="Wang Fang", because="tried")


def asking(world: World, account: AccountId, *, asked: int | None = None, name: str = "") -> Assess:
    return Assess(
        scope_id=str(account), key=name or key(world), account_id=account, asked_minor=asked
    )


def look(
    world: World, account: AccountId, *, asked: int | None = None, name: str = ""
) -> Assessed | FenqiError:
    return assess(world.ground, [asking(world, account, asked=asked, name=name)])[0]


def price(world: World, account: AccountId) -> Repriced:
    command = Reprice(scope_id=str(account), key=key(world), account_id=account)
    return done(reprice(world.ground, [command])[0])


def overdue(world: World, account: AccountId) -> None:
    """Buy, and let a due day pass unpaid."""
    buy(world, account, 300_000, "flat", 3)
    until(world, add_months(world.day, 2) + timedelta(days=5))


def limit_of(world: World, account: AccountId) -> int:
    sql = "SELECT limit_minor FROM accounts WHERE account_id = %(account)s"
    return int(row(world.store, sql, account=account))


def test_an_overdue_account_is_cut_once_told_why_and_kept_while_the_facts_stay(
    world: World,
) -> None:
    account = enrol(world, limit_minor=LIMIT)
    overdue(world, account)
    cut = done(look(world, account))
    assert (cut.outcome, cut.old_minor, cut.new_minor) == ("cut", LIMIT, 800_000)
    assert (cut.parts, cut.reasons) == ({"overdue": -200_000}, ["payment-overdue"])
    assert limit_of(world, account) == 800_000
    again = done(look(world, account))
    assert (again.outcome, again.new_minor, again.bounds) == ("kept", 800_000, [])
    record = telling.read(world.store, UUID(cut.decision_id))
    assert (record.outcome, record.reasons, record.hits) == (
        "smaller-limit",
        ("payment-overdue",),
        (0,),
    )
    assert keeping.replay(record) is None
    assert keeping.replay(keeping.from_json(keeping.to_json(record), file="it.json")) is None
    console = Console(width=160, record=True, file=StringIO())
    telling.show(record, console, Language.CHINESE)
    text = console.export_text()
    for wanted in ("有逾期未还的款项。", "逾期天数", "0 overdue", "命中", "怎样会不同"):
        assert wanted in text
    with world.store.transaction() as session:
        (told,) = changes.story(session, account)
    assert str(told.decision_id) == cut.decision_id
    assert_sound(world)


def test_what_is_paid_brings_an_offer_that_gives_the_limit_back(world: World) -> None:
    account = enrol(world, limit_minor=LIMIT)
    overdue(world, account)
    done(look(world, account))
    pay(world, account, 310_000)
    soon = done(look(world, account))
    assert (soon.outcome, soon.bounds) == ("kept", ["cool-down"])
    until(world, world.day + timedelta(days=91))
    buy(world, account, 1_000)
    pay(world, account, 1_000)
    found = done(look(world, account))
    assert (found.outcome, found.old_minor, found.new_minor) == ("offered", 800_000, 1_200_000)
    assert found.parts == {"overdue": 200_000, "for:well-paid": 200_000}
    assert limit_of(world, account) == 800_000
    same = done(look(world, account))
    assert (same.outcome, same.offer_id) == ("offered", found.offer_id)
    assert found.offer_id
    yes = Accept(
        scope_id=str(account), key="yes", account_id=account, offer_id=UUID(found.offer_id)
    )
    assert done(accept(world.ground, [yes])[0]).limit_minor == 1_200_000
    assert_sound(world)


def test_who_asks_for_more_gets_it_at_once_up_to_what_was_asked(world: World) -> None:
    account = enrol(world, limit_minor=LIMIT)
    buy(world, account, 1_000)
    pay(world, account, 1_000)
    found = done(look(world, account, asked=1_080_000))
    assert (found.outcome, found.new_minor, found.bounds) == ("raised", 1_080_000, ["range"])
    assert found.parts == {"for:well-paid": 80_000}
    assert limit_of(world, account) == 1_080_000


def test_who_asks_for_more_in_vain_is_told_why(world: World) -> None:
    account = enrol(world, limit_minor=LIMIT)
    found = done(look(world, account, asked=2_000_000))
    assert (found.outcome, found.new_minor) == ("kept", LIMIT)
    assert kinds(world, account)[-1] == "limit-kept"
    for language, why in ((Language.ENGLISH, "paying on time"), (Language.CHINESE, "按时还款")):
        (told,) = messages.told(world.ground, account, language)
        assert told.kind == "limit-kept"
        (sentence,) = told.follows
        assert why in sentence
    refused = look(world, account, asked=LIMIT)
    assert isinstance(refused, AskedInvalid)


def test_an_assessment_counts_once_and_one_account_once_in_a_batch(world: World) -> None:
    account, other = enrol(world, limit_minor=LIMIT), enrol(world, "bob", limit_minor=LIMIT)
    overdue(world, account)
    first = look(world, account, name="one")
    assert look(world, account, name="one") == first
    both = [asking(world, other), asking(world, other), asking(world, account)]
    kept, twice, last = assess(world.ground, both)
    assert done(kept).outcome == done(last).outcome == "kept"
    assert isinstance(twice, UnderWay)


def test_the_accounts_of_a_closed_debt_are_not_assessed(world: World) -> None:
    account = enrol(world, limit_minor=LIMIT)
    with world.store.transaction() as session:
        session.run("UPDATE accounts SET status = 'closed' WHERE kind = 'customer'")
    assert isinstance(look(world, account), AccountNotOpen)
    command = Reprice(scope_id=str(account), key=key(world), account_id=account)
    assert isinstance(reprice(world.ground, [command])[0], PriceNotOpen)


def test_a_price_rises_with_a_reason_and_falls_when_it_is_over(world: World) -> None:
    account = enrol(world, limit_minor=LIMIT)
    overdue(world, account)
    dearer = price(world, account)
    assert (dearer.outcome, dearer.old_ppm, dearer.new_ppm) == ("raised", 108_964, 180_000)
    assert (dearer.grade, dearer.reasons) == (1, ["payment-overdue"])
    assert sum(dearer.parts.values()) == dearer.new_ppm - dearer.old_ppm
    assert kinds(world, account)[-1] == "price-raised"
    pay(world, account, 310_000)
    until(world, world.day + timedelta(days=91))
    fallen = price(world, account)
    assert (fallen.outcome, fallen.new_ppm, fallen.grade) == ("lowered", 108_964, 0)
    assert fallen.parts == {"overdue": -71_036}
    assert_sound(world)


def test_beyond_the_cap_limits_are_kept_and_a_person_reviews_them(
    world: World, monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    caps = world.ground.catalogue.conduct().caps
    monkeypatch.setitem(caps, "smaller-limit", Caps(2, 2))
    people = [enrol(world, f"person-{number}", limit_minor=LIMIT) for number in range(3)]
    for one in people:
        buy(world, one, 300_000, "flat", 3)
    until(world, add_months(world.day, 2) + timedelta(days=5))
    answers = [done(one) for one in assess(world.ground, [asking(world, one) for one in people])]
    assert sorted(one.outcome for one in answers) == ["cut", "cut", "kept"]
    for one in answers:
        assert keeping.replay(telling.read(world.store, UUID(one.decision_id))) is None
    (kept,) = [one for one in answers if one.outcome == "kept"]
    assert kept.bounds == ["held-back"]
    outcome, effects = row(
        world.store,
        "SELECT outcome, effects FROM decisions WHERE decision_id = %(decision)s",
        decision=kept.decision_id,
    )
    assert (outcome, effects) == ("review", ["review:1", "held-back:smaller-limit"])
    assert row(world.store, "SELECT effect FROM breaker_trips") == "smaller-limit"
    subjects = rows(world.store, "SELECT subject FROM cases ORDER BY subject")
    assert subjects == [("breaker-smaller-limit",), ("limit-review",)]
    assert sorted(limit_of(world, one) for one in people) == [800_000, 800_000, LIMIT]
    # Who looks at a whole book is told of it, and of no cap on another kind.
    environment = {"FENQI_DATABASE_URL": database_url, "FENQI_LANGUAGE": "en"}
    told = {
        one: CliRunner().invoke(app, ["assess", one], env=environment).stdout
        for one in ("limit", "price")
    }
    assert "The cap is met for smaller-limit (2 in any hour)" in told["limit"]
    assert "The cap is met" not in told["price"]


def test_limits_never_swing_however_often_they_are_looked_at(world: World) -> None:
    """A customer late every other month: months of weekly looks turn the limit at most twice."""
    account = enrol(world, limit_minor=LIMIT)
    for month in range(4):
        buy(world, account, 5_000)
        if month % 2:
            pay(world, account, 30_000)
        for _ in range(4):
            until(world, world.day + timedelta(days=7))
            found = done(look(world, account))
            if found.offer_id:
                yes = Accept(
                    scope_id=str(account),
                    key=found.offer_id,
                    account_id=account,
                    offer_id=UUID(found.offer_id),
                )
                accept(world.ground, [yes])
    went = [
        one[0] for one in rows(world.store, "SELECT direction FROM changes ORDER BY event_number")
    ]
    turns = sum(a != b for a, b in pairwise(went))
    assert went
    assert turns <= 2
    assert world.clock.now() == noon(world.day)


def test_an_open_breaker_lets_the_version_before_decide_until_it_is_reset(world: World) -> None:
    account = enrol(world, limit_minor=LIMIT)
    harsh = live(DecisionKind.LIMIT, CUT.replace("800000", "500000"), version=2)
    adopt(world, harsh)
    assert deciding(world) == 2
    trip(world, account, harsh.kind, harsh.name, harsh.version)
    assert deciding(world) == 1
    fixed = live(DecisionKind.LIMIT, CUT.replace("800000", "700000"), version=3)
    adopt(world, fixed)
    assert deciding(world) == 3  # another version than the one that tripped
    with world.store.transaction() as session:
        policies.roll_back(
            session, DecisionKind.LIMIT, world.clock.now(), by="Wang Fang", because="worse"
        )
    assert deciding(world) == 1
    reset(world.ground, BOOK, DecisionKind.LIMIT, by="Li Na", finding="a wrong threshold")
    assert deciding(world) == 2


def deciding(world: World) -> int:
    with world.store.transaction() as session:
        return Deciding(session, DecisionKind.LIMIT).of(books.read(session, BOOK)).version


def test_the_shipped_policies_assess_an_account_of_which_little_is_known(store: Store) -> None:
    world = open_book(store, slices=1)
    account = enrol(world, limit_minor=LIMIT)
    found = done(look(world, account))
    assert (found.outcome, found.new_minor) == ("kept", LIMIT)
    assert price(world, account).outcome == "kept"
    record = telling.read(world.store, UUID(found.decision_id))
    assert record.rulebook.name == "limit"
    assert keeping.replay(record) is None


def test_a_whole_book_is_looked_at_once_a_day_page_by_page(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fenqi.worker.assess.PAGE_ACCOUNTS", 2)
    people = [enrol(world, f"person-{number}", limit_minor=LIMIT) for number in range(5)]
    for one in people[:2]:
        buy(world, one, 300_000, "flat", 3)
    until(world, add_months(world.day, 2) + timedelta(days=5))
    pages: list[int] = []
    found = assess_book(world.ground, BOOK, Subject.LIMIT, on_page=pages.append)
    assert (found, pages) == ({"cut": 2, "kept": 3}, [2, 2, 1])
    again = assess_book(world.ground, BOOK, Subject.LIMIT)
    assert again == found
    assert row(world.store, "SELECT COUNT(*) FROM decisions WHERE kind = 'limit'") == 5
    assert assess_book(world.ground, BOOK, Subject.PRICE) == {"raised": 2, "kept": 3}
    assert_sound(world)
