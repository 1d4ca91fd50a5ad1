"""A person, or the end of its time, lifts a protection: purchases are possible at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from fenqi.core.errors import Conflict, FenqiError
from fenqi.core.risk.case import EntryKind, check_name
from fenqi.core.risk.response import Finding, ProtectionKind
from fenqi.core.values.ids import AccountId
from fenqi.store import accounts, cases, protections
from fenqi.store.booking import Booking
from fenqi.store.commands import Command, Inbox
from fenqi.store.ground import Ground
from fenqi.store.protections import Protection
from fenqi.store.responses import Responses

OVER_MAX = 500  # accounts told in one batch that a protection's time is over


class NothingToLift(Conflict):
    """No protection of that id runs on the account."""

    code = "nothing-to-lift"


class Lift(Command, frozen=True, kw_only=True):
    """End one protection of an account. The actor is a person."""

    kind: ClassVar[str] = "lift"
    account_id: AccountId
    protection_id: UUID
    finding: Finding = Finding.LIFTED


@dataclass(frozen=True, slots=True)
class Lifted:
    """What was ended."""

    protection_id: str
    finding: str


def lift(ground: Ground, commands: Sequence[Lift]) -> list[Lifted | FenqiError]:
    """End each protection of the batch."""
    booking = Booking(ground)
    asked = {one.account_id for one in commands}
    with ground.store.transaction() as session:
        locked = accounts.lock(session, asked | cases.owners_behind(session, asked))
        inbox: Inbox[Lift, Lifted] = Inbox(session, commands, Lifted)
        responses = Responses(ground, booking, session)
        responses.know(asked & locked.keys())
        every = [one for each in asked & locked.keys() for one in responses.of(locked[each])]
        known = cases.lock(session, {one.case_id for one in every if one.case_id is not None})
        for place, command in inbox.fresh():
            try:
                account = accounts.find(locked, command.account_id)
                actor = check_name("actor", command.actor)
                found = _running(responses.of(account), command, booking)
            except FenqiError as refusal:
                inbox.refuse(place, refusal)
                continue
            for one in _with(responses.checks(account), found):
                responses.end(account, one, finding=command.finding, actor=actor)
            if found.case_id is not None:
                told = {"account_id": found.account_id, "protection_id": found.protection_id}
                case = known[found.case_id]
                responses.docket.write(case, EntryKind.LIFTED, actor, evidence=told)
            answer = Lifted(str(found.protection_id), command.finding.value)
            inbox.answer(place, command.account_id, answer)
        booking.write(session, inbox.kept(booking.now))
    return inbox.answers()


def _running(known: Sequence[Protection], command: Lift, booking: Booking) -> Protection:
    """Errors: NothingToLift."""
    for one in known:
        if one.protection_id == command.protection_id and one.is_running(booking.now):
            return one
    raise NothingToLift(account=command.account_id, protection=command.protection_id)


def _with(checks: Sequence[Protection], found: Protection) -> Sequence[Protection]:
    """Return what ends with a protection: to the customer all checks asked for are one."""
    return checks if found.kind is ProtectionKind.STEP_UP else [found]


def lift_over(ground: Ground) -> int:
    """Write down protections whose time is over and tell the customers; return how many.

    Nobody waits for this: they stopped nothing from the instant on at which they ended.
    """
    booking, count = Booking(ground), 0
    with ground.store.transaction() as session:
        found = protections.over(session, booking.now, OVER_MAX)
        if not found:
            return 0
        locked = accounts.lock(session, found)
        responses = Responses(ground, booking, session)
        responses.know(list(locked))
        for account in locked.values():
            for one in responses.of(account):
                if one.ended_at is None and one.ends_at <= booking.now:
                    responses.end(account, one, finding=Finding.EXPIRED)
                    count += 1
        booking.write(session)
    return count
