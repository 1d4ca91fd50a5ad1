"""Who may answer an appeal, and an appeal against a case that went on in another meanwhile."""

from typing import Any
from uuid import UUID

import pytest
from make_book import World, as_owner, buy, done, enrol, rows
from make_case import about, of_case
from make_crowd import only_ring, people
from make_shipped import found_harmless, gather, open_cases, running, shipped_book, tell, try_buy
from test_flow_appeal import appealed, closing, found, last_decision, opening, refusal

from fenqi.core.errors import Forbidden
from fenqi.core.risk.appeal import Answer
from fenqi.core.risk.case import CaseOutcome
from fenqi.core.values.ids import AccountId
from fenqi.flows.appeal import AppealOpened, open_appeal
from fenqi.flows.close_appeal import close_appeal
from fenqi.flows.review import (
    AssignCase,
    CloseCase,
    NoteCase,
    OpenCase,
    assign_case,
    close_case,
    note_case,
    open_case,
)
from fenqi.store.pool import Store


@pytest.fixture
def world(store: Store) -> World:
    return shipped_book(store)


def declined(world: World) -> tuple[AccountId, UUID]:
    account = enrol(world, limit_minor=100_000)
    assert try_buy(world, account, 200_000).outcome == "decline"
    return account, last_decision(world, account, "purchase")


def refused(world: World, account: AccountId, appeal: AppealOpened, person: str) -> bool:
    """Whether somebody is kept out of an appeal against a decision."""
    own = closing(world, account, appeal, Answer.UPHELD, actor=person)
    return isinstance(close_appeal(world.ground, [own])[0], Forbidden)


@pytest.mark.parametrize("person", ["mei", "customer", "worker"])
def test_who_wrote_an_appeal_down_does_not_answer_it_nor_does_a_machine(
    world: World, person: str
) -> None:
    account, decision = declined(world)
    command = opening(world, account, decision, actor="mei")
    appeal = done(open_appeal(world.ground, [command])[0])
    taken = of_case(world, UUID(appeal.case_id), actor="ola", assignee="mei")
    assert isinstance(refusal(assign_case(world.ground, [AssignCase(**taken)])[0]), Forbidden)
    noted = of_case(world, UUID(appeal.case_id), actor="mei", text="he called again")
    assert done(note_case(world.ground, [NoteCase(**noted)])[0]).entry_count == 2
    assert refused(world, account, appeal, person)
    assert found(world, account, appeal, Answer.UPHELD).outcome == "upheld"


def test_who_wrote_an_appeal_against_a_case_down_does_not_answer_it(world: World) -> None:
    account = enrol(world)
    said: dict[str, Any] = {"subject": "odd", "text": "looks odd"}
    (case,) = open_case(world.ground, [OpenCase(**about(world, account, actor="li", **said))])
    asked = about(world, account, about_case_id=UUID(done(case).case_id), **said)
    asked["actor"] = " mei"  # however it is typed
    (answer,) = open_case(world.ground, [OpenCase(**asked)])
    appeal = UUID(done(answer).case_id)
    for person in ("mei", "li"):
        how = {"outcome": CaseOutcome.FALSE_ALARM, "text": "fine", "actor": person}
        closed = close_case(world.ground, [CloseCase(**of_case(world, appeal, **how))])[0]
        assert isinstance(refusal(closed), Forbidden)
    found_harmless(world, appeal, by="ola")


def test_who_worked_on_the_case_of_a_hold_does_not_answer_the_appeal_against_it(
    world: World,
) -> None:
    """The case was opened by an earlier decision, and the one that held joined it."""
    account = enrol(world, limit_minor=100_000)
    buy(world, account, 10_000)
    tell(world, account, "device-changed", device="a")
    tell(world, account, "phone-changed", phone="0100")
    held = tell(world, account, "phone-changed", phone="0101")
    (case,) = open_cases(world, account)
    sql = "UPDATE cases SET decision_id = gen_random_uuid()"
    with as_owner(world.store) as session:
        session.run(sql, {})
    for person, how in (("mei", {"assignee": "li"}), ("ola", {"assignee": "mei"})):
        assign_case(world.ground, [AssignCase(**of_case(world, case, actor=person, **how))])
    appeal = appealed(world, account, held.decision_id)
    assert [one for one in ("mei", "li", "ola", "ann") if refused(world, account, appeal, one)] == [
        *("mei", "li", "ola")
    ]


def test_an_appeal_against_a_case_that_went_on_in_another_ends_what_went_on(world: World) -> None:
    ring = people(world, 14)
    for number, one in enumerate(ring[:12]):
        gather(world, [one], f"9.9.9.{number}", device="farm")
    (case,) = open_cases(world)
    one = ring[11]
    assert running(world, one)
    said: dict[str, Any] = {"subject": "me", "text": "it is my shop", "actor": "customer"}
    (opened,) = open_case(world.ground, [OpenCase(**about(world, one, about_case_id=case, **said))])
    gather(world, ring, "1.2.3.4", device="farm")
    joined = "SELECT joined_case_id FROM cases WHERE case_id = %(case)s"
    assert rows(world.store, joined, case=case) == [(only_ring(world),)]
    note_case(
        world.ground, [NoteCase(**of_case(world, only_ring(world), actor="li", text="a farm"))]
    )
    appeal = UUID(done(opened).case_id)
    how = {"outcome": CaseOutcome.FALSE_ALARM, "text": "fine", "actor": "li"}
    own = close_case(world.ground, [CloseCase(**of_case(world, appeal, **how))])[0]
    assert isinstance(refusal(own), Forbidden)
    found_harmless(world, appeal, by="ola")
    assert running(world, one) == []
    assert try_buy(world, one).outcome == "approve"
