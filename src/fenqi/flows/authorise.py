"""A purchase is decided; if approved, its amount is held, or captured at once.

The decision looks at the account as it stands after the commands before it in the batch, so two
buyers racing for the last yuan cannot both win (M5). A decline is an answer, not an error.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from fenqi.core.account import Outcome, judge
from fenqi.core.errors import FenqiError
from fenqi.core.servicing.statement import due_days
from fenqi.core.terms.pack import check_plan
from fenqi.core.terms.schedule import Terms
from fenqi.core.values.ids import AccountId, DecisionId, MerchantId, OrderId
from fenqi.store import accounts, books, orders
from fenqi.store.accounts import Account
from fenqi.store.booking import Booking
from fenqi.store.commands import Command, Inbox
from fenqi.store.ground import Ground
from fenqi.store.lending import Lending, Shipment
from fenqi.store.rows import Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorise(Command):
    """Decide a purchase. With `capture_now` the goods leave at once and the plan begins."""

    kind: ClassVar[str] = "authorise"
    account_id: AccountId
    merchant_id: MerchantId
    merchant_order: str
    amount_minor: int
    product: str
    count: int
    placed_at: datetime
    capture_now: bool = False


@dataclass(frozen=True, slots=True)
class Authorised:
    """The outcome; an approved purchase has an order, and a plan if it was captured."""

    outcome: str
    reasons: list[str]
    order_id: str | None = None
    plan_id: str | None = None


def authorise(ground: Ground, commands: Sequence[Authorise]) -> list[Authorised | FenqiError]:
    """Decide each purchase of the batch in order."""
    counter = _Counter(ground, len(commands))
    with ground.store.transaction() as session:
        with session.pipeline():  # one round trip for all that is asked
            lock = accounts.locking(session, {command.account_id for command in commands})
            inbox: Inbox[Authorise, Authorised] = Inbox(session, commands, Authorised)
            found = books.of_merchants(session, {command.merchant_id for command in commands})
        locked, merchants = lock(), found()
        for place, command in inbox.fresh():
            try:
                account = accounts.find(locked, command.account_id)
                if merchants.get(command.merchant_id) != account.book.book_id:
                    raise books.MerchantMissing(merchant=command.merchant_id)
                terms = _terms(ground, account, command)
            except FenqiError as refusal:
                inbox.refuse(place, refusal)
                continue
            inbox.answer(place, command.account_id, counter.decide(account, terms, command))
        counter.booking.write(session)
        inbox.keep(session, counter.booking.now)
    return inbox.answers()


def _terms(ground: Ground, account: Account, command: Authorise) -> Terms:
    """Return what would be signed.

    Errors: ProductMissing; BeforeBook; those of Terms; CapBroken.
    """
    book = account.book
    terms = Terms(
        product=ground.catalogue.product(command.product),
        count=command.count,
        principal_minor=command.amount_minor,
        starts_on=book.day_of_lending(command.placed_at),
        due_on=due_days(account.cycle, book.business_date, command.count),
    )
    check_plan(terms, ground.catalogue.packs[book.pack, book.pack_version])
    return terms


class _Counter:
    """Where one batch's purchases are decided and booked."""

    def __init__(self, ground: Ground, commands: int) -> None:
        self.ground = ground
        self._ids = iter(ground.ids.many(2 * commands))  # of its decisions and orders
        self.booking = Booking(ground)
        self._decisions = Rows(orders.DECISIONS)
        self._lending = Lending(ground, self.booking)
        self._orders = orders.Placements()  # after the lending, which digests what was shown
        self.booking.others += [self._decisions, self._orders]
        self._menu = orders.menu_text(_menu(ground))

    def decide(self, account: Account, terms: Terms, command: Authorise) -> Authorised:
        """Judge one purchase and book what follows."""
        standing = account.standing
        verdict = judge(standing, command.amount_minor)
        decision_id = DecisionId(next(self._ids))
        orders.add_decision(
            self._decisions,
            orders.Decided(
                account_id=account.account_id,
                decision_id=decision_id,
                verdict=verdict,
                standing=standing,
                amount_minor=command.amount_minor,
                menu=self._menu,
                decided_at=self.booking.now,
                booked_on=account.book.business_date,
            ),
        )
        if verdict.outcome is Outcome.DECLINE:
            reasons = [reason.value for reason in verdict.reasons]
            self._tell(account, command, "purchase-declined", {"reasons": reasons})
            return Authorised(verdict.outcome.value, reasons)
        order_id = OrderId(next(self._ids))
        shown = self._lending.show(terms)
        self._place(account, shown, command, decision_id, order_id)
        if not command.capture_now:
            account.held_minor += command.amount_minor
            self._tell(account, command, "purchase-authorised", {"order_id": order_id})
            return Authorised(verdict.outcome.value, [], str(order_id))
        plan_id = self._lending.begin(
            account,
            Shipment(
                order_id=order_id,
                merchant_id=command.merchant_id,
                agreement_version=account.agreement_version,
                shown=shown,
                shipped_at=command.placed_at,
                actor=command.actor,
                command_key=command.key,
            ),
        )
        return Authorised(verdict.outcome.value, [], str(order_id), str(plan_id))

    def _place(
        self,
        account: Account,
        shown: orders.Shown,
        command: Authorise,
        decision_id: DecisionId,
        order_id: OrderId,
    ) -> None:
        book = account.book
        pack = self.ground.catalogue.packs[book.pack, book.pack_version]
        expires_on = book.business_date + timedelta(days=pack.hold_days)
        self._orders.add(
            orders.Placed(
                account_id=account.account_id,
                order_id=order_id,
                decision_id=decision_id,
                merchant_id=command.merchant_id,
                merchant_order=command.merchant_order,
                agreement_version=account.agreement_version,
                shown=shown,
                captured_minor=command.amount_minor if command.capture_now else 0,
                hold_expires_on=None if command.capture_now else expires_on,
                placed_at=command.placed_at,
                booked_on=book.business_date,
            )
        )

    def _tell(
        self, account: Account, command: Authorise, kind: str, payload: dict[str, object]
    ) -> None:
        self.booking.event(
            account,
            kind,
            payload={"amount_minor": command.amount_minor, **payload},
            occurred_at=command.placed_at,
            actor=command.actor,
            command_key=command.key,
            topic="merchant",
        )


def _menu(ground: Ground) -> list[tuple[str, int]]:
    """Return every plan on offer; a later room narrows it by risk."""
    products = {one.product_id for one in ground.catalogue.products.values()}
    return [
        (name, count)
        for name in sorted(products)
        for count in ground.catalogue.product(name).counts
    ]
