"""What became of the purchases customers tried, with the reasons they were told, in their words.

Every purchase ends in one way: it was made, waits for a check or for another plan to be chosen, or
was declined. So these four sum to all of them.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from fenqi.core.risk.purchase import Course
from fenqi.core.risk.rulebook import JUDGE, policy_of
from fenqi.report.rolls import ppm
from fenqi.store import reasons, shadows, views
from fenqi.store.pool import Session, Store

LANGUAGES = ("zh", "en")


@dataclass(frozen=True, slots=True)
class ToldReason:
    """How often customers were told a reason, and its text by language, "zh" and "en".

    The texts are those of the policy that decided, its latest version; none if nobody wrote one.
    """

    reason: str
    count: int
    texts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Purchases:
    """Decisions about purchases; one that was not made may have several reasons.

    `tried` = approved + checks_asked + other_plans + declined.
    """

    tried: int
    approved: int
    approved_reviewed: int  # of the approved: a person is asked to look at it afterwards
    approved_from_fewer_plans: int  # of the approved: from a shorter menu
    checks_asked: int  # to be tried again once the customer has proved who it is
    other_plans: int  # the plan chosen was not on the menu, others were
    declined: int
    approved_ppm: int  # of those tried
    check_reasons: tuple[ToldReason, ...]
    other_plan_reasons: tuple[ToldReason, ...]
    decline_reasons: tuple[ToldReason, ...]


def read(session: Session, book_id: str, as_of: date) -> Purchases:
    """Return what became of the purchases of a book through a day."""
    decided = views.decided(session, book_id, as_of)
    stopped = views.stopped(session, book_id, as_of)
    texts = _texts(session, {one.rulebook_id for one in decided})
    made = [one for one in decided if one.is_made]
    approved, tried = _sum(made), _sum(decided)
    totals = {one.course: one.purchases for one in stopped if not one.reason}

    def told(course: Course) -> tuple[ToldReason, ...]:
        return _told(stopped, course, texts)

    return Purchases(
        tried=tried,
        approved=approved,
        approved_reviewed=_sum(one for one in made if one.is_reviewed),
        approved_from_fewer_plans=_sum(one for one in made if one.is_cooler),
        checks_asked=totals.get(Course.STEP_UP, 0),
        other_plans=totals.get(Course.OTHER_PLAN, 0),
        declined=totals.get(Course.DECLINE, 0),
        approved_ppm=ppm(approved, tried),
        check_reasons=told(Course.STEP_UP),
        other_plan_reasons=told(Course.OTHER_PLAN),
        decline_reasons=told(Course.DECLINE),
    )


def why_stopped(store: Store, book_id: str) -> dict[str, tuple[str, ...]]:
    """Return why purchases were not made when they were asked for, by the key of each."""
    with store.transaction() as session:
        return dict(views.why_stopped(session, book_id))


def _sum(decided: Iterable[views.DecidedSum]) -> int:
    return sum(one.decisions for one in decided)


def _told(
    stopped: Sequence[views.StoppedSum], course: Course, texts: Mapping[str, Mapping[str, str]]
) -> tuple[ToldReason, ...]:
    """Return the reasons of a course with their counts, most frequent first."""
    counted = [one for one in stopped if one.course == course and one.reason]
    counted.sort(key=lambda one: (-one.purchases, one.reason))
    return tuple(
        ToldReason(one.reason, one.purchases, texts.get(one.reason, {})) for one in counted
    )


def _texts(session: Session, rulebooks: Collection[UUID]) -> dict[str, Mapping[str, str]]:
    """Return the customer's texts by code: the house's, over them those of what decided."""
    contents = shadows.contents(session, sorted(rulebooks))
    policies = [policy_of(one) for one in contents.values() if one.get("judge") == JUDGE]
    texts: dict[str, Mapping[str, str]] = dict(reasons.of_purchases())
    for policy in sorted(policies, key=lambda one: (one.version, one.name)):
        for code, told in policy.reasons.items():
            texts[code] = {language: told[language] for language in LANGUAGES}
    return texts
