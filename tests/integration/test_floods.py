"""Ten thousand facts in a second for one account: what is too much is refused, nobody else waits.

Counted, not timed: on a busy machine a second is no measure, but what stands in a queue before
somebody else's command is.
"""

import queue
import threading
from concurrent.futures import Future
from datetime import timedelta
from typing import Any

import pytest
from make_book import World, enrol, open_book, purchase, row
from make_crowd import hashed

from fenqi.core.errors import FenqiError
from fenqi.core.risk.fact import FactInvalid, FactKindUnknown
from fenqi.core.values.ids import AccountId
from fenqi.desk import BATCH_MAX, Desk, TooMuchAtOnce
from fenqi.flows.observe import WAITING_MAX, Observe, Told
from fenqi.store import accounts
from fenqi.store.pool import Store

FLOOD = 10_000
WAIT_SECONDS_MAX = 240  # against what hangs


@pytest.fixture
def world(store: Store) -> World:
    return open_book(store)


def login(world: World, account: AccountId, key: str, **said: Any) -> Observe:
    seen = said or {"ip": hashed("home").hex()}
    fact = Told("login", world.clock.now(), seen)
    return Observe(scope_id=str(account), key=key, account_id=account, facts=(fact,))


class Flood:
    """Sends facts of one account as fast as it can, and counts what becomes of them."""

    def __init__(self, world: World, desk: Desk, account: AccountId) -> None:
        self._world, self._desk, self._account = world, desk, account
        self.kept: list[Future[Any]] = []
        self.refused: list[TooMuchAtOnce] = []
        self.answered = 0
        self._lock = threading.Lock()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        for number in range(FLOOD):
            try:
                future = self._desk.submit(login(self._world, self._account, f"f{number}"))
            except TooMuchAtOnce as refusal:
                self.refused.append(refusal)
                continue
            future.add_done_callback(self._count)
            self.kept.append(future)

    def _count(self, _: object) -> None:
        with self._lock:
            self.answered += 1


def test_a_flood_of_one_account_is_refused_beyond_a_batch_and_others_do_not_wait_for_it(
    world: World,
) -> None:
    flooded = enrol(world, "flooded")
    others = [enrol(world, f"other-{number}") for number in range(8)]
    stood_before: list[int] = []
    with Desk(world.ground) as desk:
        flood = Flood(world, desk, flooded)
        told: queue.SimpleQueue[tuple[Any, int]] = queue.SimpleQueue()
        number = 0
        while flood.thread.is_alive() or number < 8:
            other, number = others[number % 8], number + 1
            command = (
                purchase(world, other, 1_000, "flat", 3)
                if number % 2
                else login(world, other, f"o{number}")
            )
            # Counted from when it is surely queued to when it is answered, by who answers: this
            # thread may be held up at any moment, and meanwhile the flood goes on.
            desk.send(command, lambda answer: told.put((answer, flood.answered)))
            before = flood.answered
            answer, after = told.get(timeout=WAIT_SECONDS_MAX)
            assert not isinstance(answer, FenqiError), answer
            stood_before.append(after - before)
        flood.thread.join(WAIT_SECONDS_MAX)
        for future in flood.kept:
            future.result(WAIT_SECONDS_MAX)
        again = desk.submit(login(world, flooded, "later")).result(WAIT_SECONDS_MAX)
    # At most the batch under way, what waited, and what came into the same batch.
    assert max(stood_before) <= 2 * BATCH_MAX + WAITING_MAX
    assert len(flood.kept) + len(flood.refused) == FLOOD
    # Nothing that was acknowledged is lost, nothing that was refused is there.
    sql = "SELECT COUNT(*) FROM events WHERE kind = 'login' AND account_id = %(one)s"
    assert row(world.store, sql, one=flooded) == len(flood.kept) + 1
    assert again.last_number > again.first_number - 1


def test_what_waits_of_one_account_has_a_bound(world: World) -> None:
    account, kept = enrol(world), []
    with Desk(world.ground) as desk:
        with world.store.transaction() as session:
            accounts.lock(session, [account])  # so that nothing of it is answered
            told = None
            # At most what waits, the batch under way, and the one that is too much.
            for number in range(WAITING_MAX + BATCH_MAX + 1):
                try:
                    kept.append(desk.submit(login(world, account, f"f{number}")))
                except TooMuchAtOnce as refusal:
                    told = refusal
                    break
        for future in kept:
            future.result(WAIT_SECONDS_MAX)
    assert told is not None
    assert (told.retry, told.fields) == (True, {"scope": str(account), "waiting": WAITING_MAX})
    assert WAITING_MAX <= len(kept) <= WAITING_MAX + BATCH_MAX


def test_what_was_refused_in_a_flood_is_taken_when_it_is_sent_again(world: World) -> None:
    account = enrol(world)
    commands = [login(world, account, f"c{number}") for number in range(3 * WAITING_MAX)]
    with Desk(world.ground) as desk:
        left = commands
        for _ in range(100):
            waiting, refused = [], []
            for command in left:
                try:
                    waiting.append(desk.submit(command))
                except TooMuchAtOnce:
                    refused.append(command)
            for future in waiting:
                future.result(WAIT_SECONDS_MAX)
            left = refused
            if not left:
                break
    assert left == []
    sql = "SELECT COUNT(*) FROM events WHERE kind = 'login'"
    assert row(world.store, sql) == len(commands)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("login", {"ip": hashed("home").hex(), "mood": "good"}),
        ("login", {"ip": "10.0.0.1"}),
        ("purchase-attempted", {"amount_minor": 10**30}),
        ("purchase-attempted", {"amount_minor": -1}),
        ("purchase-attempted", {"amount_minor": 1.5}),
        ("teleported", {}),
    ],
)
def test_unknown_fields_and_absurd_amounts_are_refused_through_the_desk_and_harm_nobody(
    world: World, kind: str, said: dict[str, Any]
) -> None:
    account = enrol(world)
    bad = Observe(
        scope_id=str(account),
        key="bad",
        account_id=account,
        facts=(Told(kind, world.clock.now(), said),),
    )
    with Desk(world.ground) as desk:
        waiting = [desk.submit(one) for one in (login(world, account, "a"), bad)]
        waiting.append(desk.submit(login(world, account, "b")))
        assert waiting[0].result(WAIT_SECONDS_MAX).last_number
        with pytest.raises((FactInvalid, FactKindUnknown)):
            waiting[1].result(WAIT_SECONDS_MAX)
        assert waiting[2].result(WAIT_SECONDS_MAX).last_number
        bought = desk.submit(purchase(world, account, 1_000, "flat", 3)).result(WAIT_SECONDS_MAX)
    assert bought.outcome == "approve"
    assert row(world.store, "SELECT COUNT(*) FROM events WHERE kind = 'login'") == 2


def test_facts_of_a_clock_that_is_days_off_are_kept_marked_and_stop_no_purchase(
    world: World,
) -> None:
    account = enrol(world)
    now = world.clock.now()
    with Desk(world.ground) as desk:
        for number, off in enumerate((timedelta(days=-9), timedelta(days=9))):
            fact = Told("login", now + off, {"ip": hashed("home").hex()})
            command = Observe(
                scope_id=str(account), key=f"k{number}", account_id=account, facts=(fact,)
            )
            told = desk.submit(command).result(WAIT_SECONDS_MAX)
            assert (told.late, told.skewed) == ((1, 0), (0, 1))[number]
        bought = desk.submit(purchase(world, account, 1_000, "flat", 3)).result(WAIT_SECONDS_MAX)
    assert bought.outcome == "approve"
