"""A purchase is decided; if approved, its amount is held, or captured at once.

The decision looks at the account as it stands after the commands before it in the batch, so two
buyers racing for the last yuan cannot both win (M5). A decline is an answer, not an error.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import ClassVar, NamedTuple

import msgspec

from fenqi.core.errors import FenqiError
from fenqi.core.risk.purchase import Course
from fenqi.core.servicing.statement import due_days
from fenqi.core.terms.pack import Pack, check_amount
from fenqi.core.terms.product import Product
from fenqi.core.terms.schedule import Frame, check_price
from fenqi.core.values.ids import AccountId, MerchantId, id_text
from fenqi.core.values.rate import PPM
from fenqi.store import accounts, books, orders, rulings
from fenqi.store.accounts import Account
from fenqi.store.booking import ENCODE, EVENT_VERSION, EVENTS, OUTBOX, OUTBOX_APART, Booking
from fenqi.store.columns import Ids, ids
from fenqi.store.commands import Command, Inbox
from fenqi.store.ground import Ground
from fenqi.store.lending import (
    PURCHASE_CAPTURED,
    Begun,
    Lending,
    Sale,
    captured_text,
    price_text,
)
from fenqi.store.pool import Session
from fenqi.store.rows import Rows, Sheet
from fenqi.store.rulings import Asked, Inquiry, Ruling, Rulings

IDS_PER_PURCHASE = 4  # decision, order, plan, capture
FRAMES_MAX = 4096  # remembered


class Authorise(Command, frozen=True, kw_only=True):
    """Decide a purchase. With `capture_now` the goods leave at once and the plan begins.

    Units: `price_ppm` of the product's own price, left out for that price itself. A price is
    granted only if the decision made about this very command offers it.
    """

    kind: ClassVar[str] = "authorise"
    account_id: AccountId
    merchant_id: MerchantId
    merchant_order: str
    amount_minor: int
    product: str
    count: int
    placed_at: datetime
    capture_now: bool = False
    # Left out it is not written: a command of before there were prices keeps its digest (M3).
    price_ppm: int | msgspec.UnsetType = msgspec.UNSET

    @property
    def asked_ppm(self) -> int:
        """The price asked for, in ppm of the product's own."""
        return PPM if self.price_ppm is msgspec.UNSET else self.price_ppm


class Authorised(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the merchant is told became of it: approve, decline, step-up or other-plan.

    `reasons` are those about its own offer, such as a plan that is not on offer; why a customer
    gets no credit is told to the customer alone. An approved purchase has an order, and a plan if
    it was captured. `offers` are the plans, (product, count, price in ppm of the product's own)
    each, to choose from instead.
    """

    outcome: str
    reasons: list[str]
    order_id: str | None = None
    plan_id: str | None = None
    offers: list[list[str | int]] | None = None


class _Purchase(NamedTuple):
    """A command that can be decided: whose, and what would be signed. `place` is its own."""

    place: int
    account: Account
    frame: Frame
    command: Authorise


def authorise(ground: Ground, commands: Sequence[Authorise]) -> list[Authorised | FenqiError]:
    """Decide each purchase of the batch, those of one account in order."""
    with ground.store.transaction() as session:
        with session.pipeline():  # one round trip for all that is asked
            lock = accounts.locking(session, [command.account_id for command in commands])
            inbox: Inbox[Authorise, Authorised] = Inbox(session, commands, Authorised)
            meet = ground.merchants.meet(session, [command.merchant_id for command in commands])
            inquiry = rulings.asking(ground, session, [one.account_id for one in commands])
        locked = lock()
        meet()
        counter = _Counter(ground, session, locked, inquiry, len(commands))
        purchases = []
        for place, command in inbox.fresh():
            try:
                account = accounts.find(locked, command.account_id)
                if ground.merchants.book_of(command.merchant_id) != account.book.book_id:
                    raise books.MerchantMissing(merchant=command.merchant_id)
                frame = counter.frame(account, command)
            except FenqiError as refusal:
                inbox.refuse(place, refusal)
                continue
            purchases.append(_Purchase(place, account, frame, command))
        for some in _rounds(purchases):
            for one, answer in zip(some, counter.decide(some), strict=True):
                inbox.answer(one.place, one.account.account_id, answer)
        counter.booking.write(session, inbox.kept(counter.booking.now))
    return inbox.answers()


def _rounds(purchases: Sequence[_Purchase]) -> list[list[_Purchase]]:
    """Return purchases in their order: what an account buys for the n-th time in round n."""
    rounds: list[list[_Purchase]] = []
    times: dict[int, int] = {}  # by identity of the account, of which there is one in a batch
    for one in purchases:
        before = times.get(id(one.account), 0)
        times[id(one.account)] = before + 1
        if before == len(rounds):
            rounds.append([])
        rounds[before].append(one)
    return rounds


class _Decided(NamedTuple):
    """One purchase that was decided, with what its rows say. Ids are their sixteen bytes."""

    account: Account
    command: Authorise
    answer: Authorised
    merchant_id: bytes
    decision_id: bytes
    order_id: bytes
    sale: Sale | None  # None if it was declined
    number: int  # of its event
    kind: str
    payload: str  # of the event, as JSON
    told: str | None  # to the merchant in place of the event, as JSON; None if the event is told


class _Counter:
    """Where one batch's purchases are decided, and what they come to as columns."""

    def __init__(
        self,
        ground: Ground,
        session: Session,
        locked: Mapping[AccountId, Account],
        inquiry: Inquiry | None,
        commands: int,
    ) -> None:
        self.booking = Booking(ground)
        self.booking.others.append(self)
        self._catalogue = ground.catalogue
        self._ids = iter(ground.ids.raw(IDS_PER_PURCHASE * commands))
        self._lending = Lending()
        self._decided: list[_Decided] = []
        self._rulings = Rulings(ground, self.booking, session, locked.values(), inquiry)
        self._placed_at: list[datetime] = []

    def frame(self, account: Account, command: Authorise) -> Frame:
        """Return what would be signed, which many purchases of a batch share.

        Errors: ProductMissing; BeforeBook; those of Frame; PriceOutOfRange; PriceNotCheaper;
        PrincipalOutOfRange; CapBroken.
        """
        listed = self._catalogue.product(command.product)
        price = command.asked_ppm
        starts_on = account.book.day_of_lending(command.placed_at)
        frame = _frame_of(account, listed, price, count=command.count, starts_on=starts_on)
        check_amount(frame, command.amount_minor, self._pack(account))
        if price != PPM:
            check_price(frame, command.amount_minor, listed)
        return frame

    def decide(self, purchases: Sequence[_Purchase]) -> list[Authorised]:
        """Rule on purchases of different accounts and take down what follows."""
        asked = [
            Asked(
                one.account,
                one.command.amount_minor,
                one.command.product,
                one.command.count,
                next(self._ids),
                one.frame.product.price_ppm,
            )
            for one in purchases
        ]
        rulings = self._rulings.rule(asked)
        decided = [
            self._take_down(one, of.decision_id, ruling)
            for one, of, ruling in zip(purchases, asked, rulings, strict=True)
        ]
        for one in decided:
            self._rulings.note(one.account, one.kind, one.payload)
        self._decided += decided
        for of, ruling in zip(asked, rulings, strict=True):
            if ruling.acts:
                self._rulings.respond(of, ruling)
        return [one.answer for one in decided]

    def _take_down(self, purchase: _Purchase, decision: bytes, ruling: Ruling) -> _Decided:
        """Return a purchase that was ruled on, its account being what it is after it."""
        _, account, frame, command = purchase
        amount, order = command.amount_minor, next(self._ids)
        merchant = command.merchant_id.bytes
        account.event_count += 1
        self.booking.touch(account)
        sale = told = None
        if ruling.course is not Course.APPROVE:
            kind, answer, payload = _refused(ruling, command, id_text(decision))
            told = _told_to_merchant(command, answer)
        elif not command.capture_now:
            kind, answer = "purchase-authorised", Authorised("approve", [], id_text(order))
            payload = (
                f'{{"amount_minor":{amount},"order_id":"{answer.order_id}",'
                f'"merchant":"{merchant.hex()}"{price_text(frame.product)},'
                f'"decision_id":"{id_text(decision)}"}}'
            )
            account.held_minor += amount
            sale = self._lending.sell(frame, amount, None)
        else:
            begun = self._begin(account, merchant, order, ruling)
            kind = PURCHASE_CAPTURED
            order_text, plan_text = id_text(order), id_text(begun.plan_id)
            answer = Authorised("approve", [], order_text, plan_text)
            sale = self._lending.sell(frame, amount, begun)
            payload = captured_text(
                sale,
                order_id=order_text,
                plan_id=plan_text,
                merchant=merchant.hex(),
                decision_id=id_text(decision),
            )
            account.principal_open_minor += amount
        return _Decided(
            *(account, command, answer, merchant, decision, order, sale),
            *(account.event_count, kind, payload, told),
        )

    def _begin(
        self, account: Account, merchant_id: bytes, order_id: bytes, ruling: Ruling
    ) -> Begun:
        return Begun(
            account=account,
            number=account.event_count,
            plan_id=next(self._ids),
            capture_id=next(self._ids),
            order_id=order_id,
            merchant_id=merchant_id,
            agreement_version=account.agreement_version,
            policy=ruling.policy,
            policy_version=ruling.policy_version,
        )

    def _pack(self, account: Account) -> Pack:
        return self._catalogue.packs[account.book.pack, account.book.pack_version]

    def fill(self, sheet: Sheet) -> None:
        """Put the batch's orders, plans and events on a sheet."""
        self._lending.fill(sheet)
        if self._decided:
            self._placed_at = [one.command.placed_at for one in self._decided]
            owners = ids([one.account.raw for one in self._decided])
            self._fill_orders(sheet, owners)
            self._fill_events(sheet, owners)

    def _fill_orders(self, sheet: Sheet, owners: Ids) -> None:
        placed = [(one, one.sale) for one in self._decided if one.sale is not None]
        where = [place for place, one in enumerate(self._decided) if one.sale is not None]
        rows = Rows(orders.ORDERS)
        rows.extend(
            len(placed),
            owners if len(where) == len(owners) else owners[where],
            [one.order_id for one, _ in placed],
            [one.merchant_id for one, _ in placed],
            [one.command.merchant_order for one, _ in placed],
            [one.decision_id for one, _ in placed],
            [sale.frame.product.product_id for _, sale in placed],
            [sale.frame.product.version for _, sale in placed],
            [sale.frame.count for _, sale in placed],
            [one.account.agreement_version for one, _ in placed],
            [sale.sha256 for _, sale in placed],
            [sale.principal_minor for _, sale in placed],
            [sale.principal_minor if sale.begun else 0 for _, sale in placed],
            [None if sale.begun else self._hold_ends(one.account) for one, sale in placed],
            self._placed_at
            if len(where) == len(owners)
            else [self._placed_at[one] for one in where],
            [one.account.book.business_date for one, _ in placed],
            [sale.frame.product.price_ppm for _, sale in placed],
        )
        sheet.add(rows)

    def _hold_ends(self, account: Account) -> date:
        return account.book.business_date + timedelta(days=self._pack(account).hold_days)

    def _fill_events(self, sheet: Sheet, owners: Ids) -> None:
        decided, now = self._decided, self.booking.now
        numbers = [one.number for one in decided]
        booked_on = [one.account.book.business_date for one in decided]
        events, outbox = Rows(EVENTS), Rows(OUTBOX)
        events.extend(
            len(decided),
            owners,
            numbers,
            EVENT_VERSION,
            [one.kind for one in decided],
            [one.command.key for one in decided],
            [one.command.actor for one in decided],
            self._placed_at,
            now,
            booked_on,
            [
                one.sale.frame.starts_on if one.sale and one.sale.begun else day
                for one, day in zip(decided, booked_on, strict=True)
            ],
            [one.payload for one in decided],
        )
        sheet.add(events)
        refused = [one for one in decided if one.told is not None]
        if not refused:
            outbox.extend(len(decided), owners, numbers, "merchant", now)
            sheet.add(outbox)
            return
        made = [one for one in decided if one.told is None]
        for some, topic in ((made, "merchant"), (refused, "customer")):
            if some:
                raws, of = [one.account.raw for one in some], [one.number for one in some]
                outbox.extend(len(some), raws, of, topic, now)
        sheet.add(outbox)
        apart = Rows(OUTBOX_APART)
        for one in refused:
            apart.add(one.account.raw, one.number, "merchant", now, one.told)
        sheet.add(apart)


# Frames of late with the product as listed, which is known by identity and kept alive here: a hash
# of all that a product is would cost more than the frame.
_FRAMES: dict[tuple[int, int, int, date, int, int, date], tuple[Frame, Product]] = {}


def _frame_of(
    account: Account, listed: Product, price_ppm: int, *, count: int, starts_on: date
) -> Frame:
    """Return what an account signs with, but for the amount; most batches share a few.

    Errors: those of Frame; PriceOutOfRange.
    """
    book = account.book
    key = (
        *(id(listed), price_ppm, count, starts_on),
        *(account.statement_day, book.due_after_days, book.business_date),
    )
    found = _FRAMES.get(key)
    if found is None:
        if len(_FRAMES) >= FRAMES_MAX:
            _FRAMES.clear()
        due_on = due_days(account.cycle, book.business_date, count)
        frame = Frame(listed.at(price_ppm), count, starts_on, due_on)
        found = _FRAMES[key] = (frame, listed)
    return found[0]


def _refused(ruling: Ruling, command: Authorise, decision_id: str) -> tuple[str, Authorised, str]:
    """Return the event, the answer and the event's payload of a purchase that is not made now."""
    reasons = list(ruling.reasons)
    # Of the menu it is told what it lacks, whatever that is for.
    shared = [ruling.missed.value] if ruling.missed else []
    told: dict[str, object] = {
        "amount_minor": command.amount_minor,
        "reasons": reasons,
        "decision_id": decision_id,
    }
    if ruling.course is Course.DECLINE:
        kind, answer = "purchase-declined", Authorised("decline", shared)
    elif ruling.course is Course.STEP_UP:
        kind, answer = "purchase-paused", Authorised("step-up", shared)
        told["course"] = ruling.course.value
    else:
        kind = "purchase-paused"
        answer = Authorised("other-plan", shared, offers=[list(one) for one in ruling.plans])
        told["course"] = ruling.course.value
        told |= {"product": command.product, "count": command.count}
        if command.asked_ppm != PPM:
            told["price_ppm"] = command.asked_ppm
    return kind, answer, ENCODE(told).decode()


def _told_to_merchant(command: Authorise, answer: Authorised) -> str:
    """Return what the merchant is told of a purchase that is not made now: its answer, as JSON."""
    told: dict[str, object] = {
        "merchant": command.merchant_id.hex,
        "merchant_order": command.merchant_order,
        "amount_minor": command.amount_minor,
        "outcome": answer.outcome,
        "reasons": answer.reasons,
    }
    if answer.offers is not None:
        told["offers"] = answer.offers
    return ENCODE(told).decode()
