"""A trail: what is kept of an account's facts, so that its features cost microseconds.

A `Keeper` knows what a set of features needs of each stream and folds facts into trails, one by one
in the order of their numbers. Of a stream it keeps the moments and running totals of what may still
lie in a window; facts of one moment share an entry, so that a rush costs no more than its batches.
What has left the longest window is dropped, and no feature can tell.
"""

from bisect import bisect_right
from collections.abc import Collection, Sequence
from typing import Any

from fenqi.core.risk.features.declaration import (
    HOUR,
    Aggregate,
    Condition,
    Feature,
    FeatureSet,
    Key,
    Stream,
)
from fenqi.core.risk.features.moment import hour_of

TIDY_LENGTH = 32  # entries of a stream before its old ones are looked for
LAYOUT = 2  # of what is kept; raised when the same facts come to other cells

ADDRESS, IS_LATE = "ip", "is_late"  # fields of facts: the seal of an address, told late

# Where each fact of the stream is one more, or the latest.
OF_EACH_FACT = frozenset({Aggregate.COUNT, Aggregate.DAYS_SINCE_LAST})
PLAIN = (int, str)  # named once, since a union is built anew in each call

Fields = dict[str, Any]
Cell = Any  # a moment, a list of numbers, latest moments by value; None is nothing yet


class Trail:
    """What is kept of one account's facts up to an event's number.

    `at` is the moment of the latest fact, `seen` has a bit for each kind the account has had,
    `address` is the seal of the network address the last fact that names one came from, as hex;
    what is told late was not here now. Cells are laid out by the `Keeper`.

    Units: moments in microseconds since 1970.
    """

    __slots__ = ("address", "at", "cells", "number", "seen", "zone")

    def __init__(self, zone: str, width: int) -> None:
        self.zone = zone
        self.number = 0
        self.at = 0
        self.seen = 0
        self.address = ""
        self.cells: list[Cell] = [None] * width


class Highest:
    """Where the greatest, or least, values of a field are kept: each later one is lower.

    The greatest of any window is the first that lies in it.
    """

    __slots__ = ("cell", "sign", "window")

    def __init__(self, cell: int, sign: int) -> None:
        self.cell, self.sign = cell, sign  # cell: moments, cell + 1: values times the sign
        self.window: int | None = 0

    def add(self, cells: list[Cell], moment: int, value: int) -> None:
        """Add a value, times the sign."""
        moments, values = cells[self.cell], cells[self.cell + 1]
        if moments is None:
            cells[self.cell], cells[self.cell + 1] = [moment], [value]
            return
        while values and values[-1] <= value:
            values.pop()
            moments.pop()
        values.append(value)
        moments.append(moment)
        if self.window is not None and len(moments) > TIDY_LENGTH:
            old = bisect_right(moments, moment - self.window)
            del moments[:old], values[:old]


class Track:
    """What a stream keeps in a trail, and where.

    Cells: the first moment, the latest, the moments in reach and their running count (which begins
    with what was before them), then one running sum per field; latest values, different values and
    greatest values have cells of their own.
    """

    def __init__(self, stream: Stream, cell: int) -> None:
        self.stream = stream
        self.first, self.last = cell, cell + 1
        self.moments, self.counts = cell + 2, cell + 3
        self.width = 4
        self.is_counted = False
        self.reach = 0  # the longest window of what is counted or summed
        self.sums: dict[str, int] = {}
        self.totals: tuple[int, ...] = (self.counts,)
        self.lasts: dict[str, int] = {}
        self.different: dict[str, int] = {}
        self.different_reach: dict[str, int] = {}
        self.highest: dict[tuple[str, int], Highest] = {}
        self.after: Track | None = None

    def need(self, feature: Feature) -> None:
        """Make room for what a feature needs."""
        window, field = feature.window, feature.field or feature.name
        match feature.aggregate:
            case _ if feature.key is not Key.ACCOUNT:
                self._need_highest(feature.name, 1, window)
            case Aggregate.COUNT | Aggregate.SUM | Aggregate.SHARE | Aggregate.RATIO:
                self.is_counted = True
                self.reach = max(self.reach, window or 0)
                if feature.field is not None and field not in self.sums:
                    self.sums[field] = self._cell()
                    self.totals = (self.counts, *self.sums.values())
            case Aggregate.DISTINCT:
                if field not in self.different:
                    self.different[field] = self._cell()
                self.different_reach[field] = max(self.different_reach.get(field, 0), window or 0)
            case Aggregate.MAX | Aggregate.MIN:
                self._need_highest(field, 1 if feature.aggregate is Aggregate.MAX else -1, window)
            case Aggregate.LAST:
                if field not in self.lasts:
                    self.lasts[field] = self._cell()

    def parts(self) -> dict[int, str]:
        """Return what each cell holds, in words."""
        told = {
            self.first: "the first moment",
            self.last: "the latest moment",
            self.moments: "moments",
            self.counts: "counts",
        }
        told |= {cell: f"sums of {field}" for field, cell in self.sums.items()}
        told |= {cell: f"the latest {field}" for field, cell in self.lasts.items()}
        told |= {cell: f"different {field}" for field, cell in self.different.items()}
        for (field, sign), one in self.highest.items():
            word = "greatest" if sign > 0 else "least"
            told[one.cell] = f"moments of the {word} {field}"
            told[one.cell + 1] = f"the {word} {field}"
        return told

    def _cell(self) -> int:
        self.width += 1
        return self.first + self.width - 1

    def _need_highest(self, field: str, sign: int, window: int | None) -> None:
        one = self.highest.get((field, sign))
        if one is None:
            one = self.highest[field, sign] = Highest(self._cell(), sign)
            self._cell()
        one.window = None if window is None or one.window is None else max(window, one.window)

    def admits(self, cells: Sequence[Cell], moment: int, fields: Fields) -> bool:
        """Return whether a fact of one of the stream's kinds belongs to it."""
        for condition in self.stream.conditions:
            if not meets(condition, plain(fields.get(condition.field))):
                return False
        if self.after is None:
            return True
        begun = cells[self.after.last]
        return begun is not None and moment - begun < self.stream.within

    def add(self, cells: list[Cell], moment: int, fields: Fields) -> None:
        """Add a fact that belongs to the stream."""
        if cells[self.first] is None:
            cells[self.first] = moment
        cells[self.last] = moment
        if self.is_counted:
            self._count(cells, moment, fields)
        for field, cell in self.lasts.items():
            cells[cell] = whole(fields.get(field))
        for field, cell in self.different.items():
            value = plain(fields.get(field))
            if value is not None:
                self._differ(cells, cell, moment, (field, value))
        for (field, sign), one in self.highest.items():
            number = whole(fields.get(field))
            if number is not None:
                one.add(cells, moment, sign * number)

    def _count(self, cells: list[Cell], moment: int, fields: Fields) -> None:
        moments = cells[self.moments]
        if moments is None:
            moments = cells[self.moments] = []
            for cell in self.totals:
                cells[cell] = [0]
        is_new = not moments or moments[-1] != moment
        if is_new:
            moments.append(moment)
            for cell in self.totals:
                totals = cells[cell]
                totals.append(totals[-1])
        cells[self.counts][-1] += 1
        for field, cell in self.sums.items():
            cells[cell][-1] += whole(fields.get(field)) or 0
        length = len(moments)
        if length > TIDY_LENGTH and moments[length // 2] <= moment - self.reach:
            old = min(bisect_right(moments, moment - self.reach), length - 1)
            del moments[:old]
            for cell in self.totals:
                del cells[cell][:old]

    def _differ(self, cells: list[Cell], cell: int, moment: int, named: tuple[str, object]) -> None:
        """Keep the latest moment of each value, the latest last."""
        field, value = named
        known = cells[cell]
        if known is None:
            known = cells[cell] = {}
        known.pop(value, None)
        known[value] = moment
        size = len(known)
        if size > TIDY_LENGTH and size & (size - 1) == 0:
            since = moment - self.different_reach[field]
            cells[cell] = {one: at for one, at in known.items() if at > since}


def meets(condition: Condition, value: int | str | None) -> bool:
    """Return whether a field's value, None if it is not there, is what a condition asks for."""
    if condition.is_absent:
        return value is None
    if condition.values:
        return value in condition.values
    number = whole(value)
    return (
        number is not None
        and (condition.least is None or number >= condition.least)
        and (condition.below is None or number < condition.below)
    )


def plain(value: object) -> int | str | None:
    """Return a whole number or a text, None for anything else; true is 1."""
    return value if isinstance(value, PLAIN) else None


def whole(value: object) -> int | None:
    """Return a whole number, or None if the value is none; true is 1."""
    return int(value) if isinstance(value, int) else None


class Keeper:
    """Folds facts into trails for one set of features."""

    def __init__(self, features: FeatureSet) -> None:
        self.features = features
        self.kinds = tuple(sorted(features.kinds))
        self.bits = {kind: 1 << place for place, kind in enumerate(self.kinds)}
        needed: dict[str, list[Feature]] = {name: [] for name in features.streams}
        for one in features.features:
            needed[one.stream].append(one)
            if one.part is not None:
                needed[one.part].append(one)
        self.tracks: dict[str, Track] = {}
        width = 0
        for name, stream in features.streams.items():
            track = self.tracks[name] = Track(stream, width)
            track.after = self.tracks[stream.after] if stream.after else None
            for feature in needed[name]:
                track.need(feature)
            width += track.width
        self.width = width  # cells of a trail
        self._by_kind = {
            kind: tuple(one for one in self.tracks.values() if kind in one.stream.kinds)
            for kind in self.kinds
        }
        self._asks_hour = {
            kind: any(ask.field == HOUR for one in tracks for ask in one.stream.conditions)
            for kind, tracks in self._by_kind.items()
        }

    def part(self, cell: int) -> str:
        """Return what a cell of a trail holds, in words. Errors: KeyError."""
        for name, track in self.tracks.items():
            if track.first <= cell < track.first + track.width:
                return f"{name}: {track.parts()[cell]}"
        raise KeyError(cell)

    def newest(self, trail: Trail, names: Collection[str]) -> int | None:
        """Return the moment of the latest fact that any of some features counts of the account.

        What is counted over other accounts, or is no count, says nothing of new facts of his own:
        a device that many use is no news each time he signs in with it.

        Units: microseconds since 1970.
        """
        found = [
            trail.cells[self.tracks[one.stream].last]
            for one in self.features.features
            if one.name in names and one.key is Key.ACCOUNT and one.aggregate in OF_EACH_FACT
        ]
        return max((at for at in found if at is not None), default=None)

    def begin(self, zone: str) -> Trail:
        """Return the trail of an account without facts, whose book is in a zone."""
        return Trail(zone, self.width)

    def fold(self, trail: Trail, *, number: int, kind: str, moment: int, fields: Fields) -> None:
        """Add the account's next event; of another kind than features look at it only counts.

        The fields are the keeper's from now on: it notes the hour among them.

        Units: `moment` in microseconds since 1970, by the server's clock.
        """
        trail.number = number
        bit = self.bits.get(kind)
        if bit is None:
            return
        trail.seen |= bit
        moment = trail.at = max(moment, trail.at)
        address = fields.get(ADDRESS)
        if address is not None and IS_LATE not in fields:
            trail.address = str(address)
        if self._asks_hour[kind]:
            fields[HOUR] = hour_of(moment, trail.zone)
        cells = trail.cells
        # Of all streams first whether the fact belongs to them: none follows itself.
        for one in [one for one in self._by_kind[kind] if one.admits(cells, moment, fields)]:
            one.add(cells, moment, fields)
