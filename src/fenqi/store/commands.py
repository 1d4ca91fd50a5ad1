"""Commands and their idempotency: sent again, a command returns its first answer (M3).

An `Inbox` sorts one batch: commands answered before, copies inside the batch, and fresh ones. The
accounts are locked before the inbox is opened, so no other batch can be answering the same key of
the same account; a key reused for another account meets the table's unique constraint.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from fenqi.core.errors import Conflict, FenqiError, Invalid
from fenqi.core.values.ids import AccountId
from fenqi.store.columns import pack
from fenqi.store.pool import Session
from fenqi.store.rows import Rows, Table

KEY_LENGTH_MAX = 200
ENCODE = msgspec.json.Encoder().encode


class KeyReused(Conflict):
    """The same idempotency key came with another body."""

    code = "key-reused"


class KeyInvalid(Invalid):
    """An idempotency key is empty or too long."""

    code = "key-invalid"


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """What every command carries: its idempotency key, in the scope that makes it unique."""

    scope_kind: str = "account"
    scope_id: str
    key: str
    actor: str = "system"
    kind: ClassVar[str]
    waiting_max: ClassVar[int | None] = None  # of one account at a desk; None is as many as it has

    @property
    def scope(self) -> tuple[str, str, str]:
        """The key with its scope; unique over all commands ever."""
        return (self.scope_kind, self.scope_id, self.key)

    def body_sha256(self) -> str:
        """Return the digest of everything the command says, with its kind."""
        return hashlib.sha256(ENCODE((self.kind, self))).hexdigest()


AnyCommand = TypeVar("AnyCommand", bound=Command)
Answer = TypeVar("Answer")


FIND = """
SELECT c.scope_kind, c.scope_id, c.key, c.body_sha256, c.answer
FROM commands AS c
JOIN UNNEST(%(kinds)s::text[], %(scopes)s::text[], %(keys)s::text[]) AS asked (k, s, y)
    ON c.scope_kind = k AND c.scope_id = s AND c.key = y
"""
COMMANDS = Table(
    "commands",
    "scope_kind word, scope_id word, key text, account_id uuid, kind word, body_sha256 text,"
    "answer jsonb, recorded_at timestamptz",
)


IS_KNOWN = """
SELECT 1 FROM commands WHERE kind = %(kind)s AND key = %(key)s LIMIT 1
"""


def is_known(session: Session, kind: str, key: str) -> bool:
    """Return whether a command of a kind came with a key, of whatever scope; looks at them all."""
    return bool(session.rows(IS_KNOWN, {"kind": kind, "key": key}))


ARE_KNOWN = """
SELECT c.scope_kind, c.scope_id, c.key
FROM commands AS c
JOIN UNNEST(%(kinds)s::text[], %(scopes)s::text[], %(keys)s::text[]) AS asked (k, s, y)
    ON c.scope_kind = k AND c.scope_id = s AND c.key = y
LIMIT %(most)s
"""


def known(session: Session, commands: Sequence[Command]) -> set[tuple[str, str, str]]:
    """Return the scopes of those commands that were answered already."""
    if not commands:
        return set()
    columns = (pack("text", one) for one in zip(*(one.scope for one in commands), strict=True))
    asked = dict(zip(("kinds", "scopes", "keys"), columns, strict=True))
    return set(session.rows(ARE_KNOWN, {**asked, "most": len(commands)}))


class Inbox(Generic[AnyCommand, Answer]):
    """One batch's commands and, as they come, its answers in the same order.

    An answer is a dataclass of JSON values, or the FenqiError that refuses the command; a refusal
    is not kept, so the same command may be sent again when the state allows it.
    """

    def __init__(
        self, session: Session, commands: Sequence[AnyCommand], answer_type: type[Answer]
    ) -> None:
        self._commands = commands
        self._scopes = [command.scope for command in commands]
        self._hashes = [command.body_sha256() for command in commands]
        self._answer_type = answer_type
        self._answers: list[Answer | FenqiError | None] = [None] * len(commands)
        self._copies: dict[int, int] = {}  # place of a copy -> place of the first
        self._given: list[tuple[int, AccountId]] = []
        self._found = self._ask(session)

    def _recall(self) -> None:
        known = {
            (kind, scope, key): (sha, answer) for kind, scope, key, sha, answer in self._found()
        }
        first: dict[tuple[str, str, str], int] = {}
        for place, command in enumerate(self._commands):
            if not 0 < len(command.key) <= KEY_LENGTH_MAX:
                self._answers[place] = KeyInvalid(key=command.key, length_max=KEY_LENGTH_MAX)
            elif (scope := self._scopes[place]) in known:
                sha, answer = known[scope]
                same = sha == self._hashes[place]
                self._answers[place] = (
                    self._answer_type(**answer) if same else KeyReused(key=command.key)
                )
            elif scope in first:
                self._copies[place] = first[scope]
            else:
                first[scope] = place

    def _ask(self, session: Session) -> Callable[[], list[tuple[Any, ...]]]:
        kinds, scopes, keys = (pack("text", column) for column in zip(*self._scopes, strict=True))
        return session.ask(FIND, {"kinds": kinds, "scopes": scopes, "keys": keys})

    def fresh(self) -> Iterator[tuple[int, AnyCommand]]:
        """Yield the commands nobody answered yet, with their places, in order; call it once."""
        self._recall()
        for place, command in enumerate(self._commands):
            if self._answers[place] is None and place not in self._copies:
                yield place, command

    def answer(self, place: int, account_id: AccountId, answer: Answer) -> None:
        """Answer one command; it is kept with the batch's other rows."""
        self._answers[place] = answer
        self._given.append((place, account_id))

    def refuse(self, place: int, refusal: FenqiError) -> None:
        """Refuse one command; nothing of it is kept."""
        self._answers[place] = refusal

    def kept(self, now: datetime) -> Rows:
        """Return the rows of the answers given; they are written with what the commands did."""
        rows = Rows(COMMANDS)
        given = [(place, self._commands[place], account) for place, account in self._given]
        rows.extend(
            len(given),
            [command.scope_kind for _, command, _ in given],
            [command.scope_id for _, command, _ in given],
            [command.key for _, command, _ in given],
            [account for _, _, account in given],
            given[0][1].kind if given else "",
            [self._hashes[place] for place, _, _ in given],
            [ENCODE(self._answers[place]) for place, _, _ in given],
            now,
        )
        return rows

    def answers(self) -> list[Answer | FenqiError]:
        """Return every command's answer or refusal, in the order of the commands."""
        for place, first in self._copies.items():
            same = self._hashes[place] == self._hashes[first]
            self._answers[place] = (
                self._answers[first] if same else KeyReused(key=self._commands[place].key)
            )
        done = [answer for answer in self._answers if answer is not None]
        if len(done) != len(self._commands):
            raise RuntimeError("a flow left a command unanswered")
        return done
