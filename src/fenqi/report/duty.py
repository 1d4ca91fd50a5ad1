"""What the worker does by itself: when each duty last ran, by which program, and what failed.

A round that hangs is told as such: it began and did not end, and has lost its duty because it gave
no sign of life.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.text import Text

from fenqi.core.ports import Clock
from fenqi.report.folding import FoldingTable
from fenqi.report.ink import BAD, GOLD
from fenqi.report.language import Speech
from fenqi.report.names import word
from fenqi.store import applications, duties, links
from fenqi.store.duties import SILENT_SECONDS_MAX, Standing
from fenqi.store.pool import Store

LATE_SECONDS = 60  # after it was due, before a duty counts as one that nobody runs


@dataclass(frozen=True, slots=True)
class Told:
    """All duties, and what waits for a person because it failed too often.

    `held` are the duties a program is at now, with signs of life.
    """

    duties: tuple[Standing, ...]
    held: frozenset[str]
    applications_parked: int
    suspicions_dead: int


def read(store: Store, names: Sequence[str]) -> Told:
    """Return how each of some duties stands, also one that never ran."""
    with store.transaction() as session:
        known = {one.name: one for one in duties.every(session)}
        return Told(
            duties=tuple(known.get(one) or duties.find(session, one) for one in names),
            held=duties.held(session, names),
            applications_parked=len(applications.parked(session)),
            suspicions_dead=links.dead(session),
        )


def to_json(told: Told, clock: Clock) -> str:
    """Return them for programs; `hangs` names the duties whose round hangs."""
    now = clock.now()
    hangs = [one.name for one in told.duties if hung_seconds(one, told.held, now) is not None]
    table = asdict(told) | {"held": sorted(told.held), "hangs": hangs}
    return json.dumps(table, default=str, ensure_ascii=False, indent=1)


def hung_seconds(one: Standing, held: Collection[str], now: datetime) -> float | None:
    """Return how long ago a round that hangs began, or whose program died; None if none does.

    It neither ended nor holds its duty any more, and had time enough for signs of life.
    """
    is_ended = one.begun_at is None or (one.ended_at is not None and one.ended_at >= one.begun_at)
    if is_ended or one.begun_at is None or one.name in held:
        return None
    seconds = (now - one.begun_at).total_seconds()
    return seconds if seconds > SILENT_SECONDS_MAX else None


def show(told: Told, chosen: Sequence[str], clock: Clock, console: Console, speech: Speech) -> None:
    """Print them for a person; `chosen` are those that this machine's settings name."""
    _ = speech.gettext
    table = FoldingTable(box=SIMPLE_HEAD, header_style="dim")
    duty, here, state = _("Duty"), _("Here"), _("State")
    for label in (duty, here, state, _("Last good run"), _("Done in all"), _("Run by")):
        table.add_column(label, overflow="fold")
    now = clock.now()
    for one in told.duties:
        table.add_row(
            word(one.name, speech),
            _("on") if one.name in chosen else _("off"),
            _state(one, told.held, now, speech),
            f"{one.good_at:%Y-%m-%d %H:%M:%S}" if one.good_at else _("never"),
            f"{one.touched:,}",
            one.run_by or "-",
        )
    console.print(table)
    for one in told.duties:
        seconds = hung_seconds(one, told.held, now)
        if seconds is not None:
            console.print(_advice(one, seconds, speech), style=BAD)
    if told.applications_parked:
        said = _("%(count)s applications are parked: fenqi application parked")
        console.print(said % {"count": speech.count(told.applications_parked)})
    if told.suspicions_dead:
        said = _("%(count)s suspicions of crowds failed too often: fenqi worker retry")
        console.print(said % {"count": speech.count(told.suspicions_dead)})


def _advice(one: Standing, seconds: float, speech: Speech) -> str:
    """Return what is known of a round that hangs, and what to do."""
    _ = speech.gettext
    said = _(
        "%(duty)s: the round that %(program)s began at %(begun)s UTC, %(minutes)s min ago, has not "
        "ended and gives no sign of life. If that program still runs, end it, and start fenqi "
        "worker run again: the next round goes on where the last one ended."
    )
    return said % {
        "duty": word(one.name, speech),
        "program": one.run_by,
        "begun": f"{one.begun_at:%Y-%m-%d %H:%M:%S}",
        "minutes": speech.count(int(seconds // 60)),
    }


def _state(one: Standing, held: Collection[str], now: datetime, speech: Speech) -> Text:
    _ = speech.gettext
    seconds = hung_seconds(one, held, now)
    if seconds is not None:
        hangs = _("hangs: begun %(minutes)s min ago, no sign of life")
        return Text(hangs % {"minutes": speech.count(int(seconds // 60))}, style=BAD)
    if one.failures:
        failed = {"count": speech.count(one.failures), "fault": one.fault}
        return Text(_("failed %(count)s times: %(fault)s") % failed, style=BAD)
    if one.due_at is None and one.name not in held:
        return Text(_("never ran"))
    if one.name in held:
        return Text(_("at work"))
    seconds = (now - one.due_at).total_seconds() if one.due_at else 0
    if seconds > LATE_SECONDS:
        minutes = {"minutes": speech.count(int(seconds // 60))}
        return Text(_("nobody has run it for %(minutes)s min") % minutes, style=GOLD)
    return Text(_("in order"))
