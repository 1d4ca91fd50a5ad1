"""Holds and freezes stop new purchases and nothing else, end by themselves, are told (P1, P3)."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from make_book import (
    World,
    assert_sound,
    buy,
    done,
    end_early,
    enrol,
    give_back,
    hold,
    key,
    kinds,
    open_book,
    pay,
    purchase,
    row,
    rows,
    ship,
    state,
    told_of_last,
    until,
)

from fenqi.core.account import AccountStatus
from fenqi.core.errors import Conflict, Invalid
from fenqi.core.risk.decision import Effect
from fenqi.core.risk.response import Finding, Strength
from fenqi.core.values.ids import AccountId
from fenqi.flows.authorise import authorise
from fenqi.flows.lift import Lift, lift, lift_over
from fenqi.store import accounts
from fenqi.store.booking import Booking
from fenqi.store.pool import Store
from fenqi.store.responses import Done, Responses

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
def world(store: Store) -> World:
    return open_book(store)


def respond(world: World, account: AccountId, act: Callable[[Responses, Any], Done]) -> Done:
    """Do something to an account in a transaction of its own, as any flow may."""
    booking = Booking(world.ground)
    with world.store.transaction() as session:
        locked = accounts.lock(session, {account})
        answer = act(Responses(world.ground, booking, session), locked[account])
        booking.write(session)
    return answer


def held(world: World, account: AccountId, hours: int = 6, **how: Any) -> Done:
    how = {"reasons": ["unusual"], "cause": "test"} | how
    return respond(world, account, lambda r, a: r.hold(a, world.clock.now() + hours * HOUR, **how))


def frozen(world: World, account: AccountId, days: int = 3, **how: Any) -> Done:
    how = {"reasons": ["unusual"], "cause": "test"} | how
    return respond(world, account, lambda r, a: r.freeze(a, world.clock.now() + days * DAY, **how))


def tried(world: World, account: AccountId) -> tuple[str, list[str]]:
    answer = done(authorise(world.ground, [purchase(world, account, 1_000)])[0])
    return answer.outcome, told_of_last(world, account) if answer.outcome != "approve" else []


def told(world: World, account: AccountId) -> list[tuple[str, Any]]:
    """Return the kinds and payloads of what the customer is to be told."""
    sql = """
        SELECT e.kind, e.payload FROM outbox AS o
        JOIN events AS e ON e.account_id = o.account_id AND e.number = o.event_number
        WHERE o.account_id = %(account)s AND o.topic = 'customer' ORDER BY e.number
    """
    return rows(world.store, sql, account=account)


def running(world: World, account: AccountId) -> UUID:
    sql = (
        "SELECT protection_id FROM protections WHERE account_id = %(account)s AND ended_at IS NULL"
    )
    found: UUID = row(world.store, sql, account=account)
    return found


PLACE = """
INSERT INTO protections (account_id, protection_id, kind, cause, strength, reasons, placed_by,
    placed_at, ends_at, asked_until, ended_at, ended_by, finding)
SELECT %(account)s, gen_random_uuid(), 'hold', %(cause)s || LEAST(n, %(causes)s), 'strong',
    '{unusual}', 'system',
    t.at, t.at + '1 hour', t.at + '1 hour',
    CASE WHEN %(is_over)s THEN t.at + '1 hour' END, CASE WHEN %(is_over)s THEN 'system' END,
    CASE WHEN %(is_over)s THEN 'expired' END
FROM GENERATE_SERIES(1, %(count)s) AS n, (SELECT %(at)s::timestamptz AS at) AS t
"""


def placed(
    world: World, account: AccountId, count: int, *, is_over: bool, causes: int | None = None
) -> None:
    """Let an account have many holds, each for a cause of its own unless there are fewer."""
    asked = {"account": account, "count": count, "at": world.clock.now(), "is_over": is_over}
    with world.store.transaction() as session:
        session.run(PLACE, asked | {"cause": "many/", "causes": causes or count})


def test_a_freeze_runs_on_however_many_protections_came_and_went_after_it(world: World) -> None:
    account = enrol(world)
    ends = frozen(world, account, days=3).until
    placed(world, account, 300, is_over=True)
    held(world, account, cause="other")
    assert (
        row(world.store, "SELECT frozen_until FROM accounts WHERE account_id = %(a)s", a=account)
        == ends
    )
    assert tried(world, account)[0] == "decline"


def test_what_is_over_is_told_however_many_protections_came_after_it(world: World) -> None:
    account = enrol(world)
    held(world, account, hours=1)
    placed(world, account, 300, is_over=True)
    world.clock.set(world.clock.now() + 2 * HOUR)
    assert (lift_over(world.ground), lift_over(world.ground)) == (1, 0)


def test_what_a_person_found_harmless_is_remembered_behind_many_protections(world: World) -> None:
    account = enrol(world)
    held(world, account)
    protection = running(world, account)
    command = Lift(
        scope_id=str(account),
        key=key(world),
        actor="Li Na",
        account_id=account,
        protection_id=protection,
        finding=Finding.FALSE_ALARM,
    )
    done(lift(world.ground, [command])[0])
    placed(world, account, 300, is_over=True)
    placed(world, account, 1_100, is_over=True, causes=1)
    world.clock.set(world.clock.now() + 30 * HOUR)
    assert held(world, account).effect is None


def test_what_is_asked_beyond_the_bound_of_protections_is_a_review(world: World) -> None:
    account = enrol(world)
    placed(world, account, 199, is_over=False)
    assert held(world, account, cause="last").effect is Effect.HOLD
    beyond = held(world, account, cause="beyond")
    assert (beyond.effect, beyond.case_id is not None) == (Effect.REVIEW, True)
    world.clock.set(world.clock.now() + 2 * HOUR)
    assert lift_over(world.ground) == 199
    assert held(world, account, cause="beyond").effect is Effect.HOLD


STOPS: dict[str, tuple[Callable[..., Done], str]] = {
    "hold": (held, "purchases-held"),
    "freeze": (frozen, "account-frozen"),
}


@pytest.mark.parametrize("what", STOPS)
def test_new_purchases_are_declined_with_the_reason_until_the_instant(
    world: World, what: str
) -> None:
    stop, reason = STOPS[what]
    account, other = enrol(world), enrol(world, "bob")
    ends: datetime = stop(world, account).until  # type: ignore[assignment]
    assert tried(world, account) == ("decline", [reason])
    assert tried(world, other)[0] == "approve"
    world.clock.set(ends - timedelta(microseconds=1))
    assert tried(world, account) == ("decline", [reason])
    world.clock.set(ends)
    assert tried(world, account)[0] == "approve"
    assert_sound(world)


@pytest.mark.parametrize("what", STOPS)
def test_nothing_but_new_purchases_is_stopped(world: World, what: str) -> None:
    account = enrol(world)
    _, plan = buy(world, account, 300_000, "flat", 3)
    returned, _ = buy(world, account, 5_000)
    order = hold(world, account, 20_000)
    STOPS[what][0](world, account)
    assert ship(world, account, order, 20_000).plan_id  # authorised before
    assert pay(world, account, 1_000).paid_minor == 1_000
    assert give_back(world, account, returned, 5_000)
    assert end_early(world, account, plan, 400_000).quote_minor < 310_000
    until(world, world.day + 40 * DAY)  # statements are cut, payments asked for
    assert "statement-cut" in kinds(world, account)
    assert_sound(world)


def test_the_customer_is_told_with_reasons_and_when_it_ends(world: World) -> None:
    account = enrol(world)
    answer = held(world, account, reasons=["one", "two"])
    ((kind, payload),) = told(world, account)
    assert kind == "protection-placed"
    assert payload["reasons"] == ["one", "two"]
    assert datetime.fromisoformat(payload["until"]) == answer.until
    done(
        lift(
            world.ground,
            [
                Lift(
                    scope_id=str(account),
                    key=key(world),
                    actor="mei",
                    account_id=account,
                    protection_id=running(world, account),
                )
            ],
        )[0]
    )
    assert tried(world, account)[0] == "approve"
    kind, payload = told(world, account)[-1]
    assert (kind, payload["finding"]) == ("protection-ended", "lifted")


def test_an_end_by_itself_is_written_down_once_and_told(world: World) -> None:
    account = enrol(world)
    ends = held(world, account).until
    assert lift_over(world.ground) == 0
    world.clock.set(ends + HOUR)  # type: ignore[operator]
    assert (lift_over(world.ground), lift_over(world.ground)) == (1, 0)
    kind, payload = told(world, account)[-1]
    assert (kind, payload["finding"]) == ("protection-ended", "expired")
    sql = "SELECT ended_at, finding FROM protections"
    assert row(world.store, sql) == (ends, Finding.EXPIRED.value)
    sql = "SELECT held_until FROM accounts WHERE account_id = %(account)s"
    assert row(world.store, sql, account=account) is None


def test_one_cause_does_its_harm_once(world: World) -> None:
    account = enrol(world)
    assert held(world, account).effect is Effect.HOLD
    assert held(world, account) == Done(None)
    assert frozen(world, account).effect is Effect.FREEZE  # more is known now
    assert [kind for kind, _ in told(world, account)] == ["protection-placed"] * 2


def test_weak_evidence_asked_for_a_freeze_gives_hours_of_hold(world: World) -> None:
    account = enrol(world)
    answer = frozen(world, account, days=30, strength=Strength.WEAK)
    assert answer.effect is Effect.HOLD
    assert answer.until == world.clock.now() + 12 * HOUR


def test_a_weak_hold_soon_after_another_becomes_a_review(world: World) -> None:
    account = enrol(world)
    ends = held(world, account, cause="one", strength=Strength.WEAK).until
    world.clock.set(ends + HOUR)  # type: ignore[operator]
    answer = held(world, account, cause="two", strength=Strength.WEAK)
    assert (answer.effect, answer.until) == (Effect.REVIEW, None)
    assert tried(world, account)[0] == "approve"
    sql = "SELECT kind, subject FROM cases WHERE case_id = %(case)s"
    assert row(world.store, sql, case=answer.case_id) == ("review", "unusual")


def test_a_smaller_limit_is_for_new_purchases_and_ends(world: World) -> None:
    account = enrol(world, limit_minor=100_000)
    buy(world, account, 50_000)
    ends = world.clock.now() + 5 * DAY
    how: dict[str, Any] = {"ceiling_minor": 50_500, "reasons": ["unusual"], "cause": "test"}
    respond(world, account, lambda r, a: r.smaller_limit(a, ends, **how))
    assert tried(world, account) == ("decline", ["limit-exceeded"])
    sql = "SELECT limit_minor, principal_open_minor FROM accounts WHERE account_id = %(account)s"
    assert row(world.store, sql, account=account) == (100_000, 50_000)
    world.clock.set(ends)
    assert tried(world, account)[0] == "approve"


def test_a_step_up_is_asked_once_until_it_is_passed(world: World) -> None:
    account = enrol(world)
    ask = {"reasons": ["new-device"], "cause": "test"}
    assert respond(world, account, lambda r, a: r.step_up(a, **ask)).effect is Effect.STEP_UP
    assert respond(world, account, lambda r, a: r.step_up(a, **ask)).effect is None
    sql = "SELECT step_up_until FROM accounts WHERE account_id = %(account)s"
    assert row(world.store, sql, account=account) == world.clock.now() + 7 * DAY

    def pass_it(responses: Responses, found: Any) -> Done:
        responses.stepped_up(found)
        return Done(None)

    respond(world, account, pass_it)
    assert row(world.store, sql, account=account) is None
    assert kinds(world, account)[-2:] == ["step-up-asked", "step-up-passed"]


def test_one_account_and_cause_has_one_open_case(world: World) -> None:
    account = enrol(world)
    ask: dict[str, Any] = {"subject": "rule-7", "cause": "rule-7", "priority": 2}
    first = respond(world, account, lambda r, a: r.review(a, evidence={"n": 1}, **ask))
    again = respond(world, account, lambda r, a: r.review(a, evidence={"n": 2}, **ask))
    assert first.case_id == again.case_id
    sql = "SELECT number, kind, evidence FROM case_entries ORDER BY number"
    assert rows(world.store, sql) == [(1, "opened", {"n": 1}), (2, "evidence", {"n": 2})]
    assert kinds(world, account).count("case-opened") == 1
    assert told(world, account) == []  # a look is no harm


@pytest.mark.parametrize(
    "how", [{"reasons": []}, {"reasons": list("abcde")}, {"hours": 0}, {"hours": -1}]
)
def test_harm_without_a_reason_or_an_end_is_refused(world: World, how: dict[str, Any]) -> None:
    account = enrol(world)
    with pytest.raises(Invalid) as refusal:
        held(world, account, **how)
    assert refusal.value.code == "response-invalid"
    assert tried(world, account)[0] == "approve"


def test_what_does_not_run_cannot_be_lifted(world: World) -> None:
    account = enrol(world)
    ends = held(world, account).until
    found = running(world, account)
    world.clock.set(ends)  # type: ignore[arg-type]
    command = Lift(
        scope_id=str(account),
        key=key(world),
        actor="mei",
        account_id=account,
        protection_id=found,
    )
    (refusal,) = lift(world.ground, [command])
    assert isinstance(refusal, Conflict)
    assert refusal.code == "nothing-to-lift"
    assert state(world, buy(world, account, 1_000)[1]) == "active"
    sql = "SELECT status FROM accounts WHERE account_id = %(account)s"
    assert row(world.store, sql, account=account) == AccountStatus.OPEN.value
