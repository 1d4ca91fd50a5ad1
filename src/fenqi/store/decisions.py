"""Decisions of every kind: one way for all flows to keep what was decided, and by what.

A decision is computed again from its record alone: its inputs are integers, or None where one was
unknown, in the order its rulebook names them; the rulebook and the menu offered are kept once,
under the first half of the sha256 of their text. The flow that decides adds to its `Decisions`,
which it puts among the others of its booking, and all of a batch are written as columns.

Source: docs/adr/0018-keep-decisions-exactly.md.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol
from uuid import UUID

from fenqi.core.account import POLICY, AccountStatus, Standing
from fenqi.core.risk.breaker import minute_of
from fenqi.core.risk.decision import DecisionKind
from fenqi.core.risk.input import Value
from fenqi.core.risk.purchase import Plan
from fenqi.core.values.rate import PPM
from fenqi.store.accounts import Account
from fenqi.store.booking import Booking
from fenqi.store.pool import Session
from fenqi.store.rows import Rows, Sheet, Table, Upsert, array_text, lists

LATENCY_MAX = 2**31 - 1  # what its column holds
MICROSECOND = timedelta(microseconds=1)
BACK = timedelta(hours=1)
FLOOR_SHIFT = 80  # bits of an id below its milliseconds
NORMAL = "normal"  # the regime while that room is unfurnished

DECISIONS = Table(
    "decisions",
    "account_id uuid, decision_id uuid, kind word, outcome word, reasons word>text[],"
    "effects word>text[], inputs bigint[], points integer?, hits word>smallint[], menu_id uuid?,"
    "rulebook_id uuid?, would_change jsonb?, as_of_number bigint, regime word, policy word,"
    "policy_version integer?, decided_at timestamptz, latency_us integer?, booked_on date?",
)
RULEBOOKS = Upsert(
    "rulebooks",
    "rulebook_id uuid, kind word, name word, version integer, content jsonb",
    keys="rulebook_id",
    keeps=True,
    lasts=True,  # the text of one is 50 kB
)
# How many decisions there were, by the minute: what the caps of the circuit breaker are shares of.
# Whose connection counts is filled in by the database.
MINUTES = Upsert(
    "decision_minutes",
    "book_id word, kind word, minute timestamptz, decided integer",
    keys="book_id, kind, minute, writer",
    adds=True,
)
MENUS = Upsert("menus", "menu_id uuid, offers jsonb", keys="menu_id", keeps=True, lasts=True)


class Rulebook(Protocol):
    """What decisions were made by. `text` is JSON whose "inputs" are the inputs' names in order."""

    @property
    def rulebook_id(self) -> UUID:
        """The first half of the sha256 of the text."""

    @property
    def kind(self) -> DecisionKind:
        """What is decided by it."""

    @property
    def name(self) -> str:
        """The name of its policy."""

    @property
    def version(self) -> int:
        """The version of its policy."""

    @property
    def text(self) -> str:
        """All of it, as JSON."""


def _half(text: str) -> UUID:
    """Return the first half of a text's sha256."""
    return UUID(bytes=hashlib.sha256(text.encode()).digest()[:16])


class Built(NamedTuple):
    """A rulebook that has only its text, as the built-in judge has."""

    rulebook_id: UUID
    kind: DecisionKind
    name: str
    version: int
    text: str


def built(kind: DecisionKind, name: str, version: int, content: Mapping[str, object]) -> Built:
    """Return a rulebook of this content, under its id."""
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return Built(_half(text), kind, name, version, text)


STATUSES = tuple(AccountStatus)
# What `core.account.judge` looks at. Migration 0013 names the first version, without holds, for the
# rows before it.
STARTER = built(
    DecisionKind.PURCHASE,
    *POLICY,
    {
        "choices": {"account_status": [one.value for one in STATUSES]},
        "inputs": [
            *("account_status", "limit_minor", "used_minor", "overdue_days", "amount_minor"),
            "is_held",
        ],
        "judge": "starter",
    },
)


def starter_inputs(standing: Standing, amount_minor: int) -> tuple[int, ...]:
    """Return what `core.account.judge` looks at, in the order of its rulebook."""
    return (
        STATUSES.index(standing.status),
        standing.limit_minor,
        standing.used_minor,
        standing.overdue_days,
        amount_minor,
        int(standing.is_held),
    )


class Menu:
    """The plans on offer; kept once, under the hash of its text.

    The text is as the database writes JSONB: what it keeps can be hashed again. A price is named
    where it is below the listed one.
    """

    def __init__(self, offers: Iterable[Plan]) -> None:
        self.plans = tuple(offers)
        told = [
            {"count": count, "product": name} | ({"price_ppm": price} if price != PPM else {})
            for name, count, price in self.plans
        ]
        self.text = json.dumps(told, ensure_ascii=False)
        self.menu_id = _half(self.text)


class Decision(NamedTuple):
    """One decision as it is kept.

    `as_of_number` is the number of the account's last event that it saw, so its own event is a
    later one. `effects` are plain words, a parameter after a colon. `points` are the scorecard's,
    `hits` the numbers of the rules that were hit. Units: `latency_us` microseconds from the moment
    the batch began to be decided, None if nobody waited for it.
    """

    account: Account
    decision_id: bytes  # sixteen
    outcome: str
    reasons: Sequence[str]
    inputs: Sequence[Value]
    as_of_number: int
    effects: Sequence[str] = ()
    points: int | None = None
    hits: Sequence[int] = ()
    menu: Menu | None = None
    would_change: str | None = None  # JSON
    latency_us: int | None = None
    regime: str = NORMAL


def floor(since: datetime) -> UUID:
    """Return an id below those of all decisions made since an instant.

    An id begins with the milliseconds of its making. A clock that was set back while a batch was
    decided makes an id younger than its decision, hence the hour; whoever asks compares
    `decided_at` besides.
    """
    milliseconds = max(0, int((since - BACK).timestamp() * 1000))
    return UUID(int=milliseconds << FLOOR_SHIFT)


def latency_us(begun: datetime, ended: datetime) -> int:
    """Return how long a decision took, in microseconds, from 0 to LATENCY_MAX.

    A clock may be set while it is made; that must not undo it.
    """
    return min(max((ended - begun) // MICROSECOND, 0), LATENCY_MAX)


class Decisions:
    """The decisions of one batch, of any kinds and rulebooks."""

    def __init__(self, booking: Booking) -> None:
        self._now = booking.now
        self._made: dict[UUID, tuple[Rulebook, list[Decision]]] = {}
        booking.others.append(self)

    def add(self, rulebook: Rulebook, decision: Decision) -> None:
        """Keep one decision, made by `rulebook` and of its kind."""
        entry = self._made.get(rulebook.rulebook_id)
        if entry is None:
            entry = self._made[rulebook.rulebook_id] = (rulebook, [])
        entry[1].append(decision)

    def extend(self, rulebook: Rulebook, decisions: Sequence[Decision]) -> None:
        """Keep decisions made by one rulebook."""
        for decision in decisions:
            self.add(rulebook, decision)

    def fill(self, sheet: Sheet) -> None:
        """Put the decisions on a sheet, with the rulebooks and menus they name."""
        rows, rulebooks, menus = Rows(DECISIONS), Rows(RULEBOOKS), Rows(MENUS)
        offered: dict[UUID, Menu] = {}
        for book, made in self._made.values():
            rulebooks.add(book.rulebook_id, book.kind.value, book.name, book.version, book.text)
            self._fill_of(rows, book, made)
            offered |= {one.menu.menu_id: one.menu for one in made if one.menu}
        for menu in offered.values():
            menus.add(menu.menu_id, menu.text)
        for one in (rows, rulebooks, menus, self._counted()):
            sheet.add(one)

    def _counted(self) -> Rows:
        """Return how many decisions of each kind were made in each book."""
        counts = Counter(
            (one.account.book.book_id, book.kind.value)
            for book, made in self._made.values()
            for one in made
        )
        rows, minute = Rows(MINUTES), minute_of(self._now)
        for (book_id, kind), count in counts.items():
            rows.add(book_id, kind, minute, count)
        return rows

    def _fill_of(self, rows: Rows, book: Rulebook, made: Sequence[Decision]) -> None:
        """Add the decisions of one rulebook as columns."""
        owners, numbers, outcomes, reasons, inputs, seen, effects, points, hits, *rest = zip(
            *made, strict=True
        )
        offers, would_change, latencies, regimes = rest
        rows.extend(
            len(made),
            [one.raw for one in owners],
            numbers,
            book.kind.value,
            outcomes,
            _texts(reasons),
            _texts(effects),
            lists(inputs),
            points,
            _texts(hits),
            [menu and menu.menu_id for menu in offers],
            book.rulebook_id,
            would_change,
            seen,
            regimes,
            book.name,
            book.version,
            self._now,
            latencies,
            [one.book.business_date for one in owners],
        )


def _texts(lists: Iterable[Sequence[object]]) -> list[str]:
    """Return each list as the text of a database array; most of a batch are the same few."""
    known: dict[tuple[object, ...], str] = {}
    texts = []
    for one in map(tuple, lists):
        text = known.get(one)
        if text is None:
            text = known[one] = array_text(one)
        texts.append(text)
    return texts


FORGET = "DELETE FROM decision_minutes WHERE book_id = %(book_id)s AND minute < %(before)s"
MINUTES_KEPT = timedelta(days=2)  # the longest window is a day


def forget_minutes(session: Session, book_id: str, now: datetime) -> None:
    """Delete counts that no window reaches any more."""
    session.run(FORGET, {"book_id": book_id, "before": now - MINUTES_KEPT})
