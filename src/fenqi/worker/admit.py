"""Takes applications that wait from "received" to "decided": asks the bureau, then decides.

The bureau is asked between two transactions, never inside one. Whoever dies in between leaves the
application to the next, after a while; the bureau knows the enquiry by its number and charges once.
Nobody is asked about whom there is no consent for, who is excluded by law anyway, or of whom a
report is fresh.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from fenqi.core.errors import FenqiError
from fenqi.core.ports import Bureau
from fenqi.core.risk.application import exclusions
from fenqi.core.values.bureau import Enquiry
from fenqi.flows.decide import Asked, Decide, Decided, age_years, decide
from fenqi.store import applications, books
from fenqi.store import bureau as reports
from fenqi.store.applications import Waiting
from fenqi.store.ground import Ground
from fenqi.store.pool import AlreadyThere, Session, TryAgain

BATCH_MAX = 64  # applications decided as one
ASKED_AT_ONCE_MAX = 8
ACTOR = "worker"


def admit(
    ground: Ground,
    bureau: Bureau | None,
    *,
    book_id: str | None = None,
    most: int = BATCH_MAX,
) -> dict[str, Decided | FenqiError]:
    """Decide up to `most` applications that wait, oldest first; return how each came out, by id.

    Without a bureau all are decided on what they say themselves.
    """
    with ground.store.transaction() as session:
        waiting = applications.claim(
            session, now=ground.clock.now(), most=min(most, BATCH_MAX), book_id=book_id
        )
        held = books.hold(session, {one.book_id for one in waiting})
        to_ask = [one for one in waiting if bureau and _is_to_ask(ground, one, held[one.book_id])]
        to_ask = _without_fresh(ground, session, to_ask, held)
    asked = _ask(ground, bureau, to_ask) if bureau and to_ask else {}
    commands = [
        Decide(
            scope_id=str(one.account_id),
            key="decide",
            actor=ACTOR,
            account_id=one.account_id,
            asked=asked.get(one),
        )
        for one in waiting
    ]
    if not commands:
        return {}
    answers = _decide(ground, commands)
    return {str(one.account_id): answer for one, answer in zip(waiting, answers, strict=True)}


def _decide(ground: Ground, commands: Sequence[Decide]) -> list[Decided | FenqiError]:
    """Decide a batch, one by one if another program stood in its way.

    Errors: those of the store; what was not decided is taken up again after its lease.
    """
    try:
        return decide(ground, commands)
    except (AlreadyThere, TryAgain):
        return [decide(ground, [one])[0] for one in commands]


def _is_to_ask(ground: Ground, one: Waiting, book: books.Book) -> bool:
    """Whether a bureau may be asked about somebody and could change anything."""
    rules = ground.catalogue.pack(book.pack).lending
    if rules is None or one.consent_number is None:
        return False
    known = {
        "age_years": age_years(one.born_on, book.business_date),
        "is_student": None if one.is_student is None else int(one.is_student),
        "income_evidenced_minor": one.income_evidenced_minor,
    }
    return not exclusions(known, rules)


def _without_fresh(
    ground: Ground, session: Session, to_ask: list[Waiting], held: dict[str, books.Book]
) -> list[Waiting]:
    """Leave out those of whom a bureau's word is fresh enough to be used again."""
    left = []
    days_of = {}
    for book_id, book in held.items():
        rules = ground.catalogue.pack(book.pack).lending
        days_of[book_id] = rules.report_days if rules else 0
    for days in sorted(set(days_of.values())):
        some = [one for one in to_ask if days_of[one.book_id] == days]
        since = ground.clock.now() - timedelta(days=days)
        fresh = reports.newest(session, {one.person_id for one in some}, since)
        left += [one for one in some if one.person_id not in fresh]
    return left


def _ask(ground: Ground, bureau: Bureau, to_ask: Sequence[Waiting]) -> dict[Waiting, Asked]:
    """Ask about each, a few at once; a bureau that hangs is soon left alone."""

    def one_of(one: Waiting) -> Asked:
        now = ground.clock.now()
        answer = bureau.ask(
            Enquiry(
                reference=str(one.account_id),
                subject=one.subject,
                consent=f"{one.person_id}/{one.consent_number}",
                consented_at=one.consented_at or now,
                asked_at=now,
            )
        )
        return Asked(
            bureau=bureau.name,
            asked_at=now,
            consent_number=one.consent_number or 0,
            answer=answer,
        )

    with ThreadPoolExecutor(ASKED_AT_ONCE_MAX) as pool:
        return dict(zip(to_ask, pool.map(one_of, to_ask), strict=True))
