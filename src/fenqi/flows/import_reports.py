"""Reports that a bureau delivered by file become known, of persons who consented to it.

A line about nobody we know, or without the person's consent, is counted and left out; a line that
was read before is not kept twice.
"""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import astuple, dataclass
from uuid import UUID

from fenqi.core.errors import Invalid
from fenqi.core.risk.consent import DataClass
from fenqi.core.risk.input import Purpose
from fenqi.core.values.bureau import BureauReport, Finding
from fenqi.core.values.ids import PersonId
from fenqi.store import accounts, bureau, persons
from fenqi.store.ground import Ground
from fenqi.store.pool import Session
from fenqi.store.rows import Rows

PAGE = 5_000  # reports written by one transaction


class ReportAhead(Invalid):
    """A report is as of an instant that has not come."""

    code = "report-ahead"


class BureauUnknown(Invalid):
    """A file is said to be of a bureau that nobody registered; names those there are."""

    code = "bureau-unknown"


@dataclass(frozen=True, slots=True)
class Delivered:
    """One line of a file: whose report, and what it says."""

    line: int
    person: str
    report: BureauReport


@dataclass(frozen=True, slots=True)
class Imported:
    """How many lines became known, were known, are about nobody, or lack a consent."""

    stored: int = 0
    known: int = 0
    nobody: int = 0
    without_consent: int = 0


def import_reports(
    ground: Ground,
    delivered: Sequence[Delivered],
    *,
    name: str,
    known: Collection[str],
    actor: str = "operator",
) -> Imported:
    """Keep the reports of a file under the bureau's name, one of those `known`.

    Errors: BureauUnknown, ReportAhead, before anything is kept.
    """
    refuse_unknown(name, known)
    now = ground.clock.now()
    for one in delivered:
        if one.report.as_of > now:
            raise ReportAhead(line=one.line, person=one.person, as_of=one.report.as_of)
    total = [0, 0, 0, 0]
    for first in range(0, len(delivered), PAGE):
        done = _page(ground, delivered[first : first + PAGE], name=name, actor=actor)
        total = [before + more for before, more in zip(total, astuple(done), strict=True)]
    return Imported(*total)


def refuse_unknown(name: str, known: Collection[str]) -> None:
    """Refuse the name of a bureau nobody registered. Errors: BureauUnknown."""
    if name not in known:
        raise BureauUnknown(bureau=name, known=", ".join(sorted(known)))


def _page(ground: Ground, delivered: Sequence[Delivered], *, name: str, actor: str) -> Imported:
    now = ground.clock.now()
    with ground.store.transaction() as session:
        known = accounts.enrolled(session, {one.person for one in delivered}).persons
        consents = persons.Consents(session, set(known.values()))
        rows: dict[tuple[PersonId, UUID], tuple[object, ...]] = {}
        nobody = without_consent = 0
        for one in delivered:
            person = known.get(one.person)
            if person is None:
                nobody += 1
                continue
            consent = consents.given(person, DataClass.BUREAU, Purpose.CREDIT)
            if consent is None:
                without_consent += 1
                continue
            report_id = _id_of(name, person, one.report)
            rows[person, report_id] = (
                *(person, report_id, name, "file", Finding.REPORT.value, actor, None),
                *(consent.number, now, None, None, 0, f"line {one.line}"),
                *bureau.columns_of(one.report),
            )
        stored = _store(session, rows)
    known_count = len(delivered) - nobody - without_consent - stored
    return Imported(stored, known_count, nobody, without_consent)


def _id_of(name: str, person: PersonId, report: BureauReport) -> UUID:
    """Return the id of a report: the same for the same words about the same person."""
    text = repr((name, str(person), astuple(report)))
    return UUID(bytes=hashlib.sha256(text.encode()).digest()[:16])


def _store(session: Session, rows: dict[tuple[PersonId, UUID], tuple[object, ...]]) -> int:
    """Add the rows that are not there yet; return how many."""
    there = bureau.there(session, list(rows))
    added = Rows(bureau.FILE_REPORTS)
    for (_, report_id), row in rows.items():
        if report_id not in there:
            added.add(*row)
    added.send(session)
    return len(added)
