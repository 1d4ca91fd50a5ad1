"""A person takes a consent back: from then on nothing of its class is asked for or used.

What was decided before stays decided; how it was decided stays on record.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from fenqi.core.errors import FenqiError
from fenqi.core.risk.consent import ConsentMissing, DataClass
from fenqi.core.risk.input import Purpose
from fenqi.core.values.ids import AccountId
from fenqi.store import accounts, applications, books, persons
from fenqi.store.accounts import Account, applicant
from fenqi.store.booking import Booking
from fenqi.store.commands import Command, Inbox
from fenqi.store.ground import Ground
from fenqi.store.rows import Rows


class WithdrawConsent(Command, frozen=True, kw_only=True):
    """Take a consent back. The scope is the account, open or applied for."""

    kind: ClassVar[str] = "withdraw-consent"
    account_id: AccountId
    data_class: DataClass
    purpose: Purpose = Purpose.CREDIT
    text_sha256: str = ""  # of the wording that was shown with the wish


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The consent that stands no more, by its number among the person's."""

    number: int


def withdraw_consent(
    ground: Ground, commands: Sequence[WithdrawConsent]
) -> list[Withdrawn | FenqiError]:
    """Take back each consent that stands."""
    booking = Booking(ground)
    with ground.store.transaction() as session:
        ids = {one.account_id for one in commands}
        known = applications.lock(session, ids)
        opened = accounts.lock(session, ids)
        held = books.hold(session, {one.book_id for one in known.values()})
        inbox: Inbox[WithdrawConsent, Withdrawn] = Inbox(session, commands, Withdrawn)
        consents = persons.Consents(session, {one.person_id for one in known.values()})
        rows = Rows(persons.CONSENTS)
        waiting: dict[AccountId, Account] = {}
        for place, command in inbox.fresh():
            try:
                one = applications.find(known, command.account_id)
                if consents.given(one.person_id, command.data_class, command.purpose) is None:
                    raise ConsentMissing(data_class=command.data_class.value)
            except FenqiError as refusal:
                inbox.refuse(place, refusal)
                continue
            number = consents.state(
                *(one.person_id, command.data_class, command.purpose),
                is_given=False,
                at=booking.now,
            )
            rows.add(
                *(one.person_id, number, command.data_class.value, command.purpose.value, False),
                *(booking.now, booking.now, command.text_sha256),
            )
            account = opened.get(one.account_id) or waiting.setdefault(
                one.account_id, applicant(one.account_id, held[one.book_id], one.event_count)
            )
            booking.event(
                account,
                "consent-withdrawn",
                payload={"data_class": command.data_class.value, "consent": number},
                actor=command.actor,
                command_key=command.key,
            )
            one.event_count = account.event_count
            inbox.answer(place, one.account_id, Withdrawn(number))
        booking.others += [rows, applications.changed(known.values())]
        booking.write(session, inbox.kept(booking.now))
    return inbox.answers()
