"""Changes of limits and prices as they are kept, and offers of a higher limit.

A change is a row that is never changed: old to new, its signed parts, and what stands after it, so
that the whole story of a value can be told and computed again. The account's row holds only what a
purchase looks at: the limit and the grade of price.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from fenqi.core.errors import Conflict, Missing
from fenqi.core.risk.change import (
    YEAR_DAYS,
    Change,
    Direction,
    Past,
    Standing,
    Subject,
    left_of,
    reconciled,
)
from fenqi.core.risk.conduct import Conduct
from fenqi.core.values.ids import AccountId
from fenqi.store import rows as writing
from fenqi.store.accounts import Account
from fenqi.store.booking import Booking, Happening
from fenqi.store.columns import pack
from fenqi.store.pool import Session
from fenqi.store.rows import Rows, Sheet, Table, array_text

EXPLAINED = (
    "part_names word>text[], part_values word>bigint[], base_value bigint,"
    "standing_names word>text[], standing_values word>bigint[], bounds word>text[],"
    "decision_id uuid?, conduct word, conduct_version integer"
)
CHANGES = Table(
    "changes",
    "account_id uuid, subject word, event_number bigint, direction word, old_value bigint,"
    f"new_value bigint, wanted_value bigint, {EXPLAINED}, reasons word>text[], offer_id uuid?,"
    "actor word, booked_on date?, changed_at timestamptz",
)
OFFERS = Table(
    "offers",
    "account_id uuid, offer_id uuid, event_number bigint, old_value bigint, new_value bigint,"
    f"wanted_value bigint, {EXPLAINED}, offered_on date?, last_on date?, state word",
)
VALUES = writing.Change(
    "accounts", keys="account_id uuid", columns="limit_minor bigint, price_grade smallint"
)
ANSWERED = writing.Change(
    "offers",
    keys="account_id uuid, offer_id uuid",
    columns="state word, answered_at timestamptz",
)
LATER_MAX = 10_000  # changes of one value since one of them; what is beyond is not looked at
PAST_MAX = 400  # changes of one value looked back on; more than one a day is none of ours


class OfferMissing(Missing):
    """No such offer to this account."""

    code = "offer-missing"


class OfferGone(Conflict):
    """The offer was answered, has ended, or the limit is another one by now."""

    code = "offer-gone"


@dataclass(frozen=True, slots=True)
class History:
    """What stands on one value of an account, and its changes within a year, oldest first."""

    standing: Standing
    past: tuple[Past, ...] = ()


@dataclass(frozen=True, slots=True)
class Offer:
    """A higher limit offered to a customer. Units: minor units."""

    account_id: AccountId
    offer_id: UUID
    old_minor: int
    new_minor: int
    wanted_minor: int
    parts: Mapping[str, int]
    standing: Standing
    bounds: tuple[str, ...]
    decision_id: UUID | None
    conduct: str
    conduct_version: int
    last_on: date
    state: str


STANDING = """
SELECT account_id, base_value, standing_names, standing_values
FROM (
    SELECT DISTINCT ON (account_id) account_id, base_value, standing_names, standing_values
    FROM changes WHERE account_id = ANY(%(accounts)s) AND subject = %(subject)s
    ORDER BY account_id, event_number DESC
) AS latest
"""
PAST = """
SELECT account_id, booked_on, direction FROM changes
WHERE account_id = ANY(%(accounts)s) AND subject = %(subject)s AND booked_on > %(since)s
ORDER BY account_id, event_number
"""


def histories(
    session: Session,
    accounts: Mapping[AccountId, Account],
    subject: Subject,
    *,
    on: date,
    conduct: Conduct,
) -> dict[AccountId, History]:
    """Return what stands on a value of locked accounts, reconciled with the account's own row."""
    asked = {
        "accounts": pack("uuid", list(accounts)),
        "subject": subject.value,
        "since": on - timedelta(days=YEAR_DAYS),
    }
    with session.pipeline():
        found = session.ask(STANDING, asked)
        went = session.ask(PAST, asked)
    standing = {row[0]: _standing(*row[1:]) for row in found()}
    past: dict[AccountId, list[Past]] = {}
    for account_id, day, direction in went():
        past.setdefault(account_id, []).append(Past(day, Direction(direction)))
    values = {
        account_id: value_of(account, subject, conduct) for account_id, account in accounts.items()
    }
    return {
        account_id: History(
            reconciled(standing.get(account_id, Standing(value)), value),
            tuple(past.get(account_id, ())[-PAST_MAX:]),
        )
        for account_id, value in values.items()
    }


CUT_AND_LATER = """
SELECT decision_id IS NOT DISTINCT FROM %(decision)s, direction, part_names, part_values,
    standing_names, standing_values
FROM changes
WHERE account_id = %(account)s AND subject = %(subject)s AND event_number >= (
    SELECT MIN(event_number) FROM changes WHERE account_id = %(account)s
        AND subject = %(subject)s AND decision_id = %(decision)s AND direction = 'harsher'
)
ORDER BY event_number LIMIT %(most)s
"""


@dataclass(frozen=True, slots=True)
class Cut:
    """A harsher change by its parts: what was taken, given back for it, and still stands of it.

    Units: those of the subject; what was taken and what stands has the sign of harm, what was given
    the other one.
    """

    taken: Mapping[str, int]
    given: Mapping[str, int]
    left: Mapping[str, int]


def cut_of(
    session: Session, account_id: AccountId, subject: Subject, decision_id: UUID
) -> Cut | None:
    """Return the cut or rise a decision made, as it stands; None if it made none."""
    asked = {
        "account": account_id,
        "subject": subject.value,
        "decision": decision_id,
        "most": LATER_MAX,
    }
    taken: dict[str, int] | None = None
    given: Counter[str] = Counter()
    stood = []
    for is_own, direction, names, values, standing_names, standing_values in session.rows(
        CUT_AND_LATER, asked
    ):
        parts = dict(zip(names, values, strict=True))
        if taken is None:
            taken = parts
        elif is_own and direction == Direction.MILDER.value:
            given.update(parts)
        stood.append(dict(zip(standing_names, standing_values, strict=True)))
    return None if taken is None else Cut(taken, given, left_of(taken, stood))


def value_of(account: Account, subject: Subject, conduct: Conduct) -> int:
    """Return what an account has now: its limit in minor units, or its price in ppm a year.

    A grade that the conduct no longer has counts as its dearest.
    """
    if subject is Subject.LIMIT:
        return account.limit_minor
    return conduct.grades[min(account.price_grade, len(conduct.grades) - 1)].level_ppm


@dataclass(slots=True)
class Changes:
    """The changes and offers of one batch; `write` sends them before the booking sends its own.

    The account's row is written twice in a batch, by two statements: the booking knows nothing of
    limits and prices, which hardly ever change.
    """

    booking: Booking
    conduct: Conduct
    _changes: Rows = field(default_factory=lambda: Rows(CHANGES))
    _offers: Rows = field(default_factory=lambda: Rows(OFFERS))
    _answered: dict[tuple[UUID, UUID], str] = field(default_factory=dict)
    _touched: dict[bytes, Account] = field(default_factory=dict)

    def make(
        self,
        account: Account,
        change: Change,
        *,
        decision_id: UUID | None = None,
        offer_id: UUID | None = None,
        actor: str = "system",
        command_key: str | None = None,
        kind: str | None = None,
    ) -> Happening:
        """Change a locked account, for later purchases only (P8), and tell its customer (P3).

        `kind` is that of the event, if it is another than the change's own.
        """
        if change.subject is Subject.LIMIT:
            account.limit_minor = change.new
        else:
            account.price_grade = self.conduct.grade_of(change.new)
        self._touched[account.raw] = account
        happening = self._told(account, change, decision_id, offer_id, actor, command_key, kind)
        self._changes.add(
            account.raw,
            change.subject.value,
            happening.number,
            (change.direction or Direction.MILDER).value,
            change.old,
            change.new,
            change.wanted,
            *self._explained(change, decision_id),
            array_text(change.reasons),
            offer_id,
            actor,
            happening.booked_on,
            self.booking.now,
        )
        return happening

    def offer(
        self,
        account: Account,
        change: Change,
        offer_id: UUID,
        *,
        decision_id: UUID | None = None,
        actor: str = "system",
        command_key: str | None = None,
    ) -> date:
        """Offer a higher limit to the customer of a locked account; return its last day."""
        first = account.book.business_date
        last = first + timedelta(days=self.conduct.limit.offer_days)
        happening = self.booking.event(
            account,
            "limit-offered",
            payload={
                "offer_id": offer_id,
                "old_minor": change.old,
                "new_minor": change.new,
                "parts": change.parts,
                "last_on": last,
            },
            actor=actor,
            command_key=command_key,
            topic="customer",
        )
        self._offers.add(
            account.raw,
            offer_id,
            happening.number,
            change.old,
            change.new,
            change.wanted,
            *self._explained(change, decision_id),
            first,
            last,
            "open",
        )
        return last

    def answer(self, account_id: AccountId, offer_id: UUID, state: str) -> None:
        """Close an offer: accepted, declined, or overtaken by another or by a change."""
        self._answered[account_id, offer_id] = state

    def write(self, session: Session) -> None:
        """Send the answers first: an account has one open offer at most."""
        answers, values = Rows(ANSWERED), Rows(VALUES)
        for key, state in self._answered.items():
            answers.add(*key, state, self.booking.now)
        for raw, account in self._touched.items():
            values.add(raw, account.limit_minor, account.price_grade)
        Sheet([answers]).send(session)
        Sheet([values, self._changes, self._offers]).send(session)

    def _explained(self, change: Change, decision_id: UUID | None) -> Sequence[object]:
        standing = change.standing
        return (
            array_text(change.parts),
            array_text(change.parts.values()),
            standing.base,
            array_text(standing.parts),
            array_text(standing.parts.values()),
            array_text(bound.value for bound in change.bounds),
            decision_id,
            self.conduct.conduct_id,
            self.conduct.version,
        )

    def _told(
        self,
        account: Account,
        change: Change,
        decision_id: UUID | None,
        offer_id: UUID | None,
        actor: str,
        command_key: str | None,
        named: str | None,
    ) -> Happening:
        is_harsher = change.direction is Direction.HARSHER
        match change.subject, is_harsher:
            case Subject.LIMIT, True:
                kind, unit = "limit-cut", "minor"
            case Subject.LIMIT, _:
                kind, unit = "limit-raised", "minor"
            case _, True:
                kind, unit = "price-raised", "ppm"
            case _:
                kind, unit = "price-lowered", "ppm"
        payload: dict[str, object] = {
            f"old_{unit}": change.old,
            f"new_{unit}": change.new,
            "parts": change.parts,
        }
        if is_harsher:
            payload |= {"reasons": change.reasons, "may_contest": True}
        if decision_id is not None:
            payload["decision_id"] = decision_id
        if offer_id is not None:
            payload["offer_id"] = offer_id
        return self.booking.event(
            account,
            named or kind,
            payload=payload,
            actor=actor,
            command_key=command_key,
            topic="customer",
        )


OF_OFFERS = """account_id, offer_id, old_value, new_value, wanted_value, part_names, part_values,
    base_value, standing_names, standing_values, bounds, decision_id, conduct, conduct_version,
    last_on, state"""
OFFERED = f"""
SELECT {OF_OFFERS} FROM offers
WHERE account_id = ANY(%(accounts)s) AND (state = 'open' OR offer_id = ANY(%(offers)s))
"""  # noqa: S608 - constants only
LISTED = f"""
SELECT {OF_OFFERS} FROM offers
WHERE (%(account)s::uuid IS NULL OR account_id = %(account)s) AND (%(all)s OR state = 'open')
ORDER BY last_on, account_id, offer_id LIMIT %(most)s
"""  # noqa: S608 - constants only
LISTED_MAX = 1_000


def offers(
    session: Session, accounts: Collection[AccountId], named: Collection[UUID] = ()
) -> dict[tuple[AccountId, UUID], Offer]:
    """Return the open offers of locked accounts, and those named whatever their state."""
    asked = {"accounts": pack("uuid", list(accounts)), "offers": pack("uuid", list(named))}
    found = (_offer(row) for row in session.rows(OFFERED, asked))
    return {(one.account_id, one.offer_id): one for one in found}


def listed(session: Session, account_id: UUID | None, *, with_answered: bool) -> list[Offer]:
    """Return offers, those first that end first; of one account if it is named."""
    asked = {"account": account_id, "all": with_answered, "most": LISTED_MAX}
    return [_offer(row) for row in session.rows(LISTED, asked)]


def open_of(found: Iterable[Offer], account_id: AccountId) -> list[Offer]:
    """Return the open offer of an account, if it has one."""
    return [one for one in found if one.account_id == account_id and one.state == "open"]


STORY = """
SELECT subject, event_number, direction, old_value, new_value, wanted_value, part_names,
    part_values, base_value, standing_names, standing_values, reasons, bounds, decision_id,
    offer_id, conduct, conduct_version, actor, booked_on
FROM changes WHERE account_id = %(account_id)s ORDER BY event_number DESC LIMIT %(most)s
"""
STORY_MAX = 1000


@dataclass(frozen=True, slots=True)
class Told:
    """One change as it is kept. Units: minor units for a limit, ppm a year for a price."""

    subject: Subject
    event_number: int
    direction: Direction
    old: int
    new: int
    wanted: int
    parts: Mapping[str, int]
    standing: Standing
    reasons: tuple[str, ...]
    bounds: tuple[str, ...]
    decision_id: UUID | None
    offer_id: UUID | None
    conduct: str
    conduct_version: int
    actor: str
    booked_on: date


def story(session: Session, account_id: AccountId) -> list[Told]:
    """Return the changes of an account's limit and price, the latest first."""
    return [
        Told(
            Subject(row[0]),
            row[1],
            Direction(row[2]),
            row[3],
            row[4],
            row[5],
            dict(zip(row[6], row[7], strict=True)),
            _standing(*row[8:11]),
            tuple(row[11]),
            tuple(row[12]),
            row[13],
            row[14],
            row[15],
            row[16],
            row[17],
            row[18],
        )
        for row in session.rows(STORY, {"account_id": account_id, "most": STORY_MAX})
    ]


def _standing(base: int, names: Sequence[str], values: Sequence[int]) -> Standing:
    return Standing(base, dict(zip(names, values, strict=True)))


def _offer(row: tuple[Any, ...]) -> Offer:
    account, offer_id, old, new, wanted, names, values, *standing, bounds = row[:11]
    decision_id, conduct, version, last_on, state = row[11:]
    return Offer(
        account_id=AccountId(account),
        offer_id=offer_id,
        old_minor=old,
        new_minor=new,
        wanted_minor=wanted,
        parts=dict(zip(names, values, strict=True)),
        standing=_standing(*standing),
        bounds=tuple(bounds),
        decision_id=decision_id,
        conduct=conduct,
        conduct_version=version,
        last_on=last_on,
        state=state,
    )
