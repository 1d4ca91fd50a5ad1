"""Policies: which one decides about what, since when, and by whose word.

A policy's text is kept in the catalogue, never edited, and with all it looks at as a rulebook. What
decides now is the last adoption of its kind: one short row, asked for in each batch, so that an
adoption or a rollback counts from the next batch on in every program; the rulebook itself is
compiled once per program. A kind nobody adopted anything for is decided by what is shipped.
"""

import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from fenqi.core.errors import Broken, Conflict, Missing
from fenqi.core.risk.decision import DecisionKind
from fenqi.core.risk.policy.policy import Policy
from fenqi.core.risk.policy.read import read
from fenqi.core.risk.rulebook import Rulebook, restored, rulebook
from fenqi.store import features, scorecards
from fenqi.store.catalogue import read_text
from fenqi.store.decisions import floor
from fenqi.store.pool import Session

FOLDER = "policies"
SHIPPED = Path(str(resources.files("fenqi"))) / "data" / FOLDER
SCORE = "score_points"  # the input a scorecard gives
OPERATOR = "operator"  # who adopts what comes with fenqi, by installing it
BECAUSE_SHIPPED = "shipped"
HISTORY_MAX = 1000  # adoptions of a kind that are looked at
READY_MAX = 64  # compiled rulebooks kept


class PolicyMissing(Missing):
    """No policy of that name and version was ever adopted, or none is shipped for a kind."""

    code = "policy-missing"


class PolicyVersionChanged(Conflict):
    """A policy's text changed but its version number did not."""

    code = "policy-version-changed"


class PolicyVersionPassed(Conflict):
    """A new text of a policy has a lower version than one that was adopted already."""

    code = "policy-version-passed"


class NothingBefore(Conflict):
    """There is no earlier adoption to go back to."""

    code = "policy-nothing-before"


class TwoForOneKind(Conflict):
    """Two files of the operator's folder decide about one kind; names both."""

    code = "policy-twice"


class RulebookAltered(Broken):
    """A stored rulebook is not the one its id was made of."""

    code = "rulebook-altered"


@dataclass(frozen=True, slots=True)
class Adoption:
    """One adoption; `number` counts within its kind."""

    kind: DecisionKind
    number: int
    policy: str
    version: int
    rulebook_id: UUID
    author: str
    adopted_by: str
    adopted_at: datetime
    is_rollback: bool
    because: str


class Shelf:
    """Rulebooks compiled once: their content never changes, so neither do they."""

    def __init__(self) -> None:
        self._ready: dict[UUID, Rulebook] = {}
        self._lock = threading.Lock()

    def get(self, session: Session, rulebook_id: UUID) -> Rulebook:
        """Return a stored rulebook, ready to decide. Errors: Broken."""
        with self._lock:
            found = self._ready.get(rulebook_id)
        if found is None:
            rows = session.rows(CONTENT, {"rulebook_id": rulebook_id})
            if not rows:
                raise RulebookAltered(rulebook=rulebook_id)
            found = restored(rows[0][0])
            if found.rulebook_id != rulebook_id:
                raise RulebookAltered(rulebook=rulebook_id)
            self.put(found)
        return found

    def put(self, book: Rulebook) -> None:
        """Keep a rulebook, in place of the oldest if there are too many."""
        with self._lock:
            if len(self._ready) >= READY_MAX:
                self._ready.pop(next(iter(self._ready)))
            self._ready[book.rulebook_id] = book


SHELF = Shelf()  # one a program: what is kept there is named by its own hash

CONTENT = "SELECT content FROM rulebooks WHERE rulebook_id = %(rulebook_id)s"
LIVE = """
SELECT rulebook_id FROM adoptions WHERE kind = %(kind)s ORDER BY number DESC LIMIT 1
"""


def asking(session: Session, kind: DecisionKind) -> Callable[[], Rulebook]:
    """Ask which policy decides about a kind; the answer is read after the pipeline.

    Errors, where it is read: PolicyMissing, RulebookAltered.
    """
    rows = session.ask(LIVE, {"kind": kind.value})

    def answer() -> Rulebook:
        found = rows()
        return SHELF.get(session, found[0][0]) if found else shipped(kind)

    return answer


def live(session: Session, kind: DecisionKind) -> Rulebook:
    """Return the rulebook that decides about a kind now. Errors: those of `asking`."""
    return asking(session, kind)()


def earlier(session: Session, kind: DecisionKind) -> Iterator[Rulebook]:
    """Yield the versions that decided before the live one, the last good one first.

    Who cannot go on by the live one falls back to them.
    """
    for one in reversed(_stack(history(session, kind))[:-1]):
        yield SHELF.get(session, one.rulebook_id)


# The newest of each kind: what decides, and what decided before it, is never cut off.
HISTORY = """
SELECT kind, number, policy, version, rulebook_id, author, adopted_by, adopted_at, is_rollback,
    because
FROM (
    SELECT adoptions.*, ROW_NUMBER() OVER (PARTITION BY kind ORDER BY number DESC) AS place
    FROM adoptions WHERE kind = %(kind)s::text OR %(kind)s::text IS NULL
) AS newest
WHERE place <= %(most)s ORDER BY kind, number
"""


def history(session: Session, kind: DecisionKind | None = None) -> list[Adoption]:
    """Return the latest adoptions of a kind, or of each, the oldest first."""
    asked = {"kind": kind.value if kind else None, "most": HISTORY_MAX}
    rows = session.rows(HISTORY, asked)
    return [Adoption(DecisionKind(row[0]), *row[1:]) for row in rows]


def _stack(adoptions: Sequence[Adoption]) -> list[Adoption]:
    """Return what stands on what: an adoption goes on top, a rollback takes the top away."""
    stack: list[Adoption] = []
    for one in adoptions:
        if one.is_rollback and len(stack) > 1:
            stack.pop()
        elif not one.is_rollback:
            stack.append(one)
    return stack


# Who adopts waits for whoever adopts at this moment: numbers follow one another.
LOCK = "SELECT pg_advisory_xact_lock(%(key)s)"
LOCK_KEY = {"key": 0x61646F7074}  # "adopt"
KNOWN = """
SELECT body_sha256 FROM catalogue
WHERE kind = 'policy' AND name = %(policy)s AND version = %(version)s
"""
NEWEST = """
SELECT MAX(version) FROM catalogue WHERE kind = 'policy' AND name = %(policy)s
"""
KEEP = """
INSERT INTO catalogue (kind, name, version, body, body_sha256, author, adopted_by, adopted_at)
VALUES ('policy', %(policy)s, %(version)s, %(body)s, %(sha)s, %(author)s, %(by)s, %(now)s)
"""
ADD_RULEBOOK = """
INSERT INTO rulebooks (rulebook_id, kind, name, version, content)
VALUES (%(rulebook_id)s, %(kind)s, %(policy)s, %(version)s, %(content)s)
ON CONFLICT (rulebook_id) DO NOTHING
"""
ADOPT = """
INSERT INTO adoptions
    (kind, number, policy, version, rulebook_id, author, adopted_by, adopted_at, is_rollback,
     because)
SELECT %(kind)s, COALESCE(MAX(number), 0) + 1, %(policy)s, %(version)s, %(rulebook_id)s,
    %(author)s, %(by)s, %(now)s, %(is_rollback)s, %(because)s
FROM adoptions WHERE kind = %(kind)s
RETURNING number
"""


def adopt(session: Session, book: Rulebook, now: datetime, *, by: str, because: str) -> Adoption:
    """Let a policy decide from now on; its text is kept as a version.

    Asked again by the same person while it decides, the first adoption is returned. A version that
    was adopted before may come back word for word; a new text is newer than all there were.

    Errors: PolicyVersionChanged, PolicyVersionPassed.
    """
    session.run(LOCK, LOCK_KEY)
    policy = book.policy
    for last in _stack(history(session, policy.kind))[-1:]:
        if (last.rulebook_id, last.adopted_by, last.because) == (book.rulebook_id, by, because):
            return last
    entry = _entry(book, now, by=by, because=because)
    known = session.rows(KNOWN, entry)
    if not known:
        ((newest,),) = session.rows(NEWEST, entry)
        if newest is not None and newest > policy.version:
            raise PolicyVersionPassed(policy=policy.name, version=policy.version, newest=newest)
        session.run(KEEP, entry)
    elif known[0][0] != entry["sha"]:
        raise PolicyVersionChanged(policy=policy.name, version=policy.version)
    session.run(ADD_RULEBOOK, entry)
    SHELF.put(book)
    return _adopted(session, entry)


def roll_back(
    session: Session, kind: DecisionKind, now: datetime, *, by: str, because: str
) -> tuple[Adoption, Adoption]:
    """Let decide what decided before; return what was taken away and what decides now.

    Errors: NothingBefore.
    """
    session.run(LOCK, LOCK_KEY)
    stack = _stack(history(session, kind))
    if len(stack) < 2:
        raise NothingBefore(kind=kind.value)
    *_, back, gone = stack
    entry = {
        "kind": kind.value,
        "policy": back.policy,
        "version": back.version,
        "rulebook_id": back.rulebook_id,
        "author": back.author,
        "by": by,
        "now": now,
        "is_rollback": True,
        "because": because,
    }
    return gone, _adopted(session, entry)


def _entry(book: Rulebook, now: datetime, *, by: str, because: str) -> dict[str, Any]:
    text = book.policy.text
    return {
        "kind": book.kind.value,
        "policy": book.name,
        "version": book.version,
        "rulebook_id": book.rulebook_id,
        "content": book.text,
        "body": json.dumps({"text": text}, ensure_ascii=False),
        "sha": hashlib.sha256(text.encode()).hexdigest(),
        "author": book.policy.author,
        "by": by,
        "now": now,
        "is_rollback": False,
        "because": because,
    }


def _adopted(session: Session, entry: dict[str, Any]) -> Adoption:
    ((number,),) = session.rows(ADOPT, entry)
    return Adoption(
        kind=DecisionKind(entry["kind"]),
        number=number,
        policy=entry["policy"],
        version=entry["version"],
        rulebook_id=entry["rulebook_id"],
        author=entry["author"],
        adopted_by=entry["by"],
        adopted_at=entry["now"],
        is_rollback=entry["is_rollback"],
        because=entry["because"],
    )


VERSIONS = """
SELECT rulebook_id FROM adoptions WHERE policy = %(policy)s AND version = %(version)s
ORDER BY adopted_at DESC LIMIT 1
"""


def version(session: Session, name: str, number: int) -> Rulebook:
    """Return a version that was adopted once. Errors: PolicyMissing."""
    rows = session.rows(VERSIONS, {"policy": name, "version": number})
    if not rows:
        raise PolicyMissing(policy=name, version=number)
    return SHELF.get(session, rows[0][0])


def kind_of(session: Session, name: str) -> DecisionKind:
    """Return what a policy decides about, by its name or the name of the kind.

    Errors: PolicyMissing.
    """
    for one in reversed(history(session)):
        if name in (one.policy, one.kind.value):
            return one.kind
    raise PolicyMissing(policy=name)


class Kept(NamedTuple):
    """A decision as it was kept: values in the order of its rulebook's inputs."""

    decision_id: UUID
    account_id: UUID
    decided_at: datetime
    inputs: list[int | None]
    rulebook_id: UUID
    as_of_number: int | None  # of the account's last event it saw


# Along the key, which rises with time. Purchases are most of all decisions; for the others there is
# an index that begins with their kind, and the statement says word for word what it is for.
PAGE = """
SELECT decision_id, account_id, decided_at, inputs, rulebook_id, as_of_number FROM decisions
WHERE decision_id > %(after)s AND kind = %(kind)s AND decided_at >= %(since)s
"""
PURCHASES = PAGE + "ORDER BY decision_id LIMIT %(most)s"
OTHERS = PAGE + "AND kind <> 'purchase' ORDER BY decision_id LIMIT %(most)s"
PAGE_ROWS = 20_000


def decided(
    session: Session, kind: DecisionKind, since: datetime, *, page_rows: int = PAGE_ROWS
) -> Iterator[list[Kept]]:
    """Yield the decisions of a kind since an instant, page by page, the oldest first."""
    after = floor(since)
    page = PURCHASES if kind is DecisionKind.PURCHASE else OTHERS
    while True:
        asked = {"kind": kind.value, "since": since, "after": after, "most": page_rows}
        rows = session.rows(page, asked)
        if rows:
            yield [Kept(*row) for row in rows]
        if len(rows) < page_rows:
            return
        after = rows[-1][0]


def content(session: Session, rulebook_id: UUID) -> dict[str, Any]:
    """Return what a rulebook says, whoever judged by it. Errors: RulebookAltered."""
    rows = session.rows(CONTENT, {"rulebook_id": rulebook_id})
    if not rows:
        raise RulebookAltered(rulebook=rulebook_id)
    found: dict[str, Any] = rows[0][0]
    return found


# Files.


def read_file(file: Path) -> Policy:
    """Return the policy of a file, over the features that are shipped.

    Errors: FileUnreadable, PolicyInvalid.
    """
    return read(read_text(file), features.shipped().vocabulary, file=str(file))


def book_of(policy: Policy) -> Rulebook:
    """Return a policy with all it looks at, ready to decide."""
    known = features.shipped()
    uses_score = any(one.name == SCORE for one in policy.inputs)
    card = scorecards.STARTER.read_text("utf-8") if uses_score else None
    return rulebook(policy, known.vocabulary, features=known.text, scorecard=card)


def policies_of(folder: Path) -> list[Policy]:
    """Return the policies of a folder's files. Errors: FileUnreadable, PolicyInvalid."""
    return [read_file(file) for file in sorted(folder.glob("*.toml"))]


@lru_cache(maxsize=1)
def _shipped() -> dict[DecisionKind, Rulebook]:
    return {policy.kind: book_of(policy) for policy in policies_of(SHIPPED)}


def shipped(kind: DecisionKind) -> Rulebook:
    """Return what decides about a kind while nobody adopted anything. Errors: PolicyMissing."""
    if kind not in _shipped():
        raise PolicyMissing(policy=kind.value)
    return _shipped()[kind]


def own_policies(own: Path | None) -> list[Policy]:
    """Return the policies of an operator's folder, one for a kind at most.

    Errors: FileUnreadable, PolicyInvalid, TwoForOneKind.
    """
    found: dict[DecisionKind, Policy] = {}
    for policy in policies_of(own / FOLDER) if own is not None else ():
        other = found.setdefault(policy.kind, policy)
        if other is not policy:
            raise TwoForOneKind(file=policy.file, other=other.file, kind=policy.kind.value)
    return list(found.values())


def undecided(session: Session) -> frozenset[DecisionKind]:
    """Return the kinds that nothing was adopted for yet."""
    return frozenset(DecisionKind) - {one.kind for one in history(session)}


def install(session: Session, now: datetime, own: Sequence[Rulebook] = ()) -> list[Adoption]:
    """Adopt what comes with fenqi, or `own` instead, for kinds that have nothing.

    What decides already stays: a new file decides only once a person adopts it.
    """
    if not undecided(session):
        return []
    session.run(LOCK, LOCK_KEY)
    open_kinds = undecided(session)
    books = _shipped() | {one.kind: one for one in own}
    return [
        adopt(session, book, now, by=OPERATOR, because=BECAUSE_SHIPPED)
        for kind, book in sorted(books.items())
        if kind in open_kinds
    ]


def is_over(policy: Policy, today: date) -> bool:
    """Return whether a policy's time is over, or has not begun."""
    is_past = policy.valid_until is not None and policy.valid_until < today
    return is_past or today < policy.valid_from
