"""The limit of accounts is looked at again: kept, cut for later purchases, or a raise offered.

A cut is told with its reasons and can be contested; it never touches a signed plan (P8), and the
limit may lawfully fall below what is used (M5). A raise is an offer until the customer accepts it;
who asks for one has accepted up to what was asked.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import ClassVar
from uuid import UUID

import msgspec

from fenqi.core.account import AccountStatus
from fenqi.core.errors import Conflict, FenqiError, Invalid
from fenqi.core.risk.breaker import HELD_BACK
from fenqi.core.risk.change import Change, Direction, Subject, agreed
from fenqi.core.values.ids import AccountId
from fenqi.store import accounts, changes
from fenqi.store.accounts import Account
from fenqi.store.assessments import Assessment, Assessor
from fenqi.store.booking import Booking
from fenqi.store.changes import Offer
from fenqi.store.commands import Command, Inbox
from fenqi.store.ground import Ground


class AccountNotOpen(Conflict):
    """A limit or price is looked at of open accounts only."""

    code = "account-not-open"


class AskedInvalid(Invalid):
    """A customer asks for a limit that is not above the one there is."""

    code = "asked-limit-invalid"


class UnderWay(Conflict):
    """Another assessment of the same account is in the same batch; ask again."""

    code = "assessment-under-way"


class Assess(Command, frozen=True, kw_only=True):
    """Look at an account's limit again; `asked_minor` is what its customer asks for, if he does."""

    kind: ClassVar[str] = "assess"
    account_id: AccountId
    asked_minor: int | None = None


class Assessed(msgspec.Struct, frozen=True):
    """What became of a limit: kept, cut, raised or offered. Amounts in minor units."""

    outcome: str
    decision_id: str
    old_minor: int
    new_minor: int
    parts: dict[str, int]
    reasons: list[str]
    bounds: list[str]
    offer_id: str | None = None
    last_on: str | None = None


def assess(ground: Ground, commands: Sequence[Assess]) -> list[Assessed | FenqiError]:
    """Assess each command's account."""
    booking = Booking(ground)
    with ground.store.transaction() as session:
        locked = accounts.lock(session, {command.account_id for command in commands})
        inbox: Inbox[Assess, Assessed] = Inbox(session, commands, Assessed)
        assessor = Assessor(ground, session, booking, Subject.LIMIT)
        chosen: dict[AccountId, tuple[int, Assess]] = {}
        for place, command in inbox.fresh():
            try:
                account = accounts.find(locked, command.account_id)
                _check(account, command, is_under_way=command.account_id in chosen)
                chosen[command.account_id] = (place, command)
            except FenqiError as refusal:
                inbox.refuse(place, refusal)
        offered = changes.offers(session, list(chosen))
        asked = {
            account_id: command.asked_minor
            for account_id, (_, command) in chosen.items()
            if command.asked_minor is not None
        }
        made = assessor.assess({one: locked[one] for one in chosen}, asked_minor=asked)
        for one in made:
            account_id = one.account.account_id
            place, command = chosen[account_id]
            open_now = changes.open_of(offered.values(), account_id)
            answer = _Maker(ground, booking, assessor, command).answer(one, open_now)
            inbox.answer(place, account_id, answer)
        assessor.changes.write(session)
        booking.write(session, inbox.kept(booking.now))
    return inbox.answers()


def _check(account: Account, command: Assess, *, is_under_way: bool) -> None:
    """Refuse what cannot be assessed. Errors: AccountNotOpen, AskedInvalid, UnderWay."""
    if is_under_way:
        raise UnderWay(account=account.account_id)
    if account.status is AccountStatus.CLOSED:
        raise AccountNotOpen(account=account.account_id, status=account.status.value)
    if command.asked_minor is not None and command.asked_minor <= account.limit_minor:
        raise AskedInvalid(
            asked_minor=command.asked_minor,
            limit_minor=account.limit_minor,
            currency=account.currency,
        )


class _Maker:
    """Turns one assessment into what is booked and answered."""

    def __init__(
        self, ground: Ground, booking: Booking, assessor: Assessor, command: Assess
    ) -> None:
        self._ground, self._booking = ground, booking
        self._changes, self._command = assessor.changes, command

    def answer(self, made: Assessment, open_now: Sequence[Offer]) -> Assessed:
        """Book what became of one account's limit and return it."""
        change = made.change
        if change.direction is None or made.held:
            return self._kept(made)
        for offer in open_now:
            if offer.new_minor == change.new and offer.last_on >= made.account.book.business_date:
                return self._told(made, "offered", offer_id=offer.offer_id, last_on=offer.last_on)
        for offer in open_now:
            self._changes.answer(offer.account_id, offer.offer_id, "overtaken")
        if change.direction is Direction.HARSHER:
            self._make(made, change)
            return self._told(made, "cut")
        if self._command.asked_minor is not None:
            self._make(made, replace(change, standing=agreed(change.standing, change.subject)))
            return self._told(made, "raised")
        offer_id = self._ground.ids.new()
        last_on = self._changes.offer(
            made.account,
            change,
            offer_id,
            decision_id=made.decision_id,
            actor=self._command.actor,
            command_key=self._command.key,
        )
        return self._told(made, "offered", offer_id=offer_id, last_on=last_on)

    def _make(self, made: Assessment, change: Change) -> None:
        self._changes.make(
            made.account,
            change,
            decision_id=made.decision_id,
            actor=self._command.actor,
            command_key=self._command.key,
        )

    def _kept(self, made: Assessment) -> Assessed:
        """Keep the limit; who asked for another one is told why not."""
        bounds = [bound.value for bound in made.change.bounds] + [HELD_BACK] * bool(made.held)
        if self._command.asked_minor is not None:
            self._booking.event(
                made.account,
                "limit-kept",
                payload={
                    "asked_minor": self._command.asked_minor,
                    "limit_minor": made.change.old,
                    "reasons": made.reasons,
                    "decision_id": made.decision_id,
                    "bounds": bounds,
                    "may_contest": True,
                },
                actor=self._command.actor,
                command_key=self._command.key,
                topic="customer",
            )
        return Assessed(
            outcome="kept",
            decision_id=str(made.decision_id),
            old_minor=made.change.old,
            new_minor=made.change.old,
            parts={},
            reasons=list(made.reasons),
            bounds=bounds,
        )

    def _told(
        self,
        made: Assessment,
        outcome: str,
        *,
        offer_id: UUID | None = None,
        last_on: date | None = None,
    ) -> Assessed:
        change = made.change
        return Assessed(
            outcome=outcome,
            decision_id=str(made.decision_id),
            old_minor=change.old,
            new_minor=change.new,
            parts=dict(change.parts),
            reasons=list(change.reasons),
            bounds=[bound.value for bound in change.bounds],
            offer_id=str(offer_id) if offer_id else None,
            last_on=last_on.isoformat() if last_on else None,
        )
