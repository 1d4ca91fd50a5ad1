"""One application as a person reads it: where it stands, why, and on an offer what it costs."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from uuid import UUID

from fenqi.core.risk.application import policy_in
from fenqi.core.risk.decision import DecisionKind
from fenqi.core.risk.policy.policy import Policy
from fenqi.core.values.ids import AccountId
from fenqi.store import accounts, applications, decision_records, scorecards
from fenqi.store.applications import Application, Parked
from fenqi.store.deciding import Deciding
from fenqi.store.pool import Session, Store

TEXTS = "data/reasons/application.toml"


@dataclass(frozen=True, slots=True)
class Shown:
    """An application. Units: minor units of the book's currency; cost lines as (line, ppm, per)."""

    application_id: str
    state: str
    outcome: str | None
    reasons: tuple[str, ...]
    texts: tuple[str, ...]
    limit_minor: int | None
    costs: tuple[tuple[str, int, str], ...]
    cost_table: str | None
    offer_ends_on: str | None
    needs_step_up: bool
    decided_by: str | None


def shown(store: Store, application_id: UUID, language: str) -> Shown:
    """Return an application with the texts of its reasons, in "zh" or "en".

    Errors: ApplicationMissing.
    """
    with store.transaction() as session:
        one = applications.read(session, AccountId(application_id))
        costs = accounts.costs_of(session, one.cost_table) if one.cost_table else []
        policy = _decided_by(session, one)
    return Shown(
        application_id=str(one.account_id),
        state=one.state.value,
        outcome=one.outcome,
        reasons=tuple(one.reasons),
        texts=tuple(_text(code, language, policy) for code in one.reasons),
        limit_minor=one.limit_minor,
        costs=tuple(costs),
        cost_table=str(one.cost_table) if one.cost_table else None,
        offer_ends_on=str(one.offer_ends_on) if one.offer_ends_on else None,
        needs_step_up=one.needs_step_up,
        decided_by=one.decided_by,
    )


def parked(store: Store) -> list[Parked]:
    """Return the applications that failed too often, the oldest first."""
    with store.transaction() as session:
        return applications.parked(session)


def _decided_by(session: Session, one: Application) -> Policy:
    """Return the policy that decided an application: its reasons are told in its words."""
    if one.decision_id is None:
        return Deciding(session, DecisionKind.APPLICATION).of(one.book_id).policy
    return policy_in(decision_records.read(session, one.decision_id).rulebook.content)


def _text(code: str, language: str, policy: Policy) -> str:
    """Return what a customer reads for a reason; the code itself if nobody wrote a text."""
    for known in (_texts(), scorecards.shipped().reasons, policy.reasons):
        if code in known:
            return known[code][language]
    return code


@lru_cache(maxsize=1)
def _texts() -> Mapping[str, Mapping[str, str]]:
    return tomllib.loads((resources.files("fenqi") / TEXTS).read_text("utf-8"))
