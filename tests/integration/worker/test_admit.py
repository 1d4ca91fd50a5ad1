"""Applications meet a bureau over real HTTP: on its bad days they are decided all the same."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from make_application import EVERYTHING, applied, consents
from make_book import World, done, open_book, row, rows

from fenqi.channels.bureau import FAILURES_MAX, HttpBureau
from fenqi.channels.sandbox.bureau import SECRET, SUBSCRIBER, Mood, SandboxBureau, report_of
from fenqi.core.values.bureau import Access
from fenqi.store.pool import Store
from fenqi.worker.admit import ASKED_AT_ONCE_MAX, BATCH_MAX, admit

SECONDS_MAX = 1
GOOD = [
    f"person-{one}"
    for one in range(200)
    if (said := report_of(1, f"person-{one}")) and said["odAcc"] == "0" and int(said["scr"]) > 640
]


@contextmanager
def bureau(world: World, mood: Mood) -> Iterator[tuple[HttpBureau, SandboxBureau]]:
    access = dict(subscriber=SUBSCRIBER, secret=SECRET, seconds_max=SECONDS_MAX)
    with SandboxBureau(world.clock.now, mood=mood) as house, httpx.Client() as client:
        yield HttpBureau(client, Access(house.url, **access), elapsed=time.monotonic), house  # type: ignore[arg-type]


@pytest.fixture
def world(store: Store) -> World:
    return open_book(store)


def test_a_good_day_ends_in_offers_as_asked(world: World) -> None:
    received = [applied(world, name, asked_minor=500_000) for name in GOOD[:5]]
    with bureau(world, Mood.NORMAL) as (asked, house):
        answers = admit(world.ground, asked)
    assert {done(answers[one.application_id]).limit_minor for one in received} == {500_000}
    assert house.served.fees == 5
    kept = rows(world.store, "SELECT finding, cost_minor, tries FROM bureau_reports")
    assert kept == [("report", 100, 1)] * 5


@pytest.mark.parametrize(
    ("mood", "finding"),
    [
        (Mood.HANG, "timeout"),
        (Mood.DRIP, "timeout"),
        (Mood.NONSENSE, "garbled"),
        (Mood.FORGED, "garbled"),
        (Mood.BROKEN, "unreachable"),
    ],
)
def test_on_a_bad_day_everybody_gets_a_smaller_beginning_and_waits_once(
    world: World, mood: Mood, finding: str
) -> None:
    count = 3 * ASKED_AT_ONCE_MAX
    received = [applied(world, f"person-{one}") for one in range(count)]
    with bureau(world, mood) as (asked, _):
        began = time.monotonic()
        answers = admit(world.ground, asked)
        took = time.monotonic() - began
    told = [done(answers[one.application_id]) for one in received]
    assert {(one.state, one.limit_minor) for one in told} == {("offered", 300_000)}
    assert {tuple(one.reasons) for one in told} == {("no-bureau-report",)}
    # Eight at a time: those under way when it fails first, then nobody asks any more.
    kept = dict(rows(world.store, "SELECT finding, COUNT(*)::int FROM bureau_reports GROUP BY 1"))
    assert {finding, "suspended"} <= kept.keys() <= {finding, "timeout", "suspended"}
    assert FAILURES_MAX <= count - kept["suspended"] <= 2 * ASKED_AT_ONCE_MAX
    assert took < 2 * SECONDS_MAX + 3, took


def test_a_transaction_is_not_open_while_the_bureau_is_asked(world: World) -> None:
    applied(world)
    seen = []

    class Looks:
        name = "looks"

        def ask(self, *_: object) -> object:
            sql = "SELECT COUNT(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%%'"
            seen.append(row(world.store, sql))
            return asked.ask(*_)  # type: ignore[arg-type]

    with bureau(world, Mood.NORMAL) as (asked, _):
        admit(world.ground, Looks())  # type: ignore[arg-type]
    assert seen == [0]


def test_more_than_a_batch_is_admitted_in_several(world: World) -> None:
    for one in range(BATCH_MAX + 3):
        applied(world, f"p{one}", consents=consents(world, *(set(EVERYTHING) - {"bureau"})))
    assert len(admit(world.ground, None, most=1_000)) == BATCH_MAX
    assert len(admit(world.ground, None)) == 3
    assert row(world.store, "SELECT COUNT(*) FROM applications WHERE state = 'offered'") == 67
