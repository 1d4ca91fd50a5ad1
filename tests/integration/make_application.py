"""People who apply, and a bureau that says what a test wants it to say."""

import hashlib
from datetime import date, timedelta
from typing import Any

from make_book import BOOK, World, done, key

from fenqi.core.values.bureau import BureauAnswer, BureauReport, Enquiry, Finding
from fenqi.flows.apply import Apply, ConsentGiven, Identifier, Received, apply

TEXT = hashlib.sha256(b"I agree").hexdigest()
EVERYTHING = ("bureau", "contact", "device", "identity", "income", "payment")


class SaidBureau:
    """A bureau that answers as it is told, and remembers what it was asked."""

    name = "said"

    def __init__(self, finding: Finding = Finding.REPORT, **report: int) -> None:
        self.finding = finding
        self.report = report
        self.asked: list[Enquiry] = []

    def ask(self, enquiry: Enquiry) -> BureauAnswer:
        self.asked.append(enquiry)
        if self.finding is not Finding.REPORT:
            return BureauAnswer(self.finding, latency_us=5, tries=1, cost_minor=None)
        good = {"score": 720, "enquiries_30d": 0, "overdue_accounts": 0, "worst_overdue_days": 0}
        told = BureauReport(enquiry.asked_at, **good | self.report)
        return BureauAnswer(Finding.REPORT, 1_500, 1, told, cost_minor=100, said="R1")


def hashed(word: str) -> str:
    """Return what stands for a keyed hash."""
    return hashlib.sha256(word.encode()).hexdigest()


def consents(world: World, *classes: str) -> tuple[ConsentGiven, ...]:
    at = world.clock.now() - timedelta(minutes=1)
    return tuple(
        ConsentGiven(data_class=one, stated_at=at, text_sha256=TEXT) for one in sorted(classes)
    )


def application(world: World, person: str = "ann", **changes: Any) -> Apply:
    """Return what a steady person of thirty applies with."""
    fields: dict[str, Any] = {
        "scope_kind": "book",
        "scope_id": BOOK,
        "key": key(world),
        "book_id": BOOK,
        "person_reference": person,
        "legal_name": f"{person} Sample",
        "born_on": date(1995, 6, 1),
        "asked_minor": 2_000_000,
        "income_declared_minor": 1_000_000,
        "income_evidenced_minor": 1_000_000,
        "evidence": "payslip",
        "obligations_minor": 50_000,
        "is_student": False,
        "national_id": hashed(f"id-{person}"),
        "identifiers": (Identifier(kind="phone", hash=hashed(f"phone-{person}")),),
        "consents": consents(world, *EVERYTHING),
        "statement_day": 5,
    }
    return Apply(**fields | changes)


def applied(world: World, person: str = "ann", **changes: Any) -> Received:
    return done(apply(world.ground, [application(world, person, **changes)])[0])
