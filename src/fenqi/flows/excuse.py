"""A person says that a channel or the house was down: its days never count against a customer (P5).

One person may excuse some days at once; what was asked beyond waits for a second one. Whoever the
days touch is gone through page by page, each page its own transaction: late charges of these days
are taken back by an operation, what was told of them is corrected, and a limit cut for it is given
back. A round that dies is begun again and finds who is left. Said twice, an incident is one; so is
the word of the second person, and the end, until everybody was told.

Source: docs/adr/0033-excuse-days.md.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from uuid import UUID

from fenqi.core.errors import Conflict, Invalid, Unavailable
from fenqi.core.risk.case import check_apart, check_name, check_text
from fenqi.core.servicing.excuse import ExcuseCause, Span, granted_alone
from fenqi.core.values.day import days_after
from fenqi.core.values.ids import AccountId
from fenqi.store import accounts, books, excuses, incidents
from fenqi.store.accounts import Account
from fenqi.store.booking import Booking
from fenqi.store.books import Book
from fenqi.store.excuses import Excuses
from fenqi.store.ground import Ground
from fenqi.store.incidents import Back, Incident, Touches
from fenqi.store.plans import PlanRecord
from fenqi.store.pool import Session

PAGE_ACCOUNTS = 200  # locked and replayed at a time
PAGES_MAX = 1_000_000  # of one incident
DAYS_MAX = 60  # of one incident, and from today to its first day
NEAR = timedelta(days=30)  # within which one person's words are one, however many they are
NOBODY = UUID(int=0)
A_DAY = timedelta(days=1)


class IncidentInvalid(Invalid):
    """The days of an incident are in no order, too many, or none this book had or will soon."""

    code = "incident-invalid"


class IncidentClosed(Conflict):
    """The incident is closed; what it excused stays excused."""

    code = "incident-closed"


class IncidentUnending(Unavailable):
    """An incident touches more accounts than one round goes through; say it again."""

    code = "incident-unending"


class NothingWaits(Conflict):
    """No day of the incident waits for a second person."""

    code = "incident-seconded"


@dataclass(frozen=True, slots=True)
class Outage:
    """What is said of an outage: of which book or channel, since when, until when if it is over."""

    book_id: str
    reason: str
    from_on: date
    through_on: date | None = None
    channel: str | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """An incident as it would be opened: what would be looked at, and what taken back from whom."""

    incident: Incident
    touches: Touches
    backs: Sequence[Back]  # of each account that would be told of it


def preview(ground: Ground, outage: Outage, *, by: str) -> Preview:
    """Return an incident as it would be opened, and what would come of it; nothing is kept.

    What would be taken back is what `open_incident` takes back: it is carried to each page of
    accounts in a transaction that is undone.

    Errors: BookMissing, IncidentInvalid, CaseInvalid, IncidentUnending.
    """
    with ground.store.transaction() as session:
        book = books.read(session, outage.book_id)
        planned = _planned(ground, session, book, outage, by)
        one = incidents.same(session, planned) or planned
        touches = incidents.touches(session, one, book.business_date)
    after, backs = NOBODY, list[Back]()
    for _ in range(PAGES_MAX):
        with ground.store.rehearsal() as session:
            today = books.read(session, one.book_id).business_date
            page = incidents.to_tell(session, one, today, after=after, most=PAGE_ACCOUNTS)
            _tell(ground, session, one, page)
            backs += incidents.taken_back_now(session, one.incident_id, most=PAGE_ACCOUNTS)
        if len(page) < PAGE_ACCOUNTS:
            return Preview(one, touches, backs)
        after = page[-1]
    raise IncidentUnending(incident=one.incident_id)


def open_incident(ground: Ground, outage: Outage, *, by: str) -> Incident:
    """Open an incident and carry it to everybody it touches; one that is open already goes on.

    Errors: BookMissing, IncidentInvalid, CaseInvalid.
    """
    with ground.store.transaction() as session:
        book = books.read(session, outage.book_id)
        accounts.lock(session, [book.house_account_id])  # one of two who say the same waits
        planned = _planned(ground, session, book, outage, by)
        found = incidents.same(session, planned)
        if found is None:
            incidents.add(session, planned)
            _note(ground, session, planned, book, "incident-opened", by)
    return carry(ground, (found or planned).incident_id)


def second(ground: Ground, incident_id: UUID, *, by: str) -> Incident:
    """Agree, as a second person, to all the days that were asked, and carry them.

    Said again after a crash it goes on with who is left.
    Errors: IncidentMissing, IncidentClosed, NothingWaits, TookPart, CaseInvalid.
    """
    person = check_name("actor", by)

    def agreed(one: Incident, _book: Book) -> Incident | None:
        if one.closed_at is not None:
            raise IncidentClosed(incident=incident_id)
        if one.seconded_by == person and not one.is_carried:
            return None
        if not one.waits_for_second:
            raise NothingWaits(incident=incident_id)
        check_apart(person, {one.opened_by}, case=incident_id)
        return replace(one, granted_on=one.through_on, seconded_by=person)

    _change(ground, incident_id, agreed, "incident-seconded", person)
    return carry(ground, incident_id)


def close_incident(ground: Ground, incident_id: UUID, *, by: str) -> Incident:
    """End an incident with today: later days count again, those of it stay excused.

    Said again after a crash, by whomever, it goes on with who is left.
    Errors: IncidentMissing, IncidentClosed, CaseInvalid.
    """
    person = check_name("actor", by)

    def ended(one: Incident, book: Book) -> Incident | None:
        if one.closed_at is not None:
            if one.is_carried:
                raise IncidentClosed(incident=incident_id)
            return None
        last = max(one.from_on - A_DAY, min(one.granted_on, book.business_date))
        return replace(
            one,
            through_on=max(one.from_on, last),
            granted_on=last,
            is_running=False,
            carried_on=None,  # not to everybody yet: a crash leaves some whose days go on
            closed_by=person,
            closed_at=ground.clock.now(),
        )

    one = _change(ground, incident_id, ended, "incident-closed", person)
    after = NOBODY
    for _ in range(PAGES_MAX):
        with ground.store.transaction() as session:
            page = incidents.beyond(session, one, one.granted_on, after=after, most=PAGE_ACCOUNTS)
            _shorten(ground, session, one, page)
        if len(page) < PAGE_ACCOUNTS:
            break
        after = page[-1]
    return carry(ground, incident_id)


def carry(ground: Ground, incident_id: UUID) -> Incident:
    """Carry the days of an incident to every account they touch; return it as it is then.

    Said again after a crash it goes on with who is left. Errors: IncidentMissing.
    """
    after = NOBODY
    for _ in range(PAGES_MAX):
        with ground.store.transaction() as session:
            one = incidents.lock(session, incident_id)
            today = books.read(session, one.book_id).business_date
            page = incidents.to_tell(session, one, today, after=after, most=PAGE_ACCOUNTS)
            _tell(ground, session, one, page)
        if not page and (done := _finish(ground, incident_id)):
            return done
        after = page[-1] if page else NOBODY  # no page looks through those before it again
    raise IncidentUnending(incident=incident_id)


def _finish(ground: Ground, incident_id: UUID) -> Incident | None:
    """Excuse the days of a whole book for everybody, once all it touched know; alone in the book.

    Returns None if somebody became late meanwhile, who is told first: accounts are locked before
    their book.
    """
    with ground.store.transaction() as session:
        one = incidents.lock(session, incident_id)
        book = books.hold_alone(session, one.book_id)
        today = book.business_date
        if incidents.to_tell(session, one, today, after=NOBODY, most=1):
            return None
        if one.channel is None and one.reaches(today) >= one.from_on:
            incidents.excuse_days(session, one, today)
        done = replace(one, carried_on=one.granted_on)
        incidents.change(session, done)
        return done


def _planned(ground: Ground, session: Session, book: Book, outage: Outage, by: str) -> Incident:
    """Return an incident as it is opened. Errors: IncidentInvalid, CaseInvalid."""
    pack = ground.catalogue.packs[book.pack, book.pack_version]
    from_on = outage.from_on
    is_running = outage.through_on is None
    through_on = outage.through_on or days_after(from_on, pack.excused_days_max - 1)
    is_near = (from_on - book.business_date).days <= DAYS_MAX
    if not (
        book.opened_on <= from_on <= through_on
        and (through_on - from_on).days < DAYS_MAX
        and is_near
        and (not is_running or from_on <= book.business_date)
    ):
        raise IncidentInvalid(
            from_on=from_on, through_on=through_on, opened_on=book.opened_on, days_max=DAYS_MAX
        )
    person, span = check_name("actor", by), Span(from_on, through_on)
    near = Span(from_on - NEAR, through_on + NEAR)
    said = incidents.days_alone(session, book.book_id, person, near)
    return Incident(
        incident_id=ground.ids.new(),
        book_id=book.book_id,
        channel=None if outage.channel is None else check_text(outage.channel),
        reason=check_text(outage.reason),
        from_on=from_on,
        through_on=through_on,
        granted_on=granted_alone(span, said, pack.excuse_days_alone_max),
        is_running=is_running,
        carried_on=None,
        opened_by=person,
        opened_at=ground.clock.now(),
    )


def _change(
    ground: Ground,
    incident_id: UUID,
    changed: Callable[[Incident, Book], Incident | None],
    kind: str,
    by: str,
) -> Incident:
    """Change an incident, and note it; one that is as it should be already is returned as it is.

    Errors: those of `changed`.
    """
    with ground.store.transaction() as session:
        one = incidents.lock(session, incident_id)
        book = books.read(session, one.book_id)
        then = changed(one, book)
        if then is None:
            return one
        incidents.change(session, then)
        _note(ground, session, then, book, kind, by)
    return then


def _note(ground: Ground, session: Session, one: Incident, book: Book, kind: str, by: str) -> None:
    """Write into the house's own events who did what."""
    booking = Booking(ground)
    house = accounts.lock(session, [book.house_account_id])[book.house_account_id]
    booking.event(house, kind, payload=_said(one), effective_on=one.from_on, actor=by)
    booking.write(session)


def _said(one: Incident) -> dict[str, object]:
    return {
        "incident_id": one.incident_id,
        "channel": one.channel,
        "reason": one.reason,
        "from_on": one.from_on,
        "through_on": one.through_on,
        "granted_on": one.granted_on,
    }


def _tell(ground: Ground, session: Session, one: Incident, page: list[AccountId]) -> None:
    """Excuse the days for a page of accounts, and take back what was held against them."""
    if not page:
        return
    booking, known, touched = _open(ground, session, page, one.from_on)
    for account, plans in touched:
        reach_on = one.reaches(account.book.business_date)
        told = [each.span.through_on for each in known.of_source(account, one.incident_id)]
        span = Span(max([one.from_on, *(day + A_DAY for day in told)]), reach_on)
        if span.from_on > span.through_on:
            continue
        happening = booking.event(
            account,
            "days-excused",
            payload={
                "incident_id": one.incident_id,
                "from_on": span.from_on,
                "through_on": span.through_on,
            },
            topic="customer",
        )
        cause = ExcuseCause.INCIDENT
        known.begin(account, happening, cause, [span], source_id=one.incident_id)
        known.carry(account, happening, plans)
    booking.write(session)


def _shorten(ground: Ground, session: Session, one: Incident, page: list[AccountId]) -> None:
    """Let the days of a page of accounts end with the incident, or today if that is later.

    After a crash days may have gone by that were excused; they stay so.
    """
    if not page:
        return
    booking, known, touched = _open(ground, session, page, one.granted_on)
    for account, plans in touched:
        last = max(one.granted_on, account.book.business_date)
        late = [
            each
            for each in known.of_source(account, one.incident_id)
            if each.span.through_on > last
        ]
        if not late:
            continue
        spans = [Span(each.span.from_on, last) for each in late if each.span.from_on <= last]
        told = {"incident_id": one.incident_id, "through_on": last}
        # They were told that these days are excused, and may rely on it.
        happening = booking.event(account, "days-count-again", payload=told, topic="customer")
        known.end(account, happening, late)
        cause = ExcuseCause.INCIDENT
        known.begin(account, happening, cause, spans, source_id=one.incident_id)
        known.carry(account, happening, plans)
    booking.write(session)


def _open(
    ground: Ground, session: Session, page: list[AccountId], since: date
) -> tuple[Booking, Excuses, list[tuple[Account, list[PlanRecord]]]]:
    """Lock a page of accounts; return each with its plans that days since then touch."""
    booking = Booking(ground)
    locked = accounts.lock(session, page)
    known = Excuses(ground, booking, session)
    known.know(locked.values())
    plans = excuses.touched(session, dict.fromkeys(locked, since), ground)
    return booking, known, [(account, plans[one]) for one, account in locked.items()]
