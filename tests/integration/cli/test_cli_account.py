"""Accounts at the door: found by what an officer knows of them, and told whole."""

import json
import re
from datetime import date
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from make_book import (
    BOOK,
    World,
    as_owner,
    assert_sound,
    beside,
    buy,
    contested,
    done,
    dump,
    enrol,
    hold,
    pay,
    row,
    rows,
    until,
)
from make_case import frozen, opened
from make_crowd import log_in, people
from make_program import Run, program
from rich.cells import cell_len

from fenqi.core.values.ids import AccountId
from fenqi.flows.contest import open_contest
from fenqi.flows.excuse import Outage, open_incident
from fenqi.flows.protect import protect
from fenqi.store import accounts
from fenqi.store.pool import Store

WIDTH = 80


@pytest.fixture
def fenqi(database_url: str, tmp_path: Path) -> Run:
    """Runs the program in a terminal as narrow as lists are read in."""
    return program(database_url, columns=WIDTH, FENQI_DATA=str(tmp_path))


def listed(fenqi: Run, *words: object) -> set[UUID]:
    """Return the accounts a list names to programs, which are those it names to people."""
    ended = fenqi("account", "list", *words, "--json")
    assert ended.exit_code == 0, ended.output
    found = [one["account_id"] for one in json.loads(ended.stdout)]
    told = fenqi("account", "list", *words).stdout
    assert all(one in told for one in found)
    assert all(len(line) <= WIDTH for line in told.split("\n"))
    return {UUID(one) for one in found}


def test_accounts_are_found_by_book_state_lateness_and_person(world: World, fenqi: Run) -> None:
    good, late, latest = (enrol(world, name) for name in ("good", "late", "latest"))
    buy(world, good, 60_000, "flat", 12)
    buy(world, latest, 60_000, "flat", 6)
    until(world, date(2026, 2, 20))
    pay(world, good, 100_000)
    buy(world, late, 30_000)
    until(world, date(2026, 3, 20))
    cold, ring = enrol(world, "cold"), people(world, 10, "ring")
    frozen(world, cold, opened(world, cold), 3)
    log_in(world, ring, "203.0.113.7")
    protect(world.ground)
    held = set(ring) & {one for (one,) in rows(world.store, HELD)}
    assert listed(fenqi) == {good, late, latest, cold, *ring}
    assert listed(fenqi, "--book", "book") == listed(fenqi)
    assert listed(fenqi, "--status", "frozen") == {cold} == listed(fenqi, "--under", "freeze")
    assert listed(fenqi, "--under", "hold") == held != set()
    assert listed(fenqi, "--under", "smaller-limit") == set()
    assert listed(fenqi, "--bucket", 1) == {late}
    assert listed(fenqi, "--bucket", 2) == {latest}
    assert listed(fenqi, "--bucket", 0) == {good, cold, *ring}
    assert listed(fenqi, "--person", "latest") == {latest}
    assert listed(fenqi, "--person", "nobody") == set()
    assert listed(fenqi, "--book", "book", "--status", "open", "--bucket", 2) == {latest}
    nobody = fenqi("account", "list", "--under", "smaller-limit", "--person", "nobody").stdout
    said = "No account is under all that was asked: --under smaller-limit, --person nobody\n"
    assert nobody == said


def test_a_book_without_accounts_says_so(world: World, fenqi: Run) -> None:
    assert world
    assert fenqi("account", "list").stdout == "There is no account yet.\n"
    chinese = fenqi("account", "list", "--bucket", 5, FENQI_LANGUAGE="zh").stdout
    assert "没有符合全部条件的账户" in chinese
    assert "--bucket 5" in chinese


HELD = "SELECT account_id FROM accounts WHERE held_until IS NOT NULL"


def test_a_bucket_beyond_the_last_of_the_report_is_in_its_last(world: World, fenqi: Run) -> None:
    lost = enrol(world, "lost")
    buy(world, lost, 60_000, "flat", 12)
    with as_owner(world.store) as session:  # as by a pack of more buckets
        session.run("UPDATE plans SET bucket = 9")
    assert listed(fenqi, "--bucket", 7) == {lost}
    assert listed(fenqi, "--bucket", 6) == set()
    (one,) = json.loads(fenqi("account", "list", "--json").stdout)
    assert one["bucket"] == "M7+"


def test_pages_go_on_after_the_last_account_seen(world: World, fenqi: Run) -> None:
    everybody = [enrol(world, f"person-{number}") for number in range(5)]
    first = fenqi("account", "list", "--most", 3)
    last = everybody[2]
    assert first.stdout.endswith(f"more with --before {last}\n")
    assert listed(fenqi, "--most", 3) == set(everybody[2:])
    assert listed(fenqi, "--most", 3, "--before", last) == set(everybody[:2])
    assert "more with" not in fenqi("account", "list", "--before", last).stdout


def test_what_is_no_account_book_or_filter_is_refused_by_name(world: World, fenqi: Run) -> None:
    one, house = uuid4(), row(world.store, "SELECT account_id FROM accounts WHERE kind = 'house'")
    for words, said in (
        (("show", one), f"There is no account {one}."),
        (("show", house), f"There is no account {house}."),
        (("list", "--before", one), f"There is no account {one}."),
        (("list", "--book", "nowhere"), "There is no book nowhere. There are: book."),
        (("list", "--status", "late"), "must be one of open, frozen, closed"),
        (("list", "--under", "love"), "must be one of hold, freeze, smaller-limit, step-up"),
        (("list", "--bucket", 8), "must be a whole number from 0 to 7"),
        (("show", "ann"), "must be an id such as"),
    ):
        ended = fenqi("account", *words, COLUMNS="300")
        assert (ended.exit_code, ended.stdout) == (2, ""), words
        assert said in ended.stderr, words
    assert listed(fenqi) == set()  # the house has no door


def test_an_account_is_told_with_its_sums_and_what_is_overdue_to_the_minor_unit(
    world: World, fenqi: Run
) -> None:
    ann = enrol(world, "ann", limit_minor=500_000)
    buy(world, ann, 120_000, "flat", 3)
    until(world, date(2026, 2, 9))
    hold(world, ann, 50_000)
    until(world, date(2026, 2, 15))
    told = fenqi("account", "show", ann).stdout
    story = json.loads(fenqi("account", "show", ann, "--json").stdout)
    (claim,) = story["claims"]
    ends = {"Limit": "5,000.00 CNY", "Left": "3,300.00 CNY", "State": "open", "Person": "ann"}
    for label, value in ends.items():
        assert re.search(rf"^{label} +{re.escape(value)} *$", told, re.M), (label, told)
    assert "1,700.00 CNY: principal 1,200.00, held for orders 500.00" in told
    asked = f"{claim['overdue_minor'] / 100:,.2f} CNY due since {claim['since']}"
    assert asked in " ".join(told.split())
    # A payment of exactly that ends it, late charge and all, and no less does.
    pay(world, ann, claim["overdue_minor"] - 1)
    assert json.loads(fenqi("account", "show", ann, "--json").stdout)["claims"][0][
        "overdue_minor"
    ] in (1, 2)
    pay(world, ann, 2)
    paid = fenqi("account", "show", ann)
    assert "due since" not in paid.stdout
    assert re.search(r"^Overdue +- *$", paid.stdout, re.M)
    assert_sound(world)


def test_what_was_due_before_excused_days_is_due_and_not_overdue(world: World, fenqi: Run) -> None:
    ann = enrol(world, "ann")
    buy(world, ann, 120_000, "flat", 3)
    until(world, date(2026, 2, 12))
    open_incident(
        world.ground, Outage(BOOK, "down", date(2026, 2, 11), date(2026, 2, 12)), by="mei"
    )
    (claim,) = json.loads(fenqi("account", "show", ann, "--json").stdout)["claims"]
    assert (claim["overdue_minor"], claim["since"]) == (0, None)
    assert (claim["next_on"], claim["next_minor"]) == ("2026-02-10", 40_600)
    assert "406.00 CNY on 2026-02-10" in fenqi("account", "show", ann).stdout


def test_what_keeps_purchases_back_is_told_with_its_end_reason_and_ids(
    world: World, fenqi: Run
) -> None:
    ann = enrol(world, "ann")
    case = opened(world, ann)
    protection = frozen(world, ann, case, 3)
    log_in(world, [ann, *people(world, 9)], "203.0.113.7")
    protect(world.ground)
    (decision,) = rows(
        world.store,
        "SELECT decision_id FROM protections WHERE account_id = %(one)s AND kind = 'hold'",
        one=ann,
    )[0]
    for language, word in (
        ("en", "freeze until 2026-01-08 04:00 UTC"),
        ("zh", "冻结 freeze\uff0c至 2026-01-08 04:00 UTC"),
    ):
        told = fenqi("account", "show", ann, FENQI_LANGUAGE=language).stdout
        assert word in told
        for whole in (protection, f"fenqi case show {case}", f"fenqi decision show {decision}"):
            assert str(whole) in told
        assert "(shared-identifier)" in " ".join(told.split())  # after its words
        assert all(cell_len(line) <= WIDTH for line in told.split("\n"))
        assert "\u2026" not in told  # nothing is cut
    assert fenqi("decision", "show", decision).exit_code == 0
    assert fenqi("case", "show", case).exit_code == 0
    world.clock.set(world.clock.now().replace(month=2))
    assert "until" not in fenqi("account", "show", ann).stdout


def test_plans_decisions_and_cases_are_listed_with_whole_ids(world: World, fenqi: Run) -> None:
    ann = enrol(world, "ann")
    _, first = buy(world, ann, 30_000)
    _, second = buy(world, ann, 60_000, "flat", 3)
    done(open_contest(world.ground, [contested(world, ann, first)])[0])
    pay(world, ann, 70_000)
    for columns in (80, 140):
        told = fenqi("account", "show", ann, COLUMNS=str(columns)).stdout
        ids = [one for (one,) in rows(world.store, "SELECT decision_id FROM decisions")]
        ids += [one for (one,) in rows(world.store, "SELECT case_id FROM cases")]
        assert len(ids) == 3
        for one in (first, second, *ids):
            assert str(one) in told
        assert all(len(line) <= columns for line in told.split("\n"))
    assert (
        "异议处理中 contested"
        in fenqi("account", "show", ann, FENQI_LANGUAGE="zh", COLUMNS="140").stdout
    )


def test_looking_waits_for_nobody_and_changes_nothing(
    world: World, fenqi: Run, database_url: str
) -> None:
    ann = enrol(world, "ann")
    buy(world, ann, 60_000, "flat", 3)
    until(world, date(2026, 3, 1))
    other = beside(world, Store.open(database_url))
    assert fenqi("account", "list").exit_code == 0  # the first program keeps what is shipped
    before = dump(world.store)
    with other.store.transaction() as session:
        accounts.lock(session, {AccountId(ann)})  # somebody works on it meanwhile
        assert fenqi("account", "show", ann).exit_code == 0
        assert listed(fenqi) == {ann}
    other.store.close()
    assert dump(world.store) == before
