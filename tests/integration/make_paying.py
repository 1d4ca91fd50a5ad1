"""How customers pay, told and asked about as the worker does it: rounds from a cursor."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic, sleep
from typing import Any

from make_book import World, done, key, rows

from fenqi.core.values.ids import AccountId
from fenqi.flows.observe import Observe, Observed, Told, observe
from fenqi.worker.heed import heed_on

WAIT_SECONDS_MAX = 240  # against what hangs
BEHIND = """
SELECT COUNT(*) FROM events WHERE recorded_by >= pg_snapshot_xmin(pg_current_snapshot())
"""


@dataclass
class Rounds:
    """The duty of a world, with the cursor between two rounds."""

    world: World
    cursor: Mapping[str, Any] = field(default_factory=dict)

    def run(self) -> int:
        """Run rounds until nothing waits; return how many decisions were made."""
        settle(self.world)
        made = 0
        while True:
            decided, self.cursor, is_whole = heed_on(self.world.ground, self.cursor)
            made += decided
            if is_whole:
                return made


def settle(world: World) -> None:
    """Wait until no transaction of the server is older than the last event: of another, that is."""
    end = monotonic() + WAIT_SECONDS_MAX
    while rows(world.store, BEHIND) != [(0,)]:
        assert monotonic() < end
        sleep(0.01)


def fails(
    world: World,
    account: AccountId,
    cause: str,
    kind: str = "payment-failed",
    *,
    ago: timedelta = timedelta(0),
) -> Observed:
    """Let a payment fail, or a channel; or tell only now that it did some time ago."""
    said = {"cause": cause} if kind == "payment-failed" else {"channel": "bank"}
    command = Observe(
        scope_id=str(account),
        key=key(world),
        account_id=account,
        facts=(Told(kind, world.clock.now() - ago, said),),
    )
    return done(observe(world.ground, [command])[0])


DECIDED = """
SELECT outcome, effects, reasons, booked_on FROM decisions
WHERE kind = 'repayment' AND account_id = %(account)s ORDER BY decision_id
"""
TOLD = """
SELECT e.kind, e.payload FROM outbox AS o JOIN events AS e
    ON e.account_id = o.account_id AND e.number = o.event_number
WHERE o.topic = 'customer' AND e.account_id = %(account)s
    AND e.kind IN ('nudged', 'relief-offered', 'protection-placed', 'protection-ended')
ORDER BY e.number
"""


def decided(world: World, account: AccountId) -> list[tuple[Any, ...]]:
    """Return the decisions about how an account pays, in their order."""
    return rows(world.store, DECIDED, account=account)


def told(world: World, account: AccountId) -> list[tuple[str, Any]]:
    """Return what the customer was told of them."""
    return [(kind, payload) for kind, payload in rows(world.store, TOLD, account=account)]
