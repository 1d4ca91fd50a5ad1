"""Reads a file of features: every field is checked, and what is wrong is named with its line.

    name, version
    [[given]]    name, unit, purposes, title, choices
    [[stream]]   name, kinds, where, after, within
    [[feature]]  name, of, aggregate, window, unit, purposes, title, key, field, part, known_by, cap

docs/reference/features.md explains the fields.
"""

import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import replace
from typing import Any

from fenqi.core.errors import Invalid
from fenqi.core.risk.features.declaration import (
    HOUR,
    MICROSECONDS_PER_SECOND,
    Aggregate,
    Condition,
    Feature,
    FeatureSet,
    Key,
    Stream,
)
from fenqi.core.risk.input import Input, Purpose, Unit
from fenqi.core.terms.reading import Reader
from fenqi.core.values.phrase import Phrase
from fenqi.core.values.toml import NotToml, table_of

GIVEN_MAX = 100
STREAMS_MAX = 100
FEATURES_MAX = 200
CONDITIONS_MAX = 8
WINDOW_DAYS_MAX = 400
CAP_MAX = 10_000
TITLE_LANGUAGES = ("zh", "en")

DURATION = re.compile(r"([1-9][0-9]{0,5})(s|m|h|d)")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
DURATION_EXPECTED = Phrase(
    'a time such as "10m", "24h" or "30d", at most {days} days', days=WINDOW_DAYS_MAX
)
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
NAME_EXPECTED = Phrase("1 to 40 lower-case letters, digits and underscores, a letter first")
KIND = re.compile(r"[a-z][a-z0-9-]{0,39}")
SECTION = re.compile(r"\s*\[\[\s*(\w+)\s*\]\]")
CHOICES_EXPECTED = Phrase("2 or more different words")
CONDITION_EXPECTED = Phrase(
    "a list of {first}, {second} or {third}",
    first='{field = "...", is = [...]}',
    second='{field = "...", from = 0, below = 6}',
    third='{field = "...", absent = true}',
)
# Which unit follows from how facts are gathered; any other unit is what the field holds.
UNITS = {
    Aggregate.COUNT: Unit.COUNT,
    Aggregate.DISTINCT: Unit.COUNT,
    Aggregate.SHARE: Unit.PPM,
    Aggregate.RATIO: Unit.PPM,
    Aggregate.DAYS_SINCE_LAST: Unit.DAYS,
    Aggregate.DAYS_SINCE_FIRST: Unit.DAYS,
}
OF_A_PART = frozenset({Aggregate.SHARE, Aggregate.RATIO})
OF_A_FIELD = frozenset(
    {Aggregate.SUM, Aggregate.DISTINCT, Aggregate.LAST, Aggregate.MIN, Aggregate.MAX}
)


class FeaturesInvalid(Invalid):
    """A file of features has something missing, unknown or out of range, at a line."""

    code = "features-invalid"


def read(text: str, *, file: str) -> FeatureSet:
    """Return the features a file declares.

    Errors: FeaturesInvalid with file, line, the entry's name, its field, value and what is
    expected.
    """
    try:
        table = table_of(text)
    except NotToml as fault:
        raise FeaturesInvalid(
            file=file,
            line=fault.place.get("line", 1),
            entry="",
            field="",
            value=fault.said,
            expected="TOML",
        ) from None
    reading = _Reading()
    try:
        return reading.read(table, text)
    except FeaturesInvalid as refusal:
        section, place_of, name = reading.at
        line = _line(text, section, place_of, str(refusal.fields["field"]))
        raise FeaturesInvalid(file=file, line=line, entry=name, **refusal.fields) from None


class _Entry(Reader):
    """A reader of one entry."""

    def has(self, field: str) -> bool:
        return field in self._table

    def name(self, taken: Container[str]) -> str:
        """Return a name that is not taken."""
        name = self.text("name")
        if NAME.fullmatch(name) is None:
            raise self.refused("name", NAME_EXPECTED)
        if name in taken:
            raise self.refused("name", Phrase("a name nothing else has"))
        return name

    def field(self) -> str:
        name = self.text("field")
        if NAME.fullmatch(name) is None:
            raise self.refused("field", NAME_EXPECTED)
        return name

    def kinds(self, field: str) -> tuple[str, ...]:
        expected = Phrase("a list of different kinds of facts")
        kinds = self.texts(field, expected)
        if not all(KIND.fullmatch(one) for one in kinds):
            raise self.refused(field, expected)
        return tuple(kinds)

    def purposes(self) -> frozenset[Purpose]:
        """Return what an input may be used for; one that may serve nothing need not be there."""
        names = [one.value for one in Purpose]
        expected = Phrase("a list of one or more of {choices}", choices=", ".join(names))
        found = self.texts("purposes", expected)
        if not set(found) <= set(names):
            raise self.refused("purposes", expected)
        return frozenset(map(Purpose, found))

    def title(self) -> dict[str, str]:
        below = self.table("title")
        title = {language: below.text(language) for language in TITLE_LANGUAGES}
        below.done()
        return title

    def duration(self, field: str) -> int:
        """Return a time in microseconds."""
        text = self.text(field)
        match = DURATION.fullmatch(text)
        seconds = int(match[1]) * SECONDS[match[2]] if match else 0
        if not 0 < seconds <= WINDOW_DAYS_MAX * SECONDS["d"]:
            raise self.refused(field, DURATION_EXPECTED)
        return seconds * MICROSECONDS_PER_SECOND

    def conditions(self) -> tuple[Condition, ...]:
        """Return what a stream asks of a fact's fields."""
        rows = self._take("where", CONDITION_EXPECTED)
        if not isinstance(rows, list) or not 1 <= len(rows) <= CONDITIONS_MAX:
            raise self.refused("where", CONDITION_EXPECTED)
        found = tuple(_condition(one) for one in rows)
        if None in found:
            raise self.refused("where", CONDITION_EXPECTED)
        return tuple(one for one in found if one is not None)


class _Reading:
    """A file being read; `at` is the entry that is looked at: section, place, name."""

    def __init__(self) -> None:
        self.at = ("", 0, "")
        self._streams: dict[str, Stream] = {}
        self._inputs: set[str] = set()
        self._weak: set[str] = set()  # counts over what many honest people share
        self._over: dict[Key, str] = {}  # the stream whose accounts are counted over a key

    def read(self, table: Mapping[str, Any], text: str) -> FeatureSet:
        top = Reader(table, FeaturesInvalid, unread=("given", "stream", "feature", "note"))
        name, version = top.identity("name"), top.integer("version", least=1)
        top.done()
        given = [self._given(one) for one in self._entries(table, "given", GIVEN_MAX)]
        for one in self._entries(table, "stream", STREAMS_MAX):
            stream = self._stream(one)
            self._streams[stream.name] = stream
        features = [self._feature(one) for one in self._entries(table, "feature", FEATURES_MAX)]
        return FeatureSet(name, version, tuple(given), self._streams, tuple(features), text)

    def _entries(self, table: Mapping[str, Any], section: str, most: int) -> Iterator[_Entry]:
        rows = table.get(section, [])
        is_list = isinstance(rows, list) and all(isinstance(one, dict) for one in rows)
        if not is_list or len(rows) > most:
            self.at = ("", 0, "")
            expected = Phrase(
                "at most {most} entries {section}", most=most, section=f"[[{section}]]"
            )
            value = Phrase("{count} entries", count=len(rows)) if is_list else type(rows).__name__
            raise FeaturesInvalid(field=section, value=value, expected=expected)
        for place, row in enumerate(rows):
            name = row.get("name")
            self.at = (section, place, name if isinstance(name, str) else "")
            yield _Entry(row, FeaturesInvalid, unread=())

    def _given(self, entry: _Entry) -> Input:
        made = self._input(entry, entry.choice("unit", Unit))
        entry.done()
        return made

    def _input(self, entry: _Entry, unit: Unit) -> Input:
        name = entry.name(self._inputs)
        self._inputs.add(name)
        choices: tuple[str, ...] = ()
        if unit is Unit.CHOICE:
            choices = tuple(entry.texts("choices", CHOICES_EXPECTED))
            if len(choices) < 2:
                raise entry.refused("choices", CHOICES_EXPECTED)
        return Input(name, unit, entry.purposes(), choices, entry.title())

    def _stream(self, entry: _Entry) -> Stream:
        name = entry.name(self._streams.keys())
        kinds = entry.kinds("kinds")
        conditions = entry.conditions() if entry.has("where") else ()
        after, within = None, 0
        if entry.has("after"):
            after, within = self._stream_named(entry, "after").name, entry.duration("within")
        entry.done()
        return Stream(name, kinds, conditions, after, within)

    def _stream_named(self, entry: _Entry, field: str) -> Stream:
        name = entry.text(field)
        if name not in self._streams:
            raise entry.refused(field, Phrase("the name of a stream above"))
        return self._streams[name]

    def _check_over(self, entry: _Entry, key: Key, aggregate: Aggregate, stream: str) -> None:
        """Refuse what cannot be counted over the accounts of an identifier as a fact is stored."""
        if aggregate is not Aggregate.DISTINCT:
            raise entry.refused("aggregate", Phrase("distinct, as {key} counts accounts", key=key))
        known = self._streams[stream]
        if known.after is not None or any(one.field == HOUR for one in known.conditions):
            raise entry.refused("of", Phrase("a stream without `after` and without the hour"))
        if self._over.setdefault(key, stream) != stream:
            others = {"stream": self._over[key], "key": key}
            raise entry.refused("of", Phrase("{stream}, as the others over {key}", **others))

    def _part(self, entry: _Entry, aggregate: Aggregate, stream: str) -> str:
        """Return the stream that is told per million of another."""
        part = self._stream_named(entry, "part")
        if aggregate is Aggregate.SHARE and not part.is_within(self._streams[stream]):
            raise entry.refused(
                "part",
                Phrase(
                    "a stream whose facts are all facts of {stream} by kinds and conditions; "
                    "of other facts a {ratio} is told",
                    stream=stream,
                    ratio=Aggregate.RATIO.value,
                ),
            )
        return part.name

    def _feature(self, entry: _Entry) -> Feature:
        unit = entry.choice("unit", Unit)
        made = self._input(entry, unit)
        aggregate = entry.choice("aggregate", Aggregate)
        wanted = UNITS.get(aggregate)
        if unit is Unit.CHOICE or unit is not (wanted or unit):
            units = wanted or Phrase("the unit of the field")
            meant = Phrase("{unit}, for {aggregate}", unit=units, aggregate=aggregate)
            raise entry.refused("unit", meant)
        stream = self._stream_named(entry, "of").name
        part = self._part(entry, aggregate, stream) if aggregate in OF_A_PART else None
        takes_field = aggregate in OF_A_FIELD or (part is not None and entry.has("field"))
        key = entry.choice("key", Key) if entry.has("key") else Key.ACCOUNT
        if key is not Key.ACCOUNT:
            self._check_over(entry, key, aggregate, stream)
        if aggregate is Aggregate.DISTINCT and not entry.has("window"):
            raise entry.refused("window", DURATION_EXPECTED)  # it would be kept for ever
        if aggregate is Aggregate.DAYS_SINCE_FIRST and entry.has("window"):
            raise entry.refused("window", Phrase("left out: the first fact of all is meant"))
        # Honest people share addresses of a net, however their count is gathered again.
        field = entry.field() if takes_field and key is Key.ACCOUNT else None
        is_weak = key is Key.IP or field in self._weak
        if is_weak:
            self._weak.add(made.name)
        made_feature = Feature(
            input=replace(made, is_weak=is_weak),
            key=key,
            stream=stream,
            aggregate=aggregate,
            window=entry.duration("window") if entry.has("window") else None,
            field=field,
            part=part,
            known_by=entry.kinds("known_by") if entry.has("known_by") else (),
            cap=entry.integer("cap", least=2, most=CAP_MAX) if key is not Key.ACCOUNT else 0,
        )
        entry.done()
        return made_feature


def _condition(row: object) -> Condition | None:
    """Return one condition, None if it is none."""
    if not isinstance(row, dict) or not isinstance(row.get("field"), str):
        return None
    field = row["field"]
    if NAME.fullmatch(field) is None:
        return None
    match {name: value for name, value in row.items() if name != "field"}:
        case {"absent": True, **rest} if not rest:
            return Condition(field, is_absent=True)
        case {"is": list(values), **rest} if not rest and values and all(map(_is_value, values)):
            return Condition(field, values=tuple(values))
        case {"from": int(least), "below": int(below), **rest} if not rest and least < below:
            return Condition(field, least=least, below=below)
        case {"from": int(least), **rest} if not rest:
            return Condition(field, least=least)
        case {"below": int(below), **rest} if not rest:
            return Condition(field, below=below)
    return None


def _is_value(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool))


def _line(text: str, section: str, place: int, field: str) -> int:
    """Return the line of a field of a section's entry, of the entry if the field has none.

    The parser of the language keeps no places, so the text is looked through again.
    """
    lines = text.splitlines()
    found = [
        (number, match[1])
        for number, line in enumerate(lines, start=1)
        if (match := SECTION.match(line))
    ]
    starts = [number for number, name in found if name == section]
    if not section or place >= len(starts):
        start, end = 1, found[0][0] - 1 if found else len(lines)
    else:
        start = starts[place]
        end = next((number - 1 for number, _ in found if number > start), len(lines))
    wanted = re.compile(rf"^\s*{re.escape(field.partition('.')[0])}\s*[.=]")
    for number in range(start, end + 1):
        if wanted.match(lines[number - 1]):
            return number
    return start
