"""Inside one batch: copies, declines, refusals, and several commands of one account (M3, M5)."""

import gc
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from fenqi.core.errors import Conflict, FenqiError, Missing
from fenqi.core.values.ids import AccountId, OrderId
from fenqi.desk import Slip, waves
from fenqi.flows.authorise import Authorise, authorise
from fenqi.flows.capture import Capture, Captured, capture
from fenqi.flows.receive import Receive, receive
from fenqi.report.check import check
from fenqi.store.pool import Store
from lives import Life, done, open_book

YUAN = 100


def purchase(life: Life, name: str, key: str, **changes: Any) -> Authorise:
    account = life.accounts[name]
    values: dict[str, Any] = {
        "scope_id": str(account),
        "key": key,
        "account_id": account,
        "merchant_id": life.merchant,
        "merchant_order": key,
        "amount_minor": 100 * YUAN,
        "product": "flat",
        "count": 6,
        "placed_at": life.noon(),
        "capture_now": True,
    }
    return Authorise(**(values | changes))


def counted(store: Store, table: str) -> int:
    with store.transaction() as session:
        return int(session.rows(f"SELECT COUNT(*) FROM {table}")[0][0])


def used(store: Store, account: AccountId) -> tuple[int, int]:
    with store.transaction() as session:
        rows = session.rows(
            "SELECT principal_open_minor, held_minor FROM accounts WHERE account_id = %(a)s",
            {"a": account},
        )
    return rows[0]


def clean(store: Store) -> bool:
    return check(store).findings == ()


@pytest.fixture
def life(store: Store) -> Life:
    return open_book(store)


def test_fifty_copies_in_one_batch_count_once(life: Life) -> None:
    command = purchase(life, "punctual", "once")
    answers = authorise(life.ground, [command] * 50)
    assert len({str(answer) for answer in answers}) == 1
    assert counted(life.ground.store, "plans") == 1


def test_a_batch_leaves_nothing_for_the_collector_of_garbage(life: Life) -> None:
    """Rows in a ring would stay until it comes by, and it would walk through all of them."""
    authorise(life.ground, [purchase(life, "punctual", "first")])  # what is made once
    commands = [purchase(life, "punctual", f"key-{number}") for number in range(20)]
    gc.collect()
    gc.disable()
    try:
        authorise(life.ground, commands)
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        left = {type(one).__name__ for one in gc.garbage}
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert not left & {"Booking", "Rows", "Account", "Authorise", "Decision", "_Decided"}


@pytest.mark.parametrize("change", [{"amount_minor": 1 * YUAN}, {"count": 3}])
def test_a_key_with_another_body_is_refused(life: Life, change: dict[str, int]) -> None:
    authorise(life.ground, [purchase(life, "punctual", "once")])
    again = purchase(life, "punctual", "once", **change)
    both = authorise(life.ground, [again, purchase(life, "punctual", "once")])
    assert isinstance(both[0], Conflict)
    assert both[0].code == "key-reused"
    assert not isinstance(both[1], FenqiError)
    inside = authorise(
        life.ground,
        [purchase(life, "late", "new"), purchase(life, "late", "new", **change)],
    )
    assert not isinstance(inside[0], FenqiError)
    assert isinstance(inside[1], Conflict)


def test_declines_and_approvals_of_one_account_share_a_batch(life: Life) -> None:
    amounts = [300, 300, 200, 1, 100]  # the limit is 500 yuan
    answers = authorise(
        life.ground,
        [
            purchase(life, "poor", f"k{n}", amount_minor=amount * YUAN)
            for n, amount in enumerate(amounts)
        ],
    )
    assert [getattr(one, "outcome", one) for one in answers] == [
        "approve",
        "decline",
        "approve",
        "decline",
        "decline",
    ]
    assert answers[1].reasons == []  # type: ignore[union-attr]
    assert used(life.ground.store, life.accounts["poor"]) == (500 * YUAN, 0)
    assert counted(life.ground.store, "decisions") == 5
    assert clean(life.ground.store)


def test_an_unknown_account_is_refused_and_its_neighbours_are_not(life: Life) -> None:
    stranger = purchase(life, "late", "x", account_id=AccountId(uuid4()))
    answers = authorise(life.ground, [stranger, purchase(life, "late", "y")])
    assert isinstance(answers[0], Missing)
    assert getattr(answers[1], "outcome", None) == "approve"


def test_a_decline_sent_again_is_the_same_decline(life: Life) -> None:
    command = purchase(life, "poor", "too-much", amount_minor=501 * YUAN)
    first, second = authorise(life.ground, [command]), authorise(life.ground, [command])
    assert first == second
    assert counted(life.ground.store, "decisions") == 1


def test_commands_of_an_account_keep_their_order_and_kinds_run_together(life: Life) -> None:
    one, other = life.accounts["late"], life.accounts["early"]

    def slip(kind: str, account: AccountId) -> Slip:
        if kind == "buy":
            name = next(name for name, known in life.accounts.items() if known == account)
            return Slip(purchase(life, name, f"{uuid4()}"))
        money = Receive(
            scope_id=str(account),
            key=f"{uuid4()}",
            account_id=account,
            channel="bank",
            channel_reference=f"{uuid4()}",
            amount_minor=1,
            received_at=life.noon(),
        )
        return Slip(money)

    queued = [slip("buy", one), slip("pay", one), slip("buy", other), slip("buy", one)]
    runs = waves(queued)
    assert runs == [[queued[0], queued[2]], [queued[1]], [queued[3]]]


def test_a_hold_is_captured_in_parts_and_not_beyond(life: Life) -> None:
    held = authorise(
        life.ground, [purchase(life, "late", "hold", capture_now=False, amount_minor=900 * YUAN)]
    )[0]
    store, account = life.ground.store, life.accounts["late"]
    assert used(store, account) == (0, 900 * YUAN)

    order_id = OrderId(UUID(held.order_id))  # type: ignore[union-attr]

    def shipped(amount: int, key: str) -> Captured:
        command = Capture(
            scope_id=str(account),
            key=key,
            account_id=account,
            order_id=order_id,
            amount_minor=amount,
            shipped_at=life.noon() + timedelta(hours=1),
        )
        return done(capture(life.ground, [command])[0])

    assert shipped(400 * YUAN, "first").held_minor == 500 * YUAN
    with pytest.raises(Conflict):
        shipped(501 * YUAN, "too-much")
    assert shipped(500 * YUAN, "rest").held_minor == 0
    assert used(store, account) == (900 * YUAN, 0)
    assert clean(store)


def test_money_of_one_batch_pays_two_plans_oldest_first(life: Life) -> None:
    authorise(life.ground, [purchase(life, "late", f"p{n}") for n in range(2)])

    def pay(amount: int, key: str) -> Receive:
        return Receive(
            scope_id=str(life.accounts["late"]),
            key=key,
            account_id=life.accounts["late"],
            channel="bank",
            channel_reference=key,
            amount_minor=amount,
            received_at=life.noon(),
        )

    answers: Sequence[Any] = receive(life.ground, [pay(1, "a"), pay(2, "b"), pay(10**6, "c")])
    assert [answer.paid_minor for answer in answers[:2]] == [1, 2]
    # Both plans' next instalments: 2 x (16.70 principal + 0.50 fee), the rest is credit.
    assert answers[2].paid_minor == 2 * 1720 - 3
    assert answers[2].credit_minor == 10**6 - (2 * 1720 - 3)
    assert clean(life.ground.store)
