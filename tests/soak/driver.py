"""The program under load: tells facts, lends, buys, pays, contests, closes days until it is killed.

Run as `python driver.py DATA_FOLDER JOURNAL SEED`. Started again it first asks for everything it
never got an answer to, with the same keys, and then goes on. SIGUSR1 lets it rest for a moment and
audit what it holds. SIGTERM ends it in order.
"""

import logging
import random
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from datetime import time as hour
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from audit import audit
from journal import Journal, Story, name, read
from people import People

from fenqi.core.errors import Broken, FenqiError, Unavailable
from fenqi.core.values.ids import AccountId, MerchantId, OrderId, PlanId, ReceiptId
from fenqi.desk import Desk
from fenqi.flows.authorise import Authorise
from fenqi.flows.capture import Capture
from fenqi.flows.enrol import Enrol
from fenqi.flows.excuse import Outage, open_incident
from fenqi.flows.found import Found, enlist, found
from fenqi.flows.observe import Observe
from fenqi.flows.receive import MoneyState, Receive
from fenqi.flows.refund import Refund
from fenqi.machine import Config
from fenqi.runtime import MovingClock, Runtime
from fenqi.store import books
from fenqi.store.commands import Command
from fenqi.worker.close import close_through
from fenqi.worker.watch import Watch

LOG = logging.getLogger(__name__)
BOOK = "soak"
OPENED = date(2026, 1, 5)
PEOPLE = 300
CALLERS = 10
PAUSE_SECONDS = 0.01  # of a caller between two commands
CLOSE_EVERY_SECONDS = 0.5
AGAIN_SECONDS = 0.2  # before a failed command is sent again
PRODUCTS = (("unsplit", 1), ("flat", 3), ("flat", 12), ("free4", 4), ("annuity18", 6))
OUTAGE_EVERY_DAYS = 4
OFFICERS = ("mei", "ola", "kim", "lu")  # in turn, since one person alone excuses few days a month
REST_SECONDS_MAX = 60  # until every caller has its answer
# What is wished for how often; what cannot be, such as shipping what nobody bought, is a payment.
WISHES = {
    **{"buy": 36, "hold": 4, "ship": 4, "back": 4, "pay": 24, "owe": 4, "sure": 4},
    **{"tell": 16, "ring": 1, "apply": 3, "contest": 1, "find": 1},
}
FOUND = Found(
    book_id=BOOK,
    legal_entity="Soak Credit Ltd",
    currency="CNY",
    zone="Asia/Shanghai",
    opened_on=OPENED,
    funding_minor=10_000_000_000,
)


Sale = tuple[AccountId, OrderId, int]


@dataclass
class Goods:
    """What a caller's people have bought and may come back to."""

    bought: list[Sale] = field(default_factory=list)
    held: list[Sale] = field(default_factory=list)  # ordered and not shipped
    lent: list[tuple[AccountId, PlanId]] = field(default_factory=list)
    pending: list[tuple[AccountId, ReceiptId, Receive]] = field(default_factory=list)


class Driver:
    """Everything one life of the program does."""

    def __init__(self, runtime: Runtime, clock: MovingClock, journal: Journal, seed: str) -> None:
        self._runtime, self._clock, self._journal = runtime, clock, journal
        self._seed = seed
        self._stop = threading.Event()
        self._fault: BaseException | None = None
        self._desk = Desk(runtime.ground)
        self._sealer = runtime.sealer()
        self._told: dict[str, int] = {}  # how many facts each acknowledged command had
        self._outages: set[str] = set()
        self._wanted, self._resting = threading.Event(), threading.Barrier(CALLERS + 2)
        found(runtime.ground, FOUND)
        self._merchant: MerchantId = enlist(runtime.ground, BOOK, ["shop"])["shop"]
        self._set_clock()

    def stop(self, *_: object) -> None:
        self._stop.set()

    def rest(self, *_: object) -> None:
        self._wanted.set()

    def run(self, before: Story) -> None:
        for key in before.answers:
            self._heard(before.sent[key])
        self._outages |= {day for day, incident in before.outages.items() if incident}
        for command in before.in_doubt:
            self._send(command)
        for day in sorted(before.outages.keys() - self._outages):
            self._excuse(date.fromisoformat(day))
        accounts = [self._account(number, before) for number in range(PEOPLE)]
        threads = [
            threading.Thread(target=self._guard, args=(self._call, accounts[n::CALLERS], n))
            for n in range(CALLERS)
        ]
        threads.append(threading.Thread(target=self._guard, args=(self._close,)))
        threads.append(threading.Thread(target=self._guard, args=(self._audit,)))
        with Watch(self._runtime.ground):
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        self._desk.close()
        if self._fault is not None:
            raise self._fault

    def _guard(self, body: Any, *arguments: Any) -> None:
        try:
            body(*arguments)
        except BaseException as fault:
            if not (self._stop.is_set() and isinstance(fault, threading.BrokenBarrierError)):
                self._fault = fault
            self._stop.set()
            self._resting.abort()  # nobody waits for who is gone

    def _send(self, command: Command) -> Any:
        """Send a command until it is answered; return the answer, or None if it is refused."""
        self._journal.sent(command)
        while True:
            try:
                answer = self._desk.submit(command).result()
            except Unavailable as fault:
                self._journal.failed(command.kind, fault.code)
                time.sleep(AGAIN_SECONDS)
                continue
            except FenqiError as refusal:
                is_broken = isinstance(refusal, Broken)
                if is_broken:  # for whoever reads the program's log
                    LOG.error("%s was refused", name(command), exc_info=refusal)
                self._journal.refused(command, refusal.code, is_broken=is_broken)
                return None
            self._journal.acknowledged(command, msgspec.to_builtins(answer))
            self._heard(command)
            return answer

    def _heard(self, command: Command) -> None:
        """Remember the facts of an acknowledged command."""
        if isinstance(command, Observe):
            self._told[command.key] = len(command.facts)

    def _account(self, number: int, before: Story) -> AccountId:
        """Open an account, unless an earlier life did."""
        command = Enrol(
            scope_kind="book",
            scope_id=BOOK,
            key=f"apply-{number}",
            book_id=BOOK,
            person_reference=f"person-{number}",
            limit_minor=5_000_000,
            statement_day=1 + number % 28,
        )
        answered = before.answers.get(name(command))
        text = answered["account_id"] if answered else self._send(command).account_id
        return AccountId(UUID(text))

    def _call(self, accounts: list[AccountId], caller: int) -> None:
        chance = random.Random(f"{self._seed}/{caller}")
        sales = self._sales(accounts, chance, f"{self._seed}-{caller}")
        while not self._stop.is_set():
            next(sales)
            self._rest_if_wanted()
            time.sleep(PAUSE_SECONDS)

    def _rest_if_wanted(self) -> None:
        """Do nothing while the audit looks."""
        if self._wanted.is_set():
            self._resting.wait(REST_SECONDS_MAX)  # everybody is here
            self._resting.wait(REST_SECONDS_MAX)  # and may go on

    def _audit(self) -> None:
        """Audit whenever it is wanted, with everybody at rest."""
        number = 0
        while not self._stop.is_set():
            if not self._wanted.wait(CLOSE_EVERY_SECONDS):
                continue
            number += 1
            self._resting.wait(REST_SECONDS_MAX)
            mark = f"{self._seed}/{number}"
            told = audit(self._runtime, self._told, self._outages, book_id=BOOK, mark=mark)
            self._journal.audited(told)
            self._wanted.clear()
            self._resting.wait(REST_SECONDS_MAX)

    def _sales(self, accounts: list[AccountId], chance: random.Random, mark: str) -> Iterator[None]:
        """Yield after each wish; what is bought may be shipped, given back and contested later."""
        people = People(BOOK, self._sealer, chance, self._clock.now)
        goods = Goods()
        number = 0
        while True:
            number += 1
            key, account = f"{mark}-{number}", chance.choice(accounts)
            match chance.choices(list(WISHES), list(WISHES.values()))[0]:
                case "tell":
                    self._send(people.told(account, f"told-{key}"))
                case "ring":
                    for login in people.ring(accounts, f"told-{key}"):
                        self._send(login)
                case "apply":
                    accounts += people.apply(key, self._send)
                case "contest" if goods.lent:
                    owner, plan = goods.lent.pop(chance.randrange(len(goods.lent)))
                    people.contest(owner, plan, key, self._send)
                case "find":
                    people.find(key, self._send)
                case wish:
                    self._trade(wish, goods, account, key, chance)
            yield

    def _trade(
        self, wish: str, goods: Goods, account: AccountId, key: str, chance: random.Random
    ) -> None:
        """Buy, ship, give back or pay."""
        match wish:
            case "buy" | "hold":
                self._buy(goods, self._purchase(account, key, chance, is_held=wish == "hold"))
            case "ship" if goods.held:
                owner, order, amount = goods.held.pop()
                shipped: dict[str, Any] = {"order_id": order, "shipped_at": self._clock.now()}
                self._send(Capture(**self._of(owner, key), amount_minor=amount, **shipped))
            case "back" if goods.bought:
                owner, order, amount = goods.bought.pop(chance.randrange(len(goods.bought)))
                part = chance.randint(1, amount)
                returned: dict[str, Any] = {"order_id": order, "returned_at": self._clock.now()}
                self._send(Refund(**self._of(owner, key), amount_minor=part, **returned))
            case "owe":
                notice = self._payment(account, key, chance, MoneyState.PENDING)
                answer = self._send(notice)
                if answer is not None:
                    goods.pending.append((account, ReceiptId(UUID(answer.receipt_id)), notice))
            case "sure" if goods.pending:
                owner, receipt, notice = goods.pending.pop()
                state = chance.choice((MoneyState.FINAL, MoneyState.REVERSED))
                change = {"key": key, "receipt_id": receipt, "state": state}
                self._send(msgspec.structs.replace(notice, **change))
            case _:
                self._send(self._payment(account, key, chance, MoneyState.FINAL))

    def _buy(self, goods: Goods, command: Authorise) -> None:
        answer = self._send(command)
        if answer is None or answer.order_id is None:
            return
        sale = (command.account_id, OrderId(UUID(answer.order_id)), command.amount_minor)
        (goods.bought if command.capture_now else goods.held).append(sale)
        if answer.plan_id is not None:
            goods.lent.append((command.account_id, PlanId(UUID(answer.plan_id))))

    def _of(self, account: AccountId, key: str) -> dict[str, Any]:
        return {"scope_id": str(account), "key": key, "account_id": account}

    def _purchase(
        self, account: AccountId, key: str, chance: random.Random, *, is_held: bool
    ) -> Authorise:
        product, count = chance.choice(PRODUCTS)
        return Authorise(
            **self._of(account, key),
            merchant_id=self._merchant,
            merchant_order=key,
            amount_minor=chance.randint(2_000, 60_000),
            product=product,
            count=count,
            placed_at=self._clock.now(),
            capture_now=not is_held,
        )

    def _payment(
        self, account: AccountId, key: str, chance: random.Random, state: MoneyState
    ) -> Receive:
        return Receive(
            **self._of(account, key),
            channel="bank",
            channel_reference=key,
            amount_minor=chance.randint(1_000, 120_000),
            received_at=self._clock.now(),
            state=state,
        )

    def _close(self) -> None:
        while not self._stop.wait(CLOSE_EVERY_SECONDS):
            day = self._open_day()
            try:
                close_through(self._runtime.ground, BOOK, day)
            except (Unavailable, FenqiError) as fault:
                if isinstance(fault, Broken):
                    raise
                self._journal.failed("close", fault.code)
                continue
            self._journal.closed(day.isoformat())
            self._set_clock()
            self._rest_if_wanted()
            if day.toordinal() % OUTAGE_EVERY_DAYS == 0:
                self._excuse(self._open_day())

    def _excuse(self, day: date) -> None:
        """Let a person say that we were down on a day, until that is acknowledged."""
        said = day.isoformat()
        self._journal.outage(said, None)
        while not self._stop.is_set():
            outage = Outage(BOOK, f"down on {said}", day, day)
            officer = OFFICERS[day.toordinal() // OUTAGE_EVERY_DAYS % len(OFFICERS)]
            try:
                incident = open_incident(self._runtime.ground, outage, by=officer)
            except Unavailable as fault:
                self._journal.failed("incident", fault.code)
                time.sleep(AGAIN_SECONDS)
                continue
            self._journal.outage(said, str(incident.incident_id))
            self._outages.add(said)
            return

    def _open_day(self) -> date:
        while True:
            try:
                with self._runtime.store.transaction() as session:
                    return books.read(session, BOOK).business_date
            except Unavailable as fault:
                self._journal.failed("read", fault.code)

    def _set_clock(self) -> None:
        noon = datetime.combine(self._open_day(), hour(4), UTC)  # in Shanghai
        self._clock.set(noon)


def main(data: Path, journal_file: Path, seed: str) -> None:
    before = read(journal_file)
    clock = MovingClock(datetime.combine(OPENED, hour(4), UTC))
    with Runtime.open(Config(data_folder=data), clock=clock) as runtime:
        driver = Driver(runtime, clock, Journal(journal_file), seed)
        signal.signal(signal.SIGTERM, driver.stop)
        signal.signal(signal.SIGUSR1, driver.rest)
        driver.run(before)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
