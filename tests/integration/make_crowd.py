"""Crowds to look at: accounts that log in from addresses, with devices, at one instant or another.

A login is booked as whoever observes it books it: its event, its identifiers, its links, and a
suspicion when it is one too many at its address.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from make_book import World, apply_command, as_owner, done, payment, row, rows

from fenqi.core.risk.links import IdentifierKind
from fenqi.core.values.ids import AccountId
from fenqi.flows.apply import apply
from fenqi.flows.receive import receive
from fenqi.store import accounts
from fenqi.store.booking import Booking
from fenqi.store.links import Sightings
from fenqi.store.rows import Rows, Table

FACTS = Table(
    "identifier_facts",
    "identifier_hash bytea, identifier_kind word, occurred_at timestamptz, account_id uuid,"
    "event_number bigint",
)
PRESENT = """
SELECT COUNT(DISTINCT account_id) FROM identifier_facts
WHERE identifier_hash = %(address)s AND occurred_at > %(after)s AND account_id <> %(account)s
"""


def hashed(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def people(world: World, count: int, name: str = "person") -> list[AccountId]:
    """Open as many accounts, in one batch."""
    commands = [apply_command(world, f"{name}-{number}") for number in range(count)]
    return [AccountId(UUID(done(one).account_id)) for one in apply(world.ground, commands)]


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


def _observe(
    world: World, account_id: AccountId, address: str, identifiers: dict[str, str]
) -> None:
    booking, facts = Booking(world.ground), Rows(FACTS)
    booking.others.append(facts)
    with world.store.transaction() as session:
        account = accounts.lock(session, {account_id})[account_id]
        sightings = Sightings(world.ground, booking)
        number = booking.event(account, "login", payload={}).number
        seen = {"ip": address} | identifiers
        for kind, text in seen.items():
            facts.add(hashed(text), kind, booking.now, account_id, number)
            if kind != "ip":
                sightings.saw(account, IdentifierKind(kind), hashed(text))
        window = world.ground.crowd.window
        asked = {"address": hashed(address), "after": booking.now - window, "account": account_id}
        present = session.rows(PRESENT, asked)[0][0]
        if present + 1 >= world.ground.crowd.size_min:
            sightings.crowded(hashed(address), booking.now)
        booking.write(session)


def protections(world: World) -> dict[str, set[AccountId]]:
    """Return which accounts are held and which are frozen now."""
    found: dict[str, set[AccountId]] = {"hold": set(), "freeze": set()}
    sql = "SELECT kind, account_id FROM protections WHERE ended_at IS NULL AND ends_at > %(now)s"
    for kind, account in rows(world.store, sql, now=world.clock.now()):
        found[kind].add(account)
    return found


def only_case(world: World) -> Any:
    """Return (id, kind, subject, priority, first evidence) of the only case."""
    sql = """
        SELECT c.case_id, c.kind, c.subject, c.priority, e.evidence
        FROM cases AS c JOIN case_entries AS e ON e.case_id = c.case_id AND e.number = 1
    """
    return row(world.store, sql)
