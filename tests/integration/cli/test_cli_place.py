"""The allow-list at its door: single addresses and ranges, by whose word, until when."""

import json
import re
from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from make_book import World, assert_sound, row, rows
from make_crowd import people, protections
from make_program import Run

from fenqi.core.values.ids import AccountId
from fenqi.flows.protect import Protected, protect

CAMPUS = ("--kind", "campus", "--note", "library of the north campus", "--by", "mei")


def listed(fenqi: Run, *words: str) -> list[dict[str, object]]:
    ended = fenqi("place", "list", "--json", *words)
    assert ended.exit_code == 0, ended.output
    found: list[dict[str, object]] = json.loads(ended.stdout)
    return found


def gather(world: World, fenqi: Run, accounts: Iterable[AccountId], address: str) -> Protected:
    """Let accounts log in from an address, and somebody look."""
    lines = [
        json.dumps(
            {
                "account": str(one),
                "kind": "login",
                "happened_at": world.clock.now().isoformat(),
                "ip": address,
            }
        )
        for one in accounts
    ]
    assert fenqi("observe", "-", taken="\n".join(lines)).exit_code == 0
    return protect(world.ground)


@pytest.mark.parametrize(
    ("added", "inside", "outside"),
    [
        ("203.0.113.7", "203.0.113.7", "203.0.113.8"),
        ("203.0.113.0/24", "203.0.113.200", "203.0.114.1"),
        ("2001:db8:7::/48", "2001:db8:7:ffff::9", "2001:db8:8::9"),
        ("2001:db8::7", "2001:db8::9", "2001:db8:0:1::7"),
    ],
)
def test_a_crowd_in_a_place_is_looked_at_and_one_beside_it_is_held(
    world: World, fenqi: Run, added: str, inside: str, outside: str
) -> None:
    ended = fenqi("place", "add", added, *CAMPUS)
    assert ended.exit_code == 0, ended.output
    answer = gather(world, fenqi, people(world, 12, "in"), inside)
    assert (answer.places, answer.held) == (1, 0)
    ring = people(world, 12, "out")
    assert gather(world, fenqi, ring, outside).held == 12
    assert protections(world)["hold"] == set(ring)
    kind, note = row(
        world.store,
        "SELECT evidence->'place'->>'kind', c.subject FROM case_entries AS e JOIN cases AS c "
        "USING (case_id) WHERE c.subject = 'crowded-place' AND e.number = 1",
    )
    assert (kind, note) == ("campus", "crowded-place")
    assert_sound(world)


def test_a_place_counts_through_its_last_day_and_until_it_is_removed(
    world: World, fenqi: Run
) -> None:
    last_on = world.clock.now().date() + timedelta(days=2)
    for until in (("--until", str(last_on)), ()):
        assert fenqi("place", "add", "203.0.113.0/28", *CAMPUS, *until).exit_code == 0
        assert gather(world, fenqi, people(world, 10, f"a{until}"), "203.0.113.1").held == 0
        if until:
            world.clock.set(world.clock.now() + timedelta(days=3))
            assert listed(fenqi) == []
        else:
            place = str(listed(fenqi)[0]["place_id"])
            removed = fenqi("place", "remove", place, "--by", "li")
            assert removed.stdout == f"{place}: addresses that count no more: 16 (IPv4 /28)\n"
        assert gather(world, fenqi, people(world, 10, f"b{until}"), "203.0.113.2").held == 10
    told = listed(fenqi, "--all")
    assert [(one["is_in_force"], one["removed_by"], one["last_on"]) for one in told] == [
        (False, "li", None),
        (False, None, str(last_on)),
    ]
    shown = fenqi("place", "list", "--all").stdout
    assert "removed by li" in shown
    assert f"over since {last_on}" in shown
    again = fenqi("place", "remove", place, "--by", "li")
    assert (again.exit_code, "was removed already by li" in again.stderr) == (2, True)


def test_a_place_said_twice_is_one_and_in_other_words_it_is_refused(
    world: World, fenqi: Run
) -> None:
    first = fenqi("place", "add", "203.0.113.0/24", *CAMPUS)
    (place,) = listed(fenqi)
    assert first.stdout == f"{place['place_id']}: addresses added: 256 (IPv4 /24)\n"
    again = fenqi("place", "add", "203.0.113.0/24", *CAMPUS)
    assert (again.exit_code, "nothing was changed" in again.stdout) == (0, True)
    office = ("--kind", "office", "--note", "another", "--by", "mei")
    other = fenqi("place", "add", "203.0.113.0/24", *office)
    assert (other.exit_code, f"fenqi place remove {place['place_id']}" in other.stderr) == (2, True)
    assert row(world.store, "SELECT COUNT(*) FROM places") == 1
    # What lies within another is a place of its own, and outlives it.
    assert fenqi("place", "add", "203.0.113.9", *office).exit_code == 0
    assert fenqi("place", "remove", place["place_id"], "--by", "li").exit_code == 0
    assert gather(world, fenqi, people(world, 10), "203.0.113.9").held == 0


def test_who_said_what_of_a_place_is_kept_for_ever_and_no_address_with_it(
    world: World, fenqi: Run
) -> None:
    ended = fenqi("place", "add", "203.0.113.0/24", *CAMPUS)
    place = UUID(str(listed(fenqi)[0]["place_id"]))
    fenqi("place", "remove", place, "--by", "li")
    sql = """
        SELECT kind, actor, payload->>'place_id', payload->>'note' FROM events
        WHERE kind LIKE 'place-%%' ORDER BY number
    """
    note = "library of the north campus"
    assert rows(world.store, sql) == [
        ("place-added", "mei", str(place), note),
        ("place-removed", "li", str(place), note),
    ]
    sql = "SELECT COUNT(*) FROM places AS p WHERE p::text LIKE '%%203.0.113%%'"
    assert row(world.store, sql) == 0
    sql = "SELECT COUNT(*) FROM events AS e WHERE e::text LIKE '%%203.0.113%%'"
    assert row(world.store, sql) == 0
    assert "203.0.113" not in ended.output + fenqi("place", "list", "--all").output
    assert_sound(world)


def test_an_address_can_be_looked_up(world: World, fenqi: Run) -> None:
    assert world
    assert fenqi("place", "list").stdout.strip() == "No place."
    fenqi("place", "add", "203.0.113.0/24", *CAMPUS)
    fenqi("place", "add", "203.0.113.7", *CAMPUS)
    found = [len(listed(fenqi, "--of", f"203.0.113.{last}")) for last in (7, 8)]
    assert found == [2, 1]
    assert listed(fenqi, "--of", "198.51.100.1") == []
    assert "campus" in fenqi("place", "list").stdout
    assert "校园" in fenqi("place", "list", FENQI_LANGUAGE="zh-CN").stdout


WRONG = {
    "no range": (("add", "campus", *CAMPUS), "Of a place, its range must be an IPv4 or"),
    "host bits": (("add", "203.0.113.7/24", *CAMPUS), "begins at its first address"),
    "too wide": (("add", "10.0.0.0/8", *CAMPUS), "an IPv4 range of /16 to /32, or a single"),
    "too wide 6": (("add", "2001:db8::/32", *CAMPUS), "an IPv6 range of /48 to /64"),
    "no kind": (("add", "203.0.113.7", "--note", "x", "--by", "mei"), "--kind"),
    "bad kind": (("add", "203.0.113.7", *CAMPUS, "--kind", "ship"), "campus, office, carrier"),
    "no note": (("add", "203.0.113.7", "--kind", "shop", "--by", "mei"), "--note"),
    "empty note": (("add", "203.0.113.7", *CAMPUS, "--note", ""), "its note must be 1 to"),
    "narrow 6": (("add", "2001:db8::/96", *CAMPUS), "or a single address without a slash"),
    "telling note": (("add", "203.0.113.7", *CAMPUS, "--note", "at 203.0.113.7"), "without an"),
    "no person": (("add", "203.0.113.7", "--kind", "shop", "--note", "x"), "--by"),
    "system": (("add", "203.0.113.7", *CAMPUS, "--by", "system"), "the name of a person"),
    "past": (("add", "203.0.113.7", *CAMPUS, "--until", "2025-12-31"), "2026-01-05 or later"),
    "no day": (("add", "203.0.113.7", *CAMPUS, "--until", "soon"), "a day such as 2026-01-31"),
    "unknown": (("remove", str(uuid4()), "--by", "mei"), "There is no place"),
    "no id": (("remove", "203.0.113.7", "--by", "mei"), "an id such as"),
    "of a range": (("list", "--of", "203.0.113.0/24"), "its range must be a single"),
    "of nothing": (("list", "--of", "x"), "an IPv4 or IPv6 address"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_makes_no_sense_of_a_place_is_named_and_nothing_is_kept(
    world: World, fenqi: Run, name: str
) -> None:
    words, said = WRONG[name]
    ended = fenqi("place", *words)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert said in " ".join(ended.stderr.split())
    assert row(world.store, "SELECT COUNT(*) FROM places") == 0


def test_what_makes_no_sense_of_a_place_is_told_in_chinese_alone(world: World, fenqi: Run) -> None:
    assert world
    for name in ("no range", "too wide", "empty note", "telling note", "system", "past"):
        words, _ = WRONG[name]
        said = fenqi("place", *words, FENQI_LANGUAGE="zh-CN").stderr
        assert re.search("场所的(地址范围|说明|最后一天|登记人)应为", said), said
        assert not re.search(r"\b(its|range of|note|must|person)\b", said), said
