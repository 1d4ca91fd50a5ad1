"""A scorecard: each characteristic falls into a bin, each bin has points, the points add up.

Points are whole numbers, so a score is the same on every machine. A bin is monotone in what it
measures unless the card says why not; what is unknown gets neutral points and is never a reason.
The reasons of a score are the points lost against the best bin, most first.

Source: points to double the odds, factor = points_to_double / ln 2 (any text on credit scoring).
"""

import hashlib
import json
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from decimal import Context, Decimal
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fenqi.core.errors import Invalid
from fenqi.core.risk.input import Purpose, Unit, Value, Vocabulary
from fenqi.core.terms.reading import Reader
from fenqi.core.values.phrase import Phrase
from fenqi.core.values.place import key_place
from fenqi.core.values.rate import PPM, Rounding, round_decimal
from fenqi.core.values.toml import NotToml, table_of

SCHEMA = 1  # of the file and of its JSON form
REASONS_MAX = 4
CHARACTERISTICS_MAX = 100
BOUNDS_MAX = 50
POINTS_MAX = 10_000
BOUND_MAX = 10**15
EXACT = Context(prec=40)
LANGUAGES = ("zh", "en")


class ScorecardInvalid(Invalid):
    """A scorecard's file has a field that is missing, unknown, out of range or not monotone."""

    code = "scorecard-invalid"


class Direction(StrEnum):
    """How points go as the measured value grows."""

    RISING = "rising"
    FALLING = "falling"
    FREE = "free"  # neither; the card must say why


@dataclass(frozen=True, slots=True)
class Scaling:
    """What points mean: `odds` good to one bad at `points`, twice that `points_to_double` above."""

    points: int
    odds: int
    points_to_double: int


@dataclass(frozen=True, slots=True)
class Characteristic:
    """One input and its bins: bin k holds values from bounds[k-1] up to below bounds[k].

    Shapes: `points` is one longer than `bounds`.
    """

    input: str
    reason: str
    direction: Direction
    bounds: tuple[int, ...]
    points: tuple[int, ...]
    unknown: int  # neutral points of what is not known
    note: str = ""

    @property
    def best(self) -> int:
        """The most points of any bin."""
        return max(self.points)


Bins = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], int]


@dataclass(frozen=True, slots=True)
class Scorecard:
    """One version of one card."""

    card_id: str
    version: int
    base_points: int
    scaling: Scaling
    characteristics: tuple[Characteristic, ...]
    reasons: Mapping[str, Mapping[str, str]]  # the customer's texts by code and language
    # Of each characteristic: bounds, points of the bins, points they lose, neutral points.
    bins: tuple[Bins, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        ready = tuple(
            (one.bounds, one.points, tuple(one.best - got for got in one.points), one.unknown)
            for one in self.characteristics
        )
        object.__setattr__(self, "bins", ready)

    @property
    def inputs(self) -> tuple[str, ...]:
        """What it looks at, in the order in which `score` wants the values."""
        return tuple(one.input for one in self.characteristics)

    @property
    def range(self) -> tuple[int, int]:
        """The lowest and the highest score."""
        least = sum(min(one.points) for one in self.characteristics)
        most = sum(one.best for one in self.characteristics)
        return self.base_points + least, self.base_points + most


class Score(NamedTuple):
    """A score and what it is made of; `lost` is per characteristic, 0 where nothing is known."""

    points: int
    reasons: tuple[str, ...]
    lost: tuple[int, ...]


def score(card: Scorecard, values: Sequence[Value]) -> Score:
    """Return the score of one person's values, in the order of `card.inputs`.

    Shapes: one value per characteristic; the array twin is `score_columns`.
    """
    points, lost = card.base_points, []
    for (bounds, gained, losses, unknown), value in zip(card.bins, values, strict=True):
        if value is None:
            points += unknown
            lost.append(0)
        else:
            place = bisect_right(bounds, value)
            points += gained[place]
            lost.append(losses[place])
    return Score(points, _reasons(card, lost), tuple(lost))


Points = Callable[[Sequence[Value]], int]


def compile_points(card: Scorecard, places: Sequence[int]) -> Points:
    """Return the function that gives the points of `score` and nothing else, of a row.

    The row has the value of each characteristic at its place. The source is made of the card's
    whole numbers and the places; no text of a file enters it.

    Shapes: one place per characteristic.
    """
    lines = ["def points(row):", f"    points = {card.base_points:d}"]
    for one, place in zip(card.characteristics, places, strict=True):
        found = f"{one.points[-1]:d}"
        for bound, gained in reversed(list(zip(one.bounds, one.points, strict=False))):
            found = f"{gained:d} if value < {bound:d} else {found}"
        lines += [
            f"    value = row[{place:d}]",
            f"    points += {one.unknown:d} if value is None else {found}",
        ]
    space: dict[str, object] = {}
    source = "\n".join([*lines, "    return points", ""])
    exec(compile(source, "<scorecard>", "exec"), space)  # noqa: S102 - numbers of ours only
    points: Points = space["points"]  # type: ignore[assignment] # the source above defines it
    return points


def _reasons(card: Scorecard, lost: Sequence[int]) -> tuple[str, ...]:
    """Return the codes that cost most, most first; of equal ones the card's order decides."""
    by_code: dict[str, int] = {}
    for one, cost in zip(card.characteristics, lost, strict=True):
        if cost:
            by_code[one.reason] = by_code.get(one.reason, 0) + cost
    return tuple(sorted(by_code, key=lambda code: -by_code[code])[:REASONS_MAX])


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One input of many people. Shapes: both (people,); `known` is False where nothing is."""

    values: NDArray[np.int64]
    known: NDArray[np.bool_]


def score_columns(
    card: Scorecard, columns: Sequence[Column]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return points and losses of many people; `score` is the scalar twin and gives the same.

    Shapes: points (people,), losses (people, characteristics).
    """
    people = len(columns[0].values)
    points = np.full(people, card.base_points, dtype=np.int64)
    lost = np.zeros((people, len(card.characteristics)), dtype=np.int64)
    for place, (one, column) in enumerate(zip(card.characteristics, columns, strict=True)):
        bins = np.searchsorted(np.array(one.bounds, np.int64), column.values, side="right")
        got = np.array(one.points, np.int64)[bins]
        points += np.where(column.known, got, one.unknown)
        lost[:, place] = np.where(column.known, one.best - got, 0)
    return points, lost


def reasons_of(card: Scorecard, lost: NDArray[np.int64]) -> list[tuple[str, ...]]:
    """Return each person's reasons from the losses of `score_columns`."""
    return [_reasons(card, row) for row in lost.tolist()]


def bad_ppm(card: Scorecard, points: int) -> int:
    """Return how many in a million of people with this score are expected to turn bad.

    Units: ppm. Exact to the last one, by decimal arithmetic.
    """
    scaling = card.scaling
    doublings = EXACT.divide(Decimal(points - scaling.points), scaling.points_to_double)
    odds = EXACT.multiply(Decimal(scaling.odds), EXACT.power(Decimal(2), doublings))
    return round_decimal(EXACT.divide(Decimal(PPM), 1 + odds), rounding=Rounding.HALF_EVEN)


def points_at(scaling: Scaling, odds: Decimal) -> Decimal:
    """Return the points at which so many are good to one bad.

    Errors: Invalid operations of decimals if odds are not positive.
    """
    ratio = EXACT.divide(EXACT.ln(EXACT.divide(odds, Decimal(scaling.odds))), EXACT.ln(Decimal(2)))
    return scaling.points + EXACT.multiply(ratio, Decimal(scaling.points_to_double))


def read(text: str, vocabulary: Vocabulary | None = None, *, file: str = "") -> Scorecard:
    """Return the card a TOML text describes, each input known and lawful for credit (P7).

    Without a vocabulary inputs are not looked up.

    Errors: ScorecardInvalid with file, line and column of the field.
    """
    try:
        table = table_of(text)
    except NotToml as fault:
        raise ScorecardInvalid(
            file=file,
            field="the file",
            value=fault.said,
            expected="TOML",
            **fault.place,
        ) from fault
    try:
        card = _card(table)
        _check_inputs(card, vocabulary)
    except ScorecardInvalid as refusal:
        place = key_place(text, str(refusal.fields["field"]))
        raise ScorecardInvalid(file=file, **refusal.fields, **place) from refusal
    return card


def _card(table: Mapping[str, Any]) -> Scorecard:
    reader = Reader(table, ScorecardInvalid)
    schema = reader.integer("schema", least=1)
    if schema != SCHEMA:
        raise reader.refused("schema", Phrase("{form}, the form this version reads", form=SCHEMA))
    scaling = reader.table("scaling")
    reasons = _reason_texts(reader.table("reason"), table["reason"])
    card = Scorecard(
        card_id=reader.identity("id"),
        version=reader.integer("version", least=1),
        base_points=reader.integer("base_points", most=POINTS_MAX),
        scaling=Scaling(
            points=scaling.integer("points", most=POINTS_MAX),
            odds=scaling.integer("odds", least=1, most=PPM),
            points_to_double=scaling.integer("points_to_double", least=1, most=POINTS_MAX),
        ),
        characteristics=_characteristics(reader, table),
        reasons=reasons,
    )
    scaling.done()
    reader.done()
    _check_reasons(card)
    return card


def _characteristics(reader: Reader, table: Mapping[str, Any]) -> tuple[Characteristic, ...]:
    expected = Phrase("1 to {most} tables [[characteristic]]", most=CHARACTERISTICS_MAX)
    found = reader.tables("characteristic", expected, length_max=CHARACTERISTICS_MAX)
    return tuple(
        _characteristic(one, raw) for one, raw in zip(found, table["characteristic"], strict=True)
    )


def _characteristic(reader: Reader, raw: Mapping[str, Any]) -> Characteristic:
    direction = reader.choice("direction", Direction)
    bounds = reader.rising("bounds", most=BOUND_MAX, length_max=BOUNDS_MAX)
    points = reader.numbers("points", most=POINTS_MAX, length=len(bounds) + 1)
    falls = Direction.FALLING
    if direction is not Direction.FREE and points != sorted(points, reverse=direction is falls):
        way = Phrase("{direction} from bin to bin, as `direction` says", direction=direction.value)
        raise reader.refused("points", way)
    note = str(raw.get("note", ""))
    if direction is Direction.FREE and not note.strip():
        raise reader.refused("note", Phrase("why the points neither rise nor fall"))
    unknown = reader.integer("unknown", most=POINTS_MAX)
    if not min(points) <= unknown <= max(points):
        bins = {"least": min(points), "most": max(points)}
        within = Phrase("between {least} and {most}, as the bins are", **bins)
        raise reader.refused("unknown", within)
    one = Characteristic(
        input=reader.text("input"),
        reason=reader.identity("reason"),
        direction=direction,
        bounds=tuple(bounds),
        points=tuple(points),
        unknown=unknown,
        note=note,
    )
    reader.done()
    return one


def _reason_texts(reader: Reader, raw: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    texts = {}
    for code in raw:
        one = reader.table(code)
        texts[code] = {language: one.text(language) for language in LANGUAGES}
        one.done()
    return texts


def _check_reasons(card: Scorecard) -> None:
    used = {one.reason for one in card.characteristics}
    for place, one in enumerate(card.characteristics, start=1):
        if one.reason not in card.reasons:
            raise _wrong(place, "reason", one.reason, Phrase("a code with a text under [reason]"))
    for code in sorted(set(card.reasons) - used):
        used_one = Phrase("a code that is used")
        raise ScorecardInvalid(field=f"reason.{code}", value=code, expected=used_one)
    names = card.inputs
    for place, name in enumerate(names, start=1):
        if names.index(name) != place - 1:
            raise _wrong(place, "input", name, Phrase("an input that is not scored above already"))


def _check_inputs(card: Scorecard, vocabulary: Vocabulary | None) -> None:
    for place, one in enumerate(card.characteristics, start=1):
        known = vocabulary.get(one.input) if vocabulary is not None else None
        if vocabulary is not None and known is None:
            name = Phrase("the name of a feature or of a given input")
            raise _wrong(place, "input", one.input, name)
        if known is not None and Purpose.CREDIT not in known.purposes:
            raise _wrong(place, "input", one.input, Phrase("an input that may serve credit"))
        if known is not None and known.unit is Unit.CHOICE:
            raise _wrong(place, "input", one.input, Phrase("a number or a flag"))


def _wrong(place: int, field: str, value: object, expected: str) -> ScorecardInvalid:
    return ScorecardInvalid(
        field=f"characteristic[{place}].{field}", value=value, expected=expected
    )


def to_json(card: Scorecard) -> str:
    """Return the card as canonical JSON with its own sha256, for records and other machines."""
    body = _body(card)
    return _canonical(body | {"sha256": _sha256(body)})


def from_json(text: str) -> Scorecard:
    """Return the card that `to_json` wrote, unchanged since. Errors: ScorecardInvalid."""
    try:
        table = json.loads(text)
        said = table.pop("sha256")
        if said != _sha256(table):
            raise ScorecardInvalid(field="sha256", value=said, expected=_sha256(table))
    except (ValueError, AttributeError, KeyError, TypeError) as fault:
        card = Phrase("a card that was written by `to_json`")
        raise ScorecardInvalid(field="the text", value=text[:40], expected=card) from fault
    return _card(table)


def _body(card: Scorecard) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "id": card.card_id,
        "version": card.version,
        "base_points": card.base_points,
        "scaling": asdict(card.scaling),
        "characteristic": [asdict(one) for one in card.characteristics],
        "reason": {code: dict(texts) for code, texts in card.reasons.items()},
    }


def _canonical(table: Mapping[str, Any]) -> str:
    return json.dumps(table, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _sha256(table: Mapping[str, Any]) -> str:
    return hashlib.sha256(_canonical(table).encode()).hexdigest()
