"""Applications meet a bureau over real HTTP: on its bad days they are decided all the same."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

import httpx
import pytest
from make_application import EVERYTHING, SaidBureau, applied, consents
from make_book import World, as_owner, done, kinds, open_book, row, rows
from msgspec import structs

from fenqi.channels.bureau import FAILURES_MAX, HttpBureau
from fenqi.channels.sandbox.bureau import SECRET, SUBSCRIBER, Mood, SandboxBureau, report_of
from fenqi.core.risk.record import replay
from fenqi.core.values.bureau import Access, BureauAnswer, Enquiry, Finding
from fenqi.core.values.ids import AccountId
from fenqi.flows.decide import Decide, decide
from fenqi.flows.readmit import Readmit, readmit
from fenqi.flows.resolve import ResolutionInvalid
from fenqi.report.application import parked
from fenqi.store import decision_records
from fenqi.store.applications import LEASE, TRIES_MAX, ApplicationElsewhere, claim
from fenqi.store.ground import Ground
from fenqi.store.pool import DatabaseGone, Store
from fenqi.worker.admit import (
    ASKED_AT_ONCE_MAX,
    BATCH_MAX,
    AdmissionFailed,
    admit,
    ask_again,
)

SECONDS_MAX = 60  # for what does not take long, on whatever machine
BRIEF_SECONDS = 1  # for what would never end
GOOD = [
    f"person-{one}"
    for one in range(200)
    if (said := report_of(1, f"person-{one}")) and said["odAcc"] == "0" and int(said["scr"]) > 640
]


@contextmanager
def bureau(
    world: World, mood: Mood, seconds_max: int = SECONDS_MAX
) -> Iterator[tuple[HttpBureau, SandboxBureau]]:
    with (
        SandboxBureau(world.clock.now, mood=mood) as house,
        httpx.Client(trust_env=False) as client,
    ):
        access = Access(house.url, SUBSCRIBER, SECRET, seconds_max)
        yield HttpBureau(client, access, elapsed=time.monotonic), house


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
    seconds_max = BRIEF_SECONDS if finding == "timeout" else SECONDS_MAX
    with bureau(world, mood, seconds_max) as (asked, _):
        began = time.monotonic()
        answers = admit(world.ground, asked)
        took = time.monotonic() - began
    told = [done(answers[one.application_id]) for one in received]
    assert {(one.state, one.limit_minor) for one in told} == {("offered", 300_000)}
    assert {tuple(one.reasons) for one in told} == {("no-bureau-report",)}
    # Eight at a time: those under way when it fails first, then nobody asks any more.
    kept = dict(rows(world.store, "SELECT finding, COUNT(*)::int FROM bureau_reports GROUP BY 1"))
    assert kept.keys() == {finding, "suspended"}
    assert FAILURES_MAX <= count - kept["suspended"] <= 2 * ASKED_AT_ONCE_MAX
    if finding == "timeout":
        assert took < count * BRIEF_SECONDS / 2, "they wait one after another"


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


def later(world: World, **time: int) -> None:
    world.clock.set(world.clock.now() + timedelta(**time))


def silent(world: World, *people: str) -> list[str]:
    """Let some apply while the bureau says nothing; return their applications."""
    received = [applied(world, one) for one in people]
    admit(world.ground, SaidBureau(Finding.TIMEOUT))
    return [one.application_id for one in received]


def test_an_offer_made_while_the_bureau_was_silent_grows_once_it_speaks(world: World) -> None:
    (ann,) = silent(world, "ann")
    assert row(world.store, "SELECT limit_minor FROM applications") == 300_000
    bureau = SaidBureau()
    assert ask_again(world.ground, bureau) == {}  # not at once
    later(world, minutes=15)
    answer = done(ask_again(world.ground, bureau)[ann])
    assert (answer.state, answer.limit_minor, answer.reasons) == ("offered", 2_000_000, [])
    assert [one.reference for one in bureau.asked] == [ann]
    told = kinds(world, AccountId(UUID(ann)))
    assert told == [
        *("application-received", "bureau-asked", "application-offered"),
        *("bureau-asked", "application-offered"),
    ]
    assert row(world.store, "SELECT COUNT(*) FROM decisions") == 2
    for (decision_id,) in rows(world.store, "SELECT decision_id FROM decisions"):
        with world.store.transaction() as session:
            assert replay(decision_records.read(session, decision_id)) is None
    later(world, days=2)
    assert ask_again(world.ground, bureau) == {}  # it has spoken


def test_what_a_bureau_says_late_never_takes_from_an_offer(world: World) -> None:
    (ann,) = silent(world, "ann")
    before = row(world.store, "SELECT limit_minor, offer_ends_on, decision_id FROM applications")
    later(world, minutes=20)
    bad = SaidBureau(overdue_accounts=5, worst_overdue_days=200)
    answer = done(ask_again(world.ground, bad)[ann])
    assert (answer.state, answer.limit_minor) == ("offered", 300_000)
    after = row(world.store, "SELECT limit_minor, offer_ends_on, decision_id FROM applications")
    assert after == before
    assert row(world.store, "SELECT COUNT(*) FROM decisions") == 1
    assert row(world.store, "SELECT COUNT(*) FROM bureau_reports WHERE finding = 'report'") == 1


def test_it_is_asked_again_less_and_less_often_and_not_for_ever(world: World) -> None:
    silent(world, "ann")
    mute = SaidBureau(Finding.UNREACHABLE)
    minutes = 0
    asked_at = []
    while minutes < 6 * 24 * 60:
        later(world, minutes=15)
        minutes += 15
        if ask_again(world.ground, mute):
            asked_at.append(minutes)
    assert asked_at == [15, 45, 105, 225, 465, 945, 1905]


def test_an_offer_whose_second_step_fails_too_often_stands_and_is_left_alone(world: World) -> None:
    (ann,) = silent(world, "ann")
    for _ in range(TRIES_MAX):
        later(world, minutes=20)
        answers = ask_again(world.ground, Struck("ann"))
        assert isinstance(answers[ann], AdmissionFailed)
    later(world, hours=2)
    assert ask_again(world.ground, SaidBureau()) == {}  # nobody asks about it any more
    assert states(world) == {"ann": "offered!"}
    assert parked(world.store) == []  # it has its offer: nobody has to look
    assert row(world.store, "SELECT limit_minor FROM applications") == 300_000


def test_an_offer_that_ended_or_was_signed_is_not_asked_about(world: World) -> None:
    silent(world, "ann")
    later(world, days=1)
    with as_owner(world.store) as session:
        session.run("UPDATE applications SET offer_ends_on = '2026-01-04'")
    assert ask_again(world.ground, SaidBureau()) == {}


def test_beyond_the_days_budget_nobody_is_asked_until_there_is_room_again(world: World) -> None:
    people = ["ann", "ben", "cid", "dan"]
    received = [applied(world, one).application_id for one in people]
    bureau = SaidBureau()  # 100 a report
    answers = admit(world.ground, bureau, budget_minor=250)
    assert len(bureau.asked) == 1  # nobody knows yet what one costs
    limits = [done(answers[one]).limit_minor for one in received]
    assert limits == [2_000_000, 300_000, 300_000, 300_000]
    assert [done(answers[one]).reasons for one in received[1:]] == [["no-bureau-report"]] * 3
    kept = rows(world.store, "SELECT finding, cost_minor FROM bureau_reports ORDER BY report_id")
    assert sorted(kept) == [("over-budget", None)] * 3 + [("report", 100)]
    later(world, minutes=20)
    assert len(ask_again(world.ground, bureau, budget_minor=250)) == 1
    later(world, minutes=20)
    assert ask_again(world.ground, bureau, budget_minor=250) == {}
    assert len(bureau.asked) == 2
    later(world, hours=24)
    assert len(ask_again(world.ground, bureau, budget_minor=250)) == 2
    assert len(bureau.asked) == 4


def test_what_others_ask_at_this_moment_counts_before_it_is_told(world: World) -> None:
    applied(world, "ann")
    admit(world.ground, SaidBureau())
    for name in ("ben", "cid"):
        applied(world, name)
    with world.store.transaction() as session:  # another program has taken ben's
        claim(session, now=world.clock.now(), most=1)
    bureau = SaidBureau()
    admit(world.ground, bureau, budget_minor=299)
    assert bureau.asked == []
    applied(world, "dan")
    admit(world.ground, bureau, budget_minor=300)
    assert len(bureau.asked) == 1
