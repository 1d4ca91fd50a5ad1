"""The day close: once, in order, resumable after a crash at any step (M4)."""

import os
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from fenqi.core.errors import Broken, Conflict, Invalid
from fenqi.report.check import check
from fenqi.store import accounts, closes, plans
from fenqi.store.booking import Booking
from fenqi.store.closes import Task
from fenqi.store.pool import Store
from fenqi.worker.close import STEPS, check_order, close_through
from lives import BOOK, LAST, OPENED, Life, lived, open_book

# Everything a close writes, without what tells one run from another.
TABLES = {
    "accounts": "account_id, principal_open_minor, held_minor, credit_minor, status,"
    " refunds_payable_minor, event_count, statement_count",
    "plans": "plan_id, version, state, bucket, billed_count, principal_open_minor, oldest_due_on,"
    " unbilled_due_on, charged_through, recognised_through, is_earning, operation_count",
    "operations": "plan_id, number, kind, effective_on, booked_on, amount_minor, cause_number",
    "instalments": "*",
    "allocations": "*",
    "crossings": "*",
    "statements": "*",
    "statement_lines": "*",
    "events": "account_id, number, kind, booked_on, effective_on, payload::text",
    "transfers": "*",
    "ledger_days": "*",
    "portfolio_months": "*",
    "close_steps": "book_id, day, slice, step, touched",
    "books": "business_date",
}


def picture(store: Store) -> dict[str, list[Any]]:
    with store.transaction() as session:
        return {
            table: sorted(map(str, session.rows(f"SELECT {columns} FROM {table}")))
            for table, columns in TABLES.items()
        }


def before_month_end(store: Store) -> Life:
    """A book in which the next closes bill, age, write off, recognise, measure and remit."""
    life = open_book(store)
    life.buy("punctual", 600_000, "flat", 6)
    life.buy("never", 90_000, "unsplit", 1)
    life.buy("over", 240_000, "annuity18", 12)
    life.live_until(date(2026, 2, 27))
    life.pay("over", 200_000)
    life.buy("returns", 200_000, "flat", 3)
    life.pay("returns", 70_000)
    life.return_goods("returns", 180_000)
    return life


@pytest.fixture
def life(store: Store) -> Life:
    return before_month_end(store)


def close_to(life: Life, day: date) -> None:
    life.live_until(day + timedelta(days=1))


def test_a_day_closed_twice_changes_nothing(life: Life) -> None:
    close_to(life, date(2026, 3, 1))
    before = picture(life.ground.store)
    again = close_through(life.ground, BOOK, date(2026, 3, 1))
    assert again.days == ()
    assert picture(life.ground.store) == before


def test_a_skipped_week_is_closed_day_by_day(store: Store, life: Life) -> None:
    closed = close_through(life.ground, BOOK, date(2026, 3, 6))
    assert closed.days == tuple(date(2026, 2, 27) + timedelta(days=n) for n in range(8))
    with store.transaction() as session:
        days = session.rows("SELECT COUNT(DISTINCT day) FROM close_steps WHERE step = 'turn'")
    assert days[0][0] == (date(2026, 3, 6) - OPENED).days + 1
    assert check(store).findings == ()


class Crash(Exception):
    """The program dies here."""


CRASH_DAY = date(2026, 2, 28)  # a month end on which every step has work


@pytest.fixture(scope="module")
def uncut(server_url: str, template: str) -> Iterator[dict[str, list[Any]]]:
    """What the books look like when nothing crashes."""
    name = f"fenqi_uncut_{os.getpid()}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        store = Store.open(urlunsplit(urlsplit(server_url)._replace(path=f"/{name}")))
        close_through(before_month_end(store).ground, BOOK, CRASH_DAY + timedelta(days=1))
        yield picture(store)
        store.close()
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.parametrize("step", [step.name for step in STEPS])
@pytest.mark.parametrize("place", ["before it writes", "before it is recorded"])
def test_a_close_cut_off_at_any_step_ends_as_if_it_had_not_been(
    store: Store,
    uncut: dict[str, list[Any]],
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    place: str,
) -> None:
    if place == "before it writes" and step in {"measure", "turn"}:
        place = "before it is recorded"  # these two write by one statement and book no rows
    life = before_month_end(store)
    crash_at(monkeypatch, step, place)
    with pytest.raises(Crash):
        close_through(life.ground, BOOK, CRASH_DAY + timedelta(days=1))
    monkeypatch.undo()
    close_through(life.ground, BOOK, CRASH_DAY + timedelta(days=1))
    found = picture(store)
    for table in TABLES:
        assert found[table] == uncut[table], table
    assert check(store).findings == ()


def crash_at(monkeypatch: pytest.MonkeyPatch, step: str, place: str) -> None:
    """Die in one step of the crash day, where its rows are written or where it is recorded."""
    current = watch(monkeypatch)

    def deadly(there: str, live: Any) -> Any:
        def act(*words: Any) -> None:
            if there == place and current == {"step": step, "day": CRASH_DAY}:
                raise Crash
            live(*words)

        return act

    monkeypatch.setattr(Booking, "write", deadly("before it writes", Booking.write))
    monkeypatch.setattr(closes, "finish", deadly("before it is recorded", closes.finish))


def watch(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Know which task runs now."""
    current: dict[str, Any] = {}
    is_open = closes.is_open

    def watched(session: Any, task: Task, book: Any) -> bool:
        current.update(step=task.step, day=task.day)
        return is_open(session, task, book)

    monkeypatch.setattr(closes, "is_open", watched)
    return current


def test_accounts_with_nothing_today_are_neither_locked_nor_loaded(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    life = open_book(store)
    for name in ("punctual", "late", "early"):
        life.buy(name, 600_000, "flat", 6)
    life.live_until(date(2026, 1, 20))  # nothing is billed, due or overdue on that day
    locked: list[Any] = []
    loaded: list[Any] = []
    lock, load = accounts.lock, plans.load
    monkeypatch.setattr(accounts, "lock", lambda s, ids: locked.extend(ids) or lock(s, ids))
    monkeypatch.setattr(plans, "load", lambda s, keys, c: loaded.extend(keys) or load(s, keys, c))
    close_through(life.ground, BOOK, date(2026, 1, 20))
    house = set(locked)
    assert loaded == []
    assert not house & set(life.accounts.values())


def test_the_order_of_steps_is_checked() -> None:
    check_order(STEPS)
    turned = [STEPS[-1], *STEPS[:-1]]
    with pytest.raises(Broken):
        check_order(turned)
    for step in STEPS:
        for need in step.needs:
            early = [one for one in STEPS if one.name != need]
            with pytest.raises(Broken):
                check_order(early)


def test_a_step_of_a_day_that_is_not_open_is_refused(life: Life) -> None:
    for step in STEPS:
        with pytest.raises(Conflict):
            step.flow(life.ground, Task(BOOK, date(2026, 3, 9), 0, step.name))


def test_a_day_far_ahead_is_refused_before_anything_is_closed(life: Life) -> None:
    before = picture(life.ground.store)
    with pytest.raises(Invalid):
        close_through(life.ground, BOOK, date(2126, 1, 1))
    assert picture(life.ground.store) == before


def test_a_whole_life_leaves_clean_books_and_all_kinds_of_rows(store: Store) -> None:
    lived(store)
    assert check(store).findings == ()
    with store.transaction() as session:
        kinds = {row[0] for row in session.rows("SELECT DISTINCT kind FROM events LIMIT 100")}
        written_off = session.rows("SELECT COUNT(*) FROM plans WHERE state = 'written-off'")
        turned = session.rows("SELECT MAX(day) FROM close_steps")
    assert {
        "statement-cut",
        "bucket-crossed",
        "written-off",
        "income-recognised",
        "merchant-remitted",
        "refund-paid",
        "credit-used",
        "allowance-provided",
    } <= kinds
    assert written_off[0][0] >= 1
    assert turned[0][0] == LAST - timedelta(days=1)
