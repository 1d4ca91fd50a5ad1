"""What holds for an offer now beside its limit and costs: a check, plans of few instalments.

Applications made in a short time by one person, identity card, device, phone or card are one
matter: what their number leads to holds for every offer among them, the first as well as the last,
so that nobody signs round it. It is what the policy of each offer's own decision says of the
highest number, asked anew whenever somebody signs or looks. It ends by itself: applications older
than the hours for which the pack lets a suspicion hold anybody are not looked at.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import NamedTuple
from uuid import UUID

from fenqi.core.risk.application import Caution, Cautious
from fenqi.core.risk.record import Record
from fenqi.core.terms.pack import Pack
from fenqi.core.values.ids import AccountId
from fenqi.store import applications, decision_records, persons
from fenqi.store.applications import Application, Recent, Who
from fenqi.store.pool import Session

IDENTIFIERS = """
SELECT account_id, identifier_hash FROM links WHERE account_id = ANY(%(accounts)s::uuid[])
"""


class Standing(NamedTuple):
    """What holds for whoever signs an offer now, after how many applications, and until when.

    `ends_at` is None where it holds as long as the offer stands, and where nothing does.
    """

    applications_24h: int
    caution: Caution
    ends_at: datetime | None = None

    def asks_step_up(self, one: Application) -> bool:
        """Whether a second factor must show who signs, and did not yet."""
        return self.caution.asks_step_up and not one.is_stepped_up


UNASKED = Standing(1, Caution())  # where there is no offer


def standings(
    session: Session,
    offers: Collection[Application],
    packs: Mapping[str, Pack],
    now: datetime,
) -> dict[AccountId, Standing]:
    """Return what holds for each of some offers; `packs` are those of their books.

    Errors: DecisionMissing, RulebookInvalid.
    """
    decided = [(one, one.decision_id) for one in offers if one.decision_id is not None]
    hours = [timedelta(hours=packs[one.book_id].protective_hold_hours_max) for one, _ in decided]
    whom = _whom(session, [one for one, _ in decided])
    together = applications.recent(session, whom, now, max(hours, default=timedelta()))
    found: dict[AccountId, Standing] = {}
    cautious: dict[UUID, Cautious] = {}
    for (one, decision_id), span, others in zip(decided, hours, together, strict=True):
        record = decision_records.read(session, decision_id)
        lately = [each for each in others.values() if each.received_at > now - span]
        if record.rulebook.rulebook_id not in cautious:  # most offers are of one policy
            cautious[record.rulebook.rulebook_id] = Cautious(record.rulebook.content)
        asking = cautious[record.rulebook.rulebook_id]
        found[one.account_id] = _standing(asking, record, lately, span)
    return found


def _whom(session: Session, offers: Collection[Application]) -> list[Who]:
    """Return by what those who hold offers are known again."""
    people = persons.identities(session, {one.person_id for one in offers})
    strong: dict[UUID, list[bytes]] = {}
    asked = {"accounts": [one.account_id for one in offers]}
    for account_id, identifier in session.rows(IDENTIFIERS, asked):
        strong.setdefault(account_id, []).append(bytes(identifier))
    cards = [people[one.person_id].national_id_hash for one in offers]
    return [
        Who(
            one.person_id,
            bytes.fromhex(card) if card else None,
            tuple(strong.get(one.account_id, ())),
        )
        for one, card in zip(offers, cards, strict=True)
    ]


def _standing(
    cautious: Cautious, record: Record, lately: Collection[Recent], span: timedelta
) -> Standing:
    """Return what holds for an offer; `lately` is what was received, itself perhaps among it."""

    @cache
    def asked_after(count: int) -> Caution:
        return cautious.after(record.inputs, applications_24h=count)

    most = max((one.applications_24h for one in lately), default=1)
    alone = asked_after(1)
    ends = [one.received_at + span for one in lately if asked_after(one.applications_24h) != alone]
    return Standing(most, asked_after(most), max(ends, default=None))
