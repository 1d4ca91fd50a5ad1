"""A person freezes an account's new purchases; beyond a bound only together with a second one.

The freeze begins at once for as long as one person may order alone. What was asked beyond that is
written down, and reached when somebody else agrees (four eyes). Repaying, quotes, shipments of what
was authorised and everything else go on (P1).
"""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar
from uuid import UUID

from fenqi.core.errors import Conflict, FenqiError
from fenqi.core.risk.case import EntryKind, check_apart, check_name
from fenqi.core.risk.decision import Effect
from fenqi.core.risk.response import ProtectionKind
from fenqi.core.values.ids import AccountId
from fenqi.store import accounts, cases, reasons
from fenqi.store.accounts import Account
from fenqi.store.booking import Booking
from fenqi.store.cases import Case, CaseMissing, CaseNotAbout
from fenqi.store.commands import Command, Inbox
from fenqi.store.ground import Ground
from fenqi.store.protections import Protection
from fenqi.store.responses import Responses


class FreezeSpent(Conflict):
    """The case has frozen the account or found nothing wrong, or its person has for long enough."""

    code = "freeze-spent"


class NothingToSecond(Conflict):
    """No freeze of that id runs, or it lasts as long as was asked already."""

    code = "nothing-to-second"


class Freeze(Command, frozen=True, kw_only=True):
    """Freeze an account for some days, for the reasons of a case. The actor is a person."""

    kind: ClassVar[str] = "freeze"
    account_id: AccountId
    case_id: UUID
    days: int
    reasons: tuple[str, ...]


class Second(Command, frozen=True, kw_only=True):
    """Agree, as a second person, to a freeze as long as was asked."""

    kind: ClassVar[str] = "second"
    account_id: AccountId
    protection_id: UUID


@dataclass(frozen=True, slots=True)
class Frozen:
    """The freeze, until when it runs, and until when it would with a second person."""

    protection_id: str
    until: str
    asked_until: str


def freeze(ground: Ground, commands: Sequence[Freeze]) -> list[Frozen | FenqiError]:
    """Freeze each account of the batch, as far as one person may."""
    booking = Booking(ground)
    with ground.store.transaction() as session:
        asked = {one.case_id for one in commands}
        own = cases.owners(session, asked)
        locked = accounts.lock(session, {one.account_id for one in commands} | own)
        inbox: Inbox[Freeze, Frozen] = Inbox(session, commands, Frozen)
        known = cases.lock(session, asked)
        about = cases.about(session, {(one.case_id, one.account_id) for one in commands})
        responses = Responses(ground, booking, session)
        texts: dict[str, reasons.Texts] = {}  # for the reasons a customer of a book can be told
        for place, command in inbox.fresh():
            try:
                account = accounts.find(locked, command.account_id)
                if account.book.book_id not in texts:
                    found = reasons.of_freezes(ground, session, account.book)
                    texts[account.book.book_id] = found
                reasons.refuse_unknown(command.reasons, texts[account.book.book_id])
                case = _case_of(account, known.get(command.case_id), command, about)
                answer = _freeze(responses, account, case, command, booking)
            except FenqiError as refusal:
                inbox.refuse(place, refusal)
                continue
            inbox.answer(place, command.account_id, answer)
        booking.write(session, inbox.kept(booking.now))
    return inbox.answers()


def _case_of(
    account: Account, case: Case | None, command: Freeze, about: Set[tuple[UUID, AccountId]]
) -> Case:
    """Return the case an account is frozen for: nobody whom it is not about is frozen for it.

    Errors: CaseMissing, CaseNotAbout, CaseClosed.
    """
    if case is None or case.book_id != account.book.book_id:
        raise CaseMissing(case=command.case_id)
    if (case.case_id, account.account_id) not in about:
        raise CaseNotAbout(account=account.account_id, case=case.case_id)
    case.check_open()
    return case


def _freeze(
    responses: Responses, account: Account, case: Case, command: Freeze, booking: Booking
) -> Frozen:
    """Errors: CaseInvalid, ResponseInvalid, FreezeSpent."""
    actor = check_name("actor", command.actor)
    done = responses.freeze(
        account,
        booking.now + timedelta(days=command.days),
        reasons=command.reasons,
        cause=f"asked/{case.case_id}",
        case_id=case.case_id,
        actor=actor,
    )
    if done.effect is not Effect.FREEZE:
        raise FreezeSpent(account=command.account_id, case=case.case_id)
    placed = responses.of(account)[-1]
    responses.docket.write(case, EntryKind.FREEZE, actor, evidence=_told(placed))
    return _answer(placed)


def second(ground: Ground, commands: Sequence[Second]) -> list[Frozen | FenqiError]:
    """Let each freeze of the batch last as long as was asked."""
    booking = Booking(ground)
    asked = {one.account_id for one in commands}
    with ground.store.transaction() as session:
        locked = accounts.lock(session, asked | cases.owners_behind(session, asked))
        inbox: Inbox[Second, Frozen] = Inbox(session, commands, Frozen)
        responses = Responses(ground, booking, session)
        responses.know(asked & locked.keys())
        frozen = [one for each in asked & locked.keys() for one in responses.of(locked[each])]
        known = cases.lock(session, {one.case_id for one in frozen if one.case_id is not None})
        for place, command in inbox.fresh():
            try:
                account = accounts.find(locked, command.account_id)
                found = _to_second(responses.of(account), command, booking.now)
                actor = check_name("actor", command.actor)
                check_apart(actor, {found.placed_by}, case=found.case_id)
            except FenqiError as refusal:
                inbox.refuse(place, refusal)
                continue
            found.ends_at, found.seconded_by = found.asked_until, actor
            responses.change(account, found)
            if found.case_id is not None:
                case = known[found.case_id]
                responses.docket.write(case, EntryKind.SECONDED, actor, evidence=_told(found))
            booking.event(
                account,
                "freeze-seconded",
                payload={"until": found.ends_at, "reasons": found.reasons},
                actor=actor,
                command_key=command.key,
                topic="customer",
            )
            inbox.answer(place, command.account_id, _answer(found))
        booking.write(session, inbox.kept(booking.now))
    return inbox.answers()


def _to_second(known: Sequence[Protection], command: Second, now: datetime) -> Protection:
    """Return the freeze that waits for a second person. Errors: NothingToSecond."""
    for one in known:
        is_meant = one.protection_id == command.protection_id
        if is_meant and one.kind is ProtectionKind.FREEZE and one.is_running(now):
            if one.asked_until > one.ends_at:
                return one
            break
    raise NothingToSecond(account=command.account_id, protection=command.protection_id)


def _told(one: Protection) -> dict[str, object]:
    return {
        "account_id": one.account_id,
        "protection_id": one.protection_id,
        "until": one.ends_at,
        "asked_until": one.asked_until,
        "reasons": one.reasons,
    }


def _answer(one: Protection) -> Frozen:
    return Frozen(str(one.protection_id), one.ends_at.isoformat(), one.asked_until.isoformat())
