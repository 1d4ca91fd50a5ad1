"""A person decides an application that waits for one: an offer, or a decline with true reasons.

They may offer less than what can be carried, never more, and never to whom the law excludes: those
were declined before. Nor less than the pack opens an account for: that would be a decline without
reasons. Who decided is kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from fenqi.core.errors import FenqiError, Invalid
from fenqi.core.risk.application import policy_in
from fenqi.core.values.ids import AccountId
from fenqi.core.values.phrase import Phrase
from fenqi.store import applications, books, decision_records, reasons
from fenqi.store.accounts import applicant
from fenqi.store.applications import Application, ApplicationState
from fenqi.store.booking import Booking
from fenqi.store.commands import Command, Inbox
from fenqi.store.ground import Ground
from fenqi.store.pool import Session

REASONS_MAX = 4  # P3
REASON_CHARS_MAX = 60


class ResolutionInvalid(Invalid):
    """A person's decision without reasons, with too many, or beyond what can be carried."""

    code = "resolution-invalid"


class Resolve(Command, frozen=True, kw_only=True):
    """Decide an application in review. The scope is the account it may open; `actor` decides.

    Units: `limit_minor` in minor units, None to decline.
    """

    kind: ClassVar[str] = "resolve"
    account_id: AccountId
    limit_minor: int | None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Resolved:
    """How the application stands now."""

    state: str
    cost_table: str | None = None
    offer_ends_on: str | None = None


def resolve(ground: Ground, commands: Sequence[Resolve]) -> list[Resolved | FenqiError]:
    """Take down each person's decision."""
    booking = Booking(ground)
    with ground.store.transaction() as session:
        known = applications.lock(session, {one.account_id for one in commands})
        held = books.hold(session, {one.book_id for one in known.values()})
        inbox: Inbox[Resolve, Resolved] = Inbox(session, commands, Resolved)
        for place, command in inbox.fresh():
            try:
                one = applications.find(known, command.account_id)
                one.expect(ApplicationState.REVIEW)
                rules = ground.catalogue.pack(held[one.book_id].pack).lending
                least = rules.limit_minor_least if rules is not None else 1
                _check(command, least, one.limit_minor or 0)
                if command.reasons:
                    reasons.refuse_unknown(command.reasons, _texts(session, one))
            except FenqiError as refusal:
                inbox.refuse(place, refusal)
                continue
            book = held[one.book_id]
            one.decided_at, one.decided_by = booking.now, command.actor
            if command.limit_minor is None:
                one.state, kind = ApplicationState.DECLINED, "application-declined"
                one.reasons, answer = list(command.reasons), Resolved("declined")
            else:
                one.state, kind = ApplicationState.OFFERED, "application-offered"
                one.limit_minor = command.limit_minor
                if rules is not None:  # the days of an offer begin when it is made
                    one.offer_ends_on = book.business_date + timedelta(days=rules.offer_days)
                answer = Resolved("offered", str(one.cost_table), str(one.offer_ends_on))
            account = applicant(one.account_id, book, one.event_count)
            booking.event(
                account,
                kind,
                payload={
                    "decision_id": str(one.decision_id),
                    "reasons": list(command.reasons),
                    "limit_minor": command.limit_minor,
                    "cost_table": answer.cost_table,
                    "ends_on": answer.offer_ends_on,
                },
                actor=command.actor,
                command_key=command.key,
                topic="customer",
            )
            one.event_count = account.event_count
            inbox.answer(place, one.account_id, answer)
        booking.others.append(applications.changed(known.values()))
        booking.write(session, inbox.kept(booking.now))
    return inbox.answers()


def _texts(session: Session, one: Application) -> set[str]:
    """Return the codes somebody who applied can be told: of law, and of what decided so far."""
    known = set(reasons.of_law())
    if one.decision_id is not None:
        content = decision_records.read(session, one.decision_id).rulebook.content
        known |= set(policy_in(content).reasons)
    return known


def _check(command: Resolve, least_minor: int, carried_minor: int) -> None:
    """Refuse a decision that is not one. Errors: ResolutionInvalid."""
    given = command.reasons
    if command.limit_minor is None and not 1 <= len(given) <= REASONS_MAX:
        expected = Phrase("1 to 4 to decline")
        raise ResolutionInvalid(field="reasons", value=len(given), expected=expected)
    if len(given) > REASONS_MAX or not all(0 < len(one) <= REASON_CHARS_MAX for one in given):
        expected = Phrase("4 short codes at most")
        raise ResolutionInvalid(field="reasons", value=given, expected=expected)
    least = min(least_minor, carried_minor)
    if command.limit_minor is not None and not least <= command.limit_minor <= carried_minor:
        expected = Phrase(
            "{least} to {most} minor units, what can be carried", least=least, most=carried_minor
        )
        raise ResolutionInvalid(field="limit_minor", value=command.limit_minor, expected=expected)
