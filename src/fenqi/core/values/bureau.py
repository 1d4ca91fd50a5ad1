"""What a credit bureau is asked and what it answers; that it says nothing is an answer too.

No answer is "unknown": a bureau that is down, slow or talks nonsense never counts against a person.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Access:
    """Where a bureau is and how it knows us."""

    url: str
    subscriber: str
    secret: str = field(repr=False)
    seconds_max: int = 2  # for one enquiry, whatever happens


class Finding(StrEnum):
    """How asking a bureau ended; only a report tells something about the person."""

    REPORT = "report"
    NOBODY = "nobody"  # the bureau knows no such person, which is no blemish
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    GARBLED = "garbled"  # no signature of the bureau's, or nothing that can be read
    REFUSED = "refused"  # the bureau does not answer this question
    SUSPENDED = "suspended"  # not asked: it failed too often a moment ago
    OVER_BUDGET = "over-budget"  # not asked: what may be spent in a day is spent


# What is known at once and stays so; after the others the bureau may be asked again.
CONCLUSIVE = frozenset({Finding.REPORT, Finding.NOBODY})


@dataclass(frozen=True, slots=True)
class BureauReport:
    """What a bureau knows of a person, as of an instant; None is unknown.

    Units: minor units of the book's currency; `score` in the bureau's own points.
    """

    as_of: datetime
    score: int | None = None
    enquiries_30d: int | None = None
    overdue_accounts: int | None = None
    worst_overdue_days: int | None = None
    open_credit_minor: int | None = None
    monthly_due_minor: int | None = None  # what falls due elsewhere in a month


@dataclass(frozen=True, slots=True)
class Enquiry:
    """One question to a bureau, under a consent of the person's.

    `reference` is the same for each try, so that a bureau charges once.
    """

    reference: str
    subject: str  # the person, by the reference agreed with the bureau
    consent: str
    consented_at: datetime
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class BureauAnswer:
    """How one enquiry ended, and what it took.

    Units: `cost_minor` as the bureau says, None where it said nothing; `latency_us` of all tries.
    """

    finding: Finding
    latency_us: int
    tries: int
    report: BureauReport | None = None
    cost_minor: int | None = None
    said: str = ""  # the bureau's own number of the report, or what went wrong
