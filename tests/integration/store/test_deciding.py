"""Which version decides: a policy whose time is over does not, whatever it decides about."""

from datetime import date, timedelta
from io import StringIO

import pytest
from make_book import BOOK, World, open_book, until
from make_change import trip
from rich.console import Console

from fenqi.core.risk.decision import DecisionKind
from fenqi.core.risk.policy.read import read
from fenqi.core.risk.rulebook import Rulebook
from fenqi.core.values.ids import AccountId
from fenqi.report.language import Language, Speech
from fenqi.report.policies import deciding, show_deciding
from fenqi.store import books, policies
from fenqi.store.deciding import Chosen, Deciding
from fenqi.store.features import shipped
from fenqi.store.pool import Store

TEXT = """
id = "own"
version = {version}
kind = "{kind}"
purpose = "service"
owner = "risk"
author = "Analyst One"
valid_from = 2020-01-01
{until}

[[rules]]
id = "in-arrears"
when = "overdue_days > 1 day"
effects = [{{ effect = "nudge" }}]
reason = "in-arrears"

[[reasons]]
code = "in-arrears"
zh = "有款项到期。"
en = "Something is due."
"""
KINDS = [one for one in DecisionKind if one is not DecisionKind.APPLICATION]


@pytest.fixture
def world(store: Store) -> World:
    return open_book(store, slices=1)


def adopt(world: World, kind: DecisionKind, version: int, ends: date | None = None) -> Rulebook:
    over = f"valid_until = {ends}" if ends else ""
    text = TEXT.format(version=version, kind=kind.value, until=over)
    book = policies.book_of(read(text, shipped().vocabulary, file="own.toml"))
    with world.store.transaction() as session:
        policies.adopt(session, book, world.clock.now(), by="Second Person", because="tried")
    return book


def chosen(world: World, kind: DecisionKind) -> Chosen:
    with world.store.transaction() as session:
        return Deciding(session, kind).chosen(books.read(session, BOOK))


def decides(world: World, kind: DecisionKind) -> tuple[str, int]:
    book = chosen(world, kind).rulebook
    return book.name, book.version


@pytest.mark.parametrize("kind", KINDS)
def test_after_its_last_day_the_version_before_decides(world: World, kind: DecisionKind) -> None:
    adopt(world, kind, 1)
    adopt(world, kind, 2, world.day + timedelta(days=1))
    assert decides(world, kind) == ("own", 2)
    until(world, world.day + timedelta(days=1))
    assert decides(world, kind) == ("own", 2)  # on its last day too
    until(world, world.day + timedelta(days=1))
    assert decides(world, kind) == ("own", 1)
    found = chosen(world, kind)
    assert (found.is_over, found.is_tripped, found.live.version) == (True, False, 2)


def test_with_nothing_before_it_what_is_shipped_decides(world: World) -> None:
    kind = DecisionKind.ACCESS
    adopt(world, kind, 1, world.day)
    until(world, world.day + timedelta(days=1))
    assert decides(world, kind) == ("access", 2)


def test_versions_whose_time_is_over_or_whose_breakers_are_open_are_passed_over(
    world: World,
) -> None:
    kind = DecisionKind.PURCHASE
    adopt(world, kind, 1)
    adopt(world, kind, 2)
    adopt(world, kind, 3, world.day)
    adopt(world, kind, 4)
    trip(world, _house(world), kind, "own", 4)
    assert decides(world, kind) == ("own", 3)
    until(world, world.day + timedelta(days=1))
    assert decides(world, kind) == ("own", 2)
    trip(world, _house(world), kind, "own", 2)
    assert decides(world, kind) == ("own", 1)
    trip(world, _house(world), kind, "own", 1)
    assert decides(world, kind) == ("own", 4)  # none is left: the live one, under its caps
    found = chosen(world, kind)
    assert (found.is_over, found.is_tripped) == (False, True)


def _house(world: World) -> AccountId:
    with world.store.transaction() as session:
        return books.read(session, BOOK).house_account_id


def test_the_list_says_what_decides_and_why_it_is_not_the_live_version(world: World) -> None:
    adopt(world, DecisionKind.LIMIT, 1)
    adopt(world, DecisionKind.LIMIT, 2, world.day)
    adopt(world, DecisionKind.PRICE, 3)
    adopt(world, DecisionKind.PRICE, 4)
    trip(world, _house(world), DecisionKind.PRICE, "own", 4)
    until(world, world.day + timedelta(days=1))
    told = {one.kind: (one.policy, one.version, one.because) for one in deciding(world.store)}
    assert told.keys() == {one.value for one in DecisionKind}
    assert told["limit"] == ("own", 1, "of own 2: its time is over")
    assert told["price"] == ("own", 3, "of own 4: a breaker is open")
    assert told["access"] == ("access", 2, "")
    console = Console(file=StringIO(), width=120, markup=False)
    show_deciding(deciding(world.store), console, Speech(Language.CHINESE))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    for said in ("own 2 版\uff1a已过有效期", "own 4 版\uff1a熔断已触发", "额度 limit"):
        assert said in text


@pytest.mark.parametrize("kind", KINDS)
def test_amounts_of_another_currency_decide_nothing(store: Store, kind: DecisionKind) -> None:
    world = open_book(store, slices=1, currency="JPY")
    versions = (
        (1, "used_minor > 900 JPY"),
        (2, "used_minor > 900.00 CNY"),
        (3, "overdue_days > 2 days"),
    )
    found = []
    for version, when in versions:
        text = TEXT.format(version=version, kind=kind.value, until="")
        text = text.replace("overdue_days > 1 day", when)
        if "used" in when:
            text = text.replace('"service"', '"credit"')
        book = policies.book_of(read(text, shipped().vocabulary, file="own.toml"))
        with world.store.transaction() as session:
            policies.adopt(session, book, world.clock.now(), by="Second Person", because="tried")
        found.append((decides(world, kind), chosen(world, kind).is_foreign))
    assert found == [(("own", 1), False), (("own", 1), True), (("own", 3), False)]
    with world.store.transaction() as session:
        policies.roll_back(session, kind, world.clock.now(), by="Second Person", because="tried")
    (line,) = [one for one in deciding(world.store) if one.kind == kind.value]
    assert (line.policy, line.version) == ("own", 1)
    assert "another currency" in str(line.because)


def test_without_a_version_in_the_books_currency_what_is_shipped_decides(store: Store) -> None:
    world, kind = open_book(store, slices=1, currency="JPY"), DecisionKind.PURCHASE
    text = TEXT.format(version=1, kind=kind.value, until="").replace('"service"', '"credit"')
    text = text.replace("overdue_days > 1 day", "used_minor > 900.00 CNY")
    book = policies.book_of(read(text, shipped().vocabulary, file="own.toml"))
    with world.store.transaction() as session:
        policies.adopt(session, book, world.clock.now(), by="Second Person", because="tried")
    assert decides(world, kind)[0] == policies.shipped(kind).name
