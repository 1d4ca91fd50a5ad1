"""Limits and prices change by signed parts, for later purchases only; a raise is accepted first."""

from uuid import UUID

import pytest
from make_book import (
    World,
    assert_sound,
    buy,
    done,
    enrol,
    key,
    kinds,
    open_book,
    purchase,
    row,
    rows,
    told_of_last,
    until,
)
from make_change import move, offer_of

from fenqi.core.errors import Broken, FenqiError, Forbidden
from fenqi.core.risk.change import ELSEWHERE, Direction, Pull, Standing, Subject
from fenqi.core.values.day import add_months
from fenqi.core.values.ids import AccountId
from fenqi.flows.accept import Accept, Accepted, accept
from fenqi.flows.authorise import authorise
from fenqi.store import accounts, changes
from fenqi.store.changes import OfferGone, OfferMissing
from fenqi.store.pool import Store

LIMIT = 1_000_000
LATE = Pull("late", -200_000, "late-payments")
LOYAL = Pull("loyal", 300_000)


@pytest.fixture
def world(store: Store) -> World:
    return open_book(store, slices=1)


def answer(
    world: World, account: AccountId, offer: UUID, *, accepts: bool = True, name: str = ""
) -> Accepted | FenqiError:
    command = Accept(
        scope_id=str(account),
        key=name or key(world),
        account_id=account,
        offer_id=offer,
        accepts=accepts,
        actor="customer",
    )
    return accept(world.ground, [command])[0]


def limit_of(world: World, account: AccountId) -> int:
    sql = "SELECT limit_minor FROM accounts WHERE account_id = %(account)s"
    return int(row(world.store, sql, account=account))


def test_a_cut_is_booked_told_and_its_parts_sum_to_it(world: World) -> None:
    account = enrol(world, limit_minor=LIMIT)
    move(world, account, [LATE])
    assert limit_of(world, account) == 800_000
    payload, topic = row(
        world.store,
        """
        SELECT e.payload, o.topic FROM events AS e
        JOIN outbox AS o ON o.account_id = e.account_id AND o.event_number = e.number
        WHERE e.kind = 'limit-cut'
        """,
    )
    assert topic == "customer"
    assert payload == {
        "old_minor": LIMIT,
        "new_minor": 800_000,
        "parts": {"late": -200_000},
        "reasons": ["late-payments"],
        "may_contest": True,
    }
    with world.store.transaction() as session:
        (told,) = changes.story(session, account)
    assert (told.old, told.new, told.parts) == (LIMIT, 800_000, {"late": -200_000})
    assert told.standing == Standing(LIMIT, {"late": -200_000})
    assert told.direction is Direction.HARSHER
    assert_sound(world)


def test_a_limit_may_be_cut_below_what_is_used_and_signed_plans_stay_as_they_are(
    world: World,
) -> None:
    account = enrol(world, limit_minor=LIMIT)
    buy(world, account, 900_000, "flat", 12)
    signed = plans(world, account)
    move(world, account, [LATE])
    dearer = move(world, account, [Pull("late", 700_000, "late-payments")], Subject.PRICE)
    assert (dearer.old, dearer.new) == (108_964, 180_000)
    assert limit_of(world, account) == 800_000  # of which 900,000 are used
    assert plans(world, account) == signed
    answered = done(authorise(world.ground, [purchase(world, account, 1)])[0])
    assert (answered.outcome, told_of_last(world, account)) == ("decline", ["limit-exceeded"])
    until(world, add_months(world.day, 2))
    assert [one[:3] for one in plans(world, account)] == [one[:3] for one in signed]
    assert_sound(world)


def plans(world: World, account: AccountId) -> list[tuple[object, ...]]:
    """Return what each plan was signed for, and what it asks for."""
    return rows(
        world.store,
        """
        SELECT p.product, p.product_version, ARRAY(
            SELECT i.principal_due_minor + i.fee_due_minor + i.interest_due_minor
            FROM instalments AS i WHERE i.plan_id = p.plan_id ORDER BY i.number
        ), p.principal_open_minor
        FROM plans AS p WHERE p.account_id = %(account)s ORDER BY p.plan_id
        """,
        account=account,
    )


def test_a_raise_is_an_offer_and_nothing_before_it_is_accepted(world: World) -> None:
    account = enrol(world, limit_minor=LIMIT)
    move(world, account, [LOYAL])
    assert limit_of(world, account) == LIMIT
    offer = offer_of(world, account)
    assert done(answer(world, account, offer)) == Accepted("accepted", 1_300_000)
    assert limit_of(world, account) == 1_300_000
    with world.store.transaction() as session:
        (told,) = changes.story(session, account)
    assert (told.parts, told.offer_id) == ({"loyal": 300_000}, offer)
    assert told.standing == Standing(1_300_000)  # agreed anew: it is not counted twice
    assert kinds(world, account)[-2:] == ["limit-offered", "limit-raised"]
    assert_sound(world)


def test_an_offer_is_answered_once_however_often_it_is_sent(world: World) -> None:
    account = enrol(world, limit_minor=LIMIT)
    move(world, account, [LOYAL])
    offer = offer_of(world, account)
    first = answer(world, account, offer, name="yes")
    assert answer(world, account, offer, name="yes") == first
    assert isinstance(answer(world, account, offer), OfferGone)
    both = [
        Accept(scope_id=str(account), key=name, account_id=account, offer_id=offer)
        for name in ("one", "two")
    ]
    assert all(isinstance(one, OfferGone) for one in accept(world.ground, both))
    assert limit_of(world, account) == 1_300_000


def test_two_answers_in_one_batch_raise_the_limit_once(world: World) -> None:
    account = enrol(world, limit_minor=LIMIT)
    move(world, account, [LOYAL])
    offer = offer_of(world, account)
    both = [
        Accept(scope_id=str(account), key=name, account_id=account, offer_id=offer)
        for name in ("one", "two")
    ]
    first, second = accept(world.ground, both)
    assert (done(first).state, type(second)) == ("accepted", OfferMissing)
    assert limit_of(world, account) == 1_300_000


def test_an_offer_ends_by_itself(world: World) -> None:
    account = enrol(world, limit_minor=LIMIT)
    move(world, account, [LOYAL])
    offer = offer_of(world, account)
    until(world, add_months(world.day, 2))
    refused = answer(world, account, offer)
    assert isinstance(refused, OfferGone)
    assert "last_on" in refused.fields
    assert limit_of(world, account) == LIMIT


def test_nothing_is_raised_while_the_account_is_frozen_or_closed(world: World) -> None:
    account = enrol(world, limit_minor=LIMIT)
    move(world, account, [LOYAL])
    offer = offer_of(world, account)
    with world.store.transaction() as session:
        session.run(
            "UPDATE accounts SET status = 'closed' WHERE account_id = %(id)s", {"id": account}
        )
    assert isinstance(answer(world, account, offer), OfferGone)
    assert limit_of(world, account) == LIMIT


def test_an_offer_on_a_limit_that_is_another_one_by_now_is_gone(world: World) -> None:
    account = enrol(world, limit_minor=LIMIT)
    move(world, account, [LOYAL])
    offer = offer_of(world, account)
    move(world, account, [LATE])
    assert isinstance(answer(world, account, offer), OfferGone)
    assert limit_of(world, account) == 800_000


def test_who_declines_keeps_the_limit(world: World) -> None:
    account = enrol(world, limit_minor=LIMIT)
    move(world, account, [LOYAL])
    answered = answer(world, account, offer_of(world, account), accepts=False)
    assert done(answered) == Accepted("declined", LIMIT)
    assert kinds(world, account)[-1] == "limit-offer-declined"


def test_nobody_answers_the_offer_of_another(world: World) -> None:
    account, stranger = enrol(world, limit_minor=LIMIT), enrol(world, "bob")
    move(world, account, [LOYAL])
    assert isinstance(answer(world, stranger, offer_of(world, account)), OfferMissing)


def test_a_limit_changed_by_other_hands_is_a_part_of_the_next_story(world: World) -> None:
    account = enrol(world, limit_minor=LIMIT)
    with world.store.transaction() as session:
        session.run("UPDATE accounts SET limit_minor = 900000 WHERE limit_minor = 1000000")
    move(world, account, [LATE])
    move(world, account, [LATE])
    with world.store.transaction() as session:
        (told,) = changes.story(session, account)
    assert (told.old, told.new) == (900_000, 720_000)
    with world.store.transaction() as session:
        session.run("UPDATE accounts SET limit_minor = 700000 WHERE limit_minor = 720000")
        locked = accounts.lock(session, {account})
        conduct = world.ground.catalogue.conduct()
        found = changes.histories(session, locked, Subject.LIMIT, on=world.day, conduct=conduct)[
            account
        ]
    assert found.standing.parts == {"late": -180_000, ELSEWHERE: -20_000}


@pytest.mark.parametrize(
    "wrong",
    [
        "part_values = '{-1}'",
        "standing_values = '{-1}'",
        "reasons = '{}'",
        "direction = 'milder'",
    ],
)
def test_the_database_refuses_a_change_whose_parts_do_not_sum(world: World, wrong: str) -> None:
    account = enrol(world, limit_minor=LIMIT)
    move(world, account, [LATE])
    column, _, value = wrong.partition(" = ")
    copy = f"""
        INSERT INTO changes
        SELECT (jsonb_populate_record(c, jsonb_build_object(
            'event_number', 99, %(column)s::text, to_jsonb({value}::{
        "text" if column == "direction" else "bigint[]" if "values" in column else "text[]"
    })
        ))).* FROM changes AS c
    """
    with pytest.raises(Broken), world.store.transaction() as session:
        session.run(copy, {"column": column})


def test_a_change_is_never_changed(world: World) -> None:
    account = enrol(world, limit_minor=LIMIT)
    move(world, account, [LATE])
    for sql in ("UPDATE changes SET new_value = 1", "DELETE FROM changes", "DELETE FROM offers"):
        with pytest.raises(Forbidden), world.store.transaction() as session:
            session.run(sql)
