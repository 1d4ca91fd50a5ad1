"""Contesting decisions, with the shipped policies on: what is undone, who may find, who is told."""

import dataclasses
import json
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from make_application import SaidBureau, applied
from make_book import (
    World,
    assert_sound,
    buy,
    done,
    enrol,
    key,
    open_book,
    purchase,
    row,
    rows,
    told_of_last,
    until,
)
from test_flow_observe_access import tell

from fenqi.core.errors import Conflict, FenqiError, Forbidden, Invalid, Missing
from fenqi.core.risk import record as keeping
from fenqi.core.risk.appeal import Answer
from fenqi.core.risk.breaker import effect_of
from fenqi.core.risk.case import CaseOutcome
from fenqi.core.risk.consent import DataClass
from fenqi.core.risk.decision import HARMFUL
from fenqi.core.risk.policy.expression import names
from fenqi.core.risk.rulebook import policy_of
from fenqi.core.values.ids import AccountId
from fenqi.flows.appeal import AppealOpened, OpenAppeal, open_appeal
from fenqi.flows.assess import Assess, Assessed, assess
from fenqi.flows.authorise import authorise
from fenqi.flows.close_appeal import AppealClosed, CloseAppeal, close_appeal
from fenqi.flows.resolve import Resolve, resolve
from fenqi.flows.review import AssignCase, CloseCase, assign_case, close_case
from fenqi.flows.withdraw_consent import WithdrawConsent, withdraw_consent
from fenqi.report import told as telling
from fenqi.report.language import Language
from fenqi.store import decision_records, policies
from fenqi.store.pool import Store
from fenqi.worker.admit import admit

HOUR = timedelta(hours=1)


@pytest.fixture
def world(store: Store) -> World:
    """A book in which the shipped policies decide."""
    opened = open_book(store)
    with store.transaction() as session:
        policies.install(session, opened.clock.now())
    ground = dataclasses.replace(opened.ground, asks_policies=True)
    return dataclasses.replace(opened, ground=ground)


def opening(world: World, account: AccountId, decision: object, **changes: Any) -> OpenAppeal:
    fields: dict[str, Any] = {
        "scope_id": str(account),
        "key": key(world),
        "actor": "customer",
        "account_id": account,
        "decision_id": UUID(str(decision)),
        "text": "that is wrong",
    }
    return OpenAppeal(**fields | changes)


def closing(
    world: World, account: AccountId, appeal: AppealOpened, outcome: Answer, **changes: Any
) -> CloseAppeal:
    fields: dict[str, Any] = {
        "scope_id": str(account),
        "key": key(world),
        "actor": "ola",
        "account_id": account,
        "appeal_id": UUID(appeal.appeal_id),
        "outcome": outcome,
        "text": "looked at it",
    }
    return CloseAppeal(**fields | changes)


def appealed(world: World, account: AccountId, decision: object) -> AppealOpened:
    return done(open_appeal(world.ground, [opening(world, account, decision)])[0])


def found(
    world: World, account: AccountId, appeal: AppealOpened, outcome: Answer, **changes: Any
) -> AppealClosed:
    command = closing(world, account, appeal, outcome, **changes)
    return done(close_appeal(world.ground, [command])[0])


def refusal(answer: object) -> FenqiError:
    assert isinstance(answer, FenqiError), answer
    return answer


def messages(world: World, account: AccountId, topic: str = "customer") -> list[tuple[str, Any]]:
    """Return what is to be told, oldest first: the kind of event, and what is said."""
    sql = """
        SELECT e.kind, COALESCE(o.told, e.payload) FROM outbox AS o
        JOIN events AS e ON e.account_id = o.account_id AND e.number = o.event_number
        WHERE o.account_id = %(account)s AND o.topic = %(topic)s ORDER BY o.event_number
    """
    return rows(world.store, sql, account=account, topic=topic)


def last_decision(world: World, account: AccountId, kind: str) -> UUID:
    sql = """
        SELECT decision_id FROM decisions WHERE account_id = %(account)s AND kind = %(kind)s
        ORDER BY decision_id DESC LIMIT 1
    """
    decision: UUID = row(world.store, sql, account=account, kind=kind)
    return decision


def limit_of(world: World, account: AccountId) -> int:
    sql = "SELECT limit_minor FROM accounts WHERE account_id = %(account)s"
    limit: int = row(world.store, sql, account=account)
    return limit


def assessed(world: World, account: AccountId) -> Assessed:
    command = Assess(scope_id=str(account), key=key(world), account_id=account)
    answer: Assessed = done(assess(world.ground, [command])[0])
    return answer


def assert_replays(world: World) -> None:
    with world.store.transaction() as session:
        ids = [one for (one,) in session.rows("SELECT decision_id FROM decisions", {})]
        for one in ids:
            record = decision_records.read(session, one)
            assert keeping.replay(record) is None
            again = keeping.from_json(keeping.to_json(record), file="a record")
            assert keeping.replay(again) is None


def cut(world: World, name: str = "ann") -> tuple[AccountId, Assessed]:
    """Return an account whose limit was cut for a payment that is overdue."""
    account = enrol(world, name)
    buy(world, account, 100_000)
    until(world, date(2026, 2, 20))
    answer = assessed(world, account)
    assert answer.outcome == "cut"
    return account, answer


def declined(world: World, name: str = "kid", **changes: Any) -> AccountId:
    """Return the id under which somebody applied who was declined."""
    received = applied(world, name, **changes)
    answer = done(admit(world.ground, SaidBureau())[received.application_id])
    assert answer.state == "declined"
    return AccountId(UUID(received.application_id))


def state_of(world: World, account: AccountId) -> tuple[str, list[str]]:
    sql = "SELECT state, reasons FROM applications WHERE account_id = %(account)s"
    ((state, reasons),) = rows(world.store, sql, account=account)
    return state, reasons


def test_a_decline_is_told_to_the_customer_with_reasons_and_to_the_merchant_without(
    world: World,
) -> None:
    account = enrol(world, limit_minor=100_000)
    answer = done(authorise(world.ground, [purchase(world, account, 200_000)])[0])
    assert (answer.outcome, answer.reasons) == ("decline", [])
    ((kind, said),) = messages(world, account)
    assert (kind, said["reasons"]) == ("purchase-declined", ["limit-exceeded"])
    assert UUID(said["decision_id"]) == last_decision(world, account, "purchase")
    ((_, shown),) = messages(world, account, "merchant")
    assert shown == {
        "merchant": world.merchant.hex,
        "merchant_order": shown["merchant_order"],
        "amount_minor": 200_000,
        "outcome": "decline",
        "reasons": [],
    }
    assert "limit" not in json.dumps(shown)


def test_an_approval_puts_one_row_into_the_outbox_and_an_answer_that_is_none_two(
    world: World,
) -> None:
    account = enrol(world, limit_minor=100_000)
    commands = [purchase(world, account, amount) for amount in (10_000, 200_000, 20_000)]
    assert [done(one).outcome for one in authorise(world.ground, commands)] == [
        *("approve", "decline", "approve")
    ]
    sql = "SELECT event_number, topic, told IS NULL FROM outbox ORDER BY event_number, topic"
    of_purchases = [one for one in rows(world.store, sql) if one[0] > 1]
    assert of_purchases == [
        (2, "merchant", True),
        (3, "customer", True),
        (3, "merchant", False),
        (4, "merchant", True),
    ]


def test_each_effect_is_told_with_the_reasons_of_what_asked_for_it(world: World) -> None:
    account = enrol(world, limit_minor=100_000)
    buy(world, account, 50_000)
    tell(world, account, "device-changed", device="a")
    tell(world, account, "phone-changed", phone="+1 555 0100")
    tell(world, account, "phone-changed", phone="+1 555 0101")
    told = messages(world, account)
    checks = [said["reasons"] for kind, said in told if kind == "step-up-asked"]
    holds = [said["reasons"] for kind, said in told if kind == "protection-placed"]
    assert holds == [["identity-changed"]]
    assert checks
    assert all("limit-exceeded" not in one for one in checks)
    # The case is about what the review was asked for.
    subjects = rows(world.store, "SELECT subject FROM cases")
    assert subjects == [("identity-changed",)]
    # A purchase that is too large, too: the decline says what declines and nothing else.
    done(authorise(world.ground, [purchase(world, account, 90_000)])[0])
    assert set(told_of_last(world, account)) == {"purchases-held", "limit-exceeded"}
    assert_replays(world)


def test_a_limit_that_was_cut_wrongly_comes_back_and_is_not_cut_again_at_once(
    world: World,
) -> None:
    account, answer = cut(world)
    appeal = appealed(world, account, answer.decision_id)
    closed = found(world, account, appeal, Answer.UPHELD)
    assert closed.restored == answer.old_minor == limit_of(world, account)
    kind, said = messages(world, account)[-1]
    assert (kind, said["outcome"], said["restored"]) == (
        *("appeal-closed", "upheld"),
        answer.old_minor,
    )
    parts = rows(world.store, "SELECT direction, part_values FROM changes ORDER BY event_number")
    assert [one for one, _ in parts] == ["harsher", "milder"]
    assert sum(sum(values) for _, values in parts) == 0
    assert assessed(world, account).outcome == "kept"
    assert limit_of(world, account) == answer.old_minor
    assert_replays(world)
    assert_sound(world)


def test_an_appeal_that_is_not_upheld_says_which_reasons_stand_and_changes_nothing(
    world: World,
) -> None:
    account, answer = cut(world)
    appeal = appealed(world, account, answer.decision_id)
    closed = found(world, account, appeal, Answer.NOT_UPHELD)
    assert (closed.reasons, closed.restored) == (answer.reasons, None)
    kind, said = messages(world, account)[-1]
    assert (kind, said["outcome"], said["reasons"]) == (
        *("appeal-closed", "not-upheld"),
        answer.reasons,
    )
    assert limit_of(world, account) == answer.new_minor
    again = refusal(open_appeal(world.ground, [opening(world, account, answer.decision_id)])[0])
    assert again.code == "appeal-made"
    command = closing(world, account, appeal, Answer.UPHELD)
    assert refusal(close_appeal(world.ground, [command])[0]).code == "appeal-ended"


def test_a_command_about_an_appeal_counts_once(world: World) -> None:
    account, answer = cut(world)
    command = opening(world, account, answer.decision_id)
    first, second = open_appeal(world.ground, [command, command])
    assert first == second == open_appeal(world.ground, [command])[0]
    assert row(world.store, "SELECT COUNT(*) FROM appeals") == 1
    end = closing(world, account, done(first), Answer.UPHELD)
    assert close_appeal(world.ground, [end]) == close_appeal(world.ground, [end])
    assert row(world.store, "SELECT COUNT(*) FROM changes") == 2


def test_a_hold_that_was_wrong_ends_and_purchases_go_on(world: World) -> None:
    account = enrol(world, limit_minor=100_000)
    buy(world, account, 10_000)
    tell(world, account, "device-changed", device="a")
    tell(world, account, "phone-changed", phone="+1 555 0100")
    held = tell(world, account, "phone-changed", phone="+1 555 0101")
    assert held.outcome == "hold"
    appeal = appealed(world, account, held.decision_id)
    closed = found(world, account, appeal, Answer.UPHELD)
    assert closed.ended == 2  # with the check of its case
    sql = "SELECT DISTINCT finding FROM protections WHERE kind = 'hold'"
    assert rows(world.store, sql) == [("false-alarm",)]
    done(authorise(world.ground, [purchase(world, account, 1_000)])[0])
    sql = "SELECT held_until FROM accounts WHERE account_id = %(a)s"
    assert row(world.store, sql, a=account) is None
    assert_sound(world)


def test_a_declined_purchase_is_contested_by_whom_it_is_about_alone(world: World) -> None:
    account, other = enrol(world, limit_minor=100_000), enrol(world, "bob")
    done(authorise(world.ground, [purchase(world, account, 200_000)])[0])
    decision = last_decision(world, account, "purchase")
    foreign = refusal(open_appeal(world.ground, [opening(world, other, decision)])[0])
    assert isinstance(foreign, Missing)
    appeal = appealed(world, account, decision)
    closed = found(world, account, appeal, Answer.NOT_UPHELD, reasons=("limit-exceeded",))
    assert closed.reasons == ["limit-exceeded"]
    strange = closing(world, account, appeal, Answer.NOT_UPHELD, reasons=("payment-overdue",))
    assert refusal(close_appeal(world.ground, [strange])[0]).code == "appeal-ended"


def test_an_answer_names_reasons_of_the_decision(world: World) -> None:
    account, answer = cut(world)
    appeal = appealed(world, account, answer.decision_id)
    command = closing(world, account, appeal, Answer.UPHELD, reasons=("limit-exceeded",))
    fault = refusal(close_appeal(world.ground, [command])[0])
    assert isinstance(fault, Invalid)
    assert fault.code == "appeal-reason-unknown"


def test_what_took_nothing_away_or_is_long_ago_cannot_be_contested(world: World) -> None:
    account = enrol(world, limit_minor=100_000)
    buy(world, account, 1_000)
    kept = last_decision(world, account, "purchase")
    fault = refusal(open_appeal(world.ground, [opening(world, account, kept)])[0])
    assert fault.code == "nothing-to-contest"
    done(authorise(world.ground, [purchase(world, account, 200_000)])[0])
    decision = last_decision(world, account, "purchase")
    with world.store.transaction() as session:
        later = date(2027, 2, 1)
        session.run("UPDATE books SET business_date = %(day)s", {"day": later})
    late = refusal(open_appeal(world.ground, [opening(world, account, decision)])[0])
    assert isinstance(late, Conflict)
    assert late.code == "appeal-too-late"


def test_who_was_declined_for_a_fact_that_was_wrong_is_decided_again_without_it(
    world: World,
) -> None:
    account = declined(world, born_on=date(2015, 1, 1))
    assert state_of(world, account) == ("declined", ["under-age"])
    appeal = appealed(world, account, last_decision(world, account, "application"))
    closed = found(world, account, appeal, Answer.UPHELD, text="the card shows 1995")
    assert closed.is_reopened
    assert state_of(world, account)[0] == "received"
    world.clock.set(world.clock.now() + HOUR)
    again = done(admit(world.ground, SaidBureau())[str(account)])
    assert (again.state, "under-age" in again.reasons) == ("offered", False)
    assert again.limit_minor is not None
    kinds = [kind for kind, _ in messages(world, account)]
    assert kinds == [
        *("application-declined", "appeal-opened", "appeal-closed", "application-offered")
    ]
    assert_replays(world)
    assert_sound(world)


def test_income_that_was_too_low_is_answered_with_what_is_shown(world: World) -> None:
    account = declined(
        *(world, "poor"),
        income_declared_minor=20_000,
        income_evidenced_minor=None,
        evidence=None,
        obligations_minor=0,
    )
    assert state_of(world, account)[1] == ["income-too-low"]
    appeal = appealed(world, account, last_decision(world, account, "application"))
    bare = closing(world, account, appeal, Answer.UPHELD)
    assert refusal(close_appeal(world.ground, [bare])[0]).code == "appeal-evidence-missing"
    half = closing(world, account, appeal, Answer.UPHELD, evidence="payslip")
    assert refusal(close_appeal(world.ground, [half])[0]).code == "appeal-evidence-missing"
    shown: dict[str, Any] = {"income_evidenced_minor": 1_000_000, "evidence": "payslip"}
    idle = closing(world, account, appeal, Answer.NOT_UPHELD, **shown)
    assert refusal(close_appeal(world.ground, [idle])[0]).code == "appeal-evidence-unasked"
    found(
        *(world, account, appeal, Answer.UPHELD),
        income_evidenced_minor=1_000_000,
        evidence="payslip",
    )
    world.clock.set(world.clock.now() + HOUR)
    assert done(admit(world.ground, SaidBureau())[str(account)]).state == "offered"


def test_income_is_not_taken_in_after_the_consent_to_it_was_taken_back(world: World) -> None:
    account = declined(
        *(world, "poor"),
        income_declared_minor=20_000,
        income_evidenced_minor=None,
        evidence=None,
        obligations_minor=0,
    )
    appeal = appealed(world, account, last_decision(world, account, "application"))
    back = WithdrawConsent(
        scope_id=str(account), key=key(world), account_id=account, data_class=DataClass.INCOME
    )
    done(withdraw_consent(world.ground, [back])[0])
    shown: dict[str, Any] = {"income_evidenced_minor": 1_000_000, "evidence": "payslip"}
    upheld = closing(world, account, appeal, Answer.UPHELD, **shown)
    refused = refusal(close_appeal(world.ground, [upheld])[0])
    assert (refused.code, refused.fields) == ("consent-missing", {"data_class": "income"})
    kept = row(world.store, "SELECT state, income_evidenced_minor FROM applications")
    assert kept == ("declined", None)
    assert found(world, account, appeal, Answer.NOT_UPHELD).reasons == ["income-too-low"]


def test_who_decided_an_application_does_not_find_about_the_appeal(world: World) -> None:
    received = applied(world, "ann")
    account = AccountId(UUID(received.application_id))
    done(admit(world.ground, SaidBureau())[received.application_id])
    with world.store.transaction() as session:
        session.run("UPDATE applications SET state = 'review'", {})
    command = Resolve(
        scope_id=str(account),
        key=key(world),
        actor="mei",
        account_id=account,
        limit_minor=None,
        reasons=("income-too-low",),
    )
    done(resolve(world.ground, [command])[0])
    decision = last_decision(world, account, "application")
    answer = open_appeal(world.ground, [opening(world, account, decision)])[0]
    appeal: AppealOpened = done(answer)
    taken = AssignCase(
        scope_kind="book",
        scope_id="b",
        key=key(world),
        actor="ola",
        case_id=UUID(appeal.case_id),
        assignee="mei",
    )
    assert isinstance(refusal(assign_case(world.ground, [taken])[0]), Forbidden)
    own = closing(world, account, appeal, Answer.NOT_UPHELD, actor="mei")
    assert isinstance(refusal(close_appeal(world.ground, [own])[0]), Forbidden)
    assert found(world, account, appeal, Answer.NOT_UPHELD).reasons == ["income-too-low"]


def test_the_case_of_an_appeal_ends_with_the_appeal(world: World) -> None:
    account, answer = cut(world)
    appeal = appealed(world, account, answer.decision_id)
    command = CloseCase(
        scope_kind="book",
        scope_id="b",
        key=key(world),
        actor="ola",
        case_id=UUID(appeal.case_id),
        outcome=CaseOutcome.FALSE_ALARM,
        text="done",
    )
    assert refusal(close_case(world.ground, [command])[0]).code == "case-ends-with-appeal"
    found(world, account, appeal, Answer.UPHELD)
    assert row(world.store, "SELECT outcome FROM cases WHERE kind = 'appeal'") == "false-alarm"


def test_decisions_of_before_keep_the_reasons_of_all_effects_and_are_made_again(
    world: World,
) -> None:
    account = enrol(world, limit_minor=100_000)
    buy(world, account, 50_000)
    tell(world, account, "device-changed", device="a")
    tell(world, account, "phone-changed", phone="+1 555 0100")
    held = tell(world, account, "phone-changed", phone="+1 555 0101")
    with world.store.transaction() as session:
        record = decision_records.read(session, UUID(held.decision_id))
    made = keeping.decide(record.rulebook, record.inputs, telling=keeping.Telling.ALL)
    assert set(made.reasons) > set(record.reasons)
    old = dataclasses.replace(record, reasons=made.reasons, telling=keeping.Telling.ALL)
    assert keeping.replay(old) is None
    assert keeping.replay(dataclasses.replace(old, telling=keeping.Telling.OUTCOME)) is not None
    # A file that was exported before says nothing of it.
    body = json.loads(keeping.to_json(old))
    body["schema"] = 1
    del body["sha256"], body["decision"]["telling"]
    body["sha256"] = keeping._digest(body)
    assert keeping.replay(keeping.from_json(json.dumps(body), file="old")) is None


def test_what_was_told_reads_in_words_in_both_languages_and_says_how_to_contest(
    world: World,
) -> None:
    account, answer = cut(world)
    done(authorise(world.ground, [purchase(world, account, 200_000)])[0])
    found(world, account, appealed(world, account, answer.decision_id), Answer.NOT_UPHELD)
    codes = {code for _, said in messages(world, account) for code in said.get("reasons", ())}
    assert codes
    for language in Language:
        told = telling.told(world.ground, account, language)
        assert [one.kind for one in told] == [
            *("appeal-closed", "appeal-opened", "purchase-declined", "limit-cut")
        ]
        for one in told:
            assert one.said
            assert not codes & set(one.because)  # a code alone is nothing a person reads
        assert all(one.because for one in told if one.kind != "appeal-opened")
        assert told[-1].decision_id == answer.decision_id
        # It was contested; the purchase can be still.
        assert [one.contest_until for one in told] == [None, None, "2027-02-20", None]


def test_a_last_day_to_contest_is_told_only_where_an_appeal_would_be_heard(world: World) -> None:
    """Not of a plan that is not on offer to anybody, nor once the days are over."""
    account = enrol(world, limit_minor=100_000)
    paused = purchase(world, account, 1_000, "flat", 3, price_ppm=500_000)
    assert done(authorise(world.ground, [paused])[0]).outcome == "other-plan"
    done(authorise(world.ground, [purchase(world, account, 200_000)])[0])
    heard = {}
    for one in telling.told(world.ground, account, Language.ENGLISH):
        command = opening(world, account, one.decision_id)
        heard[one.kind] = (one.contest_until, open_appeal(world.ground, [command])[0])
    assert heard["purchase-paused"][0] is None
    assert refusal(heard["purchase-paused"][1]).code == "nothing-to-contest"
    assert heard["purchase-declined"][0] == "2027-01-05"
    assert isinstance(heard["purchase-declined"][1], AppealOpened)
    other = enrol(world, "bob", limit_minor=1_000)
    done(authorise(world.ground, [purchase(world, other, 2_000)])[0])
    with world.store.transaction() as session:
        session.run("UPDATE books SET business_date = '2027-01-06'", {})
    (told,) = telling.told(world.ground, other, Language.ENGLISH)
    assert told.contest_until is None


def test_what_a_person_declined_can_be_contested_from_the_day_it_was_told(world: World) -> None:
    received = applied(world, "ann")
    account = AccountId(UUID(received.application_id))
    done(admit(world.ground, SaidBureau())[received.application_id])
    with world.store.transaction() as session:
        session.run("UPDATE applications SET state = 'review'", {})
        session.run("UPDATE books SET business_date = '2026-02-05'", {})
    by_hand = {"actor": "mei", "limit_minor": None, "reasons": ("income-too-low",)}
    said = {"scope_id": str(account), "key": key(world), "account_id": account}
    done(resolve(world.ground, [Resolve(**said, **by_hand)])[0])
    (told,) = telling.told(world.ground, account, Language.ENGLISH)
    assert told.contest_until == "2027-02-05"
    with world.store.transaction() as session:
        session.run("UPDATE books SET business_date = '2027-02-05'", {})
    assert appealed(world, account, told.decision_id)


def test_who_applied_and_was_declined_reads_why_in_words(world: World) -> None:
    account = declined(world, born_on=date(2015, 1, 1))
    (told,) = telling.told(world.ground, account, Language.CHINESE)
    assert (told.kind, told.said) == ("application-declined", "申请未获批准。")
    assert len(told.because) == 1
    assert told.because != ("under-age",)


def test_what_would_change_a_decision_is_what_its_reasons_are_about(world: World) -> None:
    _, answer = cut(world)
    with world.store.transaction() as session:
        record = decision_records.read(session, UUID(answer.decision_id))
    policy = policy_of(record.rulebook.content)
    harms = {effect_of(word) for word in record.effects} & HARMFUL
    assert harms
    lines = [policy.lines[one] for one in record.hits]
    asking = [one for one in lines if harms & {act.effect for act in one.acts}]
    assert {one.reason for one in asking} == set(answer.reasons)
    assert record.would_change["name"] in {name for one in asking for name in names(one.when)}
