"""Inputs of one decision: a function written for exactly the inputs that are asked for.

Features are taken from the account's trail, the others from what the flow hands in; what it does
not hand in is unknown. The source is made of the keeper's own cell numbers and of windows as whole
numbers; no text of a file enters it.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Protocol

from fenqi.core.risk.features.declaration import (
    MICROSECONDS_PER_DAY,
    PPM,
    SHARE_MAX,
    SHARE_MIN,
    Aggregate,
    Feature,
    Key,
)
from fenqi.core.risk.features.trail import Keeper, Track, Trail
from fenqi.core.risk.input import Value

NOTHING: Mapping[str, Value] = {}


class Row(Protocol):
    """Computes inputs of a trail at a moment, in microseconds since 1970.

    A moment before the latest fact counts as that.
    """

    def __call__(self, trail: Trail, t: int, given: Mapping[str, Value] = NOTHING) -> list[Value]:
        """Return the values in the order asked for; what is not given is None, unknown."""


def compile_row(keeper: Keeper, names: Sequence[str]) -> Row:
    """Return the function that computes some inputs, features and given ones, in their order.

    A name that is no feature of this set is taken from what the flow hands in, so that a policy
    older than the set finds it unknown.
    """
    known = {one.name: one for one in keeper.features.features}
    writer = _Writer(keeper)
    for place, name in enumerate(names):
        if name in known:
            writer.add(place, known[name])
        else:
            writer.give(place)
    source = writer.source(len(names))
    space: dict[str, object] = {"bisect": bisect_right, "names": tuple(names), "nothing": NOTHING}
    exec(compile(source, "<features>", "exec"), space)  # noqa: S102 - numbers of ours only
    row: Row = space["row"]  # type: ignore[assignment] # the source above defines it
    return row


class _Writer:
    """Writes the source; what several features share is computed once."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._cuts: dict[int, str] = {}  # a window: the variable of the moment it begins after
        self._blocks: dict[int, list[str]] = {}  # a cell of moments: what is done if it has any
        self._else: dict[int, list[str]] = {}  # what is done if it has none
        self._tail: list[str] = []
        self._known: dict[str, str] = {}  # an expression: the variable that holds it

    def source(self, count: int) -> str:
        head = ["c = trail.cells", "if t < trail.at: t = trail.at"]
        cuts = [f"{name} = t - {window}" for window, name in self._cuts.items()]
        blocks: list[str] = []
        for cell, lines in self._blocks.items():
            blocks += [f"m = c[{cell}]", "if m:", *(f"    {one}" for one in lines)]
            blocks += ["else:", *(f"    {one}" for one in self._else[cell])]
        body = "".join(f"    {line}\n" for line in [*head, *cuts, *blocks, *self._tail])
        result = ", ".join(f"v{place}" for place in range(count))
        return f"def row(trail, t, given=nothing):\n{body}    return [{result}]\n"

    def give(self, place: int) -> None:
        """Take one input from what the flow hands in."""
        self._tail.append(f"v{place} = given.get(names[{place}])")

    def add(self, place: int, feature: Feature) -> None:
        track = self._keeper.tracks[feature.stream]
        match feature.aggregate:
            case _ if feature.key is not Key.ACCOUNT:
                found = self._highest(track, feature.name, 1, feature.window)
            case Aggregate.COUNT | Aggregate.SUM:
                found = self._total(track, feature.field, feature.window)
            case Aggregate.SHARE | Aggregate.RATIO:
                found = self._share(track, feature)
            case Aggregate.DISTINCT:
                found = self._different(place, track, feature)
            case Aggregate.MAX | Aggregate.MIN:
                sign = 1 if feature.aggregate is Aggregate.MAX else -1
                found = self._highest(track, feature.field or "", sign, feature.window)
            case Aggregate.LAST:
                found = self._last(track, feature, f"c[{track.lasts[feature.field or '']}]")
            case Aggregate.DAYS_SINCE_LAST:
                days = f"(t - c[{track.last}]) // {MICROSECONDS_PER_DAY}"
                found = self._last(track, feature, days)
            case Aggregate.DAYS_SINCE_FIRST:
                cell = f"c[{track.first}]"
                found = f"None if {cell} is None else (t - {cell}) // {MICROSECONDS_PER_DAY}"
        known = sum(self._keeper.bits[kind] for kind in feature.known_by)
        if known:
            found = f"({found}) if trail.seen & {known} else None"
        self._tail.append(f"v{place} = {found}")

    def _cut(self, window: int) -> str:
        return self._cuts.setdefault(window, f"k{len(self._cuts)}")

    def _once(self, moments: int, expression: str, of_nothing: str) -> str:
        """Return the variable of what is computed where a cell of moments has any."""
        key = f"{moments} {expression}"
        name = self._known.get(key)
        if name is None:
            name = self._known[key] = f"x{len(self._known)}"
            self._blocks.setdefault(moments, []).append(f"{name} = {expression}")
            self._else.setdefault(moments, []).append(f"{name} = {of_nothing}")
        return name

    def _start(self, moments: int, window: int) -> str:
        """Return the variable of the place where a window begins in a cell's moments."""
        return self._once(moments, f"bisect(m, {self._cut(window)})", "0")

    def _total(self, track: Track, field: str | None, window: int | None) -> str:
        cell = track.counts if field is None else track.sums[field]
        if window is None:
            return self._once(track.moments, f"c[{cell}][-1]", "0")
        start = self._start(track.moments, window)
        totals = self._once(track.moments, f"c[{cell}]", "0")
        return self._once(track.moments, f"{totals}[-1] - {totals}[{start}]", "0")

    def _share(self, track: Track, feature: Feature) -> str:
        part = self._keeper.tracks[feature.part or ""]
        of_whole = self._total(track, feature.field, feature.window)
        of_part = self._total(part, feature.field, feature.window)
        share = f"{of_part} * {PPM} // {of_whole}"
        if feature.field is not None:  # counts are never so many
            share = f"max({SHARE_MIN}, min({share}, {SHARE_MAX}))"
        return f"{share} if {of_whole} else None"

    def _different(self, place: int, track: Track, feature: Feature) -> str:
        cell = f"c[{track.different[feature.field or '']}]"
        self._tail += [
            f"n{place} = 0",
            f"if {cell}:",
            f"    for m in reversed({cell}.values()):",
            f"        if m <= {self._cut(feature.window or 0)}: break",
            f"        n{place} += 1",
        ]
        return f"n{place}"

    def _highest(self, track: Track, field: str, sign: int, window: int | None) -> str:
        one = track.highest[field, sign]
        values, minus = f"c[{one.cell + 1}]", "-" if sign < 0 else ""
        if window is None:
            return self._once(one.cell, f"{minus}{values}[0]", "None")
        start = self._start(one.cell, window)
        found = f"{minus}{values}[{start}] if {start} < len(m) else None"
        return self._once(one.cell, found, "None")

    def _last(self, track: Track, feature: Feature, value: str) -> str:
        cell = f"c[{track.last}]"
        asked = f"{cell} is None"
        if feature.window is not None:
            asked += f" or {cell} <= {self._cut(feature.window)}"
        return f"None if {asked} else {value}"
