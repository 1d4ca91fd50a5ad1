"""Crowds to look at: accounts that log in from addresses, with devices, at one instant or another.

Nobody looks at them here: a login only leaves a suspicion when it is one too many at its address.
"""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from make_book import World, as_owner, done, enrol_all, enrol_command, key, payment, row, rows
from msgspec import structs

from fenqi.core.risk.crowd import PlaceKind
from fenqi.core.values.ids import AccountId
from fenqi.flows.observe import Observe, Told, observe
from fenqi.flows.receive import receive
from fenqi.store import places
from fenqi.store.places import Place


def hashed(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def know(world: World, address: str | bytes, kind: PlaceKind = PlaceKind.CAMPUS) -> None:
    """Write an address down as a place that many share, as the close of a case does."""
    seal = hashed(address) if isinstance(address, str) else address
    place = Place(
        place_id=world.ground.ids.new(),
        kind=kind,
        note="",
        range_hash=seal,
        ip_version=None,
        prefix_bits=None,
        address_count=1,
        last_on=None,
        case_id=None,
        added_by="mei",
        added_at=world.clock.now(),
    )
    with world.store.transaction() as session:
        for sheet in places.adding(place, [seal]):
            sheet.send(session)


def people(world: World, count: int, name: str = "person") -> list[AccountId]:
    """Open as many accounts, in one batch."""
    commands = [enrol_command(world, f"{name}-{number}") for number in range(count)]
    return [AccountId(UUID(done(one).account_id)) for one in enrol_all(world.ground, commands)]


def make_old(world: World, account_ids: Iterable[AccountId], *, days: int = 200) -> None:
    """Let accounts be as old, and have paid something."""
    chosen = list(account_ids)
    for answer in receive(world.ground, [payment(world, one, 1) for one in chosen]):
        done(answer)
    with as_owner(world.store) as session:
        session.run(
            "UPDATE accounts SET opened_on = opened_on - %(days)s::int "
            "WHERE account_id = ANY(%(ids)s)",
            {"days": days, "ids": chosen},
        )


def log_in(
    world: World,
    account_ids: Iterable[AccountId],
    address: str,
    *,
    every: timedelta = timedelta(seconds=1),
    **identifiers: str,
) -> datetime:
    """Let accounts log in one after another, each with these identifiers; return the last time."""
    for account in account_ids:
        world.clock.set(world.clock.now() + every)
        _observe(world, account, address, identifiers)
    return world.clock.now()


def told(address: str, identifiers: dict[str, str]) -> list[Told]:
    """Return what a login from an address says, with a card or phone besides."""
    seen = {"ip": hashed(address).hex()}
    if "device" in identifiers:
        seen["device"] = hashed(identifiers["device"]).hex()
    facts = [("login", seen)]
    for name in ("card", "phone"):
        if name in identifiers:
            facts.append((f"{name}-changed", {name: hashed(identifiers[name]).hex()}))
    return [Told(kind, datetime(2026, 1, 1, tzinfo=UTC), said) for kind, said in facts]


def _observe(
    world: World, account_id: AccountId, address: str, identifiers: dict[str, str]
) -> None:
    now = world.clock.now()
    facts = [structs.replace(one, happened_at=now) for one in told(address, identifiers)]
    command = Observe(
        scope_id=str(account_id), key=key(world), account_id=account_id, facts=tuple(facts)
    )
    done(observe(world.ground, [command])[0])


def protections(world: World) -> dict[str, set[AccountId]]:
    """Return which accounts are held and which are frozen now."""
    found: dict[str, set[AccountId]] = {"hold": set(), "freeze": set()}
    sql = """
    SELECT kind, account_id FROM protections
    WHERE kind = ANY(%(kinds)s) AND ended_at IS NULL AND ends_at > %(now)s
    """
    for kind, account in rows(world.store, sql, kinds=[*found], now=world.clock.now()):
        found[kind].add(account)
    return found


def only_case(world: World) -> Any:
    """Return (id, kind, subject, priority, first evidence) of the only case but joined ones."""
    sql = """
        SELECT c.case_id, c.kind, c.subject, c.priority, e.evidence
        FROM cases AS c JOIN case_entries AS e ON e.case_id = c.case_id AND e.number = 1
        WHERE c.joined_case_id IS NULL
    """
    return row(world.store, sql)


def only_ring(world: World) -> UUID:
    """Return the id of the only case about a ring."""
    found: UUID = row(world.store, "SELECT case_id FROM cases WHERE subject = 'ring'")
    return found
