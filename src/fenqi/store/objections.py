"""Objections: what a customer contests, kept alike whether it is a decision or a purchase.

Each has a key within its account, is locked with it, and is listed while nobody has answered it.
"""

from collections.abc import Callable, Collection
from typing import Any, Generic, TypeVar
from uuid import UUID

from fenqi.core.values.ids import AccountId
from fenqi.store.pool import Session

LISTED_MAX = 200
Row = tuple[Any, ...]
Objection = TypeVar("Objection")


def _lock(table: str, key: str, columns: str) -> str:
    return f"""
SELECT {columns} FROM {table}
JOIN UNNEST(%(accounts)s::uuid[], %(keys)s::uuid[]) AS asked (account_id, {key})
    USING (account_id, {key})
ORDER BY account_id, {key} FOR NO KEY UPDATE OF {table}
"""  # noqa: S608 - constants only


def _listed(table: str, key: str, columns: str, first: str) -> str:
    return f"""
SELECT {columns} FROM {table}
WHERE (outcome IS NULL OR %(all)s)
    AND (%(account)s::uuid IS NULL OR account_id = %(account)s)
ORDER BY {first}, {key} LIMIT %(most)s
"""  # noqa: S608 - constants only


class Objections(Generic[Objection]):
    """A table of objections: its key beside the account, its columns, and how a row is read.

    `columns` begin with the account and the key; `first` is by which day lists are ordered.
    """

    def __init__(
        self, table: str, key: str, columns: str, *, first: str, read: Callable[[Row], Objection]
    ) -> None:
        self._lock = _lock(table, key, columns)
        self._listed = _listed(table, key, columns, first)
        self._read = read

    def lock(
        self, session: Session, keys: Collection[tuple[AccountId, UUID]]
    ) -> dict[tuple[AccountId, UUID], Objection]:
        """Return those that exist, locked; whom they are about is locked already."""
        asked = {"accounts": [one for one, _ in keys], "keys": [one for _, one in keys]}
        return {(row[0], row[1]): self._read(row) for row in session.rows(self._lock, asked)}

    def listed(
        self, session: Session, *, account_id: UUID | None, with_ended: bool, most: int = LISTED_MAX
    ) -> list[Objection]:
        """Return objections, those first that are first by their day."""
        asked = {"account": account_id, "all": with_ended, "most": most}
        return [self._read(row) for row in session.rows(self._listed, asked)]
