"""What the worker does by itself: when each duty last ran, by which program, and what failed."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fenqi.core.ports import Clock
from fenqi.report.ink import BAD, GOLD
from fenqi.store import applications, duties, links
from fenqi.store.duties import Standing
from fenqi.store.pool import Store

LATE_SECONDS = 60  # after it was due, before a duty counts as one that nobody runs


@dataclass(frozen=True, slots=True)
class Told:
    """All duties, and what waits for a person because it failed too often."""

    duties: tuple[Standing, ...]
    applications_parked: int
    suspicions_dead: int


def read(store: Store, names: Sequence[str]) -> Told:
    """Return how each of some duties stands, also one that never ran."""
    with store.transaction() as session:
        known = {one.name: one for one in duties.every(session)}
        return Told(
            duties=tuple(known.get(one) or duties.find(session, one) for one in names),
            applications_parked=len(applications.parked(session)),
            suspicions_dead=links.dead(session),
        )


def to_json(told: Told) -> str:
    """Return them for programs."""
    return json.dumps(asdict(told), default=str, ensure_ascii=False, indent=1)


def show(told: Told, chosen: Sequence[str], clock: Clock, console: Console) -> None:
    """Print them for a person; `chosen` are those that this machine's settings name."""
    table = Table(box=SIMPLE_HEAD, header_style="dim")
    for label in ("Duty", "Here", "State", "Last good run", "Done in all", "Run by"):
        table.add_column(label, overflow="fold")
    now = clock.now()
    for one in told.duties:
        table.add_row(
            one.name,
            "on" if one.name in chosen else "off",
            _state(one, now),
            f"{one.good_at:%Y-%m-%d %H:%M:%S}" if one.good_at else "never",
            f"{one.touched:,}",
            one.run_by or "-",
        )
    console.print(table)
    if told.applications_parked:
        console.print(
            f"{told.applications_parked:,} applications are parked: fenqi application parked"
        )
    if told.suspicions_dead:
        console.print(
            f"{told.suspicions_dead:,} suspicions of crowds failed too often: fenqi worker retry"
        )


def _state(one: Standing, now: datetime) -> Text:
    if one.failures:
        return Text(f"failed {one.failures} times: {one.fault}", style=BAD)
    if one.due_at is None:
        return Text("never ran")
    seconds = (now - one.due_at).total_seconds()
    if seconds > LATE_SECONDS:
        return Text(f"nobody has run it for {seconds / 60:,.0f} min", style=GOLD)
    return Text("in order")
