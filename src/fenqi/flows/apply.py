"""Somebody applies: what they say is taken in under their consents, and waits for its decision.

Nothing is decided here and no bureau is asked: that is outside of a transaction, between this flow
and `decide`. Each application counts those of the last day by the same person, identity card,
device, phone or card.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import ClassVar

import msgspec

from fenqi.core.errors import FenqiError, Invalid
from fenqi.core.risk.consent import CLASS_OF_IDENTIFIER, ConsentMissing, DataClass
from fenqi.core.risk.identity import Identifier as Kind
from fenqi.core.risk.input import Purpose
from fenqi.core.servicing.statement import Cycle
from fenqi.core.terms.lending_rules import LendingRules
from fenqi.core.values.ids import AccountId, PersonId
from fenqi.core.values.phrase import Phrase
from fenqi.store import accounts, applications, books, persons
from fenqi.store.accounts import applicant
from fenqi.store.applications import COUNT_MAX, ApplicationState, Who
from fenqi.store.booking import Booking
from fenqi.store.commands import Command, Inbox
from fenqi.store.ground import Ground
from fenqi.store.links import Sightings
from fenqi.store.pool import Session
from fenqi.store.rows import Rows

NAME_CHARS_MAX = 100
REFERENCE_CHARS_MAX = 200
IDENTIFIERS_MAX = 8
MINOR_MAX = 10**12
LIFE_YEARS_MAX = 130
EVIDENCE = ("payslip", "bank-statement", "tax-record")
SHA256 = re.compile("[0-9a-f]{64}")


class ApplicationInvalid(Invalid):
    """Something that was said in an application makes no sense; field, value, what it must be."""

    code = "application-invalid"


class ConsentGiven(msgspec.Struct, frozen=True, kw_only=True):
    """A consent to a class of data for credit, with the digest of the wording agreed to."""

    data_class: str
    stated_at: datetime
    text_sha256: str


class Identifier(msgspec.Struct, frozen=True, kw_only=True):
    """A phone, device or bank card as its keyed hash, in hex; the door made it."""

    kind: str
    hash: str


class Apply(Command, frozen=True, kw_only=True):
    """Apply for an account. The scope is the book.

    `national_id` and identifiers are keyed hashes in hex, never what they are made of. Units: minor
    units of the book's currency, incomes and obligations by the month; None is not known.
    """

    kind: ClassVar[str] = "apply"
    book_id: str
    person_reference: str
    legal_name: str
    born_on: date
    asked_minor: int
    income_declared_minor: int
    consents: tuple[ConsentGiven, ...]
    is_student: bool | None = None
    national_id: str | None = None
    income_evidenced_minor: int | None = None
    evidence: str | None = None
    obligations_minor: int | None = None
    identifiers: tuple[Identifier, ...] = ()
    statement_day: int = 1
    is_stepped_up: bool = False  # the door checked who it is by a second factor


@dataclass(frozen=True, slots=True)
class Received:
    """The application that was received; its id is that of the account it may open."""

    application_id: str
    state: str


@dataclass(frozen=True, slots=True)
class _Checked:
    """An application that makes sense, with its book, and whether the person is known."""

    command: Apply
    book: books.Book
    account_id: AccountId
    person_id: PersonId

    @property
    def who(self) -> Who:
        one = self.command
        marks = sorted({bytes.fromhex(each.hash) for each in one.identifiers})
        card = bytes.fromhex(one.national_id) if one.national_id else None
        return Who(self.person_id, card, tuple(marks))


def apply(ground: Ground, commands: Sequence[Apply]) -> list[Received | FenqiError]:
    """Take in each application that makes sense."""
    with ground.store.transaction() as session:
        persons.lock(session, _names(commands))
        booking = Booking(ground)  # its moment is after that of all who held the locks
        held = books.hold(session, {one.book_id for one in commands})
        known = accounts.enrolled(session, {one.person_reference for one in commands})
        consents = persons.Consents(session, set(known.persons.values()))
        inbox: Inbox[Apply, Received] = Inbox(session, commands, Received)
        taken: list[_Checked] = []
        new: dict[PersonId, str] = {}
        for place, command in inbox.fresh():
            try:
                book = _check(ground, command, held, booking.now)
                known.refuse(command.book_id, command.person_reference)
                _check_standing(command, known.persons.get(command.person_reference), consents)
            except FenqiError as refusal:
                inbox.refuse(place, refusal)
                continue
            person = known.persons.get(command.person_reference)
            if person is None:
                person = PersonId(ground.ids.new())
                known.persons[command.person_reference] = person
                new[person] = command.person_reference
            one = _Checked(command, book, AccountId(ground.ids.new()), person)
            taken.append(one)
            answer = Received(str(one.account_id), ApplicationState.RECEIVED.value)
            inbox.answer(place, one.account_id, answer)
        persons.add(session, list(new.items()))
        if taken:
            _take_in(ground, session, booking, taken)
        booking.write(session, inbox.kept(booking.now))
    return inbox.answers()


def _names(commands: Sequence[Apply]) -> set[str]:
    """Return what two applications may share: both would not see one another otherwise."""
    names = set()
    for one in commands:
        names.add(f"person/{one.person_reference}")
        if one.national_id is not None:
            names.add(f"national-id/{one.national_id}")
        names |= {f"{each.kind}/{each.hash}" for each in one.identifiers}
    return names


def _take_in(ground: Ground, session: Session, booking: Booking, taken: Sequence[_Checked]) -> None:
    """Gather the rows of applications: identity, consents, identifiers, the application, event."""
    people = {one.person_id for one in taken}
    identities = persons.identities(session, people)
    consents = persons.Consents(session, people)
    recent = applications.recent(session, [one.who for one in taken], booking.now)
    seen: dict[object, set[AccountId]] = {}  # in this batch, by what identifies who applies
    rows = {
        table: Rows(table) for table in (persons.IDENTITIES, persons.CONSENTS, applications.ADDED)
    }
    facts, sightings = Rows(applications.IDENTIFIER_FACTS), Sightings(ground, booking)
    for one, before in zip(taken, recent, strict=True):
        command, who = one.command, one.who
        marks = [who.person_id, *who.identifiers, *([who.national_id] if who.national_id else [])]
        count = len({one.account_id, *before}.union(*(seen.get(mark, set()) for mark in marks)))
        for mark in marks:
            seen.setdefault(mark, set()).add(one.account_id)
        told = persons.Identity(
            *(1, command.legal_name, command.born_on, command.is_student, command.national_id)
        )
        last = identities.get(one.person_id)
        if last is None or last[1:] != told[1:]:
            told = told._replace(number=last.number + 1 if last else 1)
            identities[one.person_id] = told
            rows[persons.IDENTITIES].add(one.person_id, *told[:4], who.national_id, booking.now)
        for consent in command.consents:
            kind = DataClass(consent.data_class)
            number = consents.state(
                *(one.person_id, kind, Purpose.CREDIT), is_given=True, at=consent.stated_at
            )
            rows[persons.CONSENTS].add(
                *(one.person_id, number, kind.value, Purpose.CREDIT.value, True),
                *(consent.stated_at, booking.now, consent.text_sha256),
            )
        account = applicant(one.account_id, one.book, 0)
        happening = booking.event(
            account,
            "application-received",
            payload={
                "asked_minor": command.asked_minor,
                "applications_24h": count,
                "consents": sorted(each.data_class for each in command.consents),
            },
            actor=command.actor,
            command_key=command.key,
        )
        for each in {(each.kind, each.hash) for each in command.identifiers}:
            facts.add(
                bytes.fromhex(each[1]), each[0], booking.now, one.account_id, happening.number
            )
            sightings.saw(account, Kind(each[0]), bytes.fromhex(each[1]))
        _add(rows[applications.ADDED], one, booking.now, count)
    booking.others += [*rows.values(), facts]


def _add(rows: Rows, one: _Checked, now: datetime, count: int) -> None:
    command = one.command
    rows.add(
        one.account_id,
        one.book.book_id,
        one.person_id,
        ApplicationState.RECEIVED.value,
        now,
        one.book.business_date,
        command.statement_day,
        command.asked_minor,
        command.income_declared_minor,
        command.income_evidenced_minor,
        command.evidence,
        command.obligations_minor,
        min(count, COUNT_MAX),
        command.is_stepped_up,
        1,
    )


def _check(
    ground: Ground, command: Apply, held: dict[str, books.Book], now: datetime
) -> books.Book:
    """Return the book of an application that makes sense.

    Errors: BookMissing, NotLending, ApplicationInvalid, ConsentMissing, CycleInvalid.
    """
    book = held.get(command.book_id)
    if book is None:
        raise books.BookMissing(book=command.book_id)
    rules = ground.catalogue.pack(book.pack).lends
    Cycle(command.statement_day, book.due_after_days)
    _check_words(command, book)
    _check_amounts(command, rules)
    _check_consents(command, now)
    return book


def _check_words(command: Apply, book: books.Book) -> None:
    for field, most in (("legal_name", NAME_CHARS_MAX), ("person_reference", REFERENCE_CHARS_MAX)):
        text = getattr(command, field)
        if not 0 < len(text.strip()) <= len(text) <= most or not text.isprintable():
            raise _wrong(
                field, "(not shown)", Phrase("1 to {most} printable characters", most=most)
            )
    years = book.business_date.year - command.born_on.year
    if command.born_on > book.business_date or years > LIFE_YEARS_MAX:
        wanted = Phrase("a day in the last {years} years", years=LIFE_YEARS_MAX)
        raise _wrong("born_on", "(not shown)", wanted)
    if len(command.identifiers) > IDENTIFIERS_MAX:
        wanted = Phrase("{most} at most", most=IDENTIFIERS_MAX)
        raise _wrong("identifiers", len(command.identifiers), wanted)
    for one in command.identifiers:
        if one.kind not in CLASS_OF_IDENTIFIER:
            raise _wrong("identifiers", one.kind, _one_of(CLASS_OF_IDENTIFIER))
    hashes = [one.hash for one in command.identifiers]
    for text in [*hashes, *([command.national_id] if command.national_id is not None else [])]:
        if not SHA256.fullmatch(text):
            wanted = Phrase("a keyed hash, 64 hexadecimal digits")
            raise _wrong("identifiers", "(not shown)", wanted)


def _check_amounts(command: Apply, rules: LendingRules) -> None:
    least = rules.limit_minor_least
    if not least <= command.asked_minor <= MINOR_MAX:
        raise _wrong("asked_minor", command.asked_minor, _minor_from(least))
    for field in ("income_declared_minor", "income_evidenced_minor", "obligations_minor"):
        value = getattr(command, field)
        if value is not None and not 0 <= value <= MINOR_MAX:
            raise _wrong(field, value, _minor_from(0))
    if (command.evidence is None) != (command.income_evidenced_minor is None):
        wanted = Phrase("given with the income it shows, or not at all")
        raise _wrong("evidence", command.evidence, wanted)
    if command.evidence is not None and command.evidence not in EVIDENCE:
        raise _wrong("evidence", command.evidence, _one_of(EVIDENCE))


def _check_consents(command: Apply, now: datetime) -> None:
    """Refuse data that came without the consent for its class. Errors: ConsentMissing."""
    given = set()
    for consent in command.consents:
        if consent.data_class not in [one.value for one in DataClass]:
            raise _wrong("consents", consent.data_class, _one_of(DataClass))
        if not SHA256.fullmatch(consent.text_sha256):
            wanted = Phrase("the sha256 of the text agreed to")
            raise _wrong("consents", consent.text_sha256, wanted)
        if consent.stated_at.tzinfo is None or consent.stated_at > now:
            wanted = Phrase("an instant with a zone that has come")
            raise _wrong("consents", consent.stated_at, wanted)
        given.add(consent.data_class)
    if len(given) != len(command.consents):
        raise _wrong("consents", sorted(given), Phrase("each class once"))
    needed = {DataClass.IDENTITY}
    needed |= {CLASS_OF_IDENTIFIER[one.kind] for one in command.identifiers}
    if command.income_evidenced_minor is not None:
        needed.add(DataClass.INCOME)
    for data_class in sorted(needed):
        if data_class.value not in given:
            raise ConsentMissing(data_class=data_class.value)


def _check_standing(command: Apply, person: PersonId | None, consents: persons.Consents) -> None:
    """Refuse a consent that was taken back after it was stated. Errors: ApplicationInvalid."""
    if person is None:
        return
    for one in command.consents:
        kind = DataClass(one.data_class)
        over_at = consents.taken_back_at(person, kind, Purpose.CREDIT)
        if over_at is not None and one.stated_at <= over_at:
            since = f"{over_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
            wanted = Phrase("an instant after {since}, when it was taken back", since=since)
            raise _wrong("consents", f"{kind.value}, {one.stated_at.isoformat()}", wanted)


def _minor_from(least: int) -> Phrase:
    return Phrase("from {least} to {most} minor units", least=least, most=MINOR_MAX)


def _one_of(choices: Iterable[str]) -> Phrase:
    return Phrase("one of {choices}", choices=", ".join(choices))


def _wrong(field: str, value: object, expected: Phrase) -> ApplicationInvalid:
    return ApplicationInvalid(field=field, value=value, expected=expected)
