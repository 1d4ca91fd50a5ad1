"""Features: a trail says exactly what the whole history says, live and over columns."""

import dataclasses
import os
import subprocess
import sys
from collections.abc import Sequence

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fenqi.core.risk.features.declaration import (
    MICROSECONDS_PER_DAY,
    PPM,
    Aggregate,
    Condition,
    Feature,
    FeatureSet,
    Key,
    Stream,
)
from fenqi.core.risk.features.history import Asks, Fact, History, compute
from fenqi.core.risk.features.moment import hour_of
from fenqi.core.risk.features.row import compile_row
from fenqi.core.risk.features.trail import Keeper, Trail
from fenqi.core.risk.input import Input, Purpose, Unit, Value
from fenqi.store.features import shipped
from fenqi.store.trails import features_id, packed, unpacked
from histories_of_facts import SECOND, START, ZONES, random_facts

HISTORY = 100_000
ACCOUNTS = 2_000
EACH = 5  # of how many facts one is followed by a look at all features
KINDS = ("a", "b", "c", "other")
MINUTE = 60 * SECOND


def entries(trail: Trail) -> int:
    """Return how many numbers and values a trail keeps."""
    return sum(len(one) for one in trail.cells if isinstance(one, list | dict))


def through_bytes(keeper: Keeper, trail: Trail) -> Trail:
    """Return a trail as it comes back from where it was kept between two looks."""
    form = packed(trail)
    assert form is not None
    again = unpacked(keeper, trail.zone, form)
    assert (again.at, again.seen, again.cells) == (trail.at, trail.seen, trail.cells)
    assert again.address == trail.address
    return again


def input_of(name: str) -> Input:
    return Input(name, Unit.COUNT, frozenset({Purpose.FRAUD}))


# What each feature means, said as plainly as possible, without trail or array -----------------


class Meaning:
    """The features of one account's facts, in their order, by looking at each of them."""

    def __init__(self, features: FeatureSet, facts: Sequence[Fact], now: int, zone: str) -> None:
        self.streams = features.streams
        self.facts = [one for one in facts if one.kind in features.kinds]
        self.moments: list[int] = []
        for one in self.facts:
            self.moments.append(max([one.moment, *self.moments[-1:]]))
        self.now = max([now, *self.moments])
        self.zone = zone

    def belongs(self, place: int, stream: Stream) -> bool:
        fact, moment = self.facts[place], self.moments[place]
        said = {**fact.fields, "hour": hour_of(moment, self.zone)}
        if fact.kind not in stream.kinds:
            return False
        if not all(holds(one, said.get(one.field)) for one in stream.conditions):
            return False
        if stream.after is None:
            return True
        earlier = self.streams[stream.after]
        before = [self.moments[one] for one in range(place) if self.belongs(one, earlier)]
        return bool(before) and moment - before[-1] < stream.within

    def within(self, stream: str, window: int | None) -> list[int]:
        return [
            place
            for place, moment in enumerate(self.moments)
            if (window is None or moment > self.now - window)
            and self.belongs(place, self.streams[stream])
        ]

    def said(self, places: list[int], field: str) -> list[object]:
        return [self.facts[one].fields.get(field) for one in places]

    def total(self, places: list[int], field: str | None) -> int:
        if field is None:
            return len(places)
        return sum(number(one) or 0 for one in self.said(places, field))

    def days_since(self, places: list[int]) -> Value:
        if not places:
            return None
        return (self.now - self.moments[places[0]]) // MICROSECONDS_PER_DAY

    def of(self, feature: Feature) -> Value:
        if feature.known_by and not any(one.kind in feature.known_by for one in self.facts):
            return None
        places = self.within(feature.stream, feature.window)
        if feature.key is not Key.ACCOUNT:
            return max(self.numbers(places, feature.name), default=None)
        total, field = self.total(places, feature.field), feature.field or ""
        match feature.aggregate:
            case Aggregate.COUNT | Aggregate.SUM:
                return total
            case Aggregate.SHARE | Aggregate.RATIO:
                if not total:
                    return None
                part = self.within(feature.part or "", feature.window)
                share = self.total(part, feature.field) * PPM // total
                return max(-(2**63), min(share, 2**63 - 1))
            case Aggregate.DAYS_SINCE_LAST:
                return self.days_since(places[-1:])
            case Aggregate.DAYS_SINCE_FIRST:
                return self.days_since(places)
        return self.of_a_field(feature.aggregate, places, field)

    def of_a_field(self, aggregate: Aggregate, places: list[int], field: str) -> Value:
        said = self.said(places, field)
        match aggregate:
            case Aggregate.DISTINCT:
                return len({one for one in said if isinstance(one, int | str)})
            case Aggregate.MAX:
                return max(self.numbers(places, field), default=None)
            case Aggregate.MIN:
                return min(self.numbers(places, field), default=None)
        return number(said[-1]) if said else None

    def numbers(self, places: list[int], field: str) -> list[int]:
        return [one for one in map(number, self.said(places, field)) if one is not None]


def number(value: object) -> int | None:
    return int(value) if isinstance(value, int) else None


def holds(condition: Condition, value: object) -> bool:
    if condition.is_absent:
        return not isinstance(value, int | str)
    if condition.values:
        return value in condition.values
    least = condition.least if condition.least is not None else -(10**18)
    below = condition.below if condition.below is not None else 10**18
    found = number(value)
    return found is not None and least <= found < below


# Random features over random facts -------------------------------------------------------------

windows = st.sampled_from([None, 1, 5 * SECOND, MINUTE, 90 * MINUTE, 3 * MICROSECONDS_PER_DAY])
conditions = st.one_of(
    st.builds(Condition, st.just("x"), values=st.just((1, "u"))),
    st.builds(Condition, st.sampled_from(["x", "y"]), is_absent=st.just(True)),
    st.builds(Condition, st.sampled_from(["x", "hour"]), least=st.integers(0, 12)),
    st.builds(Condition, st.sampled_from(["x", "hour"]), below=st.integers(0, 12)),
)


@st.composite
def feature_sets(draw: st.DrawFn) -> FeatureSet:
    streams: dict[str, Stream] = {}
    for place in range(draw(st.integers(1, 3))):
        kinds = draw(st.lists(st.sampled_from(KINDS[:3]), min_size=1, max_size=2, unique=True))
        asked = tuple(draw(st.lists(conditions, max_size=2)))
        after = draw(st.sampled_from([None, *streams]))
        within = draw(st.sampled_from([1, MINUTE, MICROSECONDS_PER_DAY]))
        streams[f"s{place}"] = Stream(f"s{place}", tuple(kinds), asked, after, within)
    features = []
    for place in range(draw(st.integers(1, 6))):
        aggregate = draw(st.sampled_from(Aggregate))
        key = draw(st.sampled_from([Key.ACCOUNT, Key.ACCOUNT, Key.IP]))
        if key is Key.IP:
            aggregate = Aggregate.DISTINCT
        window = draw(windows)
        if aggregate is Aggregate.DISTINCT:
            window = window or MINUTE
        if aggregate is Aggregate.DAYS_SINCE_FIRST:
            window = None
        share = aggregate in {Aggregate.SHARE, Aggregate.RATIO}
        has_field = aggregate not in {Aggregate.COUNT} and (not share or draw(st.booleans()))
        features.append(
            Feature(
                input_of(f"f{place}"),
                key,
                draw(st.sampled_from(list(streams))),
                aggregate,
                window,
                draw(st.sampled_from(["x", "y"])) if has_field else None,
                draw(st.sampled_from(list(streams))) if share else None,
                tuple(draw(st.lists(st.sampled_from(KINDS[:3]), max_size=1))),
            )
        )
    return FeatureSet("random", 1, (), streams, tuple(features))


values = st.one_of(
    st.none(),
    st.integers(-3, 14),
    st.booleans(),
    st.sampled_from(["u", "v", "1"]),
    st.sampled_from([10**13, 10**15]),
)
steps = st.sampled_from(
    [0, 0, 1, SECOND, MINUTE, -MINUTE, 60 * MINUTE, MICROSECONDS_PER_DAY, 40 * MINUTE]
)


@st.composite
def facts_of(draw: st.DrawFn) -> list[Fact]:
    numbers, clocks, facts = [0, 0], [START, START], []
    for _ in range(draw(st.integers(0, 45))):
        account = draw(st.integers(0, 1))
        numbers[account] += draw(st.integers(1, 2))
        clocks[account] += draw(steps)
        said = {
            name: value
            for name in ("x", "y", "f0", "f1", "f2")
            if (value := draw(values)) is not None
        }
        kind = draw(st.sampled_from(KINDS))
        facts.append(Fact(account, numbers[account], kind, clocks[account], said))
    return facts


@given(features=feature_sets(), facts=facts_of())
@settings(max_examples=150, deadline=None)
def test_what_says_that_it_is_within_another_stream_is(
    features: FeatureSet, facts: list[Fact]
) -> None:
    streams = features.streams
    own = [one for one in facts if one.account == 0]
    meaning = Meaning(features, own, START, ZONES[0])
    found = {
        name: {n for n in range(len(meaning.facts)) if meaning.belongs(n, one)}
        for name, one in streams.items()
    }
    for name, part in streams.items():
        for other, whole in streams.items():
            if part.is_within(whole):
                assert found[name] <= found[other], (name, other)


def ratio_to_another_stream() -> FeatureSet:
    """Return what may be beyond its measure, as refunds of what was bought before."""
    streams = {"part": Stream("part", ("a",)), "whole": Stream("whole", ("b",))}
    said = (input_of("f0"), Key.ACCOUNT, "whole", Aggregate.RATIO, None, "x", "part", ())
    return FeatureSet("ratio", 1, (), streams, (Feature(*said),))


def facts_saying(*said: tuple[str, int]) -> list[Fact]:
    return [Fact(0, 1 + n, kind, START, {"x": x}) for n, (kind, x) in enumerate(said)]


@given(features=feature_sets(), facts=facts_of(), waits=st.lists(steps, min_size=1, max_size=5))
@example(features=ratio_to_another_stream(), facts=facts_saying(("a", 10**13)), waits=[0])
@example(features=ratio_to_another_stream(), facts=facts_saying(("a", 10**15), ("b", 1)), waits=[0])
@example(
    features=ratio_to_another_stream(), facts=facts_saying(("a", 10**15), ("b", -1)), waits=[0]
)
@settings(max_examples=150, deadline=None)
def test_trail_and_columns_mean_what_is_declared(
    features: FeatureSet, facts: list[Fact], waits: list[int]
) -> None:
    names = [one.name for one in features.features]
    zones = ZONES[:2]
    keeper = Keeper(features)
    row = compile_row(keeper, names)
    trails = [keeper.begin(zone) for zone in zones]
    asks, live, plain = [], [], []
    for place, fact in enumerate(facts):
        trail = trails[fact.account]
        keeper.fold(
            trail,
            number=fact.number,
            kind=fact.kind,
            moment=fact.moment,
            fields=dict(fact.fields),
        )
        if place % 2:
            trail = trails[fact.account] = through_bytes(keeper, trail)
        now = fact.moment + waits[place % len(waits)]
        own = [one for one in facts[: place + 1] if one.account == fact.account]
        asks.append((fact.account, fact.number, now))
        live.append(row(trail, now))
        meaning = Meaning(features, own, now, zones[fact.account])
        plain.append([meaning.of(one) for one in features.features])
    assert live == plain
    assert over_columns(features, facts, zones, names, asks) == plain


def over_columns(
    features: FeatureSet,
    facts: list[Fact],
    zones: Sequence[str],
    names: list[str],
    asks: list[tuple[int, int, int]],
) -> list[list[Value]]:
    history = History(features, facts, zones)
    columns = np.array(asks, dtype=np.int64).reshape(-1, 3).T
    found = compute(history, names, Asks(*columns))
    return [
        [value if is_known else None for value, is_known in zip(row, mask, strict=True)]
        for row, mask in zip(found.values.tolist(), found.known.tolist(), strict=True)
    ]


def test_an_account_of_which_nothing_is_known_is_the_same_live_and_in_a_history() -> None:
    names = [one.name for one in shipped().features]
    keeper = Keeper(shipped())
    live = compile_row(keeper, names)(keeper.begin(ZONES[0]), START)
    assert over_columns(shipped(), [], ZONES[:1], names, [(0, 0, START)]) == [list(live)]


def test_live_equals_history_on_a_hundred_thousand_facts() -> None:
    facts = random_facts(HISTORY, ACCOUNTS, seed=5)
    zones = [ZONES[one % len(ZONES)] for one in range(ACCOUNTS)]
    names = [one.name for one in shipped().features]
    keeper = Keeper(shipped())
    row = compile_row(keeper, names)
    trails = [keeper.begin(zone) for zone in zones]
    asks, live = [], []
    for place, fact in enumerate(facts):
        trail = trails[fact.account]
        keeper.fold(
            trail,
            number=fact.number,
            kind=fact.kind,
            moment=fact.moment,
            fields=dict(fact.fields),
        )
        if place % EACH == 0:
            trail = trails[fact.account] = through_bytes(keeper, trail)
            now = fact.moment + (place % 7) * 3_600 * SECOND * (place % 2) - SECOND
            asks.append((fact.account, fact.number, now))
            live.append(row(trail, now))
    different = [len({row[place] for row in live}) for place in range(len(names))]
    assert min(different) > 2, dict(zip(names, different, strict=True))
    assert over_columns(shipped(), facts, zones, names, asks) == live
    assert max(map(entries, trails)) < HISTORY * 0.05  # old ones are dropped


def test_ten_thousand_facts_of_a_second_are_exact_and_take_little_room() -> None:
    keeper = Keeper(shipped())
    row = compile_row(keeper, ["purchases_1h", "purchase_amount_24h", "merchants_30d"])
    trail = keeper.begin(ZONES[0])
    for number in range(1, 10_001):
        keeper.fold(
            trail,
            number=number,
            kind="purchase-captured",
            moment=START + number // 128 * 10_000,  # a batch of the desk shares its moment
            fields={"amount_minor": number, "merchant": f"m{number % 50}"},
        )
    assert row(trail, START + SECOND) == [10_000, 10_000 * 10_001 // 2, 50]
    assert row(trail, START + 3_601 * SECOND)[:2] == [0, 10_000 * 10_001 // 2]
    assert entries(trail) < 600


def test_what_a_flow_does_not_hand_in_is_unknown() -> None:
    keeper = Keeper(shipped())
    row = compile_row(keeper, ["amount_minor", "purchases_1h", "regime"])
    trail = keeper.begin(ZONES[0])
    assert row(trail, START, {"amount_minor": 5, "limit_minor": 7}) == [5, 0, None]
    assert row(trail, START) == [None, 0, None]
    assert compile_row(keeper, ["gone_from_the_set"])(trail, START) == [None]


def test_a_features_past_is_dropped_once_no_window_reaches_it() -> None:
    keeper = Keeper(shipped())
    trail = keeper.begin(ZONES[0])
    for number in range(1, 5_001):
        fields = {"amount_minor": 5_000 - number % 100, "merchant": f"m{number}"}
        moment = START + number * MICROSECONDS_PER_DAY
        keeper.fold(trail, number=number, kind="purchase-captured", moment=moment, fields=fields)
    assert entries(trail) < 1_500
    assert compile_row(keeper, ["purchases_30d", "merchants_30d"])(trail, trail.at) == [30, 30]


def test_a_number_beyond_64_bits_keeps_a_trail_from_being_packed() -> None:
    keeper = Keeper(shipped())
    trail = keeper.begin(ZONES[0])
    for number in (1, 2):
        fields = {"amount_minor": 2**63, "merchant": "m"}
        keeper.fold(
            trail, number=number, kind="purchase-captured", moment=START + number, fields=fields
        )
    assert packed(trail) is None
    assert compile_row(keeper, ["purchase_amount_24h"])(trail, trail.at) == [2**64]


def test_trails_of_other_features_are_told_apart_and_of_the_same_are_not() -> None:
    set_of = shipped()
    few = dataclasses.replace(set_of, features=set_of.features[:-1])
    narrow = dataclasses.replace(
        set_of, features=tuple(dataclasses.replace(one, window=1) for one in set_of.features)
    )
    named = dataclasses.replace(set_of, name="other", version=9, text="# as before")
    ids = [features_id(one) for one in (set_of, few, narrow, named)]
    assert len(set(ids)) == 3
    assert ids[3] == ids[0]
    asked = "from fenqi.store.trails import Trails; print(Trails()._features_id)"
    for seed in ("1", "2"):  # the same in every program that starts
        program = [sys.executable, "-c", asked]
        environment = os.environ | {"PYTHONHASHSEED": seed}
        said = subprocess.run(program, env=environment, capture_output=True, text=True, check=True)
        assert said.stdout.strip() == str(ids[0])
