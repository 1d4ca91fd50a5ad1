"""A book that its shipped policies decide in, and what makes them suspect somebody."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from make_book import BOOK, World, done, key, open_book, purchase, rows
from make_crowd import hashed, log_in

from fenqi.core.risk.case import CaseOutcome
from fenqi.core.values.ids import AccountId
from fenqi.flows.authorise import Authorised, authorise
from fenqi.flows.observe import Observe, Observed, Told, observe
from fenqi.flows.protect import protect
from fenqi.flows.review import CloseCase, Handled, close_case
from fenqi.flows.verify import Verify, verify
from fenqi.store import policies
from fenqi.store.pool import Store


def shipped_book(store: Store) -> World:
    """Open a book where every decision is asked of the policies that come with fenqi."""
    world = open_book(store)
    with store.transaction() as session:
        policies.install(session, world.clock.now())
    return replace(world, ground=replace(world.ground, asks_policies=True))


def wait(world: World, **length: float) -> None:
    world.clock.set(world.clock.now() + timedelta(**length))


def tell(world: World, account: AccountId, kind: str, **said: str) -> Observed:
    """Tell one fact of an account, its identity values sealed."""
    sealed = {name: hashed(value).hex() for name, value in said.items()}
    facts = (Told(kind, world.clock.now(), sealed),)
    command = Observe(scope_id=str(account), key=key(world), account_id=account, facts=facts)
    return done(observe(world.ground, [command])[0])


def gather(world: World, accounts: Iterable[AccountId], address: str, *, device: str = "") -> None:
    """Let accounts log in one after another, each with a device of its own or all with one.

    Somebody looks at every crowd at once, as the watch does.
    """
    for account in accounts:
        seen = {"device": device or f"of {account}"}
        log_in(world, [account], address, every=timedelta(seconds=5), **seen)
        protect(world.ground)


def try_buy(world: World, account: AccountId, amount_minor: int = 1_000, **how: Any) -> Authorised:
    return done(authorise(world.ground, [purchase(world, account, amount_minor, **how)])[0])


def passed(world: World, account: AccountId) -> Any:
    """Let the customer pass the check that is asked for."""
    command = Verify(scope_id=str(account), key=key(world), account_id=account, actor="mei")
    return verify(world.ground, [command])[0]


def found_harmless(world: World, case_id: UUID, *, by: str = "mei") -> Handled:
    """Close a case as a false alarm."""
    command = CloseCase(
        scope_kind="book",
        scope_id=BOOK,
        key=key(world),
        case_id=case_id,
        outcome=CaseOutcome.FALSE_ALARM,
        text="we spoke to them",
        actor=by,
    )
    return done(close_case(world.ground, [command])[0])


def open_cases(world: World, account: AccountId | None = None) -> list[UUID]:
    """Return the open cases about accounts, of one if it is named; not those of breakers."""
    sql = """
        SELECT DISTINCT c.case_id FROM cases AS c JOIN case_accounts AS n USING (case_id)
        WHERE c.outcome IS NULL AND c.subject NOT LIKE 'breaker-%%'
            AND (%(account)s::uuid IS NULL OR n.account_id = %(account)s)
        ORDER BY c.case_id
    """
    return [one for (one,) in rows(world.store, sql, account=account)]


def running(world: World, account: AccountId | None = None) -> list[str]:
    """Return the kinds of the protections that run."""
    sql = """
        SELECT kind FROM protections WHERE ended_at IS NULL AND ends_at > %(now)s
            AND (%(account)s::uuid IS NULL OR account_id = %(account)s)
        ORDER BY protection_id
    """
    return [kind for (kind,) in rows(world.store, sql, account=account, now=world.clock.now())]


def told(world: World, account: AccountId) -> list[tuple[str, Any]]:
    """Return what a customer is to be told, with what it says."""
    sql = """
        SELECT e.kind, e.payload FROM outbox AS o
        JOIN events AS e ON e.account_id = o.account_id AND e.number = o.event_number
        WHERE o.account_id = %(account)s AND o.topic = 'customer' ORDER BY e.number
    """
    return [(kind, payload) for kind, payload in rows(world.store, sql, account=account)]
