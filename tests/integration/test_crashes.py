"""The program dies at every round trip of every flow, and starts again (M3, M4).

Whatever had not been committed is gone without a trace; whatever had been is there, once, and is
answered as it was. The book ends as the one of a program that never died.
"""

import logging
import os
import pkgutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import pairwise, zip_longest
from uuid import UUID

import pytest
from copies import copy, drop
from make_application import SaidBureau, application, applied
from make_book import (
    BOOK,
    World,
    bill_split,
    buy,
    contested,
    day_changed,
    deferred,
    done,
    dump,
    enrol,
    enrol_command,
    extended,
    hold,
    key,
    noon,
    open_book,
    pay,
    payment,
    purchase,
    returned,
    row,
    rows,
    settlement,
    shipment,
    until,
    withdrawal,
)
from make_case import working
from make_change import move, offer_of, trip
from make_eve import EVE, close_eve
from make_paying import fails
from mortal import AFTER_COMMIT, Death, Life, live

import fenqi.flows
from fenqi.core.errors import FenqiError
from fenqi.core.risk.appeal import Answer
from fenqi.core.risk.change import Pull
from fenqi.core.risk.consent import DataClass
from fenqi.core.risk.crowd import PlaceKind
from fenqi.core.risk.decision import DecisionKind
from fenqi.core.risk.identity import Sealer
from fenqi.core.servicing.contest import Finding
from fenqi.core.values.bureau import BureauReport, Enquiry
from fenqi.core.values.ids import AccountId
from fenqi.desk import FLOWS, Desk
from fenqi.flows.accept import Accept
from fenqi.flows.adopt import adopt
from fenqi.flows.allow import Sharing, add_place, remove_place
from fenqi.flows.appeal import AppealOpened, OpenAppeal, open_appeal
from fenqi.flows.apply import Apply, Received
from fenqi.flows.assess import Assess, assess
from fenqi.flows.authorise import Authorise, authorise
from fenqi.flows.capture import Capture
from fenqi.flows.change_due_day import ChangeDueDay
from fenqi.flows.close_appeal import CloseAppeal, close_appeal
from fenqi.flows.contest import CloseContest, OpenContest, open_contest
from fenqi.flows.decide import Asked, Decide
from fenqi.flows.defer import Defer
from fenqi.flows.enrol import Enrol
from fenqi.flows.excuse import (
    IncidentClosed,
    NothingWaits,
    Outage,
    close_incident,
    open_incident,
    second,
)
from fenqi.flows.extend import Extend
from fenqi.flows.found import Found, enlist, found
from fenqi.flows.heed import heed
from fenqi.flows.import_reports import Delivered, import_reports
from fenqi.flows.observe import Observe, Told
from fenqi.flows.protect import protect
from fenqi.flows.readmit import Readmit
from fenqi.flows.receive import MoneyState, Receive
from fenqi.flows.refund import Refund
from fenqi.flows.reprice import Reprice
from fenqi.flows.reset import reset
from fenqi.flows.resolve import Resolve
from fenqi.flows.settle import Settle
from fenqi.flows.shadow import begin, shadow
from fenqi.flows.sign import Sign
from fenqi.flows.split_bill import SplitBill
from fenqi.flows.verify import Verify
from fenqi.flows.withdraw import Withdraw
from fenqi.flows.withdraw_consent import WithdrawConsent
from fenqi.report.check import check
from fenqi.runtime import Ids
from fenqi.store import accounts, policies
from fenqi.store.booking import Booking
from fenqi.store.breaker import TripMissing
from fenqi.store.commands import Command
from fenqi.store.paying import Signal
from fenqi.store.places import PlaceRemoved
from fenqi.store.pool import Store
from fenqi.store.responses import Responses
from fenqi.worker.admit import admit
from fenqi.worker.close import STEPS

BEGUN = date(2026, 1, 25)
DAY = date(2026, 3, 2)  # the scene's open day; what was bought in January is overdue
NOBODY = AccountId(UUID(int=9))

Book = Mapping[str, tuple[int, str]]  # what `dump` says


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """The driver warns of every line that was cut; here that is what happens all the time."""
    caplog.set_level(logging.ERROR, "psycopg")


@dataclass(frozen=True)
class Scene:
    """A book on the day, in a database to copy, and what comes in that day: a batch per kind."""

    database: str
    batches: Mapping[type[Command], Sequence[Command]]


@pytest.fixture(scope="module")
def scene(server_url: str, template: str) -> Iterator[Scene]:
    name = f"fenqi_scene_{os.getpid()}"
    store = Store.open(copy(server_url, template, name))
    batches = set_the_scene(open_book(store, opened=BEGUN))
    store.close()
    yield Scene(name, batches)
    drop(server_url, name)


def set_the_scene(world: World) -> dict[type[Command], Sequence[Command]]:
    """Live to the day, and return what comes in on it: what is granted, and what is refused."""
    people = {
        name: enrol(world, name, limit_minor=5_000 if name == "poor" else 5_000_000)
        for name in (
            *("ann", "ben", "late", "over", "waits", "back", "early", "poor"),
            *("defers", "moves", "extends", "bills", "withdraws", "raised", "asked"),
            *("contests", "right", "wronged", "heard"),
        )
    }
    buy(world, people["late"], 120_001, "free4", 4)
    over, _ = buy(world, people["over"], 40_000, "flat", 3)
    returns, _ = buy(world, people["back"], 200_000, "flat", 3)
    _, early = buy(world, people["early"], 300_000, "annuity18", 12)
    asks = {
        name: buy(world, people[name], 60_000, "flat", 3)[1]
        for name in ("defers", "moves", "extends")
    }
    contests = {
        name: buy(world, people[name], 60_000, "flat", 3)[1] for name in ("contests", "right")
    }
    for name in ("wronged", "heard"):
        buy(world, people[name], 60_000, "flat", 3)
    until(world, date(2026, 2, 10))
    for name in asks:
        pay(world, people[name], 20_300)
    pay(world, people["right"], 20_300)
    buy(world, people["bills"], 40_000, "flat", 3)
    buy(world, people["bills"], 30_000)
    pay(world, people["back"], 70_000)
    pay(world, people["over"], 13_534)
    until(world, DAY)
    ask_to_check(world, people["asked"])
    (opened,) = open_contest(world.ground, [contested(world, people["right"], contests["right"])])
    _, left = buy(world, people["withdraws"], 30_000, "flat", 3)
    held = hold(world, people["ben"], 50_000, "flat", 3)
    kept = hold(world, people["back"], 9_000)
    pending = [
        pay(world, people["waits"], amount, state=MoneyState.PENDING).receipt_id
        for amount in (7_000, 8_000)
    ]
    buy(world, people["waits"], 5_000)
    move(world, people["raised"], [Pull("loyal", 200_000)])
    trip(world, people["ann"], DecisionKind.REPAYMENT, "tried", 1)
    live_now = policies.shipped(DecisionKind.PURCHASE)
    campus = Sharing("198.51.100.0/30", PlaceKind.CAMPUS, "the halls")
    PLACES.append(add_place(world.ground, campus, SEALER, by="Mei").place.place_id)
    CHALLENGERS.append(begin(world.ground, live_now, by="Li Na", days=9)[0])
    hold(world, people["ann"], 1_000)
    for _ in range(3):
        fails(world, people["late"], "customer")
    return {
        Accept: [
            Accept(**about(people["raised"], "yes", offer_id=offer_of(world, people["raised"]))),
            Accept(**about(people["raised"], "no", offer_id=NOBODY)),
        ],
        Assess: [
            Assess(**about(people["late"], "look")),
            Assess(**about(people["ann"], "ask", asked_minor=1)),
        ],
        Reprice: [
            Reprice(**about(people["late"], "look")),
            Reprice(**about(NOBODY, "look")),
        ],
        Enrol: [
            enrol_command(world, "zoe"),
            enrol_command(world, "yan", limit_minor=-1),
            enrol_command(world, "ann"),
            enrol_command(world, "xia", statement_day=31),
        ],
        Authorise: [
            purchase(world, people["ann"], 90_000, "flat", 6),
            purchase(world, people["ann"], 20_000, capture_now=False),
            purchase(world, people["poor"], 6_000),
            purchase(world, people["late"], 1_000),
            purchase(world, NOBODY, 1_000),
        ],
        Capture: [
            shipment(world, people["ben"], held, 30_000),
            shipment(world, people["ben"], held, 30_000),
        ],
        Observe: [
            observation(world, people["ann"], "login", ip="a1" * 32, device="d1" * 32),
            observation(world, people["ben"], "login", ip="a1" * 32, device="d2" * 32),
            observation(world, people["ann"], "phone-changed", phone="b1" * 32),
            observation(world, people["ann"], "phone-changed", phone="my number"),
            observation(world, NOBODY, "login"),
        ],
        Receive: [
            payment(world, people["late"], 60_500, days_ago=3),
            payment(world, people["over"], 90_000),
            payment(world, people["waits"], 1_000, state=MoneyState.PENDING),
            payment(world, people["waits"], 7_000, receipt=pending[0]),
            payment(world, people["waits"], 8_000, receipt=pending[1], state=MoneyState.REVERSED),
            payment(world, people["ann"], 0),
        ],
        Refund: [
            returned(world, people["back"], returns, 150_000),
            returned(world, people["back"], kept, 4_000),
            returned(world, people["over"], over, 40_001),
        ],
        Settle: [
            settlement(world, people["early"], early, 320_000),
            settlement(world, people["early"], early, 320_000),
        ],
        Verify: [
            Verify(scope_id=str(people[one]), key="verify", account_id=people[one])
            for one in ("asked", "ben")
        ],
        **appealing(world, people["wronged"], people["heard"]),
        **applying(world),
        **working(world),
        Defer: [
            deferred(world, people["defers"], asks["defers"], 5),
            deferred(world, people["defers"], asks["defers"], 11),
            deferred(world, people["early"], early, 3),
        ],
        ChangeDueDay: [
            day_changed(world, people["moves"], asks["moves"], 25),
            day_changed(world, people["moves"], asks["moves"], 10),
        ],
        Extend: [
            extended(world, people["extends"], asks["extends"], 4),
            extended(world, people["extends"], asks["extends"], 4, reviewed_by=""),
        ],
        OpenContest: [
            contested(world, people["contests"], contests["contests"]),
            contested(world, people["contests"], contests["contests"]),
        ],
        CloseContest: [
            upheld(world, people["right"], done(opened).contest_id),
            upheld(world, people["right"], done(opened).contest_id),
        ],
        SplitBill: [
            bill_split(world, people["bills"], 1, 43_534, "annuity18", 6),
            bill_split(world, people["bills"], 1, 43_534, "annuity18", 6),
        ],
        Withdraw: [
            withdrawal(world, people["withdraws"], left, 30_000),
            withdrawal(world, people["early"], early, 320_000),
        ],
    }


def upheld(world: World, account: AccountId, contest_id: str) -> CloseContest:
    return CloseContest(
        **about(account, key(world)),
        actor="Li Wei",
        contest_id=UUID(contest_id),
        outcome=Finding.UPHELD,
        text="The courier was asked.",
        found_at=noon(world.day),
    )


def appealing(
    world: World, wronged: AccountId, heard: AccountId
) -> dict[type[Command], Sequence[Command]]:
    """Cut two limits and decline who applied, and return who contests it and what is found."""
    commands = [Assess(**about(one, key(world))) for one in (wronged, heard)]
    cuts = [done(one).decision_id for one in assess(world.ground, commands)]
    child = applied(world, "child", born_on=date(2015, 1, 1))
    admit(world.ground, SaidBureau())
    applicant = AccountId(UUID(child.application_id))
    (declined,) = rows(world.store, DECISIONS, account=applicant)

    def opening(account: AccountId, decision: object) -> OpenAppeal:
        said = {"decision_id": UUID(str(decision)), "text": "That is wrong."}
        return OpenAppeal(**about(account, key(world), actor="customer", **said))

    def closing(account: AccountId, appeal: AppealOpened) -> CloseAppeal:
        found = {"outcome": Answer.UPHELD, "text": "The card was looked at."}
        named = {"appeal_id": UUID(appeal.appeal_id), "actor": "Li Wei"}
        return CloseAppeal(**about(account, key(world), **named, **found))

    contests = [opening(heard, cuts[1]), opening(applicant, declined[0])]
    limit, application = (done(one) for one in open_appeal(world.ground, contests))
    return {
        OpenAppeal: [opening(wronged, cuts[0]), opening(wronged, cuts[0])],
        CloseAppeal: [
            closing(heard, limit),
            closing(heard, limit),
            closing(applicant, application),
        ],
    }


DECISIONS = "SELECT decision_id FROM decisions WHERE account_id = %(account)s"


def about(account: AccountId, key: str, **fields: object) -> dict[str, object]:
    return {"scope_id": str(account), "key": key, "account_id": account, **fields}


def ask_to_check(world: World, account_id: AccountId) -> None:
    booking = Booking(world.ground)
    with world.store.transaction() as session:
        account = accounts.lock(session, {account_id})[account_id]
        responses = Responses(world.ground, booking, session)
        responses.step_up(account, reasons=["check-asked"], cause="sample")
        booking.write(session)


def adopted_by_name(world: World) -> object:
    return adopt(world.ground, policies.shipped(DecisionKind.REPAYMENT).policy, by="Li Na")


def reset_by_name(world: World) -> None:
    with suppress(TripMissing):  # the second time nothing is open any more
        reset(world.ground, BOOK, DecisionKind.REPAYMENT, by="Li Na", finding="looked")


def place_added(world: World) -> None:
    add_place(world.ground, Sharing("192.0.2.0/30", PlaceKind.OFFICE, "the mill"), SEALER, by="Mei")


def place_removed(world: World) -> None:
    with suppress(PlaceRemoved):  # the second time it does not count any more
        remove_place(world.ground, PLACES[-1], by="Li Na")


def heeded(scene: Scene, world: World) -> None:
    """Ask about who is late and whose debits fail, and about others for whom the day says so."""
    late, *others = dict.fromkeys(one.account_id for one in scene.batches[Receive])
    heed(world.ground, [Signal(late, 1), *(Signal(one) for one in others)])


CHALLENGERS: list[UUID] = []  # of the scene
PLACES: list[UUID] = []
SEALER = Sealer(b"the key of these tests, 32 bytes")


def challenged(world: World) -> None:
    shadow(world.ground, CHALLENGERS[-1])


def observation(world: World, account: AccountId, kind: str, **said: str) -> Observe:
    fact = Told(kind=kind, happened_at=world.clock.now(), said=said)
    return Observe(scope_id=str(account), key=key(world), account_id=account, facts=(fact,))


def applying(world: World) -> dict[type[Command], Sequence[Command]]:
    """Let people apply, and return what they and those who decide do on the day."""
    signs, refused, leaves, referred = (
        *(applied(world, "signs"), applied(world, "refused", is_student=True)),
        *(applied(world, "retracts"), applied(world, "referred")),
    )
    offers = admit(world.ground, SaidBureau())
    with world.store.transaction() as session:  # as a policy may ask
        session.run(
            "UPDATE applications SET state = 'review' WHERE account_id = %(id)s",
            {"id": UUID(referred.application_id)},
        )
    parked = applied(world, "parked")
    with world.store.transaction() as session:
        session.run(
            "UPDATE applications SET failures = 3, fault = 'odd', parked_at = received_at "
            "WHERE account_id = %(id)s",
            {"id": UUID(parked.application_id)},
        )
    undecided = [applied(world, name) for name in ("stays", "young", "stays")]

    def about(received: Received, kind: str, **fields: object) -> dict[str, object]:
        account = AccountId(UUID(received.application_id))
        return {"scope_id": str(account), "key": kind, "account_id": account, **fields}

    answer = SaidBureau().ask(Enquiry("r", "stays", "c", world.clock.now(), world.clock.now()))
    asked = Asked(bureau="b", asked_at=world.clock.now(), consent_number=1, answer=answer)
    costs = done(offers[signs.application_id]).cost_table
    return {
        Apply: [
            application(world, "new"),
            application(world, "new", asked_minor=0),
            application(world, "ann"),
            application(world, "stays"),
        ],
        Decide: [
            *(Decide(**about(one, "decide", asked=asked)) for one in undecided),
            Decide(**about(signs, "decide")),
        ],
        Sign: [
            Sign(**about(signs, "sign", cost_table=costs)),
            Sign(**about(refused, "sign", cost_table=costs)),
        ],
        Readmit: [
            Readmit(**about(parked, "readmit")),
            Readmit(**about(signs, "readmit")),
        ],
        Resolve: [Resolve(**about(referred, "resolve", limit_minor=70_000))],
        WithdrawConsent: [
            WithdrawConsent(**about(leaves, "leave", data_class=DataClass.BUREAU)),
            WithdrawConsent(**about(leaves, "leave-2", data_class=DataClass.BUREAU)),
        ],
    }


def reports_imported(world: World) -> object:
    report = BureauReport(world.clock.now(), 640)
    lines = [Delivered(2, "stays", report), Delivered(3, "nobody", report)]
    imported = import_reports(world.ground, lines, name="file", known=("file",))
    return imported.stored + imported.known  # what is there afterwards


def told(answers: Sequence[object]) -> list[object]:
    """Return answers as they can be compared; of a refusal only which it is."""
    return [one.code if isinstance(one, FenqiError) else one for one in answers]


def assert_clean(store: Store) -> None:
    assert check(store).findings == ()


@contextmanager
def seen(url: str) -> Iterator[Store]:
    """Somebody else's look at a database."""
    store = Store.open(url, connections_max=1)
    try:
        yield store
    finally:
        store.close()


def found_second(world: World) -> object:
    command = Found(
        book_id="second",
        legal_entity="Second Credit Ltd",
        currency="CNY",
        zone="Asia/Shanghai",
        opened_on=DAY,
        funding_minor=1_000_000,
    )
    return found(world.ground, command)


ACTS: dict[str, Callable[[Scene, World], object]] = {
    **{
        kind.kind: lambda scene, world, kind=kind: told(
            FLOWS[kind](world.ground, scene.batches[kind])
        )
        for kind in FLOWS
    },
    "authorise by the policy": lambda scene, world: told(
        authorise(replace(world.ground, asks_policies=True), scene.batches[Authorise])
    ),
    "open-appeal": lambda scene, world: told(open_appeal(world.ground, scene.batches[OpenAppeal])),
    "close-appeal": lambda scene, world: told(
        close_appeal(world.ground, scene.batches[CloseAppeal])
    ),
    "found": lambda _, world: found_second(world),
    "import-reports": lambda _, world: reports_imported(world),
    "adopt": lambda _, world: adopted_by_name(world),
    "heed": lambda scene, world: heeded(scene, world),
    "protect": lambda _, world: protect(world.ground) and None,  # who comes again finds nothing
    "place-add": lambda _, world: place_added(world),
    "place-remove": lambda _, world: place_removed(world),
    "reset": lambda _, world: reset_by_name(world),
    "shadow": lambda _, world: challenged(world),
    "enlist": lambda _, world: enlist(world.ground, BOOK, ["baker", "butcher", "shop"]),
}


@pytest.mark.parametrize("name", ACTS)
def test_a_flow_that_dies_at_any_moment_books_nothing_or_all_and_answers_the_same(
    scene: Scene, copied: Callable[[str], str], name: str
) -> None:
    def act(world: World) -> object:
        return ACTS[name](scene, world)

    whole_url, url = copied(scene.database), copied(scene.database)
    with seen(whole_url) as whole_book, seen(url) as book:
        before = dump(whole_book)
        whole = live(whole_url, DAY, act)
        after = dump(whole_book)
        assert before != after
        assert (whole.commits, whole.moments[-1]) == (1, AFTER_COMMIT)
        for at, moment in enumerate(whole.moments, start=1):
            cut = live(url, DAY, act, at)
            assert (cut.ended, len(cut.moments)) == (moment, at), side_by_side(whole, cut)
            assert dump(book) == (after if moment == AFTER_COMMIT else before), f"{at}: {moment}"
        assert live(url, DAY, act).answer == whole.answer
        assert dump(book) == after
        assert_clean(book)


def side_by_side(whole: Life[object], cut: Life[object]) -> str:
    """Return the moments of two lives side by side, for whoever looks for where they part."""
    both = zip_longest(whole.moments, cut.moments, fillvalue="-")
    lines = [f"{at:4}  {one:22}  {other}" for at, (one, other) in enumerate(both, start=1)]
    return "\n".join(["moment  whole life  life that was cut", *lines])


def test_a_close_that_dies_at_any_moment_goes_on_where_it_stopped(
    eve_database: str, copied: Callable[[str], str]
) -> None:
    whole_url, url = copied(eve_database), copied(eve_database)
    states: list[Book] = []
    with seen(whole_url) as whole_book, seen(url) as book:

        def note() -> None:
            states.append(dump(whole_book))
            assert_clean(whole_book)

        whole = live(whole_url, EVE, close_eve, on_commit=note)
        del states[0]  # the close reads the open day, then what is finished, then begins
        steps = len(states) - 1
        assert steps == sum(2 if step.is_sliced else 1 for step in STEPS)
        reading = _place(whole.moments, AFTER_COMMIT, times=2)
        finished, at, deaths = 0, 1, 0
        while finished < steps:
            cut = live(url, EVE, close_eve, at)
            assert cut.ended is not None
            deaths += 1
            if cut.ended == AFTER_COMMIT and at > reading:
                finished, at = finished + 1, reading + 1
            else:
                at += 1
            where = f"death {deaths}, {cut.ended}, after {finished} steps"
            assert dump(book) == states[finished], where
        assert deaths == len(whole.moments)
        assert sum(live(url, EVE + timedelta(days=1), close_eve).answer.values()) == 0
        assert dump(book) == states[-1]


def _place(moments: Sequence[str], moment: str, *, times: int) -> int:
    """Return at which moment one comes for the `times`-th time, counted from one."""
    return [place for place, one in enumerate(moments, start=1) if one == moment][times - 1]


OUTAGES = {
    "the house": Outage(BOOK, "The house was down.", date(2026, 2, 12), date(2026, 2, 20)),
    "a channel": Outage(BOOK, "The bank is down.", date(2026, 2, 28), channel="bank"),
}


def opened_incident(world: World, outage: Outage) -> None:
    open_incident(world.ground, outage, by="Li Na")


def seconded_incident(world: World, _: Outage) -> None:
    with suppress(NothingWaits):  # once all is done nothing waits any more
        second(world.ground, row(world.store, INCIDENT), by="Li Wei")


def closed_incident(world: World, _: Outage) -> None:
    with suppress(IncidentClosed):
        close_incident(world.ground, row(world.store, INCIDENT), by="Li Na")


INCIDENT = "SELECT incident_id FROM incidents"
OF_INCIDENTS = [opened_incident, seconded_incident, closed_incident]
EXCUSED = """
SELECT account_id::text, from_on, through_on, void_number IS NULL FROM excuses
UNION ALL SELECT book_id, day, day, TRUE FROM excused_days ORDER BY 1, 2, 3, 4
"""
DONE = "SELECT from_on, through_on, granted_on, is_running, carried_on FROM incidents"


@pytest.mark.parametrize("step", range(len(OF_INCIDENTS)))
@pytest.mark.parametrize("outage", OUTAGES)
def test_an_incident_that_dies_at_any_moment_goes_on_with_who_is_left(
    scene: Scene,
    copied: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
    outage: str,
    step: int,
) -> None:
    """Each life ends once it has changed something, or before; the last one finds nothing to do."""
    monkeypatch.setattr("fenqi.flows.excuse.PAGE_ACCOUNTS", 4)

    def act(number: int, life: int) -> Callable[[World], None]:
        def lived(world: World) -> None:
            ids = Ids(world.clock, seed=100 * number + life)  # no life draws another's
            own = replace(world, ground=replace(world.ground, ids=ids))
            OF_INCIDENTS[number](own, OUTAGES[outage])

        return lived

    whole_url, url = copied(scene.database), copied(scene.database)
    for number in range(step):
        for one in (whole_url, url):
            live(one, DAY, act(number, 0))
    with seen(whole_url) as whole_book, seen(url) as book:
        states = [dump(whole_book)]
        live(whole_url, DAY, act(step, 0), on_commit=lambda: states.append(dump(whole_book)))
        changes = sum(one != then for one, then in pairwise(states))
        now, at, lives = dump(book), 1, 0
        assert now == states[0]
        while (cut := live(url, DAY, act(step, lives), at)).ended is not None:
            at += 1
            if (then := dump(book)) != now:
                assert cut.ended == AFTER_COMMIT
                assert_clean(book)
                now, at, lives = then, 1, lives + 1
        assert dump(book) == now
        assert lives == changes > 1
        assert _size(book) == _size(whole_book)
        for statement in (EXCUSED, DONE):
            assert rows(book, statement) == rows(whole_book, statement)


def test_a_desk_that_dies_loses_and_doubles_nothing_it_had_acknowledged(
    scene: Scene, copied: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda _: None)  # a writer's death is no news
    commands = [scene.batches[kind][0] for kind in (Authorise, Receive, Refund)]
    keys = [command.key for command in commands]
    acknowledged: dict[str, object] = {}

    def act(world: World) -> list[object]:
        desk = Desk(world.ground, writers=1)
        answers = [desk.submit(command) for command in commands]
        while desk._threads[0].is_alive() and not all(one.done() for one in answers):
            desk._threads[0].join(0.002)
        for each, one in zip(keys, answers, strict=True):
            if one.done():  # an answer that was given once is given for good
                assert acknowledged.setdefault(each, one.result()) == one.result()
        desk.close()
        if not all(one.done() for one in answers):
            raise Death
        return [one.result() for one in answers]

    whole_url, url = copied(scene.database), copied(scene.database)
    live(whole_url, DAY, act)
    acknowledged.clear()
    with seen(whole_url) as whole_book, seen(url) as book:
        deaths = 0
        while live(url, DAY, act, deaths + 1).ended is not None:
            deaths += 1
            kept = {one for (one,) in rows(book, KEPT, keys=keys)}
            assert acknowledged.keys() <= kept
            assert_clean(book)
        assert deaths > 20
        assert _size(book) == _size(whole_book)


KEPT = "SELECT key FROM commands WHERE key = ANY(%(keys)s)"


def _size(book: Store) -> tuple[dict[str, int], object]:
    """Return what does not depend on the ids: how many rows there are, and the ledger's sums."""
    sums = """
        SELECT account_id, debit, credit, SUM(amount_minor)::bigint FROM transfers
        GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    """
    return {table: count for table, (count, _) in dump(book).items()}, rows(book, sums)


def test_every_flow_there_is_dies_here() -> None:
    others = (adopt, found, enlist, heed, import_reports, protect, reset, shadow)
    others = (*others, open_appeal, close_appeal, open_incident, add_place)
    here = {flow.__module__ for flow in (*FLOWS.values(), *others)}
    here |= {step.flow.__module__ for step in STEPS}
    there = {f"fenqi.flows.{one.name}" for one in pkgutil.iter_modules(fenqi.flows.__path__)}
    assert here == there
    assert ACTS.keys() == {kind.kind for kind in FLOWS} | {
        *(
            "adopt",
            "authorise by the policy",
            "close-appeal",
            "open-appeal",
            "found",
            "enlist",
            "heed",
            "import-reports",
            "place-add",
            "place-remove",
            "protect",
            "reset",
            "shadow",
        )
    }
