"""Crowds and shared devices under the shipped policies: who is held or asked, in how many cases.

After each login the watch looks once, as it does within a second while the program runs.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from make_book import (
    BOOK,
    World,
    assert_sound,
    done,
    key,
    open_book,
    purchase,
    row,
    rows,
    told_of_last,
)
from make_crowd import know, log_in, make_old, people, protections

from fenqi.core.risk.case import CaseOutcome
from fenqi.core.risk.crowd import PlaceKind
from fenqi.core.values.ids import AccountId
from fenqi.flows.authorise import authorise
from fenqi.flows.protect import protect
from fenqi.flows.review import CloseCase, OpenCase, close_case, open_case
from fenqi.store.pool import Store

NOBODY: dict[str, set[AccountId]] = {"hold": set(), "freeze": set()}
SECONDS = timedelta(seconds=5)


@pytest.fixture
def world(store: Store) -> World:
    return open_book(store)


def come(world: World, account: AccountId, address: str, **how: Any) -> None:
    log_in(world, [account], address, **{"every": SECONDS, **how})
    protect(world.ground)


def cases(world: World) -> list[tuple[Any, ...]]:
    """Return (kind, subject, accounts) of the cases that somebody is to look at."""
    sql = """
        SELECT kind, subject, (SELECT COUNT(*)::int FROM case_accounts AS n
                               WHERE n.case_id = c.case_id)
        FROM cases AS c WHERE outcome IS NULL ORDER BY opened_at, case_id
    """
    return rows(world.store, sql)


def harmed(world: World) -> list[tuple[Any, ...]]:
    """Return what was done to anybody at all, or asked of them."""
    sql = """
        SELECT kind, COUNT(*)::int FROM events
        WHERE kind IN ('protection-placed', 'step-up-asked') GROUP BY 1
    """
    return rows(world.store, sql)


def bought(world: World, account_ids: Iterable[AccountId]) -> set[tuple[str, tuple[str, ...]]]:
    """Return how purchases of some accounts end, and why."""
    made = [purchase(world, one, 1_000) for one in account_ids]
    answers = [done(one) for one in authorise(world.ground, made)]
    return {(str(one.outcome), tuple(one.reasons)) for one in answers}


def close(world: World, subject: str, outcome: CaseOutcome) -> None:
    sql = "SELECT case_id FROM cases WHERE subject = %(subject)s AND outcome IS NULL"
    case = row(world.store, sql, subject=subject)
    command = CloseCase(
        scope_kind="book",
        scope_id=BOOK,
        key=key(world),
        case_id=UUID(str(case)),
        actor="mei",
        outcome=outcome,
        text="looked at everything",
    )
    done(close_case(world.ground, [command])[0])


def test_a_listed_campus_gets_one_review_and_nobody_is_held_or_asked(world: World) -> None:
    know(world, "campus", PlaceKind.CAMPUS)
    students = people(world, 60)
    for number, one in enumerate(students):
        # Twenty of them use one computer of the library.
        device = "library" if number % 3 == 0 else f"d{number}"
        come(world, one, "campus", device=device)
    assert cases(world) == [("review", "crowded-place", 15)]
    assert harmed(world) == []
    assert bought(world, students) == {("approve", ())}
    assert_sound(world)


def test_an_office_of_long_standing_accounts_gets_one_review_and_nobody_is_held_or_asked(
    world: World,
) -> None:
    staff = people(world, 60)
    make_old(world, staff)
    for number, one in enumerate(staff):
        come(world, one, "office", device=f"d{number}")
    assert cases(world) == [("review", "crowded-place", 0)]
    assert harmed(world) == []
    assert bought(world, staff) == {("approve", ())}


def test_new_accounts_at_a_place_of_many_good_ones_are_neither_held_nor_asked(
    world: World,
) -> None:
    old, new = people(world, 30, "old"), people(world, 30, "new")
    make_old(world, old)
    for number, pair in enumerate(zip(old, new, strict=True)):
        for one, device in zip(pair, (f"d{number}", "the computer there"), strict=True):
            come(world, one, "carrier", device=device)
    assert [one[:2] for one in cases(world)] == [("review", "crowded-place")]
    assert harmed(world) == []
    assert bought(world, new) == {("approve", ())}


@pytest.mark.parametrize("farmed", [10, 40])
def test_a_ring_is_held_at_once_in_one_case_and_whoever_shares_a_device_is_frozen(
    world: World, farmed: int
) -> None:
    ring = people(world, 40)
    free, tied = ring[farmed:], ring[:farmed]
    for number, one in enumerate([*free, *tied]):
        known = {"device": "farm"} if one in tied else {"device": f"d{number}"}
        come(world, one, "1.2.3.4", **known)
    assert protections(world) == {"hold": set(free), "freeze": set(tied)}
    assert bought(world, ring) == {("decline", ())}  # the merchant learns no reasons
    assert {*map(tuple, (told_of_last(world, one) for one in ring))} <= {
        ("purchases-held",),
        ("account-frozen",),
    }
    assert cases(world) == [("investigation", "ring", 40)]
    sql = "SELECT kind, subject, joined_case_id IS NULL FROM cases WHERE outcome IS NOT NULL"
    joined = [("review", "many-on-a-device", False)] if not free else []
    assert rows(world.store, sql) == joined
    sql = """
        SELECT COUNT(*)::int FROM protections AS h JOIN protections AS f USING (account_id)
        WHERE h.kind = 'hold' AND f.kind = 'freeze' AND h.ended_at IS NULL
    """
    assert row(world.store, sql) == 0
    sql = "SELECT COUNT(DISTINCT case_id)::int FROM protections WHERE ended_at IS NULL"
    assert row(world.store, sql) == 1
    sql = """
        SELECT (SELECT COUNT(*)::int FROM case_entries AS e
                WHERE e.case_id = c.case_id AND e.evidence ? 'links')
        FROM cases AS c WHERE subject = 'ring'
    """
    assert row(world.store, sql) > 0  # the graph
    close(world, "ring", CaseOutcome.FALSE_ALARM)
    assert protections(world) == NOBODY
    assert cases(world) == []
    come(world, tied[0], "1.2.3.4", device="farm")
    assert protections(world) == NOBODY  # somebody has just looked at that device
    assert_sound(world)


def test_a_ring_that_uses_its_device_elsewhere_first_has_one_case_in_the_end(world: World) -> None:
    ring = people(world, 12)
    for number, one in enumerate(ring):
        come(world, one, f"home-{number}", device="farm")
    assert cases(world) == [("review", "many-on-a-device", 7)]
    assert len(protections(world)["hold"]) == 5
    for one in ring:
        come(world, one, "1.2.3.4", device="farm")
    assert protections(world) == {"hold": set(), "freeze": set(ring)}
    assert cases(world) == [("investigation", "ring", 12)]
    come(world, ring[0], "another address", device="farm")
    assert cases(world) == [("investigation", "ring", 12)]


def test_an_appeal_against_a_case_that_went_on_in_a_ring_frees_whoever_appealed(
    world: World,
) -> None:
    ring = people(world, 12)
    for one in ring:
        come(world, one, "1.2.3.4", device="farm")
    (joined,) = rows(world.store, "SELECT case_id FROM cases WHERE outcome = 'joined'")
    command = OpenCase(
        scope_id=str(ring[8]),
        key=key(world),
        account_id=ring[8],
        actor="customer",
        subject="appeal",
        text="that was my brother's phone",
        about_case_id=joined[0],
    )
    done(open_case(world.ground, [command])[0])
    close(world, "appeal", CaseOutcome.FALSE_ALARM)
    assert protections(world) == {"hold": set(), "freeze": set(ring) - {ring[8]}}


def test_a_shops_tablet_of_old_and_paying_customers_harms_nobody(world: World) -> None:
    customers, new = people(world, 60), people(world, 5, "new")
    make_old(world, customers)
    for number, one in enumerate([*customers, *new]):
        come(world, one, f"home-{number}", every=timedelta(hours=2), device="the shop's tablet")
    assert [one[:2] for one in cases(world)] == [("review", "many-on-a-device")]
    assert harmed(world) == []
    assert bought(world, [*customers, *new]) == {("approve", ())}
    assert_sound(world)


@pytest.mark.parametrize("size", [4, 8])
def test_a_familys_tablet_harms_nobody(world: World, size: int) -> None:
    family = people(world, size)
    make_old(world, family[: size // 2 + 1])
    for _ in range(2):
        for one in family:
            come(world, one, "home", every=timedelta(hours=3), device="tablet")
    assert harmed(world) == []
    assert len(cases(world)) == (size >= 6)
    assert bought(world, family) == {("approve", ())}


def test_a_device_of_many_new_accounts_is_held_in_one_case_until_a_person_finds_it_harmless(
    world: World,
) -> None:
    farm = people(world, 24)
    for number, one in enumerate(farm[:23]):
        come(world, one, f"home-{number}", every=timedelta(hours=1), device="farm")
    assert protections(world) == {"hold": set(farm[7 + 4 : 19]), "freeze": set(farm[19:23])}
    assert cases(world) == [("review", "many-on-a-device", 18)]
    close(world, "many-on-a-device", CaseOutcome.FALSE_ALARM)
    assert protections(world) == NOBODY
    come(world, farm[23], "home-23", device="farm")
    assert protections(world) == NOBODY
    assert cases(world) == []


def test_who_logs_in_at_home_again_is_no_longer_measured_by_the_tablet(world: World) -> None:
    farm = people(world, 9)
    for number, one in enumerate(farm):
        come(world, one, f"home-{number}", every=timedelta(hours=1), device="farm")
    held = protections(world)["hold"]
    assert held == set(farm[7:])
    placed = row(world.store, "SELECT COUNT(*) FROM protections")
    world.clock.set(world.clock.now() + timedelta(days=4))
    for number, one in enumerate(farm):
        come(world, one, f"home-{number}", every=timedelta(hours=1), device=f"own-{number}")
    assert row(world.store, "SELECT COUNT(*) FROM protections") == placed
