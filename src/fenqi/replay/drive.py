"""Drives a stream of facts through the desk, day by day, with a moving clock.

Each day: the day's facts happen, people pay what they mean to of what falls due, the day is closed.
Every command's key comes from its fact, so a replay that was cut off and is started again sends the
same commands, gets the first answers back, and goes on at the book's open day.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from typing import Any, Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from fenqi.core.account import Outcome
from fenqi.core.errors import FenqiError
from fenqi.core.risk.purchase import Course
from fenqi.core.values.day import days_between
from fenqi.core.values.ids import AccountId, MerchantId, OrderId
from fenqi.desk import Desk
from fenqi.flows.authorise import Authorise
from fenqi.flows.enrol import Enrol
from fenqi.flows.receive import Receive
from fenqi.flows.refund import Refund as RefundCommand
from fenqi.flows.verify import NoCheckAsked, Verify
from fenqi.replay.asking import Asking, Request
from fenqi.replay.behaviour import Behaviour, payment
from fenqi.replay.facts import Fact, Opening, Purchase, Refund
from fenqi.replay.wishes import Wishes
from fenqi.report.dues import Due

NOON = time(12)
EVENING = time(18)
CHANNEL = "bank"
KEY_REUSED = "key-reused"


class SettableClock(Protocol):
    """The replay's clock: it stands where it was set."""

    def set(self, instant: datetime) -> None:
        """Stand at this instant."""


@dataclass(frozen=True, slots=True)
class World:
    """What the driver needs from outside: handed in, so that it opens no door itself.

    `dues` tells who is asked to pay on a day; `close_day` closes it; `merchants` knows the book's
    merchants by name.
    """

    desk: Desk
    clock: SettableClock
    book_id: str
    zone: ZoneInfo
    open_day: date
    merchants: Mapping[str, MerchantId]
    dues: Callable[[date], Iterable[Due]]
    close_day: Callable[[date], None]
    command_of: Callable[[Asking], Request | None]
    is_paid: Callable[[str], bool]  # whether anybody has paid with a key


@dataclass(slots=True)
class Driven:
    """What became of the facts. Units: minor units.

    `declined_lines` are lines of the file with the fact's key, what happened and the key of the
    purchase, which says why.
    """

    accounts: int = 0
    purchases: int = 0
    declined_lines: list[tuple[int, str, str, str]] = field(default_factory=list)
    checks_passed: int = 0
    refunds: int = 0
    payments: int = 0
    paid_minor: int = 0
    requests: Counter[str] = field(default_factory=Counter)  # that were granted, by their kind


class Drive:
    """One replay on its way. `run` it; interrupt it when you must, and run it again."""

    def __init__(self, world: World, behaviour: Behaviour, wishes: Wishes | None = None) -> None:
        self._world = world
        self._behaviour = behaviour
        self._wishes = wishes
        self._accounts: dict[str, AccountId] = {}
        self._persons: dict[UUID, str] = {}
        self._opened: dict[str, date] = {}
        self._orders: dict[str, Future[Any]] = {}  # the answers to purchases
        self._months: Counter[str] = Counter()
        self._missed: dict[str, int] = {}
        self.driven = Driven()

    def run(
        self,
        facts: Iterable[Fact],
        first_on: date,
        last_on: date,
        on_day: Callable[[date], None],
    ) -> Driven:
        """Live every day from `first_on` to `last_on`; `on_day` is told each day done.

        The facts come by time, and those of a day or two are in memory.
        """
        coming = iter(facts)
        near: dict[date, list[Fact]] = {}
        for day in days_between(first_on, last_on):
            # A clock set back at midnight lives a piece of a day again, after the next has begun.
            self._read_past(day + timedelta(days=1), coming, near)
            self._live(day, near.pop(day, []))
            on_day(day)
        return self.driven

    def _read_past(self, day: date, coming: Iterator[Fact], near: dict[date, list[Fact]]) -> None:
        """Add facts to those near until one is of a later day than `day`."""
        if any(known > day for known in near):
            return
        for fact in coming:
            on = fact.at.astimezone(self._world.zone).date()
            near.setdefault(on, []).append(fact)
            if on > day:
                return

    def _live(self, day: date, facts: Sequence[Fact]) -> None:
        self._world.clock.set(datetime.combine(day, NOON, self._world.zone))
        self._open_accounts([fact for fact in facts if isinstance(fact, Opening)], day)
        waiting: list[tuple[Fact, Future[Any]]] = []
        for fact in facts:
            match fact:
                case Purchase():
                    answer = self._buy(fact)
                    self._orders[fact.key] = answer
                    if self._wishes is not None:
                        self._wishes.bought(fact.person, fact.key, day)
                    waiting.append((fact, answer))
                case Refund():
                    refunded = self._give_back(fact)
                    if refunded is not None:
                        waiting.append((fact, refunded))
                case Opening():
                    pass
        for fact, future in waiting:
            self._count(fact, future.result())
        self._answer_checks([fact for fact, _ in waiting if isinstance(fact, Purchase)])
        if day >= self._world.open_day:
            self._world.clock.set(datetime.combine(day, EVENING, self._world.zone))
            self._ask(day)
            self._pay(day)
            self._world.close_day(day)

    def _open_accounts(self, openings: Sequence[Opening], day: date) -> None:
        book_id = self._world.book_id
        answers = [
            self._world.desk.submit(
                Enrol(
                    scope_kind="book",
                    scope_id=book_id,
                    key=f"apply/{opening.person}",
                    actor="replay",
                    book_id=book_id,
                    person_reference=f"{book_id}/{opening.person}",
                    limit_minor=opening.limit_minor,
                    statement_day=opening.statement_day,
                )
            )
            for opening in openings
        ]
        for opening, answer in zip(openings, answers, strict=True):
            account_id = AccountId(UUID(answer.result().account_id))
            self._accounts[opening.person] = account_id
            self._persons[account_id] = opening.person
            self._opened[opening.person] = day
            if self._wishes is not None:
                self._wishes.meet(opening.person, day)
            self.driven.accounts += 1

    def _buy(self, purchase: Purchase) -> "Future[Any]":
        merchant_id = self._world.merchants[purchase.merchant]
        return self._world.desk.submit(
            Authorise(
                scope_kind="merchant",
                scope_id=str(merchant_id),
                key=purchase.key,
                actor="replay",
                account_id=self._accounts[purchase.person],
                merchant_id=merchant_id,
                merchant_order=purchase.key,
                amount_minor=purchase.amount_minor,
                product=purchase.product,
                count=purchase.count,
                placed_at=purchase.at,
                capture_now=True,
            )
        )

    def _give_back(self, refund: Refund) -> "Future[Any] | None":
        """Send a refund, unless its purchase was declined: then nothing was lent."""
        approved = self._orders[refund.purchase_key].result()
        if approved.outcome != Outcome.APPROVE:
            self._note_lines(refund, "refund-of-declined", refund.purchase_key)
            return None
        return self._world.desk.submit(
            RefundCommand(
                scope_id=str(self._accounts[refund.person]),
                key=f"refund/{refund.key}",
                actor="replay",
                account_id=self._accounts[refund.person],
                order_id=OrderId(UUID(approved.order_id)),
                amount_minor=refund.amount_minor,
                returned_at=refund.at,
            )
        )

    def _count(self, fact: Fact, answer: Any) -> None:
        if isinstance(fact, Refund):
            self.driven.refunds += 1
        elif isinstance(fact, Purchase):
            self.driven.purchases += 1
            if answer.outcome != Outcome.APPROVE:
                self._note_lines(fact, "purchase-declined", fact.key)

    def _answer_checks(self, bought: Sequence[Purchase]) -> None:
        """Let some of those who were asked for a check pass it, and buy what they meant to."""
        wishes = self._wishes
        if wishes is None:
            return
        asked = [
            one
            for one in bought
            if self._orders[one.key].result().outcome == Course.STEP_UP and wishes.answers(one.key)
        ]
        # One check passed is enough for all that a person buys on a day.
        firsts = {one.person: one for one in reversed(asked)}
        passing = {person: self._verify(one) for person, one in firsts.items()}
        passed = {person for person, answer in passing.items() if _is_done(answer)}
        self.driven.checks_passed += len(passed)
        again = [one for one in asked if one.person in passed]
        for one in again:  # what comes back later is given back of this one
            self._orders[one.key] = self._buy(replace(one, key=f"{one.key}/checked"))
        for one in again:
            self._orders[one.key].result()

    def _verify(self, purchase: Purchase) -> "Future[Any]":
        account_id = self._accounts[purchase.person]
        return self._world.desk.submit(
            Verify(
                scope_id=str(account_id),
                key=f"check/{purchase.key}",
                actor="replay",
                account_id=account_id,
            )
        )

    def _note_lines(self, fact: Purchase | Refund, what: str, purchase: str) -> None:
        self.driven.declined_lines.extend((line, fact.key, what, purchase) for line in fact.lines)

    def _ask(self, day: date) -> None:
        """Let everybody who wishes something today ask for it; what is not granted is not asked."""
        if self._wishes is None:
            return
        if day == self._world.open_day and self._world.is_paid(_pay_key(day)):
            return  # the day was cut off after all had asked; paid, they might be granted more
        at = datetime.combine(day, EVENING, self._world.zone)
        for person, wish in self._wishes.on(day):
            account_id = self._accounts.get(person)
            if account_id is None:
                continue
            command = self._world.command_of(Asking(account_id, wish, at))
            if command is None:
                continue
            try:
                self._world.desk.submit(command).result()
            except FenqiError as refused:
                if refused.code != KEY_REUSED:
                    raise
                continue  # it was booked before this day was cut off, and asks for more now
            self.driven.requests[wish.value] += 1

    def _pay(self, day: date) -> None:
        """Let everybody who is asked to pay today pay what they mean to."""
        answers = []
        for due in self._world.dues(day):
            person = self._persons.get(due.account_id)
            if person is None:
                continue
            amount = payment(self._missed_on(person, day), due.open_by_month_minor)
            if amount:
                answers.append((amount, self._send(person, due.account_id, amount, day)))
        for amount, answer in answers:
            answer.result()
            self.driven.payments += 1
            self.driven.paid_minor += amount

    def _missed_on(self, person: str, day: date) -> int:
        """Return how many months a person leaves unpaid now.

        The chain steps once per calendar month since the account was opened, whether or not
        something fell due, so a replay started again draws the same lives.
        """
        opened = self._opened[person]
        months = (day.year - opened.year) * 12 + day.month - opened.month + 1
        while self._months[person] < months:
            self._missed[person] = self._behaviour.missed_after(person)
            self._months[person] += 1
        return self._missed[person]

    def _send(
        self, person: str, account_id: AccountId, amount_minor: int, day: date
    ) -> "Future[Any]":
        return self._world.desk.submit(
            Receive(
                scope_id=str(account_id),
                key=_pay_key(day),
                actor="replay",
                account_id=account_id,
                channel=CHANNEL,
                channel_reference=f"{person}/{day.isoformat()}",
                amount_minor=amount_minor,
                received_at=datetime.combine(day, EVENING, self._world.zone),
            )
        )


def _is_done(answer: "Future[Any]") -> bool:
    """Tell whether a check was passed; False if none is asked for any more."""
    try:
        answer.result()
    except NoCheckAsked:
        return False
    return True


def _pay_key(day: date) -> str:
    return f"pay/{day.isoformat()}"


def last_day(last_fact_on: date, days_after: int) -> date:
    """Return the last day a replay lives."""
    return last_fact_on + timedelta(days=days_after)
