"""Texts a customer reads for reason codes: of law and means, of scorecards, policies and crowds.

Who gives a reason by hand gives one of these: a customer is always told in words (P3).
"""

import tomllib
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from importlib import resources

from fenqi.core.errors import Invalid
from fenqi.core.risk.decision import DecisionKind
from fenqi.core.values.phrase import Phrase
from fenqi.store import scorecards
from fenqi.store.books import Book
from fenqi.store.deciding import Deciding
from fenqi.store.ground import Ground
from fenqi.store.pool import Session

TEXTS = "data/reasons/application.toml"
TEXTS_OF_PURCHASES = "data/reasons/purchase.toml"
# What may hold or freeze purchases of an account that is open.
OF_ACCOUNTS = (DecisionKind.ACCESS, DecisionKind.PURCHASE, DecisionKind.REPAYMENT)

Texts = Mapping[str, Mapping[str, str]]  # by code and language


class ReasonUnknown(Invalid):
    """A reason for which no customer text exists; names those there are."""

    code = "reason-unknown"


@lru_cache(maxsize=1)
def of_law() -> Texts:
    """Return what customers read for reasons of law, means and score."""
    law = tomllib.loads((resources.files("fenqi") / TEXTS).read_text("utf-8"))
    return {**scorecards.shipped().reasons, **law}


@lru_cache(maxsize=1)
def of_purchases() -> Texts:
    """Return what customers read where the house stops a purchase, whatever a policy says."""
    return tomllib.loads((resources.files("fenqi") / TEXTS_OF_PURCHASES).read_text("utf-8"))


def of_freezes(ground: Ground, session: Session, book: Book) -> Texts:
    """Return what customers read for what freezes: of what decides in a book, and of crowds.

    Errors: PolicyMissing, RulebookAltered.
    """
    known = dict(ground.crowd.texts)
    for kind in OF_ACCOUNTS:
        known |= Deciding(session, kind).of(book).policy.reasons
    return known


def refuse_unknown(reasons: Sequence[str], known: Collection[str]) -> None:
    """Refuse a reason nobody wrote a text for. Errors: ReasonUnknown."""
    for one in reasons:
        if one not in known:
            listed = Phrase("{codes}", codes=", ".join(sorted(known)))  # told whole
            raise ReasonUnknown(reason=one, known=listed)
