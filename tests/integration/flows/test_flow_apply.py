"""From the wish for credit to the account: what is asked, decided, told, accepted, and counted."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from make_application import EVERYTHING, SaidBureau, application, applied, consents, hashed
from make_book import (
    BOOK,
    OPENED,
    World,
    assert_sound,
    beside,
    done,
    enrol,
    key,
    kinds,
    noon,
    open_book,
    row,
    rows,
)
from rich.console import Console
from typer.testing import CliRunner

from fenqi.cli import app
from fenqi.core.errors import FenqiError
from fenqi.core.risk.appeal import Answer
from fenqi.core.risk.application import INPUTS, rule_again
from fenqi.core.risk.consent import ConsentMissing, DataClass
from fenqi.core.risk.record import replay
from fenqi.core.values.bureau import Finding
from fenqi.core.values.ids import AccountId
from fenqi.flows.appeal import OpenAppeal, open_appeal
from fenqi.flows.apply import ApplicationInvalid, Identifier, Received, apply
from fenqi.flows.close_appeal import CloseAppeal, close_appeal
from fenqi.flows.decide import Decided
from fenqi.flows.resolve import ResolutionInvalid, Resolve, resolve
from fenqi.flows.sign import CostTableDiffers, OfferEnded, Sign, Signed, StepUpNeeded, sign
from fenqi.flows.withdraw_consent import WithdrawConsent, withdraw_consent
from fenqi.report import case as cases
from fenqi.report import told as telling
from fenqi.report.language import Language, Speech
from fenqi.store import decision_records
from fenqi.store.accounts import AlreadyEnrolled
from fenqi.store.applications import ApplicationElsewhere, ApplicationMissing
from fenqi.store.pool import Store
from fenqi.store.reasons import ReasonUnknown
from fenqi.worker.admit import admit


@pytest.fixture
def world(store: Store) -> World:
    return open_book(store)


def decided(world: World, received: Received, bureau: SaidBureau | None = None) -> Decided:
    return done(admit(world.ground, bureau)[received.application_id])


def acceptance(world: World, received: Received, offer: Decided, **changes: Any) -> Sign:
    fields: dict[str, Any] = {
        "scope_id": received.application_id,
        "key": key(world),
        "account_id": AccountId(UUID(received.application_id)),
        "cost_table": offer.cost_table,
    }
    return Sign(**fields | changes)


def accepted(world: World, command: Sign) -> Signed | FenqiError:
    return sign(world.ground, [command])[0]


def test_a_steady_person_gets_what_was_asked_and_an_account_on_the_costs_shown(
    world: World,
) -> None:
    received = applied(world)
    bureau = SaidBureau()
    offer = decided(world, received, bureau)
    assert offer == Decided(
        state="offered",
        outcome="approve",
        reasons=[],
        limit_minor=2_000_000,
        cost_table=offer.cost_table,
        offer_ends_on="2026-01-19",
    )
    assert [one.subject for one in bureau.asked] == ["ann"]
    answer = done(accepted(world, acceptance(world, received, offer)))
    account = AccountId(UUID(answer.account_id))
    assert answer == Signed(received.application_id, 2_000_000)
    assert kinds(world, account) == [
        *("application-received", "bureau-asked", "application-offered", "account-opened")
    ]
    found = row(
        world.store,
        "SELECT a.limit_minor, a.statement_day, a.status, a.event_count, g.cost_table::text "
        "FROM accounts AS a JOIN agreements AS g USING (account_id) WHERE kind = 'customer'",
    )
    assert found == (2_000_000, 5, "open", 4, offer.cost_table)
    lines = rows(
        world.store,
        "SELECT cost_line FROM cost_table_lines WHERE cost_table = %(id)s::uuid ORDER BY 1",
        id=offer.cost_table,
    )
    assert lines == [("flat-fee",), ("interest",), ("late-charge",)]
    assert_sound(world, accounts=1)


def test_every_call_of_the_bureau_is_kept_with_consent_cost_and_time(world: World) -> None:
    received = applied(world)
    decided(world, received, SaidBureau(score=701))
    found = row(
        world.store,
        """
        SELECT bureau, source, finding, asked_by, asked_for::text, cost_minor, latency_us, tries,
            said, score, data_class, is_given
        FROM bureau_reports JOIN consents ON consents.person_id = bureau_reports.person_id
            AND number = consent_number
        """,
    )
    assert found == (
        *("said", "channel", "report", "worker", received.application_id, 100, 1_500, 1, "R1"),
        *(701, "bureau", True),
    )


def test_identity_is_kept_with_the_person_only_and_guessable_numbers_as_hashes(
    world: World,
) -> None:
    received = applied(world, "ann")
    decided(world, received, SaidBureau())
    found = row(
        world.store,
        "SELECT legal_name, born_on, is_student, encode(national_id_hash, 'hex') FROM identities",
    )
    assert found == ("ann Sample", date(1995, 6, 1), False, hashed("id-ann"))
    facts = row(
        world.store,
        "SELECT identifier_kind, encode(identifier_hash, 'hex'), account_id::text "
        "FROM identifier_facts",
    )
    assert facts == ("phone", hashed("phone-ann"), received.application_id)
    told = rows(
        world.store, "SELECT payload::text FROM events UNION ALL SELECT answer::text FROM commands"
    )
    assert not [
        one for (one,) in told if "Sample" in one or "1995" in one or hashed("id-ann") in one
    ]


@pytest.mark.parametrize(
    ("changes", "bureau", "reasons"),
    [
        ({"born_on": date(2008, 1, 6)}, {}, ["under-age"]),
        ({"is_student": True}, {}, ["students-not-served"]),
        (
            {"born_on": date(2008, 1, 6), "is_student": True},
            {},
            ["under-age", "students-not-served"],
        ),
        ({"obligations_minor": 499_000}, {}, ["obligations-too-high"]),
        ({"obligations_minor": None}, {"monthly_due_minor": 499_000}, ["obligations-too-high"]),
        ({"income_evidenced_minor": 16_000, "obligations_minor": 0}, {}, ["income-too-low"]),
        ({}, {"worst_overdue_days": 90}, ["overdue-elsewhere"]),
    ],
)
def test_a_decline_tells_its_true_reasons_and_opens_nothing(
    world: World, changes: dict[str, Any], bureau: dict[str, int], reasons: list[str]
) -> None:
    received = applied(world, **changes)
    answer = decided(world, received, SaidBureau(**bureau))
    assert (answer.state, answer.outcome) == ("declined", "decline")
    assert answer.reasons == reasons
    told = row(
        world.store,
        "SELECT payload -> 'reasons' FROM events JOIN outbox ON events.account_id = "
        "outbox.account_id AND number = event_number WHERE topic = 'customer'",
    )
    assert told == reasons
    refusal = accepted(world, acceptance(world, received, answer, cost_table="x"))
    assert isinstance(refusal, ApplicationElsewhere)
    assert_sound(world, accounts=0)


def test_no_bureau_is_asked_about_whom_the_law_excludes(world: World) -> None:
    bureau = SaidBureau()
    decided(world, applied(world, born_on=date(2010, 1, 1)), bureau)
    assert bureau.asked == []


def test_somebody_turns_eighteen_on_the_day(world: World) -> None:
    day = date(OPENED.year - 18, OPENED.month, OPENED.day)
    young = applied(world, "eve", born_on=day + timedelta(days=1))
    adult = applied(world, "ann", born_on=day)
    answers = admit(world.ground, SaidBureau())
    assert done(answers[young.application_id]).reasons == ["under-age"]
    assert done(answers[adult.application_id]).state == "offered"


@pytest.mark.parametrize("finding", [one for one in Finding if one is not Finding.REPORT])
def test_a_bureau_that_fails_makes_a_smaller_beginning_and_never_a_decline(
    world: World, finding: Finding
) -> None:
    received = applied(world)
    offer = decided(world, received, SaidBureau(finding))
    assert offer.state == "offered"
    if finding is Finding.NOBODY:  # an answer: no file is no blemish
        assert (offer.limit_minor, offer.reasons) == (2_000_000, [])
    else:
        assert (offer.limit_minor, offer.reasons) == (300_000, ["no-bureau-report"])
        assert offer.outcome == "smaller-limit"
    kept = row(world.store, "SELECT finding, score FROM bureau_reports")
    assert kept == (finding.value, None)


def test_who_gives_no_consent_to_ask_a_bureau_is_not_asked_about(world: World) -> None:
    bureau = SaidBureau()
    received = applied(world, consents=consents(world, *(set(EVERYTHING) - {"bureau"})))
    offer = decided(world, received, bureau)
    assert bureau.asked == []
    assert (offer.limit_minor, offer.reasons) == (300_000, ["no-bureau-report"])


def test_a_fresh_report_is_used_again_and_an_old_one_is_not(world: World) -> None:
    bureau = SaidBureau(worst_overdue_days=120)
    assert decided(world, applied(world), bureau).reasons == ["overdue-elsewhere"]
    again = decided(world, applied(world), bureau)
    assert again.reasons == ["overdue-elsewhere"]
    assert len(bureau.asked) == 1
    world.clock.set(world.clock.now() + timedelta(days=31))
    assert decided(world, applied(world), SaidBureau()).state == "offered"


def test_a_consent_taken_back_stops_asking_and_using(world: World) -> None:
    bureau = SaidBureau(worst_overdue_days=120)
    first = applied(world)
    decided(world, first, bureau)
    account = AccountId(UUID(first.application_id))
    command = WithdrawConsent(
        scope_id=str(account), key="w", account_id=account, data_class=DataClass.BUREAU
    )
    done(withdraw_consent(world.ground, [command])[0])
    other = WithdrawConsent(
        scope_id=str(account), key="w2", account_id=account, data_class=DataClass.BUREAU
    )
    assert isinstance(withdraw_consent(world.ground, [other])[0], ConsentMissing)
    assert done(withdraw_consent(world.ground, [command])[0]).number == 7
    later = applied(world, consents=consents(world, *(set(EVERYTHING) - {"bureau"})))
    offer = decided(world, later, bureau)
    assert (offer.limit_minor, offer.reasons) == (300_000, ["no-bureau-report"])
    assert len(bureau.asked) == 1
    assert kinds(world, account)[-1] == "consent-withdrawn"


def taken_back(world: World, received: Received, data_class: DataClass) -> None:
    account = AccountId(UUID(received.application_id))
    how = {"scope_id": str(account), "key": key(world), "account_id": account}
    command = WithdrawConsent(**how, data_class=data_class)
    done(withdraw_consent(world.ground, [command])[0])


def test_an_older_form_gives_no_consent_again_that_was_taken_back(world: World) -> None:
    before, bureau = consents(world, *EVERYTHING), SaidBureau()
    first = applied(world)
    world.clock.set(world.clock.now() + timedelta(minutes=10))
    taken_back(world, first, DataClass.BUREAU)
    world.clock.set(world.clock.now() + timedelta(minutes=10))
    refused = apply(world.ground, [application(world, consents=before)])[0]
    assert isinstance(refused, ApplicationInvalid)
    assert refused.fields["field"] == "consents"
    assert decided(world, first, bureau).reasons == ["no-bureau-report"]
    assert bureau.asked == []
    # Whoever agrees anew has agreed.
    assert decided(world, applied(world), bureau).reasons == []
    assert len(bureau.asked) == 1


def test_income_shown_under_a_consent_that_was_taken_back_is_not_looked_at(world: World) -> None:
    received = applied(world)
    taken_back(world, received, DataClass.INCOME)
    offer = decided(world, received, SaidBureau())
    assert (offer.limit_minor, offer.reasons) == (500_000, ["income-not-shown"])


@pytest.mark.parametrize("how", ["person", "national-id", "phone"])
def test_the_fifth_application_in_a_day_is_checked_and_cooled_and_not_declined(
    world: World, how: str
) -> None:
    def one(number: int) -> Received:
        if how == "person":
            return applied(world, "ann")
        if how == "national-id":
            return applied(world, f"p{number}", national_id=hashed("same"))
        phone = (Identifier(kind="phone", hash=hashed("same")),)
        return applied(world, f"p{number}", identifiers=phone)

    received = [one(number) for number in range(5)]
    answers = admit(world.ground, SaidBureau())
    outcomes = [done(answers[each.application_id]) for each in received]
    assert [each.needs_step_up for each in outcomes] == [False] * 4 + [True]
    fifth = outcomes[4]
    assert (fifth.state, fifth.outcome, fifth.reasons) == (
        *("offered", "review"),
        ["many-applications"],
    )
    kept = row(
        world.store,
        "SELECT effects, counts_max, applications_24h FROM applications WHERE applications_24h = 5",
    )
    assert kept == (["step-up", "cooler-menu:3", "review:2"], 3, 5)
    alert = row(
        world.store,
        "SELECT cases.kind, subject, priority, evidence ->> 'applications_24h' "
        "FROM cases JOIN case_entries USING (case_id) WHERE cases.outcome IS NULL",
    )
    assert alert == ("review", "many-applications", 2, "5")
    refusal = accepted(world, acceptance(world, received[4], fifth))
    assert isinstance(refusal, StepUpNeeded)
    checked = acceptance(world, received[4], fifth, is_stepped_up=True)
    assert isinstance(accepted(world, checked), Signed)


def test_five_in_one_batch_count_one_another_and_yesterdays_do_not_count(world: World) -> None:
    commands = [application(world) for _ in range(5)]
    answers = apply(world.ground, commands)
    assert all(isinstance(one, Received) for one in answers)
    counts = "SELECT applications_24h FROM applications ORDER BY received_at, account_id"
    assert rows(world.store, counts) == [(1,), (2,), (3,), (4,), (5,)]
    world.clock.set(world.clock.now() + timedelta(hours=24))
    applied(world)
    assert rows(world.store, counts)[-1] == (1,)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"legal_name": " "}, "legal_name"),
        ({"legal_name": "a\nb"}, "legal_name"),
        ({"person_reference": "x" * 201}, "person_reference"),
        ({"born_on": date(2026, 1, 6)}, "born_on"),
        ({"born_on": date(1850, 1, 6)}, "born_on"),
        ({"asked_minor": 0}, "asked_minor"),
        ({"asked_minor": 49_999}, "asked_minor"),
        ({"asked_minor": 10**13}, "asked_minor"),
        ({"income_declared_minor": -1}, "income_declared_minor"),
        ({"income_declared_minor": 10**13}, "income_declared_minor"),
        ({"obligations_minor": -1}, "obligations_minor"),
        ({"evidence": None}, "evidence"),
        ({"evidence": "a friend"}, "evidence"),
        ({"national_id": "110101199506011234"}, "identifiers"),
        ({"identifiers": (Identifier(kind="ip", hash=hashed("x")),)}, "identifiers"),
        ({"identifiers": (Identifier(kind="phone", hash="13800138000"),)}, "identifiers"),
        ({"identifiers": (Identifier(kind="phone", hash=hashed("x")),) * 9}, "identifiers"),
    ],
)
def test_what_makes_no_sense_is_named_and_leaves_nothing(
    world: World, changes: dict[str, Any], field: str
) -> None:
    answer = apply(world.ground, [application(world, **changes)])[0]
    assert isinstance(answer, ApplicationInvalid), answer
    assert answer.fields["field"] == field
    for table in ("persons", "applications", "identities", "consents", "identifier_facts"):
        assert row(world.store, f"SELECT COUNT(*) FROM {table}") == 0


@pytest.mark.parametrize(
    ("missing", "changes"),
    [("identity", {}), ("contact", {}), ("income", {}), ("device", {"identifiers": ("device",)})],
)
def test_nothing_is_taken_in_without_the_consent_for_its_class(
    world: World, missing: str, changes: dict[str, Any]
) -> None:
    if changes:
        changes = {"identifiers": (Identifier(kind="device", hash=hashed("d")),)}
    given = consents(world, *(set(EVERYTHING) - {missing}))
    answer = apply(world.ground, [application(world, consents=given, **changes)])[0]
    assert isinstance(answer, ConsentMissing)
    assert answer.fields == {"data_class": missing}
    assert row(world.store, "SELECT COUNT(*) FROM persons") == 0


def test_consents_of_the_future_or_without_a_text_are_none(world: World) -> None:
    for changes in (
        {"data_class": "astrology"},
        {"stated_at": world.clock.now() + timedelta(seconds=1)},
        {"text_sha256": "yes"},
    ):
        given = consents(world, *EVERYTHING)
        fields = {name: getattr(given[0], name) for name in given[0].__struct_fields__}
        wrong = (type(given[0])(**fields | changes), *given[1:])
        answer = apply(world.ground, [application(world, consents=wrong)])[0]
        assert isinstance(answer, ApplicationInvalid), answer
        assert answer.fields["field"] == "consents"


def test_an_offer_is_accepted_as_made_until_its_day_and_once(world: World) -> None:
    received = applied(world)
    offer = decided(world, received, SaidBureau())
    other = accepted(world, acceptance(world, received, offer, cost_table=str(UUID(int=7))))
    assert isinstance(other, CostTableDiffers)
    command = acceptance(world, received, offer)
    first = accepted(world, command)
    assert isinstance(first, Signed)
    assert accepted(world, command) == first
    again = accepted(world, acceptance(world, received, offer))
    assert isinstance(again, AlreadyEnrolled)
    nobody = acceptance(world, received, offer, account_id=AccountId(UUID(int=5)))
    assert isinstance(accepted(world, nobody), ApplicationMissing)
    assert isinstance(apply(world.ground, [application(world)])[0], AlreadyEnrolled)
    assert_sound(world, accounts=1)


def test_an_offer_ends(world: World) -> None:
    received = applied(world)
    offer = decided(world, received, SaidBureau())
    with world.store.transaction() as session:
        session.run(
            "UPDATE applications SET offer_ends_on = %(day)s",
            {"day": OPENED - timedelta(days=1)},
        )
    refusal = accepted(world, acceptance(world, received, offer))
    assert isinstance(refusal, OfferEnded)
    assert noon(OPENED) == world.clock.now()


def test_two_offers_of_one_person_open_one_account(world: World) -> None:
    received = [applied(world), applied(world)]
    answers = admit(world.ground, SaidBureau())
    offers = [done(answers[one.application_id]) for one in received]
    commands = [acceptance(world, *both) for both in zip(received, offers, strict=True)]
    outcomes = sign(world.ground, commands)
    assert [type(one) for one in outcomes] == [Signed, AlreadyEnrolled]
    assert_sound(world, accounts=1)


def test_who_is_enrolled_already_cannot_apply(world: World) -> None:
    enrol(world, "ann")
    assert isinstance(apply(world.ground, [application(world)])[0], AlreadyEnrolled)


def test_an_application_is_received_once_and_decided_once(world: World) -> None:
    command = application(world)
    answers = apply(world.ground, [command, command])
    assert answers[0] == answers[1] == apply(world.ground, [command])[0]
    assert row(world.store, "SELECT COUNT(*) FROM applications") == 1
    bureau = SaidBureau()
    assert len(admit(world.ground, bureau)) == 1
    assert admit(world.ground, bureau) == {}
    assert len(bureau.asked) == 1


def test_an_application_that_was_claimed_and_left_is_claimed_again_after_a_while(
    world: World,
) -> None:
    class Dies:
        name = "dies"

        def ask(self, *_: object) -> Any:
            raise KeyboardInterrupt

    received = applied(world)
    with pytest.raises(KeyboardInterrupt):
        admit(world.ground, Dies())
    bureau = SaidBureau()
    assert admit(world.ground, bureau) == {}
    world.clock.set(world.clock.now() + timedelta(minutes=2))
    assert decided(world, received, bureau).state == "offered"
    assert bureau.asked[0].reference == received.application_id


def resolution(received: Received, limit: int | None, *reasons: str, key: str = "r") -> Resolve:
    return Resolve(
        scope_id=received.application_id,
        key=key,
        actor="officer",
        account_id=AccountId(UUID(received.application_id)),
        limit_minor=limit,
        reasons=reasons,
    )


def refer(world: World, received: Received) -> None:
    """Put an application before a person, as a policy may."""
    with world.store.transaction() as session:
        session.run("UPDATE applications SET state = 'review', outcome = 'review'")
    assert received.state == "received"


def test_a_person_decides_what_waits_for_one_within_what_can_be_carried(world: World) -> None:
    received = applied(world)
    decided(world, received, SaidBureau())
    refer(world, received)
    for wrong in (
        resolution(received, 2_000_001),
        resolution(received, 0),
        resolution(received, 49_999),  # below what the pack opens an account for
        resolution(received, None),
        resolution(received, None, *"abcde"),
    ):
        assert isinstance(resolve(world.ground, [wrong])[0], ResolutionInvalid)
    answer = done(resolve(world.ground, [resolution(received, 100_000, key="yes")])[0])
    assert answer.state == "offered"
    late = resolve(world.ground, [resolution(received, None, "why", key="no")])[0]
    assert isinstance(late, ApplicationElsewhere)
    who = row(world.store, "SELECT decided_by, limit_minor FROM applications")
    assert who == ("officer", 100_000)


def test_a_person_declines_with_reasons(world: World) -> None:
    received = applied(world)
    decided(world, received, SaidBureau())
    refer(world, received)
    done(resolve(world.ground, [resolution(received, None, "income-too-low")])[0])
    kept = row(world.store, "SELECT state, reasons FROM applications")
    assert kept == ("declined", ["income-too-low"])
    assert row(world.store, "SELECT book_id FROM applications") == BOOK


def test_a_reason_nobody_wrote_a_text_for_is_refused_with_those_there_are(
    world: World, database_url: str
) -> None:
    received = applied(world)
    decided(world, received, SaidBureau())
    refer(world, received)
    for limit in (None, 100_000):
        (refused,) = resolve(world.ground, [resolution(received, limit, "I-do-not-like-him")])
        assert isinstance(refused, ReasonUnknown)
        assert refused.fields["reason"] == "I-do-not-like-him"
        known = str(refused.fields["known"]).split(", ")
        assert {"income-too-low", "overdue-elsewhere", "no-bureau-report"} <= set(known)
    words = ["application", "resolve", received.application_id, "--by", "officer"]
    environment = {"FENQI_DATABASE_URL": database_url, "FENQI_LANGUAGE": "zh"}
    ended = CliRunner().invoke(app, [*words, "--reason", "odd"], env=environment)
    assert ended.exit_code == 2
    assert "原因 odd 没有写给客户的说明" in ended.stderr
    assert "under-age" in ended.stderr.replace("\n", "")  # the list is not cut
    assert row(world.store, "SELECT state FROM applications") == "review"
    ended = CliRunner().invoke(app, [*words, "--reason", "overdue-elsewhere"], env=environment)
    assert ended.exit_code == 0, ended.output
    assert row(world.store, "SELECT state FROM applications") == "declined"


CHILD, ADULT = date(2010, 1, 1), date(1995, 6, 1)


def evidence_of(world: World, name: str) -> object:
    ((found,),) = rows(world.store, f"SELECT evidence ->> '{name}' FROM case_entries")
    return found


def told_in(world: World, received: Received, language: Language) -> list[telling.Message]:
    return telling.told(world.ground, UUID(received.application_id), language)


@pytest.mark.parametrize(
    "again",
    [{}, {"person": "bob", "national_id": hashed("id-ann")}],
    ids=["same reference", "same identity card"],
)
def test_a_minor_who_comes_back_with_another_birthday_waits_for_a_person(
    world: World, again: dict[str, Any]
) -> None:
    assert decided(world, applied(world, born_on=CHILD)).reasons == ["under-age"]
    second = applied(world, **{"born_on": ADULT, **again})
    answer = decided(world, second, SaidBureau())
    assert (answer.state, answer.outcome) == ("review", "review")
    assert (answer.reasons, answer.limit_minor) == (["birthday-differs"], None)
    refusal = accepted(world, acceptance(world, second, answer, cost_table="x"))
    assert isinstance(refusal, ApplicationElsewhere)
    with world.store.transaction() as session:
        for (decision,) in session.rows("SELECT decision_id FROM decisions"):
            assert replay(decision_records.read(session, decision)) is None
    kept = "SELECT inputs FROM decisions WHERE outcome = 'review'"
    given = dict(zip(INPUTS, row(world.store, kept), strict=False))
    assert (given["birthdays_stated"], given["national_ids_stated"]) == (2, 1)
    assert_sound(world, accounts=0)


def test_the_order_of_two_birthdays_makes_no_difference(world: World) -> None:
    assert decided(world, applied(world, born_on=ADULT), SaidBureau()).state == "offered"
    younger = decided(world, applied(world, born_on=CHILD), SaidBureau())
    assert (younger.state, younger.reasons) == ("review", ["birthday-differs"])


def test_who_is_a_minor_by_each_birthday_is_excluded_by_law(world: World) -> None:
    decided(world, applied(world, born_on=CHILD))
    younger = decided(world, applied(world, born_on=date(2012, 2, 3)))
    assert (younger.state, younger.reasons) == ("declined", ["under-age"])


def test_both_birthdays_are_read_in_the_case_and_kept_with_the_person_only(world: World) -> None:
    decided(world, applied(world, born_on=CHILD))
    decided(world, applied(world, born_on=ADULT), SaidBureau())
    ((case_id,),) = rows(world.store, "SELECT case_id FROM cases")
    story = cases.read(world.store, world.clock, case_id)
    assert story.line.subject == "birthday-differs"
    assert [(one.person, one.born_on, one.card) for one in story.statements] == [
        *(("ann", CHILD, 1), ("ann", ADULT, 1))
    ]
    assert evidence_of(world, "birthdays_stated") == "2"
    for language, words in ((Language.ENGLISH, "born on 2010-01-01"), (Language.CHINESE, "2010")):
        console = Console(width=200, record=True)
        cases.show(story, world.clock, console, Speech(language))
        shown = console.export_text()
        assert words in shown
        assert str(ADULT) in shown
    told = rows(world.store, "SELECT evidence::text FROM case_entries")
    told += rows(world.store, "SELECT payload::text FROM events")
    assert not [one for (one,) in told if "2010-" in one or "1995-" in one]


def test_who_waits_reads_that_somebody_looks_and_how_to_prove_it(world: World) -> None:
    decided(world, applied(world, born_on=CHILD))
    second = applied(world, born_on=ADULT)
    decided(world, second, SaidBureau())
    (english,) = told_in(world, second, Language.ENGLISH)
    assert english.said == "A person looks at the application before it is decided."
    assert english.contest_until is None
    (chinese,) = told_in(world, second, Language.CHINESE)
    for message, proof in ((english, "household register"), (chinese, "户口簿")):
        (why,) = message.because
        assert proof in why


@pytest.mark.parametrize("limit", [100_000, None])
def test_a_person_decides_about_two_birthdays_either_way(world: World, limit: int | None) -> None:
    decided(world, applied(world, born_on=CHILD))
    second = applied(world, born_on=ADULT)
    decided(world, second, SaidBureau())
    reasons = ("under-age",) if limit is None else ()
    done(resolve(world.ground, [resolution(second, limit, *reasons)])[0])
    world.clock.set(world.clock.now() + timedelta(hours=1))
    third = decided(world, applied(world, born_on=ADULT), SaidBureau())
    if limit is None:  # nothing was shown, and it is looked at again
        assert (third.state, third.reasons) == ("review", ["birthday-differs"])
        return
    assert third.state == "offered"
    back = decided(world, applied(world, born_on=CHILD), SaidBureau())
    assert (back.state, back.reasons) == ("review", ["birthday-differs"])


def test_a_refuted_birthday_is_not_looked_at_again_in_the_same_application(world: World) -> None:
    decided(world, applied(world, born_on=CHILD))
    second = applied(world, born_on=ADULT)
    decided(world, second, SaidBureau())
    done(resolve(world.ground, [resolution(second, None, "under-age")])[0])
    account = AccountId(UUID(second.application_id))
    decision = row(world.store, "SELECT decision_id FROM decisions WHERE outcome = 'review'")
    scope = {"scope_id": str(account), "account_id": account}
    opening = OpenAppeal(
        **scope, key="contest", actor="customer", decision_id=decision, text="my card shows it"
    )
    appeal = done(open_appeal(world.ground, [opening])[0])
    closing = CloseAppeal(
        **scope,
        key="found",
        actor="lin",
        appeal_id=UUID(appeal.appeal_id),
        outcome=Answer.UPHELD,
        text="the card shows 1995",
    )
    assert done(close_appeal(world.ground, [closing])[0]).is_reopened
    world.clock.set(world.clock.now() + timedelta(hours=1))
    answer = decided(world, second, SaidBureau())
    assert (answer.state, answer.reasons) == ("offered", [])


def test_another_identity_card_of_the_same_person_waits_for_a_person(world: World) -> None:
    decided(world, applied(world), SaidBureau())
    other = decided(world, applied(world, national_id=hashed("other")), SaidBureau())
    assert (other.state, other.reasons) == ("review", ["national-id-differs"])


def test_a_card_that_was_not_given_before_and_one_left_out_differ_from_nothing(
    world: World,
) -> None:
    for card in (None, hashed("id-ann"), None):
        assert decided(world, applied(world, national_id=card), SaidBureau()).state == "offered"


def test_a_check_passed_does_not_show_which_birthday_is_right(world: World) -> None:
    for _ in range(4):
        decided(world, applied(world, born_on=CHILD))
    fifth = decided(world, applied(world, born_on=ADULT), SaidBureau())
    assert fifth.state == "review"
    assert fifth.reasons[0] == "birthday-differs"


def test_a_stored_decision_is_computed_again_from_its_record_alone(world: World) -> None:
    bureaus = [
        SaidBureau(),
        SaidBureau(score=300, enquiries_30d=7),
        SaidBureau(Finding.TIMEOUT),
        SaidBureau(),
    ]
    for place, bureau in enumerate(bureaus):
        applied(world, f"p{place}", is_student=place == 3)
        admit(world.ground, bureau)
    kept = rows(
        world.store,
        """
        SELECT d.inputs, b.content, d.outcome, d.reasons, d.effects, d.points, d.hits, d.kind,
            d.policy, m.offers
        FROM decisions AS d JOIN rulebooks AS b USING (rulebook_id) LEFT JOIN menus AS m
            USING (menu_id) ORDER BY d.account_id
        """,
    )
    assert len(kept) == 4
    for inputs, content, outcome, reasons, effects, points, hits, kind, policy, menu in kept:
        again = rule_again(content, inputs)
        assert (again.outcome, list(again.reasons), list(again.effects), again.points) == (
            *(outcome, reasons, effects, points),
        )
        assert (list(again.hits), kind, policy) == (hits, "application", "application")
        assert (menu is None) == again.is_declined
    assert [one[2] for one in kept] == ["approve", "smaller-limit", "smaller-limit", "decline"]


def test_a_cooler_menu_offers_short_plans_only(world: World) -> None:
    for _ in range(5):
        applied(world)
    admit(world.ground, SaidBureau())
    menus = rows(
        world.store,
        "SELECT DISTINCT counts_max, (SELECT MAX((one ->> 'count')::int) FROM "
        "jsonb_array_elements(offers) AS one) FROM applications JOIN menus USING (menu_id) "
        "ORDER BY 1",
    )
    assert menus == [(3, 3), (None, 24)]


def test_a_sixth_application_adds_to_the_case_that_is_open(world: World) -> None:
    for _ in range(6):
        applied(world)
    admit(world.ground, SaidBureau())
    entries = rows(world.store, "SELECT kind FROM case_entries ORDER BY number")
    assert entries == [("opened",), ("evidence",)]
    assert row(world.store, "SELECT COUNT(*) FROM case_accounts") == 2
    assert_sound(world, accounts=0)


def test_the_program_replays_an_applications_decision(world: World) -> None:
    for bureau in (
        SaidBureau(),
        SaidBureau(score=300, enquiries_30d=7),
        SaidBureau(Finding.TIMEOUT),
    ):
        applied(world, str(id(bureau)))
        admit(world.ground, bureau)
    with world.store.transaction() as session:
        kept = [row[0] for row in session.rows("SELECT decision_id FROM decisions")]
        for decision in kept:
            assert replay(decision_records.read(session, decision)) is None


def test_applications_at_the_same_moment_see_one_another(world: World, database_url: str) -> None:
    """Eight programs apply for one phone at once: each number from 1 to 8 is one of them."""
    phone = (Identifier(kind="phone", hash=hashed("shared")),)
    commands = [application(world, f"p{one}", identifiers=phone) for one in range(8)]
    stores = [Store.open(database_url, connections_max=1) for _ in commands]
    programs = [beside(world, each, seed=10 + place) for place, each in enumerate(stores)]
    ready = threading.Barrier(len(commands))

    def send(place: int) -> object:
        ready.wait()
        return apply(programs[place].ground, [commands[place]])[0]

    with ThreadPoolExecutor(len(commands)) as pool:
        answers = list(pool.map(send, range(len(commands))))
    for each in stores:
        each.close()
    assert all(isinstance(one, Received) for one in answers), answers
    counts = rows(world.store, "SELECT applications_24h FROM applications ORDER BY 1")
    assert counts == [(number,) for number in range(1, 9)]
