"""Clocks tell UTC, ids sort in the order they were made, settings come from the environment."""

import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from uuid import RFC_4122, UUID

import pytest

from fenqi.machine import Config, SystemClock, default_data_folder, speaks_chinese
from fenqi.runtime import ClockNaive, Ids, MovingClock

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def test_the_system_clock_tells_utc() -> None:
    assert SystemClock().now().tzinfo is UTC


def test_a_moving_clock_tells_what_it_was_set_to_in_utc() -> None:
    clock = MovingClock(NOON)
    assert clock.now() == NOON
    clock.set(datetime(2026, 3, 2, 0, 30, tzinfo=timezone(timedelta(hours=8))))
    assert clock.now().isoformat() == "2026-03-01T16:30:00+00:00"


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(ClockNaive):
        MovingClock(NOON.replace(tzinfo=None))


def test_an_id_has_the_layout_of_version_7_and_carries_its_millisecond() -> None:
    made = Ids(MovingClock(NOON + timedelta(microseconds=1999)), seed=1).new()
    assert (made.version, made.variant) == (7, RFC_4122)
    assert made.int >> 80 == int(NOON.timestamp() * 1000) + 1


def test_ids_sort_in_the_order_they_were_made_though_the_clock_stands_still() -> None:
    ids = Ids(MovingClock(NOON), seed=1)
    made = [ids.new() for _ in range(10_000)]  # more than one millisecond can count
    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert {one.version for one in made} == {7}


def test_ids_sort_in_the_order_they_were_made_though_the_clock_goes_back() -> None:
    clock = MovingClock(NOON)
    ids = Ids(clock, seed=1)
    before = ids.new()
    clock.set(NOON - timedelta(days=1))
    assert ids.new() > before


def test_one_seed_and_one_clock_give_the_same_ids_again() -> None:
    first, second = (Ids(MovingClock(NOON), seed=7) for _ in range(2))
    assert [first.new() for _ in range(5)] == [second.new() for _ in range(5)]
    assert Ids(MovingClock(NOON), seed=8).new() != Ids(MovingClock(NOON), seed=7).new()


def test_ids_without_a_seed_differ_between_sources() -> None:
    assert Ids(MovingClock(NOON)).new() != Ids(MovingClock(NOON)).new()


def test_the_low_end_of_ids_is_spread_evenly() -> None:
    """Accounts are cut into slices by the last bits of their id."""
    ids = Ids(MovingClock(NOON), seed=1)
    counts = [0] * 8
    for _ in range(2_000):
        counts[ids.new().int % 8] += 1
    assert min(counts) > 200


def test_threads_never_get_the_same_id() -> None:
    ids = Ids(MovingClock(NOON), seed=1)
    made: list[list[UUID]] = [[] for _ in range(4)]

    def take(own: list[UUID]) -> None:
        own.extend(ids.new() for _ in range(500))

    threads = [threading.Thread(target=take, args=(own,)) for own in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({one for own in made for one in own}) == 2_000
    assert all(own == sorted(own) for own in made)


def test_settings_come_from_the_environment() -> None:
    given = {"FENQI_DATA": "/srv/credit", "FENQI_DATABASE_URL": "postgresql://db/credit"}
    config = Config.from_environment(given)
    assert config.data_folder == Path("/srv/credit")
    assert config.database_folder == Path("/srv/credit/postgres")
    assert config.database_url == "postgresql://db/credit"


def test_an_empty_setting_counts_as_not_given() -> None:
    config = Config.from_environment({"FENQI_DATA": "", "FENQI_DATABASE_URL": ""})
    assert config.database_url is None
    assert config.data_folder == default_data_folder({})


@pytest.mark.parametrize(
    ("environment", "is_chinese"),
    [
        ({}, False),
        ({"LANG": "zh_CN.UTF-8"}, True),
        ({"LANG": "zh"}, True),
        ({"LANG": "en_GB.UTF-8"}, False),
        ({"LANG": "zh_CN.UTF-8", "LC_MESSAGES": "en_GB.UTF-8"}, False),
        ({"LANG": "C", "LC_ALL": "zh_CN"}, True),
        ({"LANG": "zh_CN", "LC_ALL": ""}, True),
        ({"LANG": "zha_CN"}, False),
        ({"FENQI_LANGUAGE": "zh-CN", "LC_ALL": "en_GB.UTF-8"}, True),
        ({"FENQI_LANGUAGE": "en", "LANG": "zh_CN.UTF-8"}, False),
    ],
)
def test_the_language_is_that_of_the_first_setting_given(
    environment: dict[str, str], is_chinese: bool
) -> None:
    assert speaks_chinese(environment) is is_chinese
