"""Lists of decisions are read along keys, however many there are: nothing scans the table."""

import random
import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from make_book import World, as_owner, enrol, open_book, purchase, rows

from fenqi.core.risk.decision import DecisionKind
from fenqi.core.values.ids import AccountId
from fenqi.flows.authorise import authorise
from fenqi.runtime import Ids, MovingClock
from fenqi.store import decision_records, policies
from fenqi.store.decision_records import Wanted, listed, statement
from fenqi.store.decisions import floor
from fenqi.store.pool import Session, Store

COUNT = 100_000
DAYS = 50
KINDS = [*["purchase"] * 90, *["access"] * 8, "limit", "application"]
BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
# Filled by hand: through the flows it would take minutes, and only what the planner sees counts.
FILL = """
INSERT INTO decisions (account_id, decision_id, kind, outcome, reasons, inputs, rulebook_id,
    policy, policy_version, decided_at, booked_on)
SELECT a, d, k, o, CASE o WHEN 'approve' THEN '{}' ELSE '{because}'::text[] END,
    '{1,2,3,4,5}', %(book)s, 'starter', 1, t, t::date
FROM UNNEST(%(accounts)s::uuid[], %(ids)s::uuid[], %(kinds)s::text[], %(outcomes)s::text[],
    %(times)s::timestamptz[]) AS rows (a, d, k, o, t)
"""
EVENTS = """
INSERT INTO events (account_id, number, schema_version, kind, actor, occurred_at, recorded_at,
    booked_on, effective_on, payload)
SELECT account_id, 1000 + ROW_NUMBER() OVER (PARTITION BY account_id ORDER BY decision_id), 1,
    CASE kind WHEN 'purchase' THEN 'purchase-captured' ELSE 'login' END, 'test', decided_at,
    decided_at, booked_on, booked_on,
    CASE kind WHEN 'purchase' THEN jsonb_build_object('decision_id', decision_id) ELSE '{}' END
FROM decisions
"""


class Kept:
    """What was put into the table, by hand."""

    def __init__(self, store: Store) -> None:
        chance, clock = random.Random(4), MovingClock(BEGUN)
        ids = Ids(clock, seed=4)
        accounts = [UUID(int=chance.getrandbits(128)) for _ in range(COUNT // 50)]
        self.rows: list[tuple[UUID, UUID, str, str, datetime]] = []
        for number in range(COUNT):
            clock.set(BEGUN + number * timedelta(days=DAYS) / COUNT)
            outcome = "decline" if chance.random() < 0.03 else "approve"
            row = (chance.choice(accounts), ids.new(), chance.choice(KINDS), outcome, clock.now())
            self.rows.append(row)
        a, d, k, o, t = (list(column) for column in zip(*self.rows, strict=True))
        with as_owner(store) as session:
            ((book,),) = session.rows("SELECT rulebook_id FROM rulebooks LIMIT 1")
            session.run(
                FILL,
                {"accounts": a, "ids": d, "kinds": k, "outcomes": o, "times": t, "book": book},
            )
            session.run(EVENTS)
            # Every row is looked at, lest a plan depend on which ones were drawn.
            session.run("SET LOCAL default_statistics_target = 1000")
            session.run("ANALYZE decisions")
            session.run("ANALYZE events")

    def slow(self, wanted: Wanted) -> list[UUID]:
        """Return the ids of what is wanted, by looking at everything."""
        found = [
            decision
            for account, decision, kind, outcome, at in self.rows
            if wanted.account_id in (None, account)
            and wanted.kind in (None, kind)
            and wanted.outcome in (None, outcome)
            and (wanted.since is None or at >= wanted.since)
            and (wanted.before is None or decision < wanted.before)
        ]
        return sorted(found, reverse=True)[: wanted.most]


def plan_of(session: Session, sql: str, asked: dict[str, object]) -> str:
    return "\n".join(row[0] for row in session.rows("EXPLAIN (ANALYZE, BUFFERS) " + sql, asked))


def buffers(plan: str) -> int:
    """Return how many pages a plan looked at in all."""
    found = re.search(r"Buffers: shared(?: hit=(\d+))?(?: read=(\d+))?", plan)
    assert found is not None, plan
    return sum(int(one or 0) for one in found.groups())


def test_no_list_scans_a_table_of_a_hundred_thousand_and_each_is_what_it_should_be(
    store: Store,
) -> None:
    open_book(store)
    kept = Kept(store)
    account = AccountId(kept.rows[7][0])
    recent = BEGUN + timedelta(days=DAYS - 3)
    middle = kept.rows[COUNT // 2][1]
    asked = [
        Wanted(account_id=one, kind=kind, outcome=outcome, since=since, before=before)
        for one in (None, account)
        for kind in (None, "purchase", "access", "repayment")
        for outcome in (None, "approve", "decline", "freeze")
        for since, before in ((None, None), (recent, None), (None, middle))
    ]
    with store.transaction() as session:
        plans = []
        for wanted in asked:
            assert [one.decision_id for one in listed(session, wanted)] == kept.slow(wanted)
            values = {
                "since": wanted.since,
                "since_id": floor(wanted.since) if wanted.since else None,
                "account_id": wanted.account_id,
                "kind": wanted.kind,
                "outcome": wanted.outcome,
                "before": wanted.before,
                "most": wanted.most,
            }
            plan = plan_of(session, statement(wanted), values)
            assert "Seq Scan" not in plan, (wanted, plan)
            plans.append((buffers(plan), wanted, plan))
        worst = max(plans, key=lambda one: one[0])
        assert worst[0] < 1_500, worst  # the table has some 2,000 pages; most lists need a few
        for kind, since in ((DecisionKind.PURCHASE, recent), (DecisionKind.LIMIT, BEGUN)):
            sql = policies.PURCHASES if kind is DecisionKind.PURCHASE else policies.OTHERS
            values = {"kind": kind.value, "since": since, "after": floor(since), "most": 500}
            plan = plan_of(session, sql, values)
            assert "Seq Scan" not in plan, plan
        check_pages(session, kept)


def check_pages(session: Session, kept: Kept) -> None:
    """Decisions of a kind come page by page, each once, the oldest first."""
    since = BEGUN + timedelta(days=DAYS - 4, seconds=77)
    for kind in (DecisionKind.PURCHASE, DecisionKind.ACCESS):
        pages = list(policies.decided(session, kind, since, page_rows=333))
        assert all(len(page) == 333 for page in pages[:-1])
        assert len(pages) > 1
        told = [one.decision_id for page in pages for one in page]
        wanted = Wanted(kind=kind.value, since=since, most=COUNT)
        assert told == kept.slow(wanted)[::-1]


@pytest.fixture
def world(store: Store) -> World:
    return open_book(store)


def test_pages_of_an_accounts_real_decisions_follow_one_another(world: World) -> None:
    account, other = enrol(world, "ann"), enrol(world, "bob")
    for number in range(12):
        for one in (account, other):
            authorise(
                world.ground,
                [purchase(world, one, 100_000, "flat", 3, capture_now=number % 2 == 0)],
            )
    sql = "SELECT decision_id FROM decisions WHERE account_id = %(one)s ORDER BY decision_id DESC"
    every = [one for (one,) in rows(world.store, sql, one=account)]
    assert len(every) == 12
    seen: list[UUID] = []
    with world.store.transaction() as session:
        while page := decision_records.listed(
            session,
            Wanted(account_id=account, before=seen[-1] if seen else None, most=5),
        ):
            seen += [one.decision_id for one in page]
    assert seen == every
