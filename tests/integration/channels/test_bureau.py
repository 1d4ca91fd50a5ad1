"""A bureau is asked over real HTTP; whatever it does, its answer is believed only if it is its own,
and it costs its time at most."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from fenqi.channels.bureau import FAILURES_MAX, PAUSE_SECONDS, TRIES_MAX, HttpBureau
from fenqi.channels.sandbox.bureau import SECRET, SUBSCRIBER, Mood, SandboxBureau, report_of
from fenqi.core.ports import Bureau
from fenqi.core.values.bureau import Access, BureauReport, Enquiry, Finding

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
PERSON = "person-5"  # who has a file
ENQUIRY = Enquiry("req-1", PERSON, "consent-9", NOW - timedelta(days=1), NOW)
SECONDS_MAX = 60  # for what does not take long, on whatever machine
BRIEF_SECONDS = 1  # for what would never end


class Elapsed:
    """Seconds that pass only when a test says so."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@contextmanager
def bureau(
    mood: Mood = Mood.NORMAL, **fields: object
) -> Iterator[tuple[HttpBureau, SandboxBureau]]:
    with SandboxBureau(lambda: NOW, mood=mood) as house, httpx.Client(trust_env=False) as client:
        access = replace(Access(house.url, SUBSCRIBER, SECRET, SECONDS_MAX), **fields)  # type: ignore[arg-type]
        yield HttpBureau(client, access, elapsed=time.monotonic), house


def test_a_report_is_read_into_our_own_units() -> None:
    with bureau() as (asked, house):
        port: Bureau = asked
        answer = port.ask(ENQUIRY)
    told = report_of(1, PERSON)
    assert told is not None
    yuan, cents = told["crBal"].split(".")
    assert answer.finding is Finding.REPORT
    assert answer.report == BureauReport(
        as_of=NOW,
        score=int(told["scr"]),
        enquiries_30d=int(told["qry30"]),
        overdue_accounts=int(told["odAcc"]),
        worst_overdue_days=int(told["odMaxD"]),
        open_credit_minor=int(yuan) * 100 + int(cents),
        monthly_due_minor=int(told["mthDue"].split(".")[0]) * 100,
    )
    assert (answer.cost_minor, answer.tries) == (100, 1)
    assert answer.latency_us > 0
    assert house.served.fees == 1


def test_a_person_without_a_file_is_no_blemish_and_costs_nothing() -> None:
    nobody = next(f"p{one}" for one in range(1000) if report_of(1, f"p{one}") is None)
    with bureau() as (asked, _):
        answer = asked.ask(replace(ENQUIRY, subject=nobody))
    assert (answer.finding, answer.report, answer.cost_minor) == (Finding.NOBODY, None, 0)


@pytest.mark.parametrize(
    ("mood", "finding", "tries"),
    [
        (Mood.HANG, Finding.TIMEOUT, 1),
        (Mood.DRIP, Finding.TIMEOUT, 1),
        (Mood.NONSENSE, Finding.GARBLED, 1),
        (Mood.DEEP, Finding.GARBLED, 1),
        (Mood.FORGED, Finding.GARBLED, 1),
        (Mood.MIXED_UP, Finding.GARBLED, 1),
        (Mood.OUT_OF_RANGE, Finding.GARBLED, 1),
        (Mood.ENDLESS, Finding.GARBLED, 1),
        (Mood.CUT_OFF, Finding.UNREACHABLE, TRIES_MAX),
        (Mood.BUSY, Finding.UNREACHABLE, TRIES_MAX),
        (Mood.BROKEN, Finding.UNREACHABLE, TRIES_MAX),
        (Mood.BUSY_ONCE, Finding.REPORT, 2),
    ],
)
def test_a_bad_day_of_the_bureau_is_told_for_what_it_is_and_costs_its_time_at_most(
    mood: Mood, finding: Finding, tries: int
) -> None:
    seconds_max = BRIEF_SECONDS if finding is Finding.TIMEOUT else SECONDS_MAX
    with bureau(mood, seconds_max=seconds_max) as (asked, _):
        began = time.monotonic()
        answer = asked.ask(ENQUIRY)  # the bureau itself ends neither hanging nor dripping
        took = time.monotonic() - began
    assert (answer.finding, answer.tries) == (finding, tries)
    assert (answer.report is not None) == (finding is Finding.REPORT)
    assert answer.latency_us <= took * 1_000_000


def test_an_enquiry_sent_again_is_charged_once() -> None:
    with bureau() as (asked, house):
        first, second = asked.ask(ENQUIRY), asked.ask(ENQUIRY)
    assert (first.report, first.said) == (second.report, second.said)
    assert (house.served.reports, house.served.fees) == (2, 1)


@pytest.mark.parametrize(
    ("wrong", "finding"),
    [
        ({"secret": "wrong"}, Finding.GARBLED),  # then even the refusal is not believed
        ({"subscriber": "who"}, Finding.REFUSED),
    ],
)
def test_a_bureau_that_does_not_know_us_reports_nothing(
    wrong: dict[str, str], finding: Finding
) -> None:
    with bureau(**wrong) as (asked, house):
        assert asked.ask(ENQUIRY).finding is finding
    assert house.served.fees == 0


def test_an_enquiry_without_consent_or_of_another_day_is_refused() -> None:
    with bureau() as (asked, _):
        assert asked.ask(replace(ENQUIRY, consent="")).said.startswith("2002")
        late = asked.ask(replace(ENQUIRY, asked_at=NOW - timedelta(hours=1)))
    assert (late.finding, late.said) == (Finding.REFUSED, "2003 clock")


def test_nobody_listening_is_unreachable_at_once() -> None:
    # The port is taken, so that nobody else comes to listen at it.
    with socket.socket() as silent, httpx.Client(trust_env=False) as client:
        silent.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        gone = HttpBureau(client, Access(url, "a", "b", SECONDS_MAX), elapsed=time.monotonic)
        assert gone.ask(ENQUIRY).finding is Finding.UNREACHABLE
    assert gone.name == "bureau"


def test_a_bureau_that_fails_in_a_row_is_left_alone_and_tried_again_after_a_pause() -> None:
    elapsed = Elapsed()
    with (
        SandboxBureau(lambda: NOW, mood=Mood.BROKEN) as house,
        httpx.Client(trust_env=False) as client,
    ):
        access = Access(house.url, SUBSCRIBER, SECRET, SECONDS_MAX)
        asked = HttpBureau(client, access, elapsed=elapsed)
        findings = [asked.ask(ENQUIRY).finding for _ in range(FAILURES_MAX + 2)]
        assert findings == [Finding.UNREACHABLE] * FAILURES_MAX + [Finding.SUSPENDED] * 2
        house.mood = Mood.NORMAL
        assert asked.ask(ENQUIRY).finding is Finding.SUSPENDED
        elapsed.seconds += PAUSE_SECONDS
        assert asked.ask(ENQUIRY).finding is Finding.REPORT
        assert asked.ask(ENQUIRY).finding is Finding.REPORT


def test_a_refusal_of_one_person_does_not_close_the_gate() -> None:
    with bureau() as (asked, _):
        refused = [asked.ask(replace(ENQUIRY, consent="")) for _ in range(FAILURES_MAX + 1)]
        assert {one.finding for one in refused} == {Finding.REFUSED}
        assert asked.ask(ENQUIRY).finding is Finding.REPORT


def test_a_hanging_bureau_holds_few_threads_and_everybody_waits_once_at_most() -> None:
    asking_count = 30
    before = set(threading.enumerate())
    with bureau(Mood.HANG, seconds_max=BRIEF_SECONDS) as (asked, _):
        began = time.monotonic()
        findings: list[Finding] = []
        asking = [
            threading.Thread(target=lambda: findings.append(asked.ask(ENQUIRY).finding))
            for _ in range(asking_count)
        ]
        for one in asking:
            one.start()
        for one in asking:
            one.join()
        took = time.monotonic() - began
        held = sum(one.name == "bureau" for one in set(threading.enumerate()) - before)
    assert len(findings) == asking_count
    assert set(findings) == {Finding.TIMEOUT, Finding.SUSPENDED}
    assert took < asking_count * BRIEF_SECONDS / 2  # nobody waits for another
    assert held <= 8


def test_the_sandbox_says_the_same_of_a_person_each_time_and_differs_by_seed() -> None:
    reports = [report_of(1, f"person-{one}") for one in range(500)]
    assert reports == [report_of(1, f"person-{one}") for one in range(500)]
    assert reports != [report_of(2, f"person-{one}") for one in range(500)]
    late = [one for one in reports if one and one["odAcc"] != "0"]
    assert 30 < len(late) < 120
    assert 10 < reports.count(None) < 80
