"""Outages at the door: previewed, opened, agreed to by a second person, listed, closed."""

import json
from datetime import date

from make_book import World, assert_sound, buy, enrol, kinds, pay, row, until
from make_program import Run


def _late_charges_taken_back(world: World) -> int:
    sql = "SELECT COALESCE(-SUM(amount_minor), 0) FROM operations WHERE kind = 'late-charge'"
    return int(row(world.store, f"{sql} AND amount_minor < 0"))


CORRECTED = "SELECT COUNT(DISTINCT c.number) FROM corrections AS c"


def _back(world: World) -> str:
    """Return what is told of one account, from the operations alone."""
    sql = "SELECT COUNT(*) FROM operations WHERE kind = 'late-charge' AND amount_minor < 0"
    minor = _late_charges_taken_back(world)
    times = f"{CORRECTED} JOIN crossings AS x ON x.account_id = c.account_id "
    times += "AND x.event_number = c.number WHERE x.from_bucket = 0"
    payments = f"{CORRECTED} WHERE c.says IS NOT NULL"
    return (
        "Accounts that were told: 1. Taken back so far: bookings of late charges "
        f"{row(world.store, sql)} (in all {minor / 100:.2f} CNY), times of being late "
        f"{row(world.store, times)}, late payments {row(world.store, payments)}, cuts 0."
    )


def test_an_outage_is_said_from_the_preview_to_its_end(world: World, fenqi: Run) -> None:
    account = enrol(world)
    buy(world, account, 100_000, "flat", 3)
    until(world, date(2026, 2, 15))
    pay(world, account, 100)  # which counts the late charge up to today
    words = ("--from", "2026-02-10", "--days", 6, "--reason", "Debits did not run.", "--by", "mei")
    shown = fenqi("incident", "open", *words, "--preview")
    assert "2026-02-10 to 2026-02-12" in shown.output
    assert "To be looked at again: accounts 1, times of being late 1" in shown.output
    assert "only what the excused days caused is taken back" in shown.output
    assert row(world.store, "SELECT COUNT(*) FROM incidents") == 0
    narrow = fenqi("incident", "open", *words, "--preview", COLUMNS="80").output
    assert str(account) in narrow
    seen = json.loads(fenqi("incident", "open", *words, "--preview", "--json").output)
    opened = fenqi("incident", "open", *words)
    assert seen["taken_back"]["late_charges_minor"] == _late_charges_taken_back(world)
    assert [one["account_id"] for one in seen["accounts"]] == [str(account)]
    assert f"(in all {_late_charges_taken_back(world) / 100:.2f} CNY)" in " ".join(narrow.split())
    incident = str(row(world.store, "SELECT incident_id FROM incidents"))
    assert opened.output.splitlines() == [
        f"2026-02-10 to 2026-02-12 are excused: {incident}",
        _back(world),
        "to 2026-02-15 once a second person agrees:",
        f"  fenqi incident second {incident} --by SOMEBODY_ELSE",
    ]
    assert fenqi("incident", "second", incident, "--by", "mei").exit_code != 0
    agreed = fenqi("incident", "second", incident, "--by", "li")
    excused = f"2026-02-10 to 2026-02-15 are excused: {incident}"
    assert agreed.output.splitlines() == [excused, _back(world)]
    assert _late_charges_taken_back(world) > 0
    assert kinds(world, account)[-2:] == ["days-excused", "facts-corrected"]
    listed = fenqi("incident", "list", FENQI_LANGUAGE="zh-CN").output
    assert "2026-02-15" in listed
    assert "Debits did not run." in listed
    closed = fenqi("incident", "close", incident, "--by", "li")
    assert closed.exit_code == 0
    ends = f"{incident} is closed; 2026-02-10 to 2026-02-15 stay excused."
    assert closed.output.splitlines() == [ends, _back(world)]
    assert fenqi("incident", "list").output.strip() == "No incident."
    told = json.loads(fenqi("incident", "list", "--all", "--json").output)
    assert [(one["opened_by"], one["seconded_by"], one["closed_by"]) for one in told] == [
        ("mei", "li", "li")
    ]
    again = fenqi("incident", "close", incident, "--by", "li")
    assert "is closed; what it excused stays excused" in " ".join(again.output.split())
    assert_sound(world)


def test_what_makes_no_sense_is_refused_by_name(world: World, fenqi: Run) -> None:
    both = ("--from", "2026-01-05", "--days", 2, "--to", "2026-01-06")
    said = ("--reason", "why", "--by", "mei")
    refused = fenqi("incident", "open", *both, *said, FENQI_LANGUAGE="zh-CN").stderr
    assert refused.startswith("fenqi: --days 与 --to 只能用其一。")
    for last in (("--days", 2), ()):
        ended = fenqi("incident", "open", "--from", "9999-12-31", *last, "--preview", *said)
        assert ended.exit_code == 2
        assert "9999-12-31 to 9999-12-31 cannot be excused" in " ".join(ended.output.split())
    before = fenqi("incident", "open", "--from", "2025-12-31", "--days", 2, *said)
    assert "2025-12-31 to 2026-01-01 cannot be excused" in " ".join(before.output.split())
    missing = fenqi("incident", "close", world.merchant, "--by", "mei")
    assert "There is no incident" in missing.output
