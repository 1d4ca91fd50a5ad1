"""A book to try things on: opened, with people who buy, pay and return, one command at a time.

Plain functions over a `World`. `until` closes days; `assert_sound` asks the nightly check.
"""

import hashlib
import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, TypeVar
from uuid import UUID

from fenqi.core.errors import FenqiError
from fenqi.core.servicing.contest import Ground as Why
from fenqi.core.values.ids import AccountId, MerchantId, OrderId, PlanId, ReceiptId
from fenqi.flows.authorise import Authorise, Authorised, authorise
from fenqi.flows.capture import Capture, Captured, capture
from fenqi.flows.change_due_day import ChangeDueDay
from fenqi.flows.contest import OpenContest
from fenqi.flows.defer import Defer
from fenqi.flows.enrol import Enrol, Enrolled
from fenqi.flows.enrol import enrol as enrol_all
from fenqi.flows.extend import Extend
from fenqi.flows.receive import MoneyState, Receive, Received, receive
from fenqi.flows.refund import Refund, Refunded, refund
from fenqi.flows.settle import Settle, Settled, settle
from fenqi.flows.split_bill import SplitBill
from fenqi.flows.withdraw import Withdraw
from fenqi.report.check import check
from fenqi.runtime import Ids, MovingClock
from fenqi.store import books, catalogue
from fenqi.store.ground import Ground
from fenqi.store.pool import Session, Store
from fenqi.worker.close import close_through
from make_founding import founded, noon

BOOK = "book"
OPENED = date(2026, 1, 5)
LIMIT = 5_000_000

Answer = TypeVar("Answer")


@dataclass
class World:
    """A book and the hands that work on it."""

    ground: Ground
    clock: MovingClock
    merchant: MerchantId
    day: date
    keys: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def store(self) -> Store:
        return self.ground.store


def open_book(
    store: Store,
    *,
    opened: date = OPENED,
    slices: int = 2,
    seed: int = 1,
    book_id: str = BOOK,
    currency: str = "CNY",
) -> World:
    """Return a fresh book with the shipped catalogue and one merchant."""
    ground, clock, merchant = founded(
        store,
        book_id=book_id,
        legal_entity="Test Credit Ltd",
        opened_on=opened,
        slices=slices,
        currency=currency,
        seed=seed,
    )
    return World(ground, clock, merchant, opened)


def beside(world: World, store: Store, *, seed: int = 2) -> World:
    """Return the same book worked on by another process: its own store and ids, the same clock."""
    ids = Ids(world.clock, seed=seed)
    ground = Ground(store, world.clock, ids, world.ground.catalogue)
    return World(ground, world.clock, world.merchant, world.day, world.keys)


def done(answer: Answer | FenqiError) -> Answer:
    """Return an answer that is no refusal."""
    if isinstance(answer, FenqiError):
        raise answer
    return answer


def key(world: World) -> str:
    return f"key-{next(world.keys)}"


def enrol_command(
    world: World, person: str, *, limit_minor: int = LIMIT, statement_day: int = 1
) -> Enrol:
    return Enrol(
        scope_kind="book",
        scope_id=BOOK,
        key=key(world),
        book_id=BOOK,
        person_reference=person,
        limit_minor=limit_minor,
        statement_day=statement_day,
    )


def enrol(
    world: World, person: str = "ann", *, limit_minor: int = LIMIT, statement_day: int = 1
) -> AccountId:
    """Open an account."""
    command = enrol_command(world, person, limit_minor=limit_minor, statement_day=statement_day)
    applied: Enrolled = done(enrol_all(world.ground, [command])[0])
    return AccountId(UUID(applied.account_id))


def purchase(
    world: World,
    account: AccountId,
    amount_minor: int,
    product: str = "unsplit",
    count: int = 1,
    *,
    capture_now: bool = True,
    **changes: Any,
) -> Authorise:
    """Return the command of a purchase."""
    fields: dict[str, Any] = {
        "scope_id": str(account),
        "key": key(world),
        "account_id": account,
        "merchant_id": world.merchant,
        "merchant_order": "order",
        "amount_minor": amount_minor,
        "product": product,
        "count": count,
        "placed_at": noon(world.day),
        "capture_now": capture_now,
    }
    return Authorise(**(fields | changes))


def buy(
    world: World, account: AccountId, amount_minor: int, product: str = "unsplit", count: int = 1
) -> tuple[OrderId, PlanId]:
    """Buy and take the goods at once; return order and plan."""
    command = purchase(world, account, amount_minor, product, count)
    answer: Authorised = done(authorise(world.ground, [command])[0])
    assert answer.outcome == "approve", answer.reasons
    return OrderId(UUID(answer.order_id)), PlanId(UUID(answer.plan_id))


def hold(
    world: World, account: AccountId, amount_minor: int, product: str = "unsplit", count: int = 1
) -> OrderId:
    """Have a purchase authorised; return its order."""
    command = purchase(world, account, amount_minor, product, count, capture_now=False)
    answer: Authorised = done(authorise(world.ground, [command])[0])
    assert (answer.outcome, answer.plan_id) == ("approve", None)
    return OrderId(UUID(answer.order_id))


def shipment(world: World, account: AccountId, order: OrderId, amount_minor: int) -> Capture:
    return Capture(
        scope_id=str(account),
        key=key(world),
        account_id=account,
        order_id=order,
        amount_minor=amount_minor,
        shipped_at=noon(world.day),
    )


def ship(world: World, account: AccountId, order: OrderId, amount_minor: int) -> Captured:
    return done(capture(world.ground, [shipment(world, account, order, amount_minor)])[0])


def payment(
    world: World,
    account: AccountId,
    amount_minor: int,
    *,
    days_ago: int = 0,
    state: MoneyState = MoneyState.FINAL,
    receipt: str | None = None,
) -> Receive:
    """Return a channel's notice; with a receipt it confirms or reverses a pending one."""
    number = key(world)
    return Receive(
        scope_id=str(account),
        key=number,
        account_id=account,
        channel="bank",
        channel_reference=f"transfer-{number}",
        amount_minor=amount_minor,
        received_at=noon(world.day) - timedelta(days=days_ago),
        state=state,
        receipt_id=ReceiptId(UUID(receipt)) if receipt else None,
    )


def pay(world: World, account: AccountId, amount_minor: int, **how: Any) -> Received:
    return done(receive(world.ground, [payment(world, account, amount_minor, **how)])[0])


def returned(
    world: World, account: AccountId, order: OrderId, amount_minor: int, *, days_ago: int = 0
) -> Refund:
    return Refund(
        scope_id=str(account),
        key=key(world),
        account_id=account,
        order_id=order,
        amount_minor=amount_minor,
        returned_at=noon(world.day) - timedelta(days=days_ago),
    )


def give_back(
    world: World, account: AccountId, order: OrderId, amount_minor: int, **how: Any
) -> Refunded:
    return done(refund(world.ground, [returned(world, account, order, amount_minor, **how)])[0])


def settlement(
    world: World, account: AccountId, plan: PlanId, amount_minor: int, *, days_ago: int = 0
) -> Settle:
    number = key(world)
    return Settle(
        scope_id=str(account),
        key=number,
        account_id=account,
        plan_id=plan,
        channel="bank",
        channel_reference=f"transfer-{number}",
        amount_minor=amount_minor,
        received_at=noon(world.day) - timedelta(days=days_ago),
    )


def end_early(
    world: World, account: AccountId, plan: PlanId, amount_minor: int, **how: Any
) -> Settled:
    return done(settle(world.ground, [settlement(world, account, plan, amount_minor, **how)])[0])


def deferred(
    world: World, account: AccountId, plan: PlanId, days: int, *, cost_minor: int = 0
) -> Defer:
    return Defer(
        scope_id=str(account),
        key=key(world),
        account_id=account,
        plan_id=plan,
        asked_at=noon(world.day),
        days=days,
        cost_minor=cost_minor,
    )


def day_changed(world: World, account: AccountId, plan: PlanId, day: int) -> ChangeDueDay:
    return ChangeDueDay(
        scope_id=str(account),
        key=key(world),
        account_id=account,
        plan_id=plan,
        asked_at=noon(world.day),
        day=day,
    )


def extended(
    world: World,
    account: AccountId,
    plan: PlanId,
    count: int,
    *,
    cost_minor: int = 0,
    reviewed_by: str = "officer",
) -> Extend:
    return Extend(
        scope_id=str(account),
        key=key(world),
        account_id=account,
        plan_id=plan,
        asked_at=noon(world.day),
        count=count,
        reviewed_by=reviewed_by,
        cost_minor=cost_minor,
    )


def bill_split(
    world: World,
    account: AccountId,
    statement: int,
    amount_minor: int,
    product: str = "flat",
    count: int = 3,
) -> SplitBill:
    return SplitBill(
        scope_id=str(account),
        key=key(world),
        account_id=account,
        statement=statement,
        product=product,
        count=count,
        amount_minor=amount_minor,
        asked_at=noon(world.day),
    )


def contested(world: World, account: AccountId, plan: PlanId) -> OpenContest:
    return OpenContest(
        scope_id=str(account),
        key=key(world),
        account_id=account,
        plan_id=plan,
        ground=Why.NOT_RECEIVED,
        text="The parcel never came.",
        asked_at=noon(world.day),
    )


def withdrawal(world: World, account: AccountId, plan: PlanId, amount_minor: int) -> Withdraw:
    number = key(world)
    return Withdraw(
        scope_id=str(account),
        key=number,
        account_id=account,
        plan_id=plan,
        channel="bank",
        channel_reference=f"transfer-{number}",
        amount_minor=amount_minor,
        received_at=noon(world.day),
    )


def until(world: World, day: date) -> None:
    """Close every day before `day`, the clock at noon of each."""

    def turn(closed: date) -> None:
        world.day = closed + timedelta(days=1)
        world.clock.set(noon(world.day))

    close_through(world.ground, BOOK, day - timedelta(days=1), on_day=turn)
    assert world.day == day


def rows(store: Store, sql: str, **values: object) -> list[tuple[Any, ...]]:
    with store.transaction() as session:
        return session.rows(sql, values)


def row(store: Store, sql: str, **values: object) -> Any:
    """Return the only row; of one column its value."""
    (found,) = rows(store, sql, **values)
    return found[0] if len(found) == 1 else found


def told_of_last(world: World, account: AccountId) -> list[str]:
    """Return the reasons the customer was told of the last purchase that was not made."""
    sql = """
        SELECT payload -> 'reasons' FROM events
        WHERE account_id = %(account)s AND kind IN ('purchase-declined', 'purchase-paused')
        ORDER BY number DESC LIMIT 1
    """
    found: list[str] = row(world.store, sql, account=account)
    return found


def used(world: World, account: AccountId) -> tuple[int, int]:
    """Return (open principal, held), which must be what plans and orders say (M5)."""
    by_plans, by_orders = row(
        world.store,
        """
        SELECT COALESCE((SELECT SUM(principal_open_minor) FROM plans
                         WHERE account_id = %(account)s), 0)::bigint,
            COALESCE((SELECT SUM(amount_minor - captured_minor - released_minor) FROM orders
                      WHERE account_id = %(account)s), 0)::bigint
        """,
        account=account,
    )
    stored = row(
        world.store,
        "SELECT principal_open_minor, held_minor FROM accounts WHERE account_id = %(account)s",
        account=account,
    )
    assert stored == (by_plans, by_orders)
    return stored  # type: ignore[no-any-return]


@contextmanager
def as_owner(store: Store) -> Iterator[Session]:
    """Ask as one who may do everything, to see what nobody can."""
    with store.transaction() as session:
        session.run("SET LOCAL ROLE NONE")
        yield session


def owed_to(world: World, account: AccountId) -> tuple[int, int]:
    """Return (credit balance, refunds payable)."""
    return row(  # type: ignore[no-any-return]
        world.store,
        "SELECT credit_minor, refunds_payable_minor FROM accounts WHERE account_id = %(account)s",
        account=account,
    )


def instalments(world: World, plan: PlanId) -> list[tuple[int, ...]]:
    """Return (open, principal due, cost due, penalty due) of each instalment."""
    return rows(
        world.store,
        """
        SELECT open_minor, principal_due_minor, interest_due_minor + fee_due_minor,
            penalty_due_minor
        FROM instalments WHERE plan_id = %(plan)s ORDER BY number
        """,
        plan=plan,
    )


def opens(world: World, plan: PlanId) -> list[int]:
    return [one[0] for one in instalments(world, plan)]


def penalties(world: World, plan: PlanId) -> list[int]:
    return [one[3] for one in instalments(world, plan)]


def state(world: World, plan: PlanId) -> Any:
    return row(world.store, "SELECT state FROM plans WHERE plan_id = %(plan)s", plan=plan)


def balances(world: World) -> dict[str, int]:
    """Return the chart accounts that are not at zero; debits above zero."""
    return dict(
        rows(
            world.store,
            """
            SELECT code, SUM(minor)::bigint FROM (
                SELECT debit AS code, amount_minor AS minor FROM transfers
                UNION ALL SELECT credit, -amount_minor FROM transfers
            ) AS sides GROUP BY code HAVING SUM(minor) <> 0 ORDER BY code
            """,
        )
    )


def kinds(world: World, account: AccountId) -> list[str]:
    """Return the kinds of an account's events, oldest first."""
    sql = "SELECT kind FROM events WHERE account_id = %(account)s ORDER BY number"
    return [one[0] for one in rows(world.store, sql, account=account)]


def assert_sound(world: World, *, accounts: int | None = None, plans: int | None = None) -> None:
    """Assert that all records of the book agree and every plan replays to what is stored."""
    checked = check(world.store)
    assert checked.findings == ()
    assert accounts is None or checked.accounts == accounts + 1  # and the house
    assert plans is None or checked.plans == plans


# What a transaction leaves besides its facts: its own number, the hour, whose connection it was.
TRACES = ("recorded_by", "finished_at", "writer")
TABLES = """
SELECT c.relname, array_agg(a.attname ORDER BY a.attnum) FROM pg_class AS c
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND c.relname <> 'migrations'
    AND a.attname <> ALL(%(traces)s)
GROUP BY c.relname ORDER BY c.relname
"""


def dump(store: Store) -> Mapping[str, tuple[int, str]]:
    """Return, per table, how many rows it has and a digest of them all."""
    found = {}
    with store.transaction() as session:
        for table, columns in session.rows(TABLES, {"traces": list(TRACES)}):
            chosen = ", ".join(columns)
            lines = session.rows(f"SELECT ROW({chosen})::text FROM {table} ORDER BY 1")
            text = "\n".join(line for (line,) in lines)
            found[table] = (len(lines), hashlib.sha256(text.encode()).hexdigest()[:16])
    return found


def reopen(store: Store, day: date, *, seed: int = 9) -> World:
    """Return a book that lives in a database already, its clock at noon of `day`."""
    clock = MovingClock(noon(day))
    with store.transaction() as session:
        known = catalogue.load(session)
        assert books.read(session, BOOK).business_date == day
        merchant = session.rows("SELECT merchant_id FROM merchants")[0][0]
    return World(Ground(store, clock, Ids(clock, seed=seed), known), clock, merchant, day)
