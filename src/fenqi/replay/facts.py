"""Facts: what happened outside, before fenqi was asked anything about it.

A replay knows three kinds. Everything else in a book's life (statements, charges, ageing) follows
from them and from the payments, which are drawn or read elsewhere.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Opening:
    """A person asks for an account and gets a limit.

    Units: `limit_minor` in the minor unit of the stream's currency; `statement_day` is a day of the
    month, 1 to 28, or 31 for the month's last day; `at` is an aware instant in UTC.
    """

    person: str
    at: datetime
    limit_minor: int
    statement_day: int


@dataclass(frozen=True, slots=True)
class Purchase:
    """A person buys at a merchant and chooses how to repay: a product and its number of parts.

    `key` names the purchase uniquely in its stream; `lines` are the lines of the file that became
    it, ascending, empty if it was invented.
    Units: `amount_minor` in the minor unit of the stream's currency, positive.
    """

    key: str
    person: str
    merchant: str
    at: datetime
    amount_minor: int
    product: str
    count: int
    lines: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Refund:
    """A merchant takes goods of an earlier purchase back, wholly or in part.

    The refunds of one purchase never sum to more than it; `key` names the refund uniquely in its
    stream; `lines` as in `Purchase`.
    Units: `amount_minor` in the minor unit of the stream's currency, positive.
    """

    key: str
    purchase_key: str
    person: str
    at: datetime
    amount_minor: int
    lines: tuple[int, ...]


Fact = Opening | Purchase | Refund


def in_order(facts: Iterable[Fact]) -> list[Fact]:
    """Return the facts by time; at one instant openings come first, then purchases, then refunds.

    Equal facts of one kind at one instant are ordered by their key, so that the order depends on
    the facts alone and not on where they came from.
    """
    return sorted(facts, key=_place)


def _place(fact: Fact) -> tuple[datetime, int, str]:
    match fact:
        case Opening():
            return fact.at, 0, fact.person
        case Purchase():
            return fact.at, 1, fact.key
        case Refund():
            return fact.at, 2, fact.key
