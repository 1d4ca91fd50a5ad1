"""What persons stated of who they are, in all their applications: birthdays and identity cards.

The same person is the same reference or the same sealed identity card. What a person has looked at
and let pass is settled: only what was stated since can differ from it.
"""

from collections.abc import Collection
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from fenqi.core.risk.application import UNCLEAR, ApplicationReason
from fenqi.core.values.ids import PersonId
from fenqi.store.pool import Session

STATED_MAX = 100_000  # statements of the people of one batch
LISTED_MAX = 200  # statements that one case shows
# Reasons that an appeal may have refuted, by which somebody has shown who they are.
SHOWN_BY = (*UNCLEAR.values(), ApplicationReason.UNDER_AGE.value)


class Standing(NamedTuple):
    """What somebody stated that is not settled: different birthdays, and cards as sealed."""

    birthdays: frozenset[date]
    national_ids: frozenset[bytes]


# An application that waited for a look at who it is from, and has an offer, was let pass by whoever
# looked: a ruling with such a reason makes none.
SETTLED = """
SELECT a.person_id, MAX(a.received_at) FROM applications AS a
WHERE a.person_id = ANY(%(persons)s)
    AND (a.state IN ('offered', 'accepted') AND a.reasons && %(unclear)s::text[]
        OR a.refuted && %(shown)s::text[])
GROUP BY a.person_id
"""
STATED = """
SELECT person_id, TRUE AS is_own, given_at, number, born_on, national_id_hash
FROM identities WHERE person_id = ANY(%(persons)s)
UNION
SELECT mine.person_id, FALSE, other.given_at, other.number, other.born_on, other.national_id_hash
FROM identities AS mine JOIN identities AS other
    ON other.national_id_hash = mine.national_id_hash AND other.person_id <> mine.person_id
WHERE mine.person_id = ANY(%(persons)s)
ORDER BY person_id, given_at DESC, number DESC LIMIT %(most)s
"""


def standing(session: Session, persons: Collection[UUID]) -> dict[PersonId, Standing]:
    """Return what each person stated, and others with the same identity card, unless settled.

    Of what came up to a settled application only what it was made with counts still.
    """
    asked = {
        "persons": list(persons),
        "unclear": list(UNCLEAR.values()),
        "shown": list(SHOWN_BY),
        "most": STATED_MAX,
    }
    settled: dict[UUID, datetime] = dict(session.rows(SETTLED, asked))
    said: dict[PersonId, tuple[set[date], set[bytes]]] = {}
    over: set[UUID] = set()  # whose statement of the settled application was found
    for person_id, is_own, given_at, _, born_on, card in session.rows(STATED, asked):
        until = settled.get(person_id)
        if until is not None and given_at <= until:
            if person_id in over or not is_own:
                continue
            over.add(person_id)
        birthdays, cards = said.setdefault(PersonId(person_id), (set(), set()))
        birthdays.add(born_on)
        if card is not None:
            cards.add(bytes(card))
    return {key: Standing(frozenset(days), frozenset(cards)) for key, (days, cards) in said.items()}


class Statement(NamedTuple):
    """What was stated in an application, for whoever looks at it; `card` numbers different cards.

    `card` is None where no identity card was given; its number itself is known to nobody.
    """

    person: str
    given_at: datetime
    legal_name: str
    born_on: date
    card: int | None


OF_CASE = """
WITH mine AS (
    SELECT DISTINCT a.person_id FROM case_accounts AS c JOIN applications AS a USING (account_id)
    WHERE c.case_id = %(case)s
), who AS (
    SELECT person_id FROM mine
    UNION
    SELECT other.person_id FROM mine JOIN identities AS i USING (person_id)
    JOIN identities AS other ON other.national_id_hash = i.national_id_hash
)
SELECT p.reference, i.given_at, i.legal_name, i.born_on,
    CASE WHEN i.national_id_hash IS NOT NULL
        THEN DENSE_RANK() OVER (ORDER BY i.national_id_hash) END
FROM who JOIN identities AS i USING (person_id) JOIN persons AS p USING (person_id)
ORDER BY i.given_at, p.reference, i.number LIMIT %(most)s
"""


def of_case(session: Session, case_id: UUID) -> list[Statement]:
    """Return what the people of a case stated of who they are, the earliest first."""
    return [Statement(*row) for row in session.rows(OF_CASE, {"case": case_id, "most": LISTED_MAX})]
