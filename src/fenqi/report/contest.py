"""Contests, as a list for a terminal or for programs."""

import dataclasses
import json
from collections.abc import Sequence
from uuid import UUID

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from fenqi.store import accounts, contests
from fenqi.store.contests import Contest
from fenqi.store.pool import Store


def listed(store: Store, *, account_id: UUID | None, with_ended: bool) -> list[Contest]:
    """Return contests, the longest open first. Errors: AccountMissing."""
    with store.transaction() as session:
        if account_id is not None:
            accounts.refuse_unknown(session, account_id)
        return contests.listed(session, account_id=account_id, with_ended=with_ended)


def to_json(lines: Sequence[Contest]) -> str:
    """Return contests as JSON: ids and days as text."""
    table = [dataclasses.asdict(one) for one in lines]
    return json.dumps(table, default=str, ensure_ascii=False, indent=2)


def show(lines: Sequence[Contest], console: Console) -> None:
    """Print one contest a row; ids are never cut."""
    if not lines:
        console.print("no contest is open")
        return
    table = Table(box=SIMPLE_HEAD, header_style="dim", border_style="dim")
    for heading in ("Since", "Why", "Contest", "Account", "Found"):
        table.add_column(heading, overflow="fold")
    for one in lines:
        found = one.outcome.value if one.outcome else ""
        table.add_row(
            f"{one.opened_on:%d %b %Y}",
            one.ground.value,
            str(one.contest_id),
            str(one.account_id),
            found,
        )
    console.print(table)
