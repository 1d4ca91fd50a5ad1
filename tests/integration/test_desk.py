"""The desk under fire: copies, races, poison, callers who leave, and the last yuan (M3, M5)."""

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from make_book import (
    World,
    assert_sound,
    beside,
    enrol,
    enrol_command,
    hold,
    open_book,
    payment,
    purchase,
    row,
    shipment,
    told_of_last,
    used,
)

import fenqi.desk as desk_module
from fenqi.core.errors import FenqiError
from fenqi.core.terms.schedule import PrincipalOutOfRange
from fenqi.core.values.ids import AccountId, MerchantId, OrderId
from fenqi.desk import FLOWS, Desk, DeskClosed, FlowBroken
from fenqi.flows.authorise import Authorised, authorise
from fenqi.flows.receive import ReceiptInvalid
from fenqi.store.accounts import AlreadyEnrolled
from fenqi.store.books import BeforeBook, MerchantMissing
from fenqi.store.commands import Command, KeyReused
from fenqi.store.lending import Lending
from fenqi.store.pool import AlreadyThere, StatementBroken, Store, TextUnstorable

WAIT_SECONDS_MAX = 240  # against what hangs


@pytest.fixture
def other_store(database_url: str) -> Iterator[Store]:
    opened = Store.open(database_url)
    yield opened
    opened.close()


def together(tasks: list[Callable[[], Any]]) -> list[Any]:
    """Run tasks in threads that start at the same moment; return results or errors."""
    gate = threading.Barrier(len(tasks))

    def run(task: Callable[[], Any]) -> Any:
        gate.wait()
        try:
            return task()
        except FenqiError as refusal:
            return refusal

    with ThreadPoolExecutor(len(tasks)) as pool:
        return list(pool.map(run, tasks))


def sending(desk: Desk, command: Command) -> Callable[[], Any]:
    """Return the task of sending a command and waiting for what comes of it."""
    return lambda: outcome(desk.submit(command))


def outcome(future: "Future[Any]") -> Any:
    """Return a future's answer, or its error as a value."""
    return future.exception(WAIT_SECONDS_MAX) or future.result()


def counts(store: Store) -> dict[str, int]:
    return {
        table: row(store, f"SELECT COUNT(*) FROM {table}")
        for table in ("commands", "orders", "plans", "transfers", "operations", "receipts")
    }


@contextmanager
def paused(world: World) -> Iterator[tuple[Desk, Callable[[], None]]]:
    """A desk whose one writer waits for `go`, so that all queued before is one batch."""
    go, take = threading.Event(), desk_module.Waiting.take

    def wait_and_take(waiting: Any) -> Any:
        go.wait(WAIT_SECONDS_MAX)
        return take(waiting)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(desk_module.Waiting, "take", wait_and_take)
        with Desk(world.ground, writers=1) as desk:
            yield desk, go.set
            go.set()


def test_fifty_threads_sending_one_command_to_a_desk_book_it_once(store: Store) -> None:
    world = open_book(store)
    account = enrol(world)
    command = purchase(world, account, 1_000, "flat", 3)
    with Desk(world.ground) as desk:
        answers = together([sending(desk, command)] * 50)
    assert len({answer.plan_id for answer in answers}) == 1
    assert counts(store) == {
        "commands": 2,
        "orders": 1,
        "plans": 1,
        "transfers": 3,  # the funding, the purchase, its fee
        "operations": 1,
        "receipts": 0,
    }
    assert used(world, account) == (1_000, 0)
    assert_sound(world, accounts=1, plans=1)


def test_two_desks_with_stores_of_their_own_book_fifty_copies_once(
    store: Store, other_store: Store
) -> None:
    world = open_book(store)
    account = enrol(world)
    buying = purchase(world, account, 1_000)
    paying = payment(world, account, 400)
    with Desk(world.ground) as one, Desk(beside(world, other_store).ground) as two:
        for command in (buying, paying):
            answers = together([sending(desk, command) for desk in [one, two] * 25])
            assert len(set(map(repr, answers))) == 1
            assert not isinstance(answers[0], FenqiError)
    assert used(world, account) == (600, 0)
    assert counts(store)["receipts"] == 1
    assert_sound(world, accounts=1, plans=1)


def test_copies_sent_straight_to_the_flow_from_two_stores_book_once(
    store: Store, other_store: Store
) -> None:
    world = open_book(store)
    account = enrol(world)
    command = purchase(world, account, 1_000)
    grounds = [world.ground, beside(world, other_store).ground] * 4
    batches = together([partial(authorise, ground, [command] * 5) for ground in grounds])
    assert len({answer.plan_id for batch in batches for answer in batch}) == 1
    assert used(world, account) == (1_000, 0)
    assert_sound(world, plans=1)


def test_copies_of_one_application_at_two_desks_open_one_account(
    store: Store, other_store: Store
) -> None:
    world = open_book(store)
    commands = [enrol_command(world, f"person-{number}") for number in range(20)]
    with Desk(world.ground) as one, Desk(beside(world, other_store).ground) as two:
        for command in commands:
            answers = together([sending(desk, command) for desk in [one, two] * 4])
            assert len({repr(answer) for answer in answers}) == 1, answers
            assert not isinstance(answers[0], FenqiError)
    assert row(store, "SELECT COUNT(*) FROM accounts WHERE kind = 'customer'") == 20
    assert_sound(world, accounts=20)


def test_one_person_applying_twice_at_once_gets_one_account(
    store: Store, other_store: Store
) -> None:
    world = open_book(store)
    with Desk(world.ground) as one, Desk(beside(world, other_store).ground) as two:
        for number in range(20):
            commands = [enrol_command(world, f"person-{number}") for _ in range(4)]
            answers = together(
                [sending(*pair) for pair in zip([one, two] * 2, commands, strict=True)]
            )
            refused = [answer for answer in answers if isinstance(answer, FenqiError)]
            assert [type(refusal) for refusal in refused] == [AlreadyEnrolled] * 3, answers
    assert row(store, "SELECT COUNT(*) FROM accounts WHERE kind = 'customer'") == 20
    assert row(store, "SELECT COUNT(*) FROM persons") == 20
    lost = "SELECT COUNT(*) FROM accounts WHERE person_id NOT IN (SELECT person_id FROM persons)"
    assert row(store, lost) == 0
    assert_sound(world, accounts=20)


def test_a_key_comes_back_with_another_body_or_account_and_is_refused(store: Store) -> None:
    world = open_book(store)
    ann, bob = enrol(world, "ann"), enrol(world, "bob")
    shop = {"scope_kind": "merchant", "scope_id": str(world.merchant), "key": "order-1"}
    first = purchase(world, ann, 1_000, **shop)
    dearer = purchase(world, ann, 1_001, **shop)
    someone_else = purchase(world, bob, 1_000, **shop)
    in_batch = authorise(world.ground, [first, dearer, someone_else, first])
    assert in_batch[0] == in_batch[3]
    assert isinstance(in_batch[0], Authorised)
    assert [type(one) for one in in_batch[1:3]] == [KeyReused, KeyReused]
    with Desk(world.ground) as desk:
        later = [outcome(desk.submit(one)) for one in (first, dearer, someone_else)]
    assert later[0] == in_batch[0]
    assert [type(one) for one in later[1:]] == [KeyReused, KeyReused]
    assert (used(world, ann), used(world, bob)) == ((1_000, 0), (0, 0))
    assert_sound(world, plans=1)


def test_one_key_for_two_accounts_at_the_same_moment_is_booked_for_one(
    store: Store, other_store: Store
) -> None:
    world = open_book(store)
    ann, bob = enrol(world, "ann"), enrol(world, "bob")
    with Desk(world.ground) as one, Desk(beside(world, other_store).ground) as two:
        for number in range(20):
            shop = {"scope_kind": "merchant", "scope_id": "shop", "key": f"order-{number}"}
            answers = together(
                [
                    sending(one, purchase(world, ann, 100, **shop)),
                    sending(two, purchase(world, bob, 100, **shop)),
                ]
            )
            errors = [type(answer) for answer in answers if isinstance(answer, FenqiError)]
            assert errors == [KeyReused], answers
    assert used(world, ann)[0] + used(world, bob)[0] == 2_000
    assert_sound(world, plans=20)


def test_two_buyers_racing_for_the_last_yuan_cannot_both_win(
    store: Store, other_store: Store
) -> None:
    world = open_book(store)
    elsewhere = beside(world, other_store)
    accounts = [enrol(world, f"person-{number}", limit_minor=1_000) for number in range(15)]
    with Desk(world.ground) as one, Desk(elsewhere.ground) as two:
        for account in accounts:
            racers = [
                sending(desk, purchase(world, account, 600, capture_now=now))
                for desk, now in ((one, True), (two, False), (one, False), (two, True))
            ]
            racers += [
                partial(authorise, place.ground, [purchase(world, account, 600)])
                for place in (world, elsewhere)
            ]
            answers = [
                answer[0] if isinstance(answer, list) else answer for answer in together(racers)
            ]
            assert sorted(answer.outcome for answer in answers) == ["approve"] + ["decline"] * 5
            assert told_of_last(world, account) == ["limit-exceeded"]
            assert sum(used(world, account)) == 600
    assert_sound(world, accounts=15)


def test_a_batch_sells_the_limit_once_whatever_its_order(store: Store) -> None:
    world = open_book(store)
    account = enrol(world, limit_minor=1_000)
    amounts = (400, 700, 300, 301, 300, 1)
    answers = authorise(
        world.ground,
        [purchase(world, account, a, capture_now=a != 300) for a in amounts],
    )
    assert [a.outcome for a in answers if isinstance(a, Authorised)] == [
        *("approve", "decline", "approve", "decline", "approve", "decline")
    ]
    assert used(world, account) == (400, 600)
    decided = row(
        store,
        """
        SELECT array_agg(inputs[3] ORDER BY decision_id),
            array_agg(outcome ORDER BY decision_id) FROM decisions
        """,
    )
    assert decided[0] == [0, 400, 400, 700, 700, 1_000]
    assert decided[1].count("decline") == 3
    assert_sound(world, plans=1)


def test_a_poisoned_command_fails_alone_and_nineteen_are_booked_once(store: Store) -> None:
    world = open_book(store)
    buyers = [enrol(world, f"person-{number}") for number in range(20)]
    commands = [purchase(world, buyer, 1_000, "flat", 3) for buyer in buyers]
    commands[7] = purchase(world, buyers[7], 1_000, merchant_order="no text holds \0")
    with pytest.raises(TextUnstorable):
        authorise(world.ground, commands)
    assert counts(store)["plans"] == 0
    with paused(world) as (desk, go):
        futures = [desk.submit(command) for command in commands]
        go()
        answers = [outcome(future) for future in futures]
    assert isinstance(answers[7], TextUnstorable)
    booked = [answer for answer in answers if isinstance(answer, Authorised)]
    assert len({answer.plan_id for answer in booked}) == 19
    assert counts(store)["plans"] == 19
    assert [used(world, buyer)[0] for buyer in buyers] == [1_000] * 7 + [0] + [1_000] * 12
    assert_sound(world, accounts=20, plans=19)


@pytest.mark.parametrize("field", ["merchant_order", "scope_id"])
def test_a_text_too_long_for_its_index_harms_nobody_else(store: Store, field: str) -> None:
    world = open_book(store)
    buyers = [enrol(world, f"person-{number}") for number in range(3)]
    commands = [purchase(world, buyer, 1_000, "flat", 3) for buyer in buyers]
    # Random, so that no packing makes it short.
    noise = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz", k=20_000))
    commands[1] = purchase(world, buyers[1], 1_000, **{field: noise})
    with paused(world) as (desk, go):
        futures = [desk.submit(command) for command in commands]
        go()
        answers = [outcome(future) for future in futures]
    assert isinstance(answers[0], Authorised)
    assert isinstance(answers[2], Authorised)
    assert isinstance(answers[1], Authorised if field == "merchant_order" else StatementBroken)


def test_a_fraction_of_a_minor_unit_and_a_day_before_the_book_are_refused(store: Store) -> None:
    world = open_book(store)
    account = enrol(world)
    long_ago = datetime(1990, 1, 1, tzinfo=UTC)
    answers = authorise(
        world.ground,
        [
            purchase(world, account, 1_000.5),  # type: ignore[arg-type] # on purpose
            purchase(world, account, 1_000, placed_at=long_ago),
            purchase(world, account, 1_000),
        ],
    )
    assert isinstance(answers[0], PrincipalOutOfRange)
    assert isinstance(answers[1], BeforeBook)
    assert isinstance(answers[2], Authorised)
    assert used(world, account)[0] == 1_000
    assert_sound(world, plans=1)


def test_a_merchant_of_no_book_or_of_another_is_refused_alone(store: Store) -> None:
    world = open_book(store)
    account = enrol(world)
    nobody = MerchantId(UUID(int=7))
    answers = authorise(
        world.ground,
        [purchase(world, account, 100, merchant_id=nobody), purchase(world, account, 100)],
    )
    assert isinstance(answers[0], MerchantMissing)
    assert answers[0].fields == {"merchant": nobody}
    assert isinstance(answers[1], Authorised)
    assert_sound(world, plans=1)


def test_who_needs_no_future_is_told_by_a_call_and_may_fail_alone(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    world = open_book(store)
    account, ghost = enrol(world), AccountId(UUID(int=7))
    told: dict[str, Any] = {}

    def explode(_: object) -> None:
        raise ZeroDivisionError

    with paused(world) as (desk, go):
        desk.send(purchase(world, account, 100), explode)
        desk.send(purchase(world, account, 200), lambda answer: told.update(bought=answer))
        desk.send(purchase(world, ghost, 300), lambda answer: told.update(refused=answer))
        go()
    assert told["bought"].outcome == "approve"
    assert told["refused"].code == "account-missing"
    assert "could not be told" in caplog.text
    assert counts(store)["orders"] == 2
    with pytest.raises(DeskClosed):
        desk.send(purchase(world, account, 1), explode)


def test_a_flow_that_raises_in_a_way_nobody_foresaw_harms_one_command(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = open_book(store)
    account = enrol(world)
    sell = Lending.sell

    def explode(self: Any, frame: Any, principal_minor: int, begun: Any) -> Any:
        if principal_minor == 666:
            raise ZeroDivisionError
        return sell(self, frame, principal_minor, begun)

    monkeypatch.setattr(Lending, "sell", explode)
    amounts = [100, 666, 300]
    with paused(world) as (desk, go):
        futures = [desk.submit(purchase(world, account, amount)) for amount in amounts]
        go()
        answers = [outcome(future) for future in futures]
    assert isinstance(answers[1], FlowBroken)
    assert isinstance(answers[1].__cause__, ZeroDivisionError)
    assert used(world, account) == (400, 0)
    assert_sound(world, plans=2)


def test_a_refused_command_may_come_again_when_the_state_allows_it(store: Store) -> None:
    world = open_book(store)
    account = enrol(world)
    order = hold(world, account, 500)
    too_much = shipment(world, account, order, 501)
    absurd = payment(world, account, 0)
    with Desk(world.ground) as desk:
        assert outcome(desk.submit(too_much)).code == "capture-above-hold"
        assert isinstance(outcome(desk.submit(absurd)), ReceiptInvalid)
        ghost = shipment(world, account, OrderId(UUID(int=3)), 1)
        assert outcome(desk.submit(ghost)).code == "order-missing"
        stranger = purchase(world, AccountId(UUID(int=9)), 100)
        assert outcome(desk.submit(stranger)).code == "account-missing"
    assert counts(store)["commands"] == 2  # the application and the purchase
    assert_sound(world, plans=0)


def test_commands_of_one_account_keep_their_order_through_the_desk(store: Store) -> None:
    world = open_book(store)
    account = enrol(world, limit_minor=1_000)
    with paused(world) as (desk, go):
        futures = [
            desk.submit(command)
            for command in (
                purchase(world, account, 1_000),
                purchase(world, account, 600),  # no room yet
                payment(world, account, 600),
                purchase(world, account, 600),  # room again
                payment(world, account, 2_000),
                purchase(world, account, 1_001),
            )
        ]
        go()
        answers = [outcome(future) for future in futures]
    told = [getattr(answer, "outcome", None) for answer in answers]
    assert told == ["approve", "decline", None, "approve", None, "decline"]
    assert (answers[4].paid_minor, answers[4].credit_minor) == (1_000, 1_000)
    assert used(world, account) == (0, 0)
    assert_sound(world, plans=2)


def test_a_caller_who_stops_waiting_does_not_stop_the_desk(store: Store) -> None:
    world = open_book(store)
    account = enrol(world)
    with paused(world) as (desk, go):
        left = desk.submit(purchase(world, account, 100))
        stayed = desk.submit(purchase(world, account, 200))
        assert left.cancel()
        go()
        assert outcome(stayed).outcome == "approve"
        after = desk.submit(purchase(world, account, 400))
        assert after.result(WAIT_SECONDS_MAX).outcome == "approve"
    assert used(world, account) == (600, 0)  # what was cancelled in time was never booked


def test_every_command_is_answered_or_refused_however_the_desk_closes(store: Store) -> None:
    world = open_book(store)
    account = enrol(world)
    desk = Desk(world.ground)
    futures: list[Future[Any]] = []
    refused = threading.Event()

    def send() -> None:
        while True:
            try:
                futures.append(desk.submit(purchase(world, account, 1)))
            except DeskClosed:
                refused.set()
                return

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    while len(futures) < 50:
        pass
    desk.close()
    for thread in threads:
        thread.join(WAIT_SECONDS_MAX)
    assert refused.is_set()
    answers = [outcome(future) for future in futures]
    booked = [answer for answer in answers if isinstance(answer, Authorised)]
    assert len(booked) >= 50
    assert used(world, account) == (len(booked), 0)
    assert_sound(world, plans=len(booked))


def test_the_same_notice_under_another_key_is_told_apart_and_not_booked_twice(
    store: Store,
) -> None:
    world = open_book(store)
    account = enrol(world)
    first = payment(world, account, 300)
    again = payment(world, account, 300)
    doubled = type(again)(
        scope_id=again.scope_id,
        key=again.key,
        account_id=account,
        channel="bank",
        channel_reference=first.channel_reference,
        amount_minor=300,
        received_at=again.received_at,
    )
    with Desk(world.ground) as desk:
        assert outcome(desk.submit(first)).credit_minor == 300
        refusal = outcome(desk.submit(doubled))
    assert isinstance(refusal, AlreadyThere)
    assert counts(store)["receipts"] == 1
    assert_sound(world)


def test_every_flow_of_the_desk_is_a_command_of_its_kind() -> None:
    assert {kind.kind for kind in FLOWS} == {
        *("accept", "apply", "assess", "assign-case", "authorise", "capture", "change-due-day"),
        *(
            "close-case",
            "close-contest",
            "decide",
            "defer",
            "enrol",
            "extend",
            "freeze",
            "lift",
            "note-case",
        ),
        *(
            "observe",
            "open-case",
            "open-contest",
            "readmit",
            "receive",
            "refund",
            "reprice",
            "resolve",
            "second",
            "settle",
        ),
        *("sign", "split-bill", "verify", "withdraw", "withdraw-consent"),
    }
    assert all(issubclass(kind, Command) for kind in FLOWS)
