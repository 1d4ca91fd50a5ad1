"""Persons: their identity as given, and what they consented to. Both only grow."""

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from fenqi.core.risk.consent import DataClass
from fenqi.core.risk.input import Purpose
from fenqi.core.values.ids import PersonId
from fenqi.store.pool import Session
from fenqi.store.rows import Table

IDENTITIES = Table(
    "identities",
    "person_id uuid, number integer, legal_name text, born_on date, is_student boolean?,"
    "national_id_hash bytea, given_at timestamptz",
)
CONSENTS = Table(
    "consents",
    "person_id uuid, number integer, data_class word, purpose word, is_given boolean,"
    "stated_at timestamptz, recorded_at timestamptz, text_sha256 text",
)

LOCK = "SELECT pg_advisory_xact_lock(key) FROM UNNEST(%(keys)s::bigint[]) AS asked (key)"


def lock(session: Session, names: Iterable[str]) -> None:
    """Wait until nobody else works on these names of persons or identifiers, then keep others out.

    Two applications of one person on two writers would not see one another otherwise.
    """
    keys = {
        int.from_bytes(hashlib.sha256(one.encode()).digest()[:8], "big", signed=True)
        for one in names
    }
    session.rows(LOCK, {"keys": sorted(keys)})


ADD_PERSONS = """
INSERT INTO persons (person_id, reference)
SELECT * FROM UNNEST(%(persons)s::uuid[], %(references)s::text[])
"""


def add(session: Session, new: Collection[tuple[PersonId, str]]) -> None:
    """Add persons by their references. Errors: AlreadyThere if another program just did."""
    if new:
        asked = {"persons": [one for one, _ in new], "references": [one for _, one in new]}
        session.run(ADD_PERSONS, asked)


REFERENCES = "SELECT person_id, reference FROM persons WHERE person_id = ANY(%(persons)s)"


def references(session: Session, persons: Collection[UUID]) -> dict[PersonId, str]:
    """Return the references of persons."""
    return dict(session.rows(REFERENCES, {"persons": list(persons)}))


class Identity(NamedTuple):
    """A person's identity as last given; `national_id_hash` as hex, or None."""

    number: int
    legal_name: str
    born_on: date
    is_student: bool | None
    national_id_hash: str | None


NEWEST = """
SELECT DISTINCT ON (person_id) person_id, number, legal_name, born_on, is_student,
    encode(national_id_hash, 'hex')
FROM identities WHERE person_id = ANY(%(persons)s) ORDER BY person_id, number DESC
"""


def identities(session: Session, persons: Collection[UUID]) -> dict[PersonId, Identity]:
    """Return the newest identity of each person who gave one."""
    rows = session.rows(NEWEST, {"persons": list(persons)})
    return {PersonId(person): Identity(*rest) for person, *rest in rows}


@dataclass(frozen=True, slots=True)
class Consent:
    """How a person's consent for a class of data and a purpose stands."""

    number: int
    is_given: bool
    stated_at: datetime


STANDING = """
SELECT DISTINCT ON (person_id, data_class, purpose)
    person_id, data_class, purpose, number, is_given, stated_at
FROM consents WHERE person_id = ANY(%(persons)s)
ORDER BY person_id, data_class, purpose, number DESC
"""


class Consents:
    """The consents of some persons as they stand, and the numbers of the next."""

    def __init__(self, session: Session, persons: Collection[UUID]) -> None:
        self._standing: dict[tuple[UUID, str, str], Consent] = {}
        self._last: dict[UUID, int] = {}
        for person, kind, purpose, number, is_given, at in session.rows(
            STANDING, {"persons": list(persons)}
        ):
            self._standing[person, kind, purpose] = Consent(number, is_given, at)
            self._last[person] = max(number, self._last.get(person, 0))

    def given(self, person: UUID, data_class: DataClass, purpose: Purpose) -> Consent | None:
        """Return the consent if it is given and was not taken back since."""
        found = self._standing.get((person, data_class.value, purpose.value))
        return found if found is not None and found.is_given else None

    def taken_back_at(
        self, person: UUID, data_class: DataClass, purpose: Purpose
    ) -> datetime | None:
        """Return when the consent was taken back, None if it stands or was never given."""
        found = self._standing.get((person, data_class.value, purpose.value))
        return None if found is None or found.is_given else found.stated_at

    def state(
        self, person: UUID, data_class: DataClass, purpose: Purpose, *, is_given: bool, at: datetime
    ) -> int:
        """Note a consent, or that it was taken back; return its number."""
        number = self._last[person] = self._last.get(person, 0) + 1
        self._standing[person, data_class.value, purpose.value] = Consent(number, is_given, at)
        return number
