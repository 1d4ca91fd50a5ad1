"""A case: what a person looks at, how soon, what they may do, and what they found.

Whoever took part in a case never judges the appeal against it (P3), and a freeze beyond what one
person may order needs a second one.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from fenqi.core.errors import Forbidden, Invalid
from fenqi.core.values.name import NAME_CHARS_MAX, as_heard, is_name
from fenqi.core.values.phrase import Phrase

PRIORITIES = (1, 2, 3, 4)  # 1 first
# How soon a case is to be looked at: a hold should not outlive the look at it.
DUE_HOURS: Mapping[int, int] = {1: 2, 2: 8, 3: 24, 4: 72}
TEXT_LENGTH_MAX = 4_000
SYSTEM = "system"
MACHINES = frozenset({SYSTEM, "worker", "customer"})  # and the other party: none of them judges


class CaseKind(StrEnum):
    """Why a case is there."""

    REVIEW = "review"  # of one account
    INVESTIGATION = "investigation"  # of accounts that are linked
    APPEAL = "appeal"  # against what was done in another case


class CaseOutcome(StrEnum):
    """What was found. Of an appeal, `false-alarm` upholds it."""

    CONFIRMED = "confirmed"
    FALSE_ALARM = "false-alarm"
    JOINED = "joined"  # it goes on in another case; no person's word


class EntryKind(StrEnum):
    """What an entry of a case's history says."""

    OPENED = "opened"
    EVIDENCE = "evidence"
    ASSIGNED = "assigned"
    NOTE = "note"
    FREEZE = "freeze"
    SECONDED = "seconded"
    LIFTED = "lifted"
    CLOSED = "closed"


class CaseInvalid(Invalid):
    """A case with a priority, a name or a text that cannot be."""

    code = "case-invalid"


class TookPart(Forbidden):
    """Whoever took part in a case cannot judge the appeal against it, or second themselves."""

    code = "took-part"


def due_at(priority: int, now: datetime) -> datetime:
    """Return when a case of this priority is to be looked at. Errors: CaseInvalid."""
    if priority not in DUE_HOURS:
        raise CaseInvalid(field="priority", value=priority, expected=Phrase("1, 2, 3 or 4"))
    return now + timedelta(hours=DUE_HOURS[priority])


def check_name(field: str, name: str) -> str:
    """Return a person's name, or a subject, as it is written down. Errors: CaseInvalid."""
    clean = name.strip()
    if not is_name(clean) or as_heard(clean) == SYSTEM:
        expected = Phrase("the name of a person, 1 to {most} characters", most=NAME_CHARS_MAX)
        if field == "subject":
            expected = Phrase("a few words, 1 to {most} characters", most=NAME_CHARS_MAX)
        raise CaseInvalid(field=field, value=name, expected=expected)
    return clean


def check_text(text: str) -> str:
    """Return a person's own words.

    Errors: CaseInvalid if there are none, too many, or a character that a terminal would obey.
    """
    clean = text.strip()
    strange = next((one for one in clean if not one.isprintable() and one not in "\n\t"), None)
    if strange is not None:
        expected = Phrase("printable characters, tabs and line ends")
        found = Phrase("with {character}", character=ascii(strange))
        raise CaseInvalid(field="text", value=found, expected=expected)
    if not 0 < len(clean) <= TEXT_LENGTH_MAX:
        expected = Phrase("1 to {most} characters", most=TEXT_LENGTH_MAX)
        found = Phrase("{count} characters", count=len(clean))
        raise CaseInvalid(field="text", value=found, expected=expected)
    return clean


def check_apart(person: str, participants: Collection[str], *, case: object) -> None:
    """Refuse a person who took part already, however the name is written. Errors: TookPart."""
    if as_heard(person) in {as_heard(one) for one in participants}:
        raise TookPart(person=person, case=case)
