"""After many applications a check and a cooler menu hold for every offer among them."""

import dataclasses
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from make_application import SaidBureau, applied, hashed
from make_book import World, assert_sound, done, key, kinds, open_book, purchase, row, rows

from fenqi.core.errors import FenqiError
from fenqi.core.risk import application
from fenqi.core.risk.rulebook import Rulebook
from fenqi.core.values.ids import AccountId
from fenqi.flows.apply import Identifier, Received
from fenqi.flows.authorise import authorise
from fenqi.flows.decide import Decided
from fenqi.flows.sign import CostTableDiffers, OfferEnded, Sign, Signed, StepUpNeeded, sign
from fenqi.store.accounts import AlreadyEnrolled
from fenqi.store.applications import ApplicationElsewhere
from fenqi.store.pool import Store
from fenqi.worker.admit import admit

MANY = ["many-applications"]


@pytest.fixture
def world(store: Store) -> World:
    """Return a book in which the shipped policies decide, of purchases too."""
    made = open_book(store)
    return dataclasses.replace(made, ground=dataclasses.replace(made.ground, asks_policies=True))


def applied_by(world: World, how: str, number: int) -> Received:
    """Somebody applies again, known by what the word says and by nothing else."""
    if how == "person":
        return applied(world, "ann", identifiers=())
    if how == "national-id":
        return applied(world, f"p{number}", national_id=hashed("same"), identifiers=())
    own = hashed(f"phone-{number}")
    shared = (Identifier(kind=how, hash=hashed("same")), Identifier(kind="phone", hash=own))
    return applied(world, f"p{number}", identifiers=shared if how != "phone" else shared[:1])


def decided(world: World, received: list[Received]) -> list[Decided]:
    answers = admit(world.ground, SaidBureau())
    return [done(answers[one.application_id]) for one in received]


def signing(
    world: World, received: Received, offer: Decided, *, is_stepped_up: bool = False
) -> Sign:
    return Sign(
        scope_id=received.application_id,
        key=key(world),
        account_id=AccountId(UUID(received.application_id)),
        cost_table=str(offer.cost_table),
        is_stepped_up=is_stepped_up,
    )


def signed(
    world: World, received: Received, offer: Decided, *, is_stepped_up: bool = False
) -> Signed | FenqiError:
    command = signing(world, received, offer, is_stepped_up=is_stepped_up)
    return sign(world.ground, [command])[0]


def bought(world: World, received: Received, product: str, count: int) -> tuple[str, list[str]]:
    """Try to buy; return what came of it and the reasons the customer was told."""
    account = AccountId(UUID(received.application_id))
    answer = done(authorise(world.ground, [purchase(world, account, 100_000, product, count)])[0])
    told = rows(
        world.store,
        "SELECT payload -> 'reasons' FROM events WHERE account_id = %(id)s "
        "AND kind = 'purchase-paused' ORDER BY number DESC LIMIT 1",
        id=account,
    )
    return answer.outcome, told[0][0] if answer.outcome == "other-plan" else []


@pytest.mark.parametrize("how", ["person", "national-id", "phone", "device", "card"])
@pytest.mark.parametrize("place", [0, 2, 4])
def test_after_five_applications_whichever_offer_is_signed_needs_the_check_and_gets_short_plans(
    world: World, how: str, place: int
) -> None:
    received = [applied_by(world, how, number) for number in range(5)]
    offers = decided(world, received)
    one, offer = received[place], offers[place]
    refusal = signed(world, one, offer)
    assert isinstance(refusal, StepUpNeeded), refusal
    told = {name: refusal.fields[name] for name in ("count", "until", "reasons")}
    assert told == {"count": 5, "until": "2026-01-05 16:00 UTC", "reasons": ("many-applications",)}
    assert row(world.store, "SELECT COUNT(*) FROM accounts WHERE kind = 'customer'") == 0
    answer = done(signed(world, one, offer, is_stepped_up=True))
    assert answer == Signed(one.application_id, 2_000_000, 3, MANY)
    assert bought(world, one, "flat", 24) == ("other-plan", MANY)
    assert bought(world, one, "flat", 3) == ("approve", [])
    assert_sound(world, accounts=1)


def test_what_many_applications_lead_to_ends_by_itself_after_the_hours_of_the_pack(
    world: World,
) -> None:
    received = [applied_by(world, "phone", number) for number in range(5)]
    offers = decided(world, received)
    world.clock.set(world.clock.now() + timedelta(hours=12) - timedelta(seconds=1))
    for one, offer in zip(received, offers, strict=True):
        assert isinstance(signed(world, one, offer), StepUpNeeded)
    world.clock.set(world.clock.now() + timedelta(seconds=1))
    for one, offer in ((received[0], offers[0]), (received[4], offers[4])):
        assert done(signed(world, one, offer)) == Signed(one.application_id, 2_000_000)


def test_the_shorter_plans_of_an_account_end_a_day_after_it_was_opened(world: World) -> None:
    received = [applied_by(world, "person", number) for number in range(5)]
    offers = decided(world, received)
    done(signed(world, received[0], offers[0], is_stepped_up=True))
    world.clock.set(world.clock.now() + timedelta(hours=24) - timedelta(seconds=1))
    assert bought(world, received[0], "flat", 24) == ("other-plan", MANY)
    world.clock.set(world.clock.now() + timedelta(seconds=1))
    assert bought(world, received[0], "flat", 24) == ("approve", [])


def test_whoever_signs_after_many_applications_is_told_why_plans_are_short(world: World) -> None:
    received = [applied_by(world, "person", number) for number in range(5)]
    offers = decided(world, received)
    done(signed(world, received[1], offers[1], is_stepped_up=True))
    told = rows(
        world.store,
        "SELECT payload -> 'applications_24h', payload -> 'counts_max', payload -> 'reasons' "
        "FROM events JOIN outbox USING (account_id) "
        "WHERE outbox.event_number = events.number AND kind = 'account-opened' "
        "AND topic = 'customer'",
    )
    assert told == [(5, 3, MANY)]
    account = AccountId(UUID(received[1].application_id))
    assert kinds(world, account)[-2:] == ["account-opened", "step-up-passed"]


def test_four_applications_and_another_persons_fifth_ask_for_nothing(world: World) -> None:
    four = [applied(world, "ann") for _ in range(4)]
    other = applied(world, "ben")
    offers = decided(world, [*four, other])
    for one, offer in ((four[0], offers[0]), (other, offers[4])):
        assert done(signed(world, one, offer)) == Signed(one.application_id, 2_000_000)
        assert bought(world, one, "flat", 24) == ("approve", [])
    told = "SELECT 1 FROM outbox JOIN events ON number = event_number AND kind = 'account-opened' "
    assert rows(world.store, told + "WHERE outbox.account_id = events.account_id") == []


def test_a_check_passed_when_applying_is_not_asked_for_again(world: World) -> None:
    received = [applied(world, "ann", is_stepped_up=number == 0) for number in range(5)]
    offers = decided(world, received)
    assert done(signed(world, received[0], offers[0])).counts_max == 3


def test_a_fifth_application_that_is_not_decided_yet_counts_already(world: World) -> None:
    received = [applied(world, "ann") for _ in range(4)]
    offers = decided(world, received)
    applied(world, "ann")
    assert isinstance(signed(world, received[0], offers[0]), StepUpNeeded)


def test_an_offer_that_is_signed_not_open_or_ended_is_refused_as_that_not_as_unchecked(
    world: World,
) -> None:
    received = [applied_by(world, "phone", number) for number in range(5)]
    waiting = signed(world, received[0], Decided("", "", [], cost_table=str(UUID(int=1))))
    assert isinstance(waiting, ApplicationElsewhere)
    assert waiting.fields["state"] == "received"
    offers = decided(world, received)
    first = done(signed(world, received[0], offers[0], is_stepped_up=True))
    twice = signed(world, received[0], offers[0])
    assert isinstance(twice, AlreadyEnrolled)
    assert str(twice.fields["account"]) == first.account_id
    with world.store.transaction() as session:
        session.run("UPDATE applications SET offer_ends_on = offer_ends_on - 30")
    assert isinstance(signed(world, received[1], offers[1]), OfferEnded)
    wrong = dataclasses.replace(offers[2], cost_table=str(UUID(int=1)))
    with world.store.transaction() as session:
        session.run("UPDATE applications SET offer_ends_on = offer_ends_on + 30")
    assert isinstance(signed(world, received[2], wrong), CostTableDiffers)
    assert_sound(world, accounts=1)


def test_offers_of_one_batch_are_each_held_to_what_their_own_applications_came_to(
    world: World,
) -> None:
    received = [applied_by(world, "phone", number) for number in range(5)]
    other = applied(world, "zoe")
    offers = decided(world, [*received, other])
    commands = [
        signing(world, one, offer)
        for one, offer in zip([received[0], other], [offers[0], offers[5]], strict=True)
    ]
    answers = sign(world.ground, commands)
    assert [type(one) for one in answers] == [StepUpNeeded, Signed]


def test_the_policy_of_many_offers_is_compiled_once_in_a_batch(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    received = [applied_by(world, "phone", number) for number in range(5)]
    received += [applied(world, name) for name in ("zoe", "max")]
    offers = decided(world, received)
    restored, compiled = application.restored, []

    def counted(content: Mapping[str, Any]) -> Rulebook:
        compiled.append(content)
        return restored(content)

    monkeypatch.setattr(application, "restored", counted)
    commands = [signing(world, one, offer) for one, offer in zip(received, offers, strict=True)]
    sign(world.ground, commands)
    assert len(compiled) == 1
