"""Features over the columns of a history: the same numbers as the trails, for millions at once.

A history is every fact of many accounts; an ask is an account, the event it has been seen up to,
and a moment. What a trail would say at each ask comes out, to the last unit.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from fenqi.core.risk.features.declaration import (
    HOUR,
    MICROSECONDS_PER_DAY,
    PPM,
    SHARE_MAX,
    SHARE_MIN,
    Aggregate,
    Condition,
    Feature,
    FeatureSet,
    Key,
    Stream,
)
from fenqi.core.risk.features.moment import MICROSECONDS_PER_MINUTE, hour_of
from fenqi.core.risk.features.ranges import (
    Whole,
    different,
    greatest,
    running_greatest,
    starts_after,
)
from fenqi.core.risk.features.trail import Fields, whole

Known = NDArray[np.bool_]
Kind = TypeVar("Kind", np.int64, np.bool_)
NUMBER_BITS = 40  # of an event's number beside an account's place in one integer
EXACT_MAX = (1 << 63) // PPM - 1  # beyond it a share is computed without numpy


@dataclass(frozen=True, slots=True)
class Column:
    """One field of all facts. A text is its place in `words`.

    Shapes: values and known (facts,).
    """

    values: Whole
    known: Known
    words: Mapping[str, int]
    is_text: Known


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact of a history. Units: `moment` in microseconds since 1970."""

    account: int
    number: int
    kind: str
    moment: int
    fields: Fields


@dataclass(frozen=True, slots=True)
class Asks:
    """Where features are wanted: as each account stood after an event's number, at a moment.

    Shapes: all (asks,).
    """

    accounts: Whole
    numbers: Whole
    moments: Whole


@dataclass(frozen=True, slots=True)
class Found:
    """A value per ask and feature, and whether it is known. Shapes: (asks, features)."""

    values: Whole
    known: Known


class History:
    """Facts as columns, in the order of account and number.

    Only kinds that features look at are kept. `zones` are the zones of the accounts' books, by the
    account's place.
    """

    def __init__(self, features: FeatureSet, facts: Iterable[Fact], zones: Sequence[str]) -> None:
        self.features = features
        kept = [one for one in facts if one.kind in features.kinds]
        kept.sort(key=lambda one: (one.account, one.number))
        self.accounts = np.array([one.account for one in kept], dtype=np.int64)
        self.keys = _keys(self.accounts, np.array([one.number for one in kept], dtype=np.int64))
        kinds = {kind: place for place, kind in enumerate(sorted(features.kinds))}
        self._kinds = kinds
        self.kinds = np.array([kinds[one.kind] for one in kept], dtype=np.int64)
        stored = np.array([one.moment for one in kept], dtype=np.int64)
        self.moments = running_greatest(stored, self.accounts)
        names = _fields(features)
        self.columns = {name: _column([one.fields.get(name) for one in kept]) for name in names}
        self.columns[HOUR] = _hours(self.moments, self.accounts, zones)
        self._places: dict[str, Whole] = {}
        for name, stream in features.streams.items():
            self._places[name] = self._belonging(stream)

    def __len__(self) -> int:
        return len(self.accounts)

    def of_kinds(self, kinds: Sequence[str]) -> Known:
        """Return which facts are of some kinds. Shapes: (facts,)."""
        found: Known = np.isin(self.kinds, [self._kinds[kind] for kind in kinds])
        return found

    def places(self, stream: str) -> Whole:
        """Return the places of the facts that belong to a stream, in order."""
        return self._places[stream]

    def _belonging(self, stream: Stream) -> Whole:
        belongs = self.of_kinds(stream.kinds)
        for condition in stream.conditions:
            belongs &= _meet(condition, self.columns[condition.field])
        places = np.flatnonzero(belongs)
        if stream.after is None or not len(places):
            return places
        earlier = self._places[stream.after]
        latest = np.searchsorted(earlier, places, side="left") - 1
        if not len(earlier):
            return places[:0]
        found = earlier[np.maximum(latest, 0)]
        is_there = (latest >= 0) & (self.accounts[found] == self.accounts[places])
        is_soon = self.moments[places] - self.moments[found] < stream.within
        kept: Whole = places[is_there & is_soon]
        return kept


def compute(history: History, names: Sequence[str], asks: Asks) -> Found:
    """Return some features at each ask.

    Errors: KeyError for a name the set does not have.
    """
    known = {one.name: one for one in history.features.features}
    asking = _Asking(history, asks)
    columns = [asking.column(known[name]) for name in names]
    shape = (len(asks.accounts), len(names))
    values, is_known = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.bool_)
    for place, (column, mask) in enumerate(columns):
        values[:, place] = np.where(mask, column, 0)
        is_known[:, place] = mask
    return Found(values, is_known)


class _Asking:
    """The asks against one history."""

    def __init__(self, history: History, asks: Asks) -> None:
        self._history = history
        self._begin = np.searchsorted(history.accounts, asks.accounts, side="left")
        self._end = np.searchsorted(history.keys, _keys(asks.accounts, asks.numbers), side="right")
        has_facts = self._end > self._begin
        latest = np.zeros(len(asks.accounts), dtype=np.int64)
        latest[has_facts] = history.moments[self._end[has_facts] - 1]
        self._moments = np.maximum(asks.moments, latest)

    def column(self, feature: Feature) -> tuple[Whole, Known]:
        values, known = self._of(feature)
        if feature.known_by:
            seen = np.flatnonzero(self._history.of_kinds(feature.known_by))
            first, end = self._range(seen)
            known = known & (end > first)
        return values, known

    def _of(self, feature: Feature) -> tuple[Whole, Known]:
        history = self._history
        places = history.places(feature.stream)
        field = feature.field
        match feature.aggregate:
            case _ if feature.key is not Key.ACCOUNT:
                return self._greatest(places, feature.name, 1, feature.window)
            case Aggregate.COUNT | Aggregate.SUM:
                return self._all_known(self._total(places, field, feature.window))
            case Aggregate.SHARE | Aggregate.RATIO:
                of_whole = self._total(places, field, feature.window)
                of_part = self._total(history.places(feature.part or ""), field, feature.window)
                return _share(of_part, of_whole), of_whole != 0
            case Aggregate.DISTINCT:
                kept, values = self._having(places, field or "", is_any=True)
                return self._all_known(different(values, *self._window(kept, feature.window)))
            case Aggregate.MAX | Aggregate.MIN:
                sign = 1 if feature.aggregate is Aggregate.MAX else -1
                return self._greatest(places, field or "", sign, feature.window)
            case Aggregate.DAYS_SINCE_FIRST:
                first, end = self._range(places)
                return self._since(places, first, end > first)
        first, end = self._window(places, feature.window)
        if feature.aggregate is Aggregate.DAYS_SINCE_LAST:
            return self._since(places, end - 1, end > first)
        column = history.columns[field or ""]
        found = end > first
        is_number = _picked(column.known & ~column.is_text, places, end - 1, found)
        return _picked(column.values, places, end - 1, found), found & is_number

    def _range(self, places: Whole) -> tuple[Whole, Whole]:
        """Return where each ask's facts begin and end among some places."""
        return np.searchsorted(places, self._begin), np.searchsorted(places, self._end)

    def _window(self, places: Whole, window: int | None) -> tuple[Whole, Whole]:
        first, end = self._range(places)
        if window is None or not len(places):
            return first, end
        moments = self._history.moments[places]
        return starts_after(moments, first, end, self._moments - window), end

    def _having(self, places: Whole, field: str, *, is_any: bool = False) -> tuple[Whole, Whole]:
        """Return the places whose field holds a number, or anything, and what it holds."""
        column = self._history.columns[field]
        kept = places[(column.known & (is_any | ~column.is_text))[places]]
        # A text and a number are different values, though each is a number here.
        return kept, column.values[kept] * 2 + column.is_text[kept] if is_any else (
            column.values[kept]
        )

    def _total(self, places: Whole, field: str | None, window: int | None) -> Whole:
        first, end = self._window(places, window)
        if field is None:
            return end - first
        column = self._history.columns[field]
        amounts = np.where(column.known & ~column.is_text, column.values, 0)[places]
        totals = np.concatenate([[0], np.cumsum(amounts)])
        found: Whole = totals[end] - totals[first]
        return found

    def _greatest(
        self, places: Whole, field: str, sign: int, window: int | None
    ) -> tuple[Whole, Known]:
        kept, values = self._having(places, field)
        first, end = self._window(kept, window)
        return sign * greatest(sign * values, first, end), end > first

    def _since(self, places: Whole, at: Whole, known: Known) -> tuple[Whole, Known]:
        moments = _picked(self._history.moments, places, at, known)
        return (self._moments - moments) // MICROSECONDS_PER_DAY, known

    def _all_known(self, values: Whole) -> tuple[Whole, Known]:
        return values, np.ones(len(values), dtype=np.bool_)


def _picked(values: NDArray[Kind], places: Whole, at: Whole, known: Known) -> NDArray[Kind]:
    """Return a column's values at some of the places, any of the column's where none is known.

    Shapes: values (facts,), which may be none; places (of a stream,); at, known and result (asks,).
    """
    if not len(places):
        return np.zeros(len(at), dtype=values.dtype)
    return values[places[np.where(known, at, 0)]]


def _share(part: Whole, of_whole: Whole) -> Whole:
    """Return parts per million, dropped to the whole number below; any number of nothing."""
    found = np.zeros(len(part), dtype=np.int64)
    is_small = (of_whole != 0) & (np.abs(part) <= EXACT_MAX)
    found[is_small] = part[is_small] * PPM // of_whole[is_small]
    for place in np.flatnonzero((of_whole != 0) & ~is_small).tolist():
        share = int(part[place]) * PPM // int(of_whole[place])
        found[place] = max(SHARE_MIN, min(share, SHARE_MAX))
    return found


def _keys(accounts: Whole, numbers: Whole) -> Whole:
    return (accounts << NUMBER_BITS) + numbers


def _fields(features: FeatureSet) -> set[str]:
    asked = {ask.field for one in features.streams.values() for ask in one.conditions}
    own = {one.field for one in features.features if one.field is not None}
    return (asked | own | {one.name for one in features.measures}) - {HOUR}


def _column(values: Sequence[object]) -> Column:
    words: dict[str, int] = {}
    numbers = np.zeros(len(values), dtype=np.int64)
    known = np.zeros(len(values), dtype=np.bool_)
    is_text = np.zeros(len(values), dtype=np.bool_)
    for place, value in enumerate(values):
        if isinstance(value, str):
            numbers[place] = words.setdefault(value, len(words))
            known[place] = is_text[place] = True
        elif (number := whole(value)) is not None:
            numbers[place] = number
            known[place] = True
    return Column(numbers, known, words, is_text)


def _meet(condition: Condition, column: Column) -> Known:
    if condition.is_absent:
        return ~column.known
    is_number = column.known & ~column.is_text
    if condition.values:
        texts = [one for one in condition.values if isinstance(one, str)]
        words = [column.words[one] for one in texts if one in column.words]
        numbers = [one for one in condition.values if isinstance(one, int)]
        found: Known = column.is_text & np.isin(column.values, words)
        return found | (is_number & np.isin(column.values, numbers))
    found = is_number
    if condition.least is not None:
        found = found & (column.values >= condition.least)
    if condition.below is not None:
        found = found & (column.values < condition.below)
    return found


def _hours(moments: Whole, accounts: Whole, zones: Sequence[str]) -> Column:
    """Return the local hour of each fact."""
    hours = np.zeros(len(moments), dtype=np.int64)
    places = {zone: place for place, zone in enumerate(dict.fromkeys(zones))}
    of_account = np.array([places[zone] for zone in zones], dtype=np.int64)
    for zone, place in places.items():
        here = np.flatnonzero(of_account[accounts] == place)
        minutes, where = np.unique(moments[here] // MICROSECONDS_PER_MINUTE, return_inverse=True)
        found = [hour_of(int(one) * MICROSECONDS_PER_MINUTE, zone) for one in minutes]
        hours[here] = np.array(found, dtype=np.int64)[where]
    known = np.ones(len(moments), dtype=np.bool_)
    return Column(hours, known, {}, np.zeros(len(moments), dtype=np.bool_))
