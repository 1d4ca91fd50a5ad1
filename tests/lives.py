"""A small book in which everything happens once: a builder for tests of what books say.

Eight people buy in January; days pass one by one and are closed. On the way somebody pays on time,
pays late, never pays, overpays, ends early, returns goods, is declined, and waits for a bank.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from uuid import UUID

from fenqi.core.errors import FenqiError
from fenqi.core.values.ids import AccountId, MerchantId, OrderId, PlanId
from fenqi.flows.authorise import Authorise, Authorised, authorise
from fenqi.flows.enrol import Enrol, enrol
from fenqi.flows.receive import MoneyState, Receive, receive
from fenqi.flows.refund import Refund, refund
from fenqi.flows.settle import Settle, settle
from fenqi.runtime import MovingClock
from fenqi.store.ground import Ground
from fenqi.store.pool import Store
from fenqi.worker.close import close_through
from make_founding import founded, noon

BOOK = "small"
OPENED = date(2026, 1, 5)
LAST = date(2026, 10, 15)


@dataclass
class Life:
    """The book while it is lived. `clock` stands at noon of the open day."""

    ground: Ground
    clock: MovingClock
    merchant: MerchantId
    day: date = OPENED
    plans: dict[str, PlanId] = field(default_factory=dict)
    orders: dict[str, OrderId] = field(default_factory=dict)
    accounts: dict[str, AccountId] = field(default_factory=dict)
    keys: int = 0

    def key(self) -> str:
        self.keys += 1
        return f"key-{self.keys}"

    def noon(self) -> datetime:
        return noon(self.day)

    def enrol(self, name: str, limit_minor: int = 5_000_000) -> None:
        command = Enrol(
            scope_kind="book",
            scope_id=BOOK,
            key=self.key(),
            book_id=BOOK,
            person_reference=f"person-{name}",
            limit_minor=limit_minor,
            statement_day=1,
        )
        self.accounts[name] = AccountId(UUID(done(enrol(self.ground, [command])[0]).account_id))

    def buy(self, name: str, amount_minor: int, product: str, count: int) -> Authorised:
        account = self.accounts[name]
        command = Authorise(
            scope_id=str(account),
            key=self.key(),
            account_id=account,
            merchant_id=self.merchant,
            merchant_order=f"order-{self.keys}",
            amount_minor=amount_minor,
            product=product,
            count=count,
            placed_at=self.noon(),
            capture_now=True,
        )
        answer = done(authorise(self.ground, [command])[0])
        if answer.plan_id is not None and answer.order_id is not None:
            self.plans[name] = PlanId(UUID(answer.plan_id))
            self.orders[name] = OrderId(UUID(answer.order_id))
        return answer

    def pay(
        self,
        name: str,
        amount_minor: int,
        *,
        state: MoneyState = MoneyState.FINAL,
        days_ago: int = 0,
    ) -> None:
        account = self.accounts[name]
        command = Receive(
            scope_id=str(account),
            key=self.key(),
            account_id=account,
            channel="bank",
            channel_reference=f"transfer-{self.keys}",
            amount_minor=amount_minor,
            received_at=self.noon() - timedelta(days=days_ago),
            state=state,
        )
        done(receive(self.ground, [command])[0])

    def return_goods(self, name: str, amount_minor: int) -> None:
        account = self.accounts[name]
        command = Refund(
            scope_id=str(account),
            key=self.key(),
            account_id=account,
            order_id=self.orders[name],
            amount_minor=amount_minor,
            returned_at=self.noon(),
        )
        done(refund(self.ground, [command])[0])

    def end_early(self, name: str, amount_minor: int) -> None:
        account = self.accounts[name]
        command = Settle(
            scope_id=str(account),
            key=self.key(),
            account_id=account,
            plan_id=self.plans[name],
            channel="bank",
            channel_reference=f"transfer-{self.keys}",
            amount_minor=amount_minor,
            received_at=self.noon(),
        )
        done(settle(self.ground, [command])[0])

    def live_until(self, day: date) -> None:
        """Close every day before `day`."""
        close_through(self.ground, BOOK, day - timedelta(days=1), on_day=self._turn)

    def _turn(self, closed: date) -> None:
        self.day = closed + timedelta(days=1)
        self.clock.set(self.noon())


def open_book(store: Store) -> Life:
    """Return a fresh book with its eight people, and nothing bought yet."""
    entity = 'Small "Honest" Credit Ltd'
    ground, clock, merchant = founded(
        store, book_id=BOOK, legal_entity=entity, opened_on=OPENED, slices=1
    )
    life = Life(ground, clock, merchant)
    for name in ("punctual", "late", "never", "over", "early", "returns", "poor", "waits"):
        life.enrol(name, 50_000 if name == "poor" else 5_000_000)
    return life


def lived(store: Store) -> Life:
    """Return the book after everything happened, its open day `LAST`."""
    life = open_book(store)
    life.buy("punctual", 600_000, "flat", 6)
    life.buy("late", 120_001, "free4", 4)
    life.buy("never", 90_000, "unsplit", 1)
    life.buy("over", 240_000, "annuity18", 12)
    life.buy("early", 300_000, "flat", 12)
    life.buy("returns", 200_000, "flat", 3)
    life.buy("poor", 60_000, "unsplit", 1)  # above the limit: declined
    life.buy("waits", 30_000, "unsplit", 1)
    for day, happens in EVENTS:
        life.live_until(day)
        happens(life)
    life.live_until(LAST)
    return life


EVENTS: list[tuple[date, Callable[[Life], object]]] = [
    (date(2026, 2, 10), lambda life: life.pay("punctual", 103_000)),
    (date(2026, 2, 10), lambda life: life.pay("returns", 67_667)),
    (date(2026, 2, 10), lambda life: life.pay("over", 100_000)),
    (date(2026, 2, 11), lambda life: life.return_goods("returns", 150_000)),
    (date(2026, 2, 20), lambda life: life.end_early("early", 303_000)),
    (date(2026, 3, 10), lambda life: life.pay("punctual", 103_000)),
    (date(2026, 3, 25), lambda life: life.buy("late", 1_000, "unsplit", 1)),  # overdue: declined
    (date(2026, 4, 2), lambda life: life.pay("late", 60_500, days_ago=3)),
    (date(2026, 4, 10), lambda life: life.pay("punctual", 412_000)),
    (date(2026, 5, 5), lambda life: life.buy("punctual", 80_000, "flat", 3)),
    (date(2026, 9, 20), lambda life: life.pay("never", 40_000)),  # after the write-off
    (date(2026, 10, 14), lambda life: life.pay("waits", 30_000, state=MoneyState.PENDING)),
]


def done(answer):  # type: ignore[no-untyped-def] # gives back the type it is given, less the error
    """Return an answer that is no refusal."""
    if isinstance(answer, FenqiError):
        raise answer
    return answer
