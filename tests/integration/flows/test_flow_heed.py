"""Who pays differently is helped first, told why, limited only while it lasts, and released."""

from collections.abc import Iterator
from datetime import date, timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest
from make_book import (
    BOOK,
    World,
    assert_sound,
    buy,
    contested,
    done,
    dump,
    enrol,
    key,
    kinds,
    open_book,
    pay,
    purchase,
    row,
    rows,
    until,
)
from make_paying import Rounds, decided, fails, told

from fenqi.core.risk import record
from fenqi.core.risk.breaker import Caps
from fenqi.core.risk.case import CaseOutcome
from fenqi.core.risk.decision import DecisionKind, Effect
from fenqi.core.risk.policy.read import read
from fenqi.core.values.ids import AccountId
from fenqi.flows import shadow as shadowing
from fenqi.flows.adopt import adopt
from fenqi.flows.authorise import authorise
from fenqi.flows.contest import open_contest
from fenqi.flows.extend import Extend, extend
from fenqi.flows.heed import heed
from fenqi.flows.receive import MoneyState
from fenqi.flows.review import CloseCase, OpenCase, close_case, open_case
from fenqi.store import decision_records, features, policies
from fenqi.store.paying import Signal
from fenqi.store.pool import Session, Store
from fenqi.worker.shadow import follow

SHIPPED = policies.shipped(DecisionKind.REPAYMENT).policy
# A plan of three: due on 10 February, March and April, each 1,015 yuan.
PRICE, DUE = 300_000, 101_500


@pytest.fixture
def world(store: Store) -> Iterator[World]:
    opened = open_book(store)
    yield opened
    assert_sound(opened)


@pytest.fixture
def rounds(world: World) -> Rounds:
    return Rounds(world)


def live_to(world: World, rounds: Rounds, day: date) -> None:
    """Close the days before `day`, a round of the duty on each."""
    while world.day < day:
        until(world, world.day + timedelta(days=1))
        rounds.run()


def late_twice(world: World, rounds: Rounds, name: str = "ann") -> AccountId:
    """Pay the first instalment ten days late, and let the second be four days late."""
    account = enrol(world, name)
    buy(world, account, PRICE, "flat", 3)
    live_to(world, rounds, date(2026, 2, 20))
    pay(world, account, DUE + 1_000)  # with what being late cost
    rounds.run()
    live_to(world, rounds, date(2026, 3, 14))
    return account


def record_of(world: World, decision_id: object) -> record.Record:
    with world.store.transaction() as session:
        return decision_records.read(session, UUID(str(decision_id)))


def decided_ids(world: World, account: AccountId) -> list[UUID]:
    sql = """
        SELECT decision_id FROM decisions WHERE kind = 'repayment' AND account_id = %(account)s
        ORDER BY decision_id
    """
    return [one for (one,) in rows(world.store, sql, account=account)]


def ceiling(world: World, account: AccountId) -> int | None:
    sql = "SELECT ceiling_minor FROM accounts WHERE account_id = %(account)s"
    found: int | None = row(world.store, sql, account=account)
    return found


def try_to_buy(world: World, account: AccountId, amount_minor: int) -> Any:
    return done(authorise(world.ground, [purchase(world, account, amount_minor)])[0])


def test_late_for_the_second_time_is_told_with_reasons_and_lowers_the_limit_for_new_purchases(
    world: World, rounds: Rounds
) -> None:
    account = late_twice(world, rounds)
    outcome, effects, reasons, on = decided(world, account)[-1]
    assert (outcome, reasons, on) == ("review", ["late-again"], date(2026, 3, 14))
    assert effects == ["review:3", "smaller-limit:800000", "relief"]
    before = told(world, account)
    assert [kind for kind, _ in before[:2]] == ["nudged", "nudged"]  # a friendly word each time
    (offered, ways), (placed, said) = before[2:]
    assert (offered, placed) == ("relief-offered", "protection-placed")
    # What may be asked for, and more time costs nothing there.
    assert ways["plans"][0]["extension_count"] == 12
    assert ways["plans"][0]["extension_cost_minor"] == 0
    # Why, until when, which decision, and the case the customer can appeal in.
    assert said["reasons"] == ["late-again"]
    assert said["ceiling_minor"] == 4_000_000
    case = row(world.store, "SELECT kind FROM cases WHERE case_id = %(id)s", id=said["case_id"])
    assert case == "review"
    texts = SHIPPED.reasons["late-again"]
    assert "新消费的额度暂时降低" in texts["zh"]
    assert "the limit for new purchases is lower" in texts["en"]
    # Nothing of what was signed changed, no debt was called, and money is taken as ever.
    done_to_it = rows(world.store, "SELECT DISTINCT kind FROM operations ORDER BY kind")
    assert done_to_it == [("disburse",), ("late-charge",), ("repay",)]
    assert pay(world, account, 1_000).paid_minor == 1_000
    assert ceiling(world, account) == 4_000_000


def test_what_is_cured_is_released_at_once_and_purchases_are_possible_again(
    world: World, rounds: Rounds
) -> None:
    account = late_twice(world, rounds)
    assert ceiling(world, account) == 4_000_000
    pay(world, account, DUE + 1_000)
    assert rounds.run() == 1
    assert decided(world, account)[-1][:3] == ("approve", [], [])
    kind, payload = told(world, account)[-1]
    assert (kind, payload["finding"]) == ("protection-ended", "cured")
    assert payload["reasons"] == ["late-again"]
    assert ceiling(world, account) is None
    assert try_to_buy(world, account, 4_500_000).outcome == "approve"
    ended = rows(world.store, "SELECT ended_by, finding, ended_at FROM protections")
    assert ended == [("system", "cured", world.clock.now())]


def test_what_is_cured_in_any_other_way_is_released_the_next_day(
    world: World, rounds: Rounds
) -> None:
    account = late_twice(world, rounds)
    (plan,) = [one for (one,) in rows(world.store, "SELECT plan_id FROM plans")]
    done(open_contest(world.ground, [contested(world, account, plan)])[0])  # nothing is claimed now
    assert rounds.run() == 0
    live_to(world, rounds, date(2026, 3, 15))
    assert told(world, account)[-1][1]["finding"] == "cured"
    assert ceiling(world, account) is None


def test_who_does_not_pay_is_limited_for_a_week_and_asked_no_further(
    world: World, rounds: Rounds
) -> None:
    account = late_twice(world, rounds)
    count = len(told(world, account))
    live_to(world, rounds, date(2026, 3, 21))
    assert len(told(world, account)) == count  # nothing is said twice while it lasts
    assert row(world.store, "SELECT COUNT(*) FROM cases") == 1
    entries = "SELECT COUNT(*) FROM case_entries"
    assert row(world.store, entries) == 1
    standing = "SELECT ceiling_until FROM accounts WHERE account_id = %(account)s"
    assert row(world.store, standing, account=account) <= world.clock.now()  # it ended by itself


def test_a_failure_of_a_channel_is_asked_about_by_nobody_and_harms_nobody(
    world: World, rounds: Rounds
) -> None:
    account = enrol(world)
    buy(world, account, PRICE, "flat", 3)
    for _ in range(3):
        fails(world, account, "channel")
        fails(world, account, "channel", "channel-failed")
    assert rounds.run() == 0
    assert decided(world, account) == []
    live_to(world, rounds, date(2026, 2, 20))
    pay(world, account, DUE + 1_000)
    rounds.run()
    live_to(world, rounds, date(2026, 3, 12))
    fails(world, account, "channel", "channel-failed")
    live_to(world, rounds, date(2026, 3, 20))
    # The second time late, but a channel failed meanwhile: nothing that harms.
    assert rows(world.store, "SELECT * FROM protections") == []
    assert all("smaller-limit" not in "".join(one[1]) for one in decided(world, account))


def test_money_on_its_way_is_no_lateness_and_what_does_not_come_is_seen_at_once(
    world: World, rounds: Rounds
) -> None:
    slow, none = enrol(world), enrol(world, "ben")
    for account in (slow, none):
        buy(world, account, PRICE, "flat", 3)
    until(world, date(2026, 2, 10))
    paid = {one: pay(world, one, DUE, state=MoneyState.PENDING) for one in (slow, none)}
    live_to(world, rounds, date(2026, 2, 13))
    assert told(world, slow) == told(world, none) == []
    for account, state in ((slow, MoneyState.FINAL), (none, MoneyState.REVERSED)):
        pay(world, account, DUE, receipt=paid[account].receipt_id, state=state)
    rounds.run()
    assert told(world, slow) == []
    assert [kind for kind, _ in told(world, none)] == ["nudged"]
    # Who paid was not late at any close; who did not is late since the due day once that is known.
    crossed = "SELECT account_id FROM events WHERE kind = 'bucket-crossed'"
    assert rows(world.store, crossed) == [(none,)]
    live_to(world, rounds, date(2026, 3, 14))
    given = record_of(world, decided_ids(world, slow)[-1]).given
    assert (given["late_spells_365d"], given["overdue_days"]) == (1, 4)
    assert all("smaller-limit" not in "".join(one[1]) for one in decided(world, slow))


def test_a_debit_that_fails_for_want_of_money_is_told_and_three_while_late_hold_for_hours(
    world: World, rounds: Rounds
) -> None:
    account = enrol(world)
    buy(world, account, PRICE, "flat", 3)
    fails(world, account, "customer")
    assert rounds.run() == 1
    ((kind, said),) = told(world, account)
    assert (kind, said["reasons"], said["cause"]) == (
        "nudged",
        ["debit-failed"],
        "policy/debit-failed",
    )
    live_to(world, rounds, date(2026, 2, 15))
    for _ in range(3):
        fails(world, account, "customer")
    rounds.run()
    kind, payload = told(world, account)[-1]
    assert (kind, payload["kind"]) == ("protection-placed", "hold")
    assert payload["reasons"][0] == "payments-keep-failing"
    assert try_to_buy(world, account, 1_000).outcome == "decline"
    assert pay(world, account, DUE + 1_000).paid_minor > 0  # paying goes on
    rounds.run()
    assert told(world, account)[-1][1]["finding"] == "cured"


def test_paying_in_parts_again_and_again_is_met_with_help(world: World, rounds: Rounds) -> None:
    account = enrol(world)
    buy(world, account, PRICE, "flat", 3)
    until(world, date(2026, 2, 10))
    for _ in range(3):
        pay(world, account, 10_000)
        assert rounds.run() == 1
    assert [one[0] for one in decided(world, account)] == ["approve", "approve", "review"]
    kind, payload = told(world, account)[-1]
    assert (kind, payload["reasons"]) == ("relief-offered", ["help-offered"])
    # Not late: a later day may be had at once, and what is offered is what is granted.
    (ways,) = payload["plans"]
    assert (ways["deferral_days"], ways["deferral_cost_minor"]) == (10, 0)
    command = Extend(
        scope_id=str(account),
        key=key(world),
        account_id=account,
        plan_id=UUID(ways["plan_id"]),
        asked_at=world.clock.now(),
        count=ways["extension_count"],
        reviewed_by="Li Na",
    )
    assert done(extend(world.ground, [command])[0]).cost_minor == ways["extension_cost_minor"]
    assert rows(world.store, "SELECT * FROM protections") == []


def test_two_plans_late_at_once_are_one_time_of_being_late(world: World, rounds: Rounds) -> None:
    account = enrol(world)
    for amount in (PRICE, 60_000):
        buy(world, account, amount, "flat", 3)
    live_to(world, rounds, date(2026, 2, 20))
    crossed = "SELECT COUNT(*) FROM events WHERE kind = 'bucket-crossed'"
    assert row(world.store, crossed) == 2
    limited = "SELECT COUNT(*) FROM decisions WHERE kind = 'repayment' AND outcome <> 'nudge'"
    last = "SELECT decision_id FROM decisions WHERE kind = 'repayment' ORDER BY 1 DESC LIMIT 1"
    assert row(world.store, limited) == 1  # of day four, at which nothing is asked for any more
    assert record_of(world, row(world.store, last)).given["late_spells_365d"] == 1
    assert rows(world.store, "SELECT * FROM protections") == []


def test_what_a_late_charge_left_over_is_no_reason_to_cut_anybody(
    world: World, rounds: Rounds
) -> None:
    account = enrol(world)
    buy(world, account, PRICE)
    live_to(world, rounds, date(2026, 2, 20))
    pay(world, account, PRICE)  # all that was bought, and not the late charge of some yuan
    live_to(world, rounds, date(2026, 3, 20))
    last = decided(world, account)[-1]
    assert (last[0], last[3]) == ("approve", date(2026, 3, 14))  # the bucket it crossed into
    sql = "SELECT decision_id FROM decisions WHERE kind = 'repayment' ORDER BY 1 DESC LIMIT 1"
    given = record_of(world, row(world.store, sql)).given
    assert given["overdue_days"] > 30
    assert 0 < given["overdue_minor"] < 5_000
    assert rows(world.store, "SELECT * FROM protections") == []


def test_what_is_read_twice_is_decided_once(world: World, rounds: Rounds) -> None:
    account = late_twice(world, rounds)
    until(world, date(2026, 3, 15))
    pay(world, account, 5_000)
    before = dict(rounds.cursor)
    assert rounds.run() == 1
    state = dump(world.store)
    rounds.cursor = before
    assert rounds.run() == 0
    rounds.cursor = {}  # from the beginning of the book
    assert rounds.run() == 0
    assert dump(world.store) == state
    number = row(world.store, "SELECT MAX(number) FROM events WHERE kind = 'receipt-final'")
    assert heed(world.ground, [Signal(account, number)])[0].outcome is None
    assert heed(world.ground, [Signal(account)])[0].outcome is None


def test_every_decision_is_made_again_from_its_record(world: World, rounds: Rounds) -> None:
    account = late_twice(world, rounds)
    pay(world, account, DUE + 1_000)
    rounds.run()
    ids = rows(world.store, "SELECT decision_id FROM decisions WHERE kind = 'repayment'")
    assert len(ids) > 5
    for (decision_id,) in ids:
        one = record_of(world, decision_id)
        assert record.replay(one) is None
        again = record.from_json(record.to_json(one), file="kept.json")
        assert record.replay(again) is None
        assert one.latency_us is not None
        assert len(one.reasons) <= 4
    limited = row(
        world.store,
        "SELECT decision_id FROM decisions WHERE 'smaller-limit:800000' = ANY(effects) LIMIT 1",
    )
    made = record_of(world, limited)
    assert (made.given["late_spells_365d"], made.given["overdue_days"]) == (2, 4)
    assert made.would_change["outcome"] != "review"
    assert made.as_of_number == row(
        world.store,
        "SELECT MIN(number) - 1 FROM events WHERE kind = 'relief-offered'",
    )


def test_a_challenger_is_asked_in_the_shadow_and_does_nothing(world: World, rounds: Rounds) -> None:
    word = 'overdue_minor > 0"\neffects = [{ effect = "nudge" }]'
    assert SHIPPED.text.count(word) == 1
    look = word.replace('"nudge"', '"review", priority = 1')
    text = SHIPPED.text.replace('id = "repayment"\n', 'id = "harsh"\n').replace(word, look)
    text = text[: text.index("[[examples]]")]
    harsh = read(text, features.shipped().vocabulary, file="harsh.toml")
    shadowing.begin(world.ground, policies.book_of(harsh), by="Li Na", days=90)
    account = enrol(world)
    buy(world, account, PRICE, "flat", 3)
    live_to(world, rounds, date(2026, 2, 12))
    assert follow(world.ground) == 2
    pairs = """
        SELECT DISTINCT d.outcome, v.outcome
        FROM shadow_verdicts AS v JOIN decisions AS d USING (account_id, decision_id)
    """
    assert rows(world.store, pairs) == [("nudge", "review")]
    assert rows(world.store, "SELECT * FROM cases") == []


def test_beyond_the_breakers_cap_a_person_looks_instead(
    world: World, rounds: Rounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    conduct = world.ground.catalogue.conduct()
    monkeypatch.setitem(conduct.caps, Effect.SMALLER_LIMIT, Caps(1, 1))  # type: ignore[arg-type]
    people = [enrol(world, name) for name in ("ann", "ben", "cat")]
    for account in people:
        buy(world, account, PRICE, "flat", 3)
    live_to(world, rounds, date(2026, 2, 20))
    for account in people:
        pay(world, account, DUE + 1_000)
    live_to(world, rounds, date(2026, 3, 14))
    assert row(world.store, "SELECT COUNT(*) FROM protections") == 1
    effects = rows(
        world.store,
        "SELECT effects FROM decisions WHERE 'held-back:smaller-limit' = ANY(effects)",
    )
    assert len(effects) == 2
    trips = rows(world.store, "SELECT kind, effect FROM breaker_trips")
    assert trips == [("repayment", "smaller-limit")]


def test_an_adopted_policy_decides_and_what_it_no_longer_asks_for_ends(
    world: World, rounds: Rounds
) -> None:
    account = late_twice(world, rounds)
    assert ceiling(world, account) is not None
    text = SHIPPED.text.replace("version = 2", "version = 3", 1).replace(
        'author = "fenqi"', 'author = "Li Wei"'
    )
    text = text.replace("late_spells_365d >= 2", "late_spells_365d >= 9")
    text = text.replace(
        "late_spells_365d = 2, overdue_days = 4", "late_spells_365d = 9, overdue_days = 4"
    )
    milder = read(text, features.shipped().vocabulary, file="milder.toml")
    adopt(world.ground, milder, by="Li Na")
    live_to(world, rounds, date(2026, 3, 15))
    assert told(world, account)[-1][1]["finding"] == "cured"
    assert ceiling(world, account) is None
    assert row(world.store, "SELECT MAX(policy_version) FROM decisions WHERE kind='repayment'") == 3


def test_a_customer_appeals_and_is_set_right_by_somebody_who_took_no_part(
    world: World, rounds: Rounds
) -> None:
    account = late_twice(world, rounds)
    case_id = UUID(told(world, account)[-1][1]["case_id"])
    appeal = OpenCase(
        scope_kind="book",
        scope_id=BOOK,
        key=key(world),
        actor="customer",
        account_id=account,
        subject="limit",
        text="The bank was on strike.",
        about_case_id=case_id,
    )
    opened = done(open_case(world.ground, [appeal])[0])
    close = CloseCase(
        scope_kind="book",
        scope_id=BOOK,
        key=key(world),
        actor="Wang Fang",
        case_id=UUID(opened.case_id),
        outcome=CaseOutcome.FALSE_ALARM,
        text="It was.",
    )
    assert done(close_case(world.ground, [close])[0]).ended == 1
    assert ceiling(world, account) is None
    live_to(world, rounds, date(2026, 3, 20))
    assert ceiling(world, account) is None  # what was found harmless is not done again


def test_who_pays_on_time_is_never_asked_about(world: World, rounds: Rounds) -> None:
    account = enrol(world)
    buy(world, account, PRICE, "flat", 3)
    for day in (date(2026, 2, 9), date(2026, 3, 10), date(2026, 4, 8)):
        live_to(world, rounds, day)
        pay(world, account, DUE)
    live_to(world, rounds, date(2026, 4, 20))
    assert decided(world, account) == []
    assert "nudged" not in kinds(world, account)


def test_a_page_costs_the_same_statements_however_many_accounts_it_has(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [enrol(world, f"p{number}") for number in range(12)]
    for account in people:
        buy(world, account, PRICE, "flat", 3)
    until(world, date(2026, 2, 11))
    asked: list[str] = []
    for name in ("rows", "ask", "run"):
        real = getattr(Session, name)

        def noted(self: Session, sql: str, *more: Any, real: Any = real) -> Any:
            asked.append(sql)
            return real(self, sql, *more)

        monkeypatch.setattr(Session, name, noted)
    heed(world.ground, [Signal(people[0])])
    one = len(asked)
    asked.clear()
    made = heed(world.ground, [Signal(each) for each in people[1:]])
    assert [each.outcome for each in made] == ["nudge"] * 11
    assert len(asked) == one


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_customers_do_nobody_who_is_late_with_nothing_is_kept_from_anything(
    world: World, rounds: Rounds, seed: int
) -> None:
    chance = Random(seed)
    people = [enrol(world, f"p{number}") for number in range(10)]
    for account in people:
        for _ in range(chance.randint(1, 2)):
            buy(world, account, chance.randint(300, 3_000) * 100, "flat", 3)
    limited = 0
    while world.day < date(2026, 4, 20):
        until(world, world.day + timedelta(days=1))
        for account in people:
            match chance.randint(0, 30):
                case 0 | 3:
                    pay(world, account, chance.randint(1, 900) * 100)
                case 1:
                    fails(world, account, chance.choice(["customer"] * 9 + ["channel"]))
                case 2 if chance.random() < 0.2:
                    fails(world, account, "channel", "channel-failed")
        rounds.run()
        assert rows(world.store, HELD_FOR_NOTHING, now=world.clock.now()) == []
        limited += len(rows(world.store, "SELECT 1 FROM protections WHERE ended_at IS NULL"))
    assert limited > 20
    assert row(world.store, "SELECT COUNT(*) FROM protections WHERE finding = 'cured'") > 0
    for (decision_id,) in rows(
        world.store, "SELECT decision_id FROM decisions WHERE kind = 'repayment'"
    ):
        assert record.replay(record_of(world, decision_id)) is None
    rounds.cursor = {}
    assert rounds.run() == 0


# What runs for how somebody pays, on whom nothing is late.
HELD_FOR_NOTHING = """
SELECT p.kind, a.oldest_due_on
FROM protections AS p JOIN decisions AS d USING (account_id, decision_id)
JOIN accounts AS a USING (account_id) JOIN books AS b USING (book_id)
WHERE p.ended_at IS NULL AND p.ends_at > %(now)s AND d.kind = 'repayment'
    AND COALESCE(a.oldest_due_on, 'infinity') >= b.business_date
"""


@pytest.mark.parametrize(("days", "kinds_told"), [(200, []), (4, []), (2, ["protection-placed"])])
def test_debits_that_failed_long_ago_and_are_told_now_hold_nobody(
    world: World, rounds: Rounds, days: int, kinds_told: list[str]
) -> None:
    account = enrol(world)
    buy(world, account, PRICE, "flat", 3)
    live_to(world, rounds, date(2026, 2, 12))
    for _ in range(3):
        fails(world, account, "customer", ago=timedelta(days=days))
    rounds.run()
    said = [kind for kind, _ in told(world, account) if kind != "nudged"]
    assert said == kinds_told
    codes = {code for _, payload in told(world, account) for code in payload["reasons"]}
    assert codes == {"payment-due"} | ({"payments-keep-failing"} if kinds_told else set())
