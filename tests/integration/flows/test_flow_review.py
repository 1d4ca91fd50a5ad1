"""People work on cases: a false alarm ends what was done, and nobody judges their own work."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from make_book import BOOK, World, assert_sound, done, enrol, key, open_book, purchase, row, rows
from make_crowd import log_in, only_case, only_ring, people, protections

from fenqi.core.errors import Conflict, FenqiError, Forbidden, Invalid, Missing
from fenqi.core.risk.case import CaseOutcome
from fenqi.core.risk.crowd import PlaceKind
from fenqi.core.risk.response import Strength
from fenqi.core.values.ids import AccountId
from fenqi.flows.authorise import authorise
from fenqi.flows.freeze import Freeze, FreezeSpent, Frozen, Second, freeze, second
from fenqi.flows.lift import lift_over
from fenqi.flows.protect import protect
from fenqi.flows.review import (
    AssignCase,
    CloseCase,
    Handled,
    NoteCase,
    OpenCase,
    assign_case,
    close_case,
    note_case,
    open_case,
)
from fenqi.store import accounts, cases
from fenqi.store.booking import Booking
from fenqi.store.pool import Session, Store, TryAgain
from fenqi.store.responses import Responses

DAY = timedelta(days=1)
REASONS = ("shared-identifier",)


@pytest.fixture
def world(store: Store) -> World:
    return open_book(store)


def ring_case(world: World, count: int = 12) -> tuple[list[AccountId], UUID]:
    ring = people(world, count)
    log_in(world, ring, "1.2.3.4", device="farm")
    assert protect(world.ground).frozen == count
    return ring, only_case(world)[0]


def scope(world: World) -> dict[str, Any]:
    return {"scope_kind": "book", "scope_id": BOOK, "key": key(world)}


def opened(world: World, account: AccountId, **how: Any) -> UUID:
    values: dict[str, Any] = {"actor": "mei", "subject": "odd basket", "text": "looks odd"} | how
    command = OpenCase(scope_id=str(account), key=key(world), account_id=account, **values)
    return UUID(done(open_case(world.ground, [command])[0]).case_id)


def assigned(world: World, case: UUID, to: str, actor: str = "mei", **how: Any) -> Any:
    command = AssignCase(**scope(world), case_id=case, actor=actor, assignee=to, **how)
    return assign_case(world.ground, [command])[0]


def noted(world: World, case: UUID, actor: str, text: str = "called the customer") -> Any:
    command = NoteCase(**scope(world), case_id=case, actor=actor, text=text)
    return note_case(world.ground, [command])[0]


def closed(world: World, case: UUID, actor: str, outcome: CaseOutcome, **how: Any) -> Any:
    values: dict[str, Any] = {"text": "looked at everything"} | how
    command = CloseCase(**scope(world), case_id=case, actor=actor, outcome=outcome, **values)
    return close_case(world.ground, [command])[0]


def froze(world: World, account: AccountId, case: UUID, *, days: int, actor: str = "mei") -> Any:
    command = Freeze(
        scope_id=str(account),
        key=key(world),
        actor=actor,
        account_id=account,
        case_id=case,
        days=days,
        reasons=REASONS,
    )
    return freeze(world.ground, [command])[0]


def seconded(world: World, account: AccountId, protection: str, actor: str) -> Any:
    command = Second(
        scope_id=str(account),
        key=key(world),
        actor=actor,
        account_id=account,
        protection_id=UUID(protection),
    )
    return second(world.ground, [command])[0]


def outcome(world: World, account: AccountId) -> str:
    return str(done(authorise(world.ground, [purchase(world, account, 1_000)])[0]).outcome)


def told(world: World, account: AccountId) -> list[Any]:
    sql = """
        SELECT e.kind, e.payload FROM outbox AS o
        JOIN events AS e ON e.account_id = o.account_id AND e.number = o.event_number
        WHERE o.account_id = %(account)s AND o.topic = 'customer' ORDER BY e.number
    """
    return rows(world.store, sql, account=account)


def test_a_false_alarm_frees_everybody_at_once_and_tells_them(world: World) -> None:
    ring, case = ring_case(world)
    assert {outcome(world, one) for one in ring} == {"decline"}
    answer = done(closed(world, case, "mei", CaseOutcome.FALSE_ALARM))
    assert answer.ended == 12 + 5  # with the checks that five were asked for
    assert {outcome(world, one) for one in ring} == {"approve"}
    for one in ring:
        told_of = told(world, one)
        last = [kind for kind, _ in told_of].index("protection-placed")
        while told_of[last][1]["kind"] != "freeze":
            last += 1
        before, after = told_of[:last], told_of[last + 1 :]
        assert "protection-ended" not in [kind for kind, _ in before]  # a hold became the freeze
        *ended, (kind, _) = [one for one in after if one[0] != "purchase-declined"]
        assert kind == "case-closed"
        assert {kind for kind, _ in ended} == {"protection-ended"}
        assert {payload["finding"] for _, payload in ended} == {"false-alarm"}
        assert [payload["kind"] for _, payload in ended].count("freeze") == 1
    sql = "SELECT kind, finding, ended_by, COUNT(*)::int FROM protections GROUP BY 1, 2, 3"
    assert sorted(rows(world.store, sql)) == [
        ("freeze", "false-alarm", "mei", 12),
        ("hold", "replaced", "system", 5),
        ("step-up", "false-alarm", "mei", 5),
    ]
    log_in(world, ring, "1.2.3.4", device="farm")
    assert protect(world.ground).frozen == 0  # somebody has just looked
    assert protections(world) == {"hold": set(), "freeze": set()}
    assert_sound(world)


def test_a_false_alarm_also_ends_weak_holds_that_others_placed_for_the_same_crowd(
    world: World,
) -> None:
    ring = people(world, 10)
    log_in(world, ring[:9], "1.2.3.4")
    booking = Booking(world.ground)
    with world.store.transaction() as session:  # as a policy may that looks at one login
        locked = accounts.lock(session, set(ring[:2]))
        responses = Responses(world.ground, booking, session)
        for one, strength in zip(ring[:2], (Strength.WEAK, Strength.STRONG), strict=True):
            ends, why = booking.now + timedelta(hours=3), ("crowded-address",)
            responses.hold(locked[one], ends, reasons=why, cause="rule", strength=strength)
        booking.write(session)
    log_in(world, ring[9:], "1.2.3.4")
    assert protect(world.ground).held == 9  # the strong one beside its own; the weak one waits
    done(closed(world, only_ring(world), "mei", CaseOutcome.FALSE_ALARM))
    assert protections(world)["hold"] == {ring[1]}  # what somebody knew of them stays


def test_no_person_closes_a_case_as_gone_on_in_another(world: World) -> None:
    _, case = ring_case(world)
    refused = closed(world, case, "mei", CaseOutcome.JOINED)
    assert isinstance(refused, Invalid)
    assert refused.fields["expected"] == "confirmed or false-alarm"
    assert row(world.store, "SELECT outcome FROM cases WHERE case_id = %(case)s", case=case) is None


def test_a_confirmed_case_leaves_what_was_done_to_end_by_itself(world: World) -> None:
    ring, case = ring_case(world)
    assert done(closed(world, case, "mei", CaseOutcome.CONFIRMED)).ended == 0
    assert outcome(world, ring[0]) == "decline"
    world.clock.set(world.clock.now() + 3 * DAY)
    assert outcome(world, ring[0]) == "approve"


def test_a_place_found_out_is_remembered_and_holds_nobody_again(world: World) -> None:
    ring, case = ring_case(world)
    done(closed(world, case, "mei", CaseOutcome.FALSE_ALARM, place=PlaceKind.CAMPUS))
    found = row(world.store, "SELECT kind, note, added_by, case_id FROM places")
    assert found == ("campus", "looked at everything", "mei", case)
    world.clock.set(world.clock.now() + 60 * DAY)
    log_in(world, ring, "1.2.3.4", device="farm")
    answer = protect(world.ground)
    assert (answer.places, answer.held, answer.frozen) == (1, 0, 0)
    assert protections(world) == {"hold": set(), "freeze": set()}


def test_a_place_is_remembered_only_of_an_address_found_harmless(world: World) -> None:
    _, case = ring_case(world)
    wrong = closed(world, case, "mei", CaseOutcome.CONFIRMED, place=PlaceKind.CAMPUS)
    assert isinstance(wrong, Invalid)
    other = opened(world, enrol(world))
    wrong = closed(world, other, "mei", CaseOutcome.FALSE_ALARM, place=PlaceKind.CAMPUS)
    assert isinstance(wrong, Invalid)
    assert rows(world.store, "SELECT 1 FROM places") == []


def test_a_case_keeps_who_did_what(world: World) -> None:
    case = opened(world, enrol(world))
    assert done(assigned(world, case, "li", priority=1)).entry_count == 2
    done(noted(world, case, "li"))
    done(closed(world, case, "li", CaseOutcome.CONFIRMED))
    sql = "SELECT kind, author, text FROM case_entries ORDER BY number"
    assert rows(world.store, sql) == [
        ("opened", "mei", "looks odd"),
        ("assigned", "mei", "li"),
        ("note", "li", "called the customer"),
        ("closed", "li", "looked at everything"),
    ]
    sql = "SELECT assignee, priority, due_at - opened_at, outcome, closed_by FROM cases"
    assert row(world.store, sql) == ("li", 1, timedelta(hours=2), "confirmed", "li")
    for again in (noted(world, case, "li"), closed(world, case, "li", CaseOutcome.FALSE_ALARM)):
        assert isinstance(again, Conflict)
        assert again.code == "case-closed"


def test_whoever_took_part_is_kept_out_of_the_appeal(world: World) -> None:
    ring, case = ring_case(world)
    done(assigned(world, case, "li", actor="mei"))
    done(noted(world, case, "wang"))
    appeal = opened(world, ring[0], about_case_id=case, actor="customer", subject="appeal")
    for person in ("mei", "li", "wang"):
        for refusal in (
            assigned(world, appeal, person, actor="zhao"),
            noted(world, appeal, person),
            closed(world, appeal, person, CaseOutcome.FALSE_ALARM),
        ):
            assert isinstance(refusal, Forbidden)
            assert refusal.code == "took-part"
    done(assigned(world, appeal, "zhao", actor="zhao"))
    assert done(closed(world, appeal, "zhao", CaseOutcome.FALSE_ALARM)).ended == 1
    assert outcome(world, ring[0]) == "approve"  # whose appeal it was
    assert {outcome(world, one) for one in ring[1:]} == {"decline"}


def test_an_appeal_that_fails_is_told_too(world: World) -> None:
    ring, case = ring_case(world)
    appeal = opened(world, ring[0], about_case_id=case, actor="customer", subject="appeal")
    done(closed(world, appeal, "zhao", CaseOutcome.CONFIRMED))
    assert told(world, ring[0])[-1] == (
        "case-closed",
        {"case_id": str(appeal), "outcome": "confirmed"},
    )
    assert outcome(world, ring[0]) == "decline"


def test_nobody_is_frozen_for_a_case_that_is_not_about_them(world: World) -> None:
    account, stranger = enrol(world), enrol(world, "stranger")
    case = opened(world, account)
    refused = froze(world, stranger, case, days=1)
    assert isinstance(refused, Conflict)
    assert (refused.code, refused.fields) == (
        "case-not-about",
        {"account": stranger, "case": case},
    )
    assert rows(world.store, "SELECT account_id FROM case_accounts") == [(account,)]
    assert rows(world.store, "SELECT 1 FROM protections") == []
    done(froze(world, stranger, opened(world, stranger), days=1))
    assert protections(world)["freeze"] == {stranger}
    assert_sound(world)


def test_everybody_of_a_crowd_can_be_frozen_for_its_case(world: World) -> None:
    crowd = people(world, 10)
    log_in(world, crowd, "1.2.3.4")
    assert protect(world.ground).held == 10
    case = only_ring(world)
    for one in crowd:
        done(froze(world, one, case, days=1))
    assert protections(world)["freeze"] == set(crowd)
    assert_sound(world)


def test_a_freeze_beyond_what_one_may_order_waits_for_a_second_person(world: World) -> None:
    account = enrol(world)
    case, start = opened(world, account), world.clock.now()
    answer: Frozen = done(froze(world, account, case, days=30))
    assert (answer.until, answer.asked_until) == (
        (start + 7 * DAY).isoformat(),
        (start + 30 * DAY).isoformat(),
    )
    alone = seconded(world, account, answer.protection_id, "mei")
    assert isinstance(alone, Forbidden)
    assert alone.code == "took-part"
    assert done(seconded(world, account, answer.protection_id, "li")).until == answer.asked_until
    twice = seconded(world, account, answer.protection_id, "zhao")
    assert isinstance(twice, Conflict)
    assert twice.code == "nothing-to-second"
    world.clock.set(start + 29 * DAY)
    assert outcome(world, account) == "decline"
    world.clock.set(start + 30 * DAY)
    assert outcome(world, account) == "approve"
    sql = "SELECT kind FROM case_entries ORDER BY number"
    assert [one for (one,) in rows(world.store, sql)] == ["opened", "freeze", "seconded"]


def test_a_freeze_nobody_seconds_ends_after_what_one_may_order(world: World) -> None:
    account = enrol(world)
    start = world.clock.now()
    answer: Frozen = done(froze(world, account, opened(world, account), days=30))
    world.clock.set(start + 7 * DAY)
    assert outcome(world, account) == "approve"
    assert isinstance(seconded(world, account, answer.protection_id, "li"), Conflict)


def test_one_person_freezes_in_pieces_no_longer_than_at_once(world: World) -> None:
    account = enrol(world)
    start = world.clock.now()
    answer: Frozen = done(froze(world, account, opened(world, account), days=4))
    world.clock.set(start + 4 * DAY)
    again: Frozen = done(froze(world, account, opened(world, account, subject="more"), days=7))
    assert (again.until, again.asked_until) == (
        (start + 7 * DAY).isoformat(),
        (start + 11 * DAY).isoformat(),
    )
    world.clock.set(start + 7 * DAY)
    third = opened(world, account, subject="yet more")
    for actor in ("mei", "Mei", "MEI ", "\uff4d\uff45\uff49"):
        spent = froze(world, account, third, days=7, actor=actor)
        assert isinstance(spent, FreezeSpent)
    assert outcome(world, account) == "approve"
    # Another person who finds a reason, or the same after the pause, may.
    other: Frozen = done(froze(world, account, third, days=1, actor="li"))
    assert other.until == (start + 8 * DAY).isoformat()
    world.clock.set(start + 10 * DAY)
    fourth = opened(world, account, subject="news")
    last: Frozen = done(froze(world, account, fourth, days=7))
    assert last.until == (start + 17 * DAY).isoformat()
    assert answer.protection_id != again.protection_id


def test_freezes_of_the_same_cases_in_turn_add_up_too(world: World) -> None:
    """Each case may freeze again after the pack's pause, which the others fill."""
    account, start = enrol(world), world.clock.now()
    cases = [opened(world, account, subject=f"odd {number}") for number in range(4)]
    for day in range(7):
        assert isinstance(froze(world, account, cases[day % 4], days=1), Frozen)
        world.clock.set(start + (day + 1) * DAY)
        assert lift_over(world.ground) == 1
    assert isinstance(froze(world, account, cases[3], days=1), FreezeSpent)
    assert outcome(world, account) == "approve"


def test_the_same_person_is_no_second_one_by_another_writing_of_the_name(world: World) -> None:
    account = enrol(world)
    answer: Frozen = done(froze(world, account, opened(world, account), days=30))
    for name in ("MEI", " mei ", "\uff4d\uff45\uff49"):
        alone = seconded(world, account, answer.protection_id, name)
        assert isinstance(alone, Forbidden)
        assert alone.code == "took-part"


def test_a_freeze_needs_an_open_case_and_a_person(world: World) -> None:
    account = enrol(world)
    missing = froze(world, account, uuid4(), days=1)
    assert isinstance(missing, Missing)
    case = opened(world, account)
    for actor in ("system", "", "x" * 81):
        assert isinstance(froze(world, account, case, days=1, actor=actor), Invalid)
    assert isinstance(froze(world, account, case, days=0), Invalid)
    done(closed(world, case, "li", CaseOutcome.CONFIRMED))
    assert isinstance(froze(world, account, case, days=1), Conflict)
    assert outcome(world, account) == "approve"


def test_a_command_sent_again_does_nothing_more(world: World) -> None:
    account = enrol(world)
    case = opened(world, account)
    command = NoteCase(**scope(world), case_id=case, actor="li", text="once")
    first = note_case(world.ground, [command, command])
    again = note_case(world.ground, [command])
    assert first == [Handled(str(case), 2)] * 2
    assert again == [Handled(str(case), 2)]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"text": " "}, "case-invalid"),
        ({"text": "x" * 4_001}, "case-invalid"),
        ({"actor": "system"}, "case-invalid"),
        ({"case_id": uuid4()}, "case-missing"),
    ],
)
def test_a_note_that_makes_no_sense_is_refused(
    world: World, change: dict[str, Any], code: str
) -> None:
    case = opened(world, enrol(world))
    values = scope(world) | {"case_id": case, "actor": "li", "text": "fine"} | change
    answer = note_case(world.ground, [NoteCase(**values)])[0]
    assert isinstance(answer, FenqiError)
    assert answer.code == code
    assert row(world.store, "SELECT entry_count FROM cases") == 1


def test_a_case_that_got_another_account_meanwhile_is_looked_at_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring, case = ring_case(world)
    read, late = cases.accounts_of, people(world, 1, "late")

    def join_then_read(session: Session, case_ids: Any) -> Any:
        found = read(session, case_ids)
        if late:
            sql = "INSERT INTO case_accounts VALUES (%(account)s, %(case)s, %(now)s)"
            asked = {"account": late.pop(), "case": case, "now": world.clock.now()}
            session.run(sql, asked)
        return found

    monkeypatch.setattr("fenqi.flows.review.cases.accounts_of", join_then_read)
    with pytest.raises(TryAgain):
        closed(world, case, "mei", CaseOutcome.FALSE_ALARM)
    assert done(closed(world, case, "mei", CaseOutcome.FALSE_ALARM)).ended == len(ring) + 5
