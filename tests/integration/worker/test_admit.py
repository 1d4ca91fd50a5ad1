"""Applications meet a bureau over real HTTP: on its bad days they are decided all the same."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import httpx
import pytest
from make_application import EVERYTHING, SaidBureau, applied, consents
from make_book import World, done, open_book, row, rows
from msgspec import structs

from fenqi.channels.bureau import FAILURES_MAX, HttpBureau
from fenqi.channels.sandbox.bureau import SECRET, SUBSCRIBER, Mood, SandboxBureau, report_of
from fenqi.core.values.bureau import Access, BureauAnswer, Enquiry
from fenqi.flows.decide import Decide, decide
from fenqi.flows.readmit import Readmit, readmit
from fenqi.flows.resolve import ResolutionInvalid
from fenqi.report.application import parked
from fenqi.store.applications import LEASE, TRIES_MAX, ApplicationElsewhere
from fenqi.store.ground import Ground
from fenqi.store.pool import DatabaseGone, Store
from fenqi.worker.admit import ASKED_AT_ONCE_MAX, BATCH_MAX, AdmissionFailed, admit

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


class Struck:
    """A bureau whose adapter falls over some people, and asks the real one about the others."""

    name = "said"

    def __init__(self, *subjects: str) -> None:
        self._said = SaidBureau()
        self._subjects = subjects

    def ask(self, enquiry: Enquiry) -> BureauAnswer:
        if enquiry.subject in self._subjects:
            raise RuntimeError("a name of 300 characters: " + enquiry.subject)
        return self._said.ask(enquiry)


def states(world: World) -> dict[str, str]:
    return dict(
        rows(
            world.store,
            "SELECT p.reference, a.state || CASE WHEN a.parked_at IS NULL THEN '' ELSE '!' END "
            "FROM applications AS a JOIN persons AS p USING (person_id)",
        )
    )


def wait_for_lease(world: World) -> None:
    world.clock.set(world.clock.now() + LEASE)


def test_who_cannot_be_decided_fails_alone_and_is_parked_with_the_reason(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"p{one}" for one in range(6)]
    ids = {name: applied(world, name).application_id for name in names}
    decided = decide

    def falls(ground: Ground, commands: Sequence[Decide]) -> object:
        if any(str(one.account_id) == ids["p2"] for one in commands):
            raise ValueError("p2 earns too much")
        return decided(ground, commands)

    monkeypatch.setattr("fenqi.worker.admit.decide", falls)
    for tried in range(TRIES_MAX):
        answers = admit(world.ground, SaidBureau())
        assert isinstance(answers[ids["p2"]], AdmissionFailed)
        assert len(answers) == (6 if tried == 0 else 1)
        assert states(world) == dict.fromkeys(names, "offered") | {
            "p2": "received" + "!" * (tried == TRIES_MAX - 1)
        }
        assert admit(world.ground, SaidBureau()) == {}  # it waits behind the others
        wait_for_lease(world)
    assert admit(world.ground, SaidBureau()) == {}  # nobody tries it any more
    (lying,) = parked(world.store)
    assert (str(lying.account_id), lying.failures) == (ids["p2"], TRIES_MAX)
    assert lying.fault.startswith("admission-failed, fault ValueError, place test_admit.py:")
    assert "earns" not in lying.fault  # what was thrown may be about a person

    monkeypatch.undo()
    again = Readmit(scope_id=ids["p2"], key="r1", actor="mei", account_id=lying.account_id)
    assert done(readmit(world.ground, [again])[0]).state == "received"
    assert done(readmit(world.ground, [again])[0]).state == "received"  # asked twice is once
    assert done(admit(world.ground, SaidBureau())[ids["p2"]]).state == "offered"
    events = rows(
        world.store,
        "SELECT kind, actor FROM events WHERE account_id = %(one)s ORDER BY number",
        one=lying.account_id,
    )
    assert [one[0] for one in events] == [
        *("application-received", "application-readmitted", "bureau-asked", "application-offered")
    ]
    assert events[1][1] == "mei"
    (refused,) = readmit(world.ground, [structs.replace(again, key="r2")])
    assert isinstance(refused, ApplicationElsewhere)


def test_a_way_to_the_bureau_that_falls_over_one_person_keeps_nobody_waiting(world: World) -> None:
    names = ["ann", "bob", "eve"]
    ids = {name: applied(world, name).application_id for name in names}
    bureau = Struck("bob")
    answers = admit(world.ground, bureau)
    assert isinstance(answers[ids["bob"]], AdmissionFailed)
    assert states(world) == {"ann": "offered", "bob": "received", "eve": "offered"}
    wait_for_lease(world)
    assert {*admit(world.ground, SaidBureau())} == {ids["bob"]}
    assert states(world)["bob"] == "offered"


def test_a_batch_full_of_those_nobody_can_decide_is_overtaken(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = {applied(world, f"bad{one}").application_id for one in range(3)}
    good = applied(world, "good").application_id
    decided = decide

    def refuses(ground: Ground, commands: Sequence[Decide]) -> list[object]:
        return [
            ResolutionInvalid(field="x")
            if str(one.account_id) in bad
            else decided(ground, [one])[0]
            for one in commands
        ]

    monkeypatch.setattr("fenqi.worker.admit.decide", refuses)
    assert {*admit(world.ground, None, most=3)} == bad
    assert {*admit(world.ground, None, most=3)} == {good}
    assert states(world)["good"] == "offered"
    for _ in range(TRIES_MAX):
        wait_for_lease(world)
        admit(world.ground, None, most=3)
    assert {str(one.account_id) for one in parked(world.store)} == bad
    assert {one.fault for one in parked(world.store)} == {"resolution-invalid"}


def test_a_database_that_is_away_is_nobodys_failure(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = applied(world).application_id

    def gone(*_: object) -> object:
        raise DatabaseGone(said="gone")

    with monkeypatch.context() as patch:
        patch.setattr("fenqi.worker.admit.decide", gone)
        with pytest.raises(DatabaseGone):
            admit(world.ground, None)
    assert row(world.store, "SELECT failures FROM applications") == 0
    wait_for_lease(world)
    assert done(admit(world.ground, None)[one]).state == "offered"
