"""Takes applications that wait from "received" to "decided": asks the bureau, then decides.

The bureau is asked between two transactions, never inside one. Whoever dies in between leaves the
application to the next, after a while; the bureau knows the enquiry by its number and charges once.
Nobody is asked about whom there is no consent for, who is excluded by law anyway, or of whom a
report is fresh. What may be spent in a day is a budget: beyond it nobody is asked, which counts as
unknown like any other silence. About an offer that was made without the bureau's word it is asked
again later, and the offer grows if that is to the customer's good. An application that cannot be
decided keeps nobody else waiting.
"""

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from fenqi.core.errors import Broken, FenqiError
from fenqi.core.ports import Bureau
from fenqi.core.risk.application import exclusions
from fenqi.core.values.bureau import BureauAnswer, Enquiry, Finding
from fenqi.flows.decide import Asked, Decide, Decided, age_years, decide
from fenqi.store import applications, books
from fenqi.store import bureau as reports
from fenqi.store.applications import Waiting
from fenqi.store.ground import Ground
from fenqi.store.pool import Session, TryAgain
from fenqi.worker.beat import Beat, still
from fenqi.worker.fault import AWAY, place, told

BATCH_MAX = 64  # applications decided as one
ASKED_AT_ONCE_MAX = 8
ACTOR = "worker"
LOG = logging.getLogger(__name__)


class AdmissionFailed(Broken):
    """An application could not be decided for a reason nobody foresaw; it is tried again."""

    code = "admission-failed"


Failures = dict[Waiting, FenqiError]


def admit(
    ground: Ground,
    bureau: Bureau | None,
    *,
    book_id: str | None = None,
    most: int = BATCH_MAX,
    budget_minor: int | None = None,
    beat: Beat = still,
) -> dict[str, Decided | FenqiError]:
    """Decide up to `most` applications that wait, oldest first; return how each came out, by id.

    Without a bureau all are decided on what they say themselves. `budget_minor` is what bureaus
    may cost in any 24 hours, None if nothing holds it down. Who fails, fails alone: it is counted,
    tried again later and after some times parked with what went wrong. `beat` is called after each
    answer of a bureau and each batch that was decided.

    Errors: those of a database that is away; what was not decided is taken up after its lease.
    """
    with ground.store.transaction() as session:
        waiting = applications.claim(
            session, now=ground.clock.now(), most=min(most, BATCH_MAX), book_id=book_id
        )
    if not waiting:
        return {}
    failures: Failures = {}
    asked: dict[Waiting, Asked] = {}
    if bureau:
        _, to_ask, asked = _hear(ground, bureau, waiting, failures, budget_minor, beat)
        for one in to_ask:
            if one not in asked and one not in failures:
                asked[one] = _unasked(ground, bureau, one)
    left = [one for one in waiting if one not in failures]
    commands = [
        Decide(
            scope_id=str(one.account_id),
            key=f"decide/{one.reopened}" if one.reopened else "decide",
            actor=ACTOR,
            account_id=one.account_id,
            asked=asked.get(one),
        )
        for one in left
    ]
    return _conclude(ground, left, commands, failures, beat)


def ask_again(
    ground: Ground,
    bureau: Bureau | None,
    *,
    book_id: str | None = None,
    most: int = BATCH_MAX,
    budget_minor: int | None = None,
    beat: Beat = still,
) -> dict[str, Decided | FenqiError]:
    """Ask again about up to `most` offers made without a bureau's word; return what stands now.

    The second step of an application: an offer becomes larger or stays as it was made. Whom the
    budget has no room for is left for another time. What fails too often stands as it was made.
    """
    if bureau is None:
        return {}
    failures: Failures = {}
    with ground.store.transaction() as session:
        offered = applications.claim_again(
            session, now=ground.clock.now(), most=min(most, BATCH_MAX), book_id=book_id
        )
    able, to_ask, asked = _hear(ground, bureau, offered, failures, budget_minor, beat)
    left = [one for one in able if one in asked or one not in to_ask]
    commands = [
        Decide(
            scope_id=str(one.account_id),
            key=f"decide-again/{ground.ids.new()}",
            actor=ACTOR,
            account_id=one.account_id,
            asked=asked.get(one),
            is_again=True,
        )
        for one in left
    ]
    return _conclude(ground, left, commands, failures, beat)


def _hear(
    ground: Ground,
    bureau: Bureau,
    taken: Sequence[Waiting],
    failures: Failures,
    budget_minor: int | None,
    beat: Beat,
) -> tuple[list[Waiting], list[Waiting], dict[Waiting, Asked]]:
    """Return whom a bureau may be asked about, whom it is needed for, and what it said of whom."""
    with ground.store.transaction() as session:
        able = _able(ground, session, taken, failures)
        to_ask = _without_fresh(ground, session, able)
        affordable = _affordable(ground, session, taken, to_ask, budget_minor)
    return able, to_ask, _ask(ground, bureau, affordable, failures, beat)


def _conclude(
    ground: Ground,
    left: Sequence[Waiting],
    commands: Sequence[Decide],
    failures: Failures,
    beat: Beat,
) -> dict[str, Decided | FenqiError]:
    """Decide those who are left and note who failed; return how each came out, by id."""
    answers: dict[Waiting, Decided | FenqiError] = {
        **dict(zip(left, _decide(ground, commands, beat), strict=True)),
        **failures,
    }
    _note(ground, [(one, told) for one, told in answers.items() if isinstance(told, FenqiError)])
    return {str(one.account_id): answer for one, answer in answers.items()}


def _affordable(
    ground: Ground,
    session: Session,
    taken: Sequence[Waiting],
    to_ask: list[Waiting],
    budget_minor: int | None,
) -> list[Waiting]:
    """Return those about whom the bureau can be asked within the budget, oldest first.

    A report is taken to cost what the dearest of the last days did; while nobody knows, one
    is asked about first.
    """
    if budget_minor is None or not to_ask:
        return to_ask
    now = ground.clock.now()
    total, dearest = reports.spent(session, now)
    left = budget_minor - total
    if left <= 0:
        return []
    mine = [one.account_id for one in taken]
    others = applications.under_way(session, mine, now=now)
    if dearest is None:
        return to_ask[: 0 if others else 1]
    return to_ask[: max(0, left // max(dearest, 1) - others)]


def _unasked(ground: Ground, bureau: Bureau, one: Waiting) -> Asked:
    """Return how it ended for somebody whom the budget had no room for."""
    return Asked(
        bureau=bureau.name,
        asked_at=ground.clock.now(),
        consent_number=one.consent_number or 0,
        answer=BureauAnswer(Finding.OVER_BUDGET, latency_us=0, tries=0),
    )


def _decide(ground: Ground, commands: Sequence[Decide], beat: Beat) -> list[Decided | FenqiError]:
    """Decide a batch; if that fails, one by one, so that who cannot be decided fails alone.

    Errors: those of a database that is away.
    """
    beat()
    try:
        return decide(ground, commands) if commands else []
    except AWAY:
        raise
    except Exception as fault:
        if len(commands) == 1:
            return [_foreign(fault)]
        LOG.warning("%s applications could not be decided together: %r", len(commands), fault)
        return [_decide(ground, [one], beat)[0] for one in commands]


def _note(ground: Ground, refused: Sequence[tuple[Waiting, FenqiError]]) -> None:
    """Count failures, each in its own transaction. Whom another program decided is passed over."""
    for one, fault in refused:
        if isinstance(fault, TryAgain):
            continue  # somebody stood in the way; nothing is wrong with the application
        with ground.store.transaction() as session:
            if applications.failed(session, one.account_id, told(fault), ground.clock.now()):
                LOG.error("application %s is parked: %s", one.account_id, told(fault))


def _foreign(fault: Exception) -> FenqiError:
    """Return a fault as an answer. Nothing of its text is kept: it may be about a person."""
    if isinstance(fault, FenqiError):
        return fault
    LOG.error("an application could not be decided", exc_info=fault)
    broken = AdmissionFailed(fault=type(fault).__name__, place=place(fault))
    broken.__cause__ = fault
    return broken


def _able(
    ground: Ground, session: Session, waiting: Sequence[Waiting], failures: Failures
) -> list[Waiting]:
    """Return those about whom a bureau may be asked, and could change anything."""
    held = books.hold(session, {one.book_id for one in waiting})
    able = []
    for one in waiting:
        try:
            if _is_to_ask(ground, one, held[one.book_id]):
                able.append(one)
        except Exception as fault:
            failures[one] = _foreign(fault)
    return able


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


def _without_fresh(ground: Ground, session: Session, to_ask: list[Waiting]) -> list[Waiting]:
    """Leave out those of whom a bureau's word is fresh enough to be used again."""
    held = books.hold(session, {one.book_id for one in to_ask})
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


def _ask(
    ground: Ground,
    bureau: Bureau,
    to_ask: Sequence[Waiting],
    failures: Failures,
    beat: Beat,
) -> dict[Waiting, Asked]:
    """Ask about each, a few at once; a bureau that hangs is soon left alone."""
    if not to_ask:
        return {}

    def one_of(one: Waiting) -> Asked | FenqiError:
        now = ground.clock.now()
        try:
            answer = bureau.ask(
                Enquiry(
                    reference=str(one.account_id),
                    subject=one.subject,
                    consent=f"{one.person_id}/{one.consent_number}",
                    consented_at=one.consented_at or now,
                    asked_at=now,
                )
            )
        except Exception as fault:  # of the way to the bureau: it may fail for one and not another
            return _foreign(fault)
        return Asked(
            bureau=bureau.name,
            asked_at=now,
            consent_number=one.consent_number or 0,
            answer=answer,
        )

    asked: dict[Waiting, Asked] = {}
    with ThreadPoolExecutor(ASKED_AT_ONCE_MAX) as pool:
        for one, answer in zip(to_ask, pool.map(one_of, to_ask), strict=True):
            beat()
            if isinstance(answer, FenqiError):
                failures[one] = answer
            else:
                asked[one] = answer
    return asked
