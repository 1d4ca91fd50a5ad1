"""What purchases and assessments are told: the bureau's word, the score, the address last seen."""

import dataclasses
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from make_application import TEXT, SaidBureau, applied, hashed
from make_book import BOOK, World, done, enrol, key, open_book, purchase, rows, told_of_last
from make_crowd import know, make_old, people

from fenqi.core.account import AccountStatus, Standing
from fenqi.core.risk import record
from fenqi.core.risk.case import CaseOutcome
from fenqi.core.risk.consent import DataClass
from fenqi.core.risk.decision import DecisionKind
from fenqi.core.risk.given import given_of
from fenqi.core.risk.input import Purpose
from fenqi.core.risk.policy.handed_in import GIVEN
from fenqi.core.risk.policy.read import read
from fenqi.core.risk.record import Record
from fenqi.core.risk.rulebook import policy_of
from fenqi.core.risk.scorecard import score
from fenqi.core.values.bureau import Finding
from fenqi.core.values.ids import AccountId
from fenqi.flows.assess import Assess, assess
from fenqi.flows.authorise import Authorised, authorise
from fenqi.flows.observe import Observe, Told, observe
from fenqi.flows.protect import protect
from fenqi.flows.review import CloseCase, close_case
from fenqi.flows.sign import Sign, sign
from fenqi.flows.withdraw_consent import WithdrawConsent, withdraw_consent
from fenqi.store import decision_records, features, policies, scorecards
from fenqi.store.pool import Store
from fenqi.store.trails import Trails
from fenqi.worker.admit import admit

BAD = {"score": 400, "enquiries_30d": 12, "overdue_accounts": 2, "worst_overdue_days": 20}

POOR = BAD | {"enquiries_30d": 9}


@pytest.fixture
def world(store: Store) -> World:
    world = open_book(store)
    with store.transaction() as session:
        policies.install(session, world.clock.now())
    ground = dataclasses.replace(world.ground, asks_policies=True)
    return dataclasses.replace(world, ground=ground)


def looking_at_places(world: World) -> World:
    """Return the book with a purchase policy that looks at known places; the shipped does not."""
    text = policies.shipped(DecisionKind.PURCHASE).policy.text
    text += '\n[[rules]]\nid = "known-place"\npurpose = "fraud"\nwhen = "is_allowed_address"\n'
    policy = read(text, features.shipped().vocabulary, file="places.toml")
    rulebooks = {DecisionKind.PURCHASE: policies.book_of(policy)}
    ground = dataclasses.replace(world.ground, rulebooks=rulebooks)
    return dataclasses.replace(world, ground=ground)


def opened(world: World, bureau: SaidBureau, person: str = "ann") -> AccountId:
    """Open an account by an application about which a bureau was asked."""
    received = applied(world, person)
    offer = done(admit(world.ground, bureau)[received.application_id])
    account = AccountId(UUID(received.application_id))
    command = Sign(
        scope_id=received.application_id,
        key=key(world),
        account_id=account,
        cost_table=offer.cost_table or "",
        is_stepped_up=True,
    )
    done(sign(world.ground, [command])[0])
    return account


REPORT = """
INSERT INTO bureau_reports (person_id, report_id, bureau, source, finding, asked_by, consent_number,
    asked_at, tries, said, as_of, score, enquiries_30d, overdue_accounts, worst_overdue_days)
SELECT a.person_id, %(id)s, 'said', 'file', 'report', 'mei', c.number, %(now)s, 1, '', %(now)s,
    %(score)s, %(enquiries_30d)s, %(overdue_accounts)s, %(worst_overdue_days)s
FROM accounts AS a JOIN consents AS c ON c.person_id = a.person_id AND c.data_class = 'bureau'
WHERE a.account_id = %(account)s
"""


def report(world: World, account: AccountId, **said: int) -> None:
    """Keep what a bureau says of an account's person now."""
    asked = {"account": account, "id": world.ground.ids.new(), "now": world.clock.now()}
    with world.store.transaction() as session:
        assert session.run(REPORT, asked | said) == 1


def try_buy(world: World, account: AccountId, amount: int = 10_000, *plan: Any) -> Authorised:
    return done(authorise(world.ground, [purchase(world, account, amount, *plan)])[0])


def latest(world: World, kind: str) -> Record:
    """Return the last decision of a kind; its record alone decides the same."""
    asked = "SELECT decision_id FROM decisions WHERE kind = %(kind)s ORDER BY decision_id DESC"
    decision_id = rows(world.store, asked, kind=kind)[0][0]
    with world.store.transaction() as session:
        found = decision_records.read(session, decision_id)
    assert record.replay(found) is None
    return found


def log_in(world: World, account: AccountId, **said: str) -> None:
    told = Told("login", world.clock.now(), said)
    command = Observe(
        scope_kind="account",
        scope_id=str(account),
        key=key(world),
        account_id=account,
        facts=(told,),
    )
    done(observe(world.ground, [command])[0])


def bureau_of(found: Record) -> dict[str, Any]:
    return {name: value for name, value in found.given.items() if name.startswith("bureau_")}


def test_a_purchase_hears_what_the_bureau_last_said_and_is_scored_on_it(world: World) -> None:
    account = opened(world, SaidBureau())
    world.clock.set(world.clock.now() + timedelta(days=1))
    report(world, account, **BAD)
    world.clock.set(world.clock.now() + timedelta(days=3))
    answer = try_buy(world, account, 10_000, "annuity18", 24)
    found = latest(world, "purchase")
    assert bureau_of(found) == {
        "bureau_overdue_accounts": 2,
        "bureau_enquiries_30d": 12,
        "bureau_age_days": 3,
    }
    assert found.given["score_points"] is not None
    assert found.given["score_points"] < 540
    # Twenty-four instalments are not on the menu of a low score.
    assert (answer.outcome, answer.reasons) == ("other-plan", ["plan-not-offered"])
    # Nor on one that is cooled for these points; of the row and of the cooler the customer is told.
    told = told_of_last(world, account)
    assert told == ["score-low-and-new", "overdue-elsewhere", "score-low", "many-enquiries"]
    assert {"overdue-elsewhere", "many-enquiries", "score-low", "menu.low-and-new"} <= hit(found)


def hit(found: Record) -> set[str]:
    lines = policy_of(found.rulebook.content).lines
    return {lines[number].name for number in found.hits}


def test_an_assessment_hears_what_the_bureau_last_said(world: World) -> None:
    account = opened(world, SaidBureau(**POOR))
    command = Assess(scope_id=str(account), key=key(world), account_id=account)
    assert done(assess(world.ground, [command])[0]).outcome == "cut"
    found = latest(world, "limit")
    assert bureau_of(found) == {"bureau_overdue_accounts": 2, "bureau_age_days": 0}
    assert "overdue-elsewhere" in hit(found)


def test_the_score_of_a_purchase_is_that_of_the_card_over_what_is_known(world: World) -> None:
    account = enrol(world, limit_minor=100_000)
    for _ in range(3):
        try_buy(world, account)
    found = latest(world, "purchase")
    card = scorecards.shipped()
    known = dict(found.given) | {"days_since_first_purchase": 0}
    standing = Standing(AccountStatus.OPEN, limit_minor=100_000, used_minor=20_000, overdue_days=0)
    known |= given_of(standing, age_days=0, needs_step_up=False)
    made = score(card, [known.get(name) for name in card.inputs])
    assert found.given["score_points"] == made.points


def test_a_limit_that_is_smaller_for_a_while_does_not_move_the_score(world: World) -> None:
    one, other = (
        enrol(world, "one", limit_minor=100_000),
        enrol(world, "other", limit_minor=100_000),
    )
    for account in (one, other):
        try_buy(world, account, 20_000)
    with world.store.transaction() as session:
        session.run(
            "UPDATE accounts SET ceiling_minor = 30000, ceiling_until = %(until)s"
            " WHERE account_id = %(one)s",
            {"one": one, "until": world.clock.now() + timedelta(days=1)},
        )
    points = []
    for account in (one, other):
        try_buy(world, account, 1_000)
        points.append(latest(world, "purchase").given["score_points"])
    assert points[0] == points[1] is not None


def test_what_a_bureau_said_is_not_used_once_the_consent_is_taken_back(world: World) -> None:
    account = opened(world, SaidBureau(**POOR))
    command = WithdrawConsent(
        scope_id=str(account),
        key=key(world),
        account_id=account,
        data_class=DataClass.BUREAU,
        purpose=Purpose.CREDIT,
        text_sha256=TEXT,
    )
    done(withdraw_consent(world.ground, [command])[0])
    try_buy(world, account)
    assert set(bureau_of(latest(world, "purchase")).values()) == {None}


def test_what_a_bureau_said_long_ago_is_unknown(world: World) -> None:
    account = opened(world, SaidBureau(**POOR))
    world.clock.set(world.clock.now() + timedelta(days=90))
    try_buy(world, account)
    assert set(bureau_of(latest(world, "purchase")).values()) == {None}


def test_somebody_a_bureau_does_not_know_is_known_to_have_no_report(world: World) -> None:
    account = opened(world, SaidBureau(Finding.NOBODY))
    try_buy(world, account)
    assert bureau_of(latest(world, "purchase")) == {
        "bureau_overdue_accounts": None,
        "bureau_enquiries_30d": None,
        "bureau_age_days": 0,
    }


def test_a_purchase_knows_whether_the_address_last_seen_is_a_known_place(world: World) -> None:
    world = looking_at_places(world)
    here, campus = hashed("here"), hashed("campus")
    know(world, bytes.fromhex(campus))
    account, other = enrol(world, "ann"), enrol(world, "eve")
    seen = []
    for address in (None, here, campus, None):
        if address is not None:
            log_in(world, account, ip=address)
        elif seen:
            log_in(world, account)  # names no address: the one before is the last seen
        try_buy(world, account)
        seen.append(latest(world, "purchase").given["is_allowed_address"])
    assert seen == [None, 0, 1, 1]
    try_buy(world, other)
    assert latest(world, "purchase").given["is_allowed_address"] is None
    # A place that becomes known counts at once, and a program that starts knows the address too.
    know(world, bytes.fromhex(here))
    log_in(world, other, ip=here)
    fresh = dataclasses.replace(world.ground, trails=Trails())
    done(authorise(fresh, [purchase(world, other, 1_000)])[0])
    assert latest(world, "purchase").given["is_allowed_address"] == 1


def test_a_purchase_and_an_access_mean_the_same_by_an_allowed_address(world: World) -> None:
    """A place that its crowd showed counts for both, until a person denies it."""
    world = looking_at_places(world)
    staff = people(world, 12)
    make_old(world, staff)
    office = hashed("office")

    def heard() -> tuple[object, object]:
        log_in(world, staff[0], ip=office)
        access = latest(world, "access").given["is_allowed_address"]
        try_buy(world, staff[0])
        return access, latest(world, "purchase").given["is_allowed_address"]

    assert heard() == (0, 0)
    for one in staff:
        world.clock.set(world.clock.now() + timedelta(seconds=5))
        log_in(world, one, ip=office)
    assert protect(world.ground).places == 1
    assert heard() == (1, 1)
    case_id = UUID(str(rows(world.store, "SELECT case_id FROM cases")[0][0]))
    command = CloseCase(
        scope_kind="book",
        scope_id=BOOK,
        key=key(world),
        case_id=case_id,
        outcome=CaseOutcome.CONFIRMED,
        text="a ring after all",
        actor="mei",
    )
    done(close_case(world.ground, [command])[0])
    assert heard() == (0, 0)
    know(world, bytes.fromhex(office))
    assert heard() == (1, 1)


def test_where_somebody_was_is_not_changed_by_what_is_told_late(world: World) -> None:
    world = looking_at_places(world)
    campus = hashed("campus")
    know(world, bytes.fromhex(campus))
    account = enrol(world)
    log_in(world, account, ip=hashed("here"))
    late = Told("login", world.clock.now() - timedelta(hours=1), {"ip": campus})
    command = Observe(
        scope_kind="account",
        scope_id=str(account),
        key=key(world),
        account_id=account,
        facts=(late,),
    )
    done(observe(world.ground, [command])[0])
    try_buy(world, account)
    assert latest(world, "purchase").given["is_allowed_address"] == 0


@pytest.mark.parametrize("kind", ["purchase", "limit"])
def test_what_a_shipped_policy_is_given_is_known_of_a_customer_who_is(
    world: World, kind: str
) -> None:
    account = opened(world, SaidBureau(**POOR))
    log_in(world, account, ip=hashed("here"))
    try_buy(world, account)
    if kind != "purchase":
        command = Assess(scope_id=str(account), key=key(world), account_id=account)
        done(assess(world.ground, [command])[0])
    given = {one: value for one, value in latest(world, kind).given.items() if one in GIVEN}
    assert [one for one, value in given.items() if value is None] == []


def test_what_would_change_a_decline_is_kept_with_it(world: World) -> None:
    account = enrol(world, limit_minor=100_000)
    try_buy(world, account, 60_000)
    assert latest(world, "purchase").would_change is None
    assert try_buy(world, account, 90_000).outcome == "decline"
    amount = {"name": "amount_minor", "value": 90_000, "would_be": 40_000, "outcome": "approve"}
    assert latest(world, "purchase").would_change == amount
    judged = dataclasses.replace(
        world, ground=dataclasses.replace(world.ground, asks_policies=False)
    )
    assert try_buy(judged, account, 90_000).outcome == "decline"
    assert latest(world, "purchase").would_change == amount


def test_an_application_is_told_which_income_would_do(world: World) -> None:
    received = applied(world, income_declared_minor=400_000, income_evidenced_minor=400_000)
    offer = done(admit(world.ground, SaidBureau())[received.application_id])
    assert offer.outcome == "smaller-limit"
    turn = latest(world, "application").would_change
    assert (turn["name"], turn["value"]) == ("income_evidenced_minor", 400_000)
    for number, (income, outcome) in enumerate(
        ((turn["would_be"], "approve"), (turn["would_be"] - 1, "smaller-limit"))
    ):
        again = applied(
            world, f"p{number}", income_declared_minor=400_000, income_evidenced_minor=income
        )
        assert done(admit(world.ground, SaidBureau())[again.application_id]).outcome == outcome
