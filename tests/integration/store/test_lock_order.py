"""Locks are taken in one order: whoever would have waited for each other in a circle no longer do.

Somebody holds a lock, two batches come to wait, and it is let go: each then takes what it waited
for. Had the second taken another lock before, the two would wait for each other for ever.
"""

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from uuid import UUID

import pytest
from make_book import BOOK, World, enrol, key, open_book, row, rows

from fenqi.core.errors import FenqiError
from fenqi.core.risk.breaker import Caps
from fenqi.core.risk.case import CaseKind, EntryKind
from fenqi.core.risk.decision import HARMFUL, DecisionKind, Effect
from fenqi.core.values.ids import AccountId
from fenqi.flows.freeze import Freeze, freeze
from fenqi.flows.reset import reset
from fenqi.flows.review import NoteCase, note_case
from fenqi.store import accounts, cases
from fenqi.store.booking import Booking
from fenqi.store.breaker import Decider, Restraint
from fenqi.store.cases import Docket, in_order
from fenqi.store.pool import Store

WAITS_SECONDS_MAX = 30
WAITING = "SELECT COUNT(DISTINCT pid) FROM pg_locks WHERE NOT granted"  # this process's server
HOLD_CASE = "SELECT 1 FROM cases WHERE case_id = %(id)s FOR NO KEY UPDATE"
HOLD_ACCOUNT = "SELECT 1 FROM accounts WHERE account_id = %(id)s FOR NO KEY UPDATE"
CROWD = f"crowd/{'b0' * 32}/{BOOK}"
DEVICE = f"device/{'a0' * 32}/{BOOK}"

Batch = Callable[[], object]


@pytest.fixture
def world(store: Store) -> World:
    return open_book(store)


def opened(world: World, cause: str, *account_ids: AccountId) -> UUID:
    """Open a case of a cause about some accounts; return its id."""
    booking = Booking(world.ground)
    with world.store.transaction() as session:
        accounts.lock(session, set(account_ids))
        docket = Docket(world.ground, session, booking.now)
        booking.others.append(docket)
        case, _ = docket.open(
            account_ids,
            book_id=BOOK,
            kind=CaseKind.REVIEW,
            cause=cause,
            subject="test",
            priority=3,
            evidence={},
        )
        booking.write(session)
    return case.case_id


@contextmanager
def held(world: World, sql: str, identity: UUID) -> Any:
    with world.store.transaction() as session:
        session.rows(sql, {"id": identity})
        yield


def waiting(world: World, count: int, faults: list[Exception]) -> None:
    """Wait until so many transactions wait for a lock."""
    until = time.monotonic() + WAITS_SECONDS_MAX
    while row(world.store, WAITING) < count:
        assert not faults
        assert time.monotonic() < until
        time.sleep(0.01)


def meet(world: World, hold: AbstractContextManager[None], first: Batch, second: Batch) -> None:
    """Let two batches come to wait, one after the other, then let go of what is held."""
    faults: list[Exception] = []

    def run(batch: Batch) -> None:
        try:
            batch()
        except Exception as fault:
            faults.append(fault)

    threads = [threading.Thread(target=run, args=(batch,)) for batch in (first, second)]
    with hold:
        for place, thread in enumerate(threads, start=1):
            thread.start()
            waiting(world, place, faults)
    for thread in threads:
        thread.join()
    assert faults == []


def note(world: World, *case_ids: UUID) -> Batch:
    """Return a batch of people's notes in some cases."""
    commands = [
        NoteCase(
            scope_kind="book",
            scope_id=BOOK,
            key=key(world),
            actor="Li Na",
            case_id=one,
            text="looked",
        )
        for one in case_ids
    ]

    def batch() -> None:
        answers = note_case(world.ground, commands)
        assert not [one for one in answers if isinstance(one, FenqiError)]

    return batch


def found(world: World, *causes: str, then: str | None = None, of: AccountId) -> Batch:
    """Return a batch about an account that finds shared cases at once, then one of its own."""

    def batch() -> None:
        booking = Booking(world.ground)
        with world.store.transaction() as session:
            accounts.lock(session, {of})
            docket = Docket(world.ground, session, booking.now)
            booking.others.append(docket)
            docket.know(causes)
            for cause in [*causes, *filter(None, [then])]:
                case = docket.find(cause)
                assert case is not None
                docket.write(case, EntryKind.EVIDENCE, "system")
            booking.write(session)

    return batch


def tripping(world: World, account: AccountId, *causes: str) -> Batch:
    """Return a batch about an account that finds cases, then meets the cap of a breaker."""

    def batch() -> None:
        booking = Booking(world.ground)
        with world.store.transaction() as session:
            book = accounts.lock(session, {account})[account].book
            docket = Docket(world.ground, session, booking.now)
            booking.others.append(docket)
            docket.know(causes)
            kind = DecisionKind.ACCESS
            caps = dict.fromkeys(HARMFUL, Caps(1, 1))
            restraint = Restraint(
                *(session, booking, [book], kind), caps=caps, ids=world.ground.ids, docket=docket
            )
            restraint.hold_back(book, Decider(kind, "careful", 1), [(Effect.HOLD,)] * 5)
            booking.write(session)

    return batch


def tripped(world: World, account: AccountId) -> UUID:
    """Let a breaker open and be closed again; return its case, which stays open."""
    tripping(world, account)()
    reset(world.ground, BOOK, DecisionKind.ACCESS, by="Li Na", finding="looked")
    sql = "SELECT case_id FROM cases WHERE cause LIKE %(cause)s"
    case_id = row(world.store, sql, cause="breaker/%")
    assert isinstance(case_id, UUID)
    return case_id


def lines(world: World, case_id: UUID) -> int:
    sql = "SELECT COUNT(*) FROM case_entries WHERE case_id = %(case)s"
    return int(row(world.store, sql, case=case_id))


def test_cases_that_people_name_are_locked_in_the_order_of_those_found_by_cause(
    world: World,
) -> None:
    account = enrol(world)
    later = opened(world, DEVICE, account)  # by its cause, but opened, and so numbered, before
    first = opened(world, CROWD, account)
    other = enrol(world, "person-2")
    meet(
        world,
        held(world, HOLD_CASE, first),
        found(world, DEVICE, CROWD, of=other),
        note(world, first, later),
    )
    assert (lines(world, first), lines(world, later)) == (3, 3)


def test_who_freezes_for_the_case_of_another_account_waits_for_that_account(world: World) -> None:
    account, frozen, other = (enrol(world, f"person-{one}") for one in range(3))
    own = opened(world, f"{account}/policy/many-logins", account, frozen)
    crowd = opened(world, CROWD, other)
    commands = [
        Freeze(
            scope_id=str(whom),
            key=key(world),
            actor="Li Na",
            account_id=whom,
            case_id=case_id,
            days=1,
            reasons=("phone-changed",),
        )
        for whom, case_id in ((frozen, own), (other, crowd))
    ]
    meet(
        world,
        held(world, HOLD_CASE, crowd),
        found(world, CROWD, then=f"{account}/policy/many-logins", of=account),
        lambda: freeze(world.ground, commands),
    )
    assert lines(world, own) >= 2


def test_who_works_on_a_breakers_case_waits_for_customers_before_its_house(world: World) -> None:
    account = enrol(world)
    breakers, own = tripped(world, account), opened(world, f"{account}/asked/1", account)
    meet(
        world,
        held(world, HOLD_ACCOUNT, account),
        tripping(world, account),
        note(world, breakers, own),
    )
    assert (lines(world, breakers), lines(world, own)) == (3, 2)


def test_the_case_of_a_breaker_is_locked_after_all_others(world: World) -> None:
    account, other = enrol(world), enrol(world, "person-2")
    breakers, crowd = tripped(world, account), opened(world, CROWD, other)
    meet(
        world,
        held(world, HOLD_CASE, crowd),
        tripping(world, account, CROWD),
        note(world, breakers, crowd),
    )
    assert (lines(world, breakers), lines(world, crowd)) == (3, 2)


def test_the_database_sorts_causes_as_the_program_does(world: World) -> None:
    account = enrol(world)
    causes = [
        f"{account}/b",
        f"{account}/B",
        "breaker/a",
        "crowd/a_b",
        "crowd/a-b",
        "crowd/aB",
        "é",
    ]
    ids = [opened(world, one, account) for one in causes]
    sql = cases.LOCK.replace("FOR NO KEY UPDATE", "")
    found = [one[3] for one in rows(world.store, sql, cases=ids)]
    assert found == in_order(causes)
    assert found[-1] == "breaker/a"
