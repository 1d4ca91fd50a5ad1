"""The check makes the trails that features are read from again from their events."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import msgspec
import pytest
from click.testing import Result
from make_book import World, as_owner, done, enrol, key, open_book, rows
from typer.testing import CliRunner

from fenqi.cli import app
from fenqi.core.risk.features.trail import Keeper
from fenqi.core.risk.identity import Identifier, Sealer
from fenqi.core.values.ids import AccountId
from fenqi.flows.observe import Observe, Told, observe
from fenqi.report.check import Finding, check
from fenqi.store import audit_trails
from fenqi.store import trails as trail_rows
from fenqi.store.features import shipped
from fenqi.store.ground import Ground
from fenqi.store.pool import Store
from fenqi.store.trails import Trails

SEALER = Sealer(b"the key of these tests, 32 bytes")
KEEPER = Keeper(shipped())
LOGINS = 9
Change = Callable[[list[Any]], None]


@pytest.fixture
def world(store: Store) -> World:
    return open_book(store)


def lived(world: World, person: str = "ann") -> AccountId:
    """Return an account with some facts, whose trail is written down every fourth event."""
    account, trails = enrol(world, person), Trails(written_events=4)
    ground = Ground(
        world.store, world.clock, world.ground.ids, world.ground.catalogue, trails=trails
    )
    for number in range(LOGINS):
        said = {
            "ip": SEALER.seal(Identifier.IP, f"10.2.0.{number}"),
            "device": SEALER.seal(Identifier.DEVICE, f"d{number % 3}"),
        }
        told = Told(kind="login", happened_at=world.clock.now(), said=said)
        command = Observe(scope_id=str(account), key=key(world), account_id=account, facts=(told,))
        done(observe(ground, [command])[0])
    return account


def cell_of(part: str) -> int:
    """Return the cell that is called so."""
    return next(cell for cell in range(KEEPER.width) if KEEPER.part(cell) == part)


def stored(world: World, account: AccountId) -> tuple[int, list[Any]]:
    sql = "SELECT number, packed FROM trails WHERE account_id = %(one)s"
    ((number, packed),) = rows(world.store, sql, one=account)
    return number, msgspec.msgpack.decode(packed, strict=False)


def store_packed(world: World, account: AccountId, packed: bytes) -> None:
    with as_owner(world.store) as session:
        sql = "UPDATE trails SET packed = %(packed)s WHERE account_id = %(one)s"
        session.run(sql, {"packed": packed, "one": account})


def alter(world: World, account: AccountId, change: Change) -> None:
    """Change one trail behind the book's back."""
    _, form = stored(world, account)
    change(form)
    store_packed(world, account, msgspec.msgpack.encode(form))


def only(world: World) -> Finding:
    (finding,) = check(world.store).findings
    return finding


def test_trails_that_are_what_their_events_come_to_are_counted_and_nothing_is_found(
    world: World,
) -> None:
    for person in ("ann", "bob", "cid"):
        lived(world, person)
    enrol(world, "dan")  # has no trail yet
    checked = check(world.store)
    assert (checked.findings, checked.trails) == ((), 3)


def add_one(cell: int, *, entry: int | None = None) -> Change:
    def change(form: list[Any]) -> None:
        if entry is None:
            form[2][cell] += 1
        else:
            form[2][cell][entry] += 1

    return change


def rename_a_value(form: list[Any]) -> None:
    cell = cell_of("sightings: different device")
    (first, at), *others = form[2][cell].items()
    form[2][cell] = {"x" + first[1:]: at, **dict(others)}


def forget_a_moment(form: list[Any]) -> None:
    form[2][cell_of("logins: moments")].pop()


def see_another_kind(form: list[Any]) -> None:
    form[1] ^= 1


def look_later(form: list[Any]) -> None:
    form[0] += 1


ALTERED = {
    "a count has grown": (add_one(cell_of("logins: counts"), entry=1), "logins: counts: entry 2"),
    "the latest moment is another": (
        add_one(cell_of("logins: the latest moment")),
        "logins: the latest moment: ",
    ),
    "a moment is forgotten": (forget_a_moment, "logins: moments: "),
    "a device is another": (rename_a_value, "sightings: different device: entry 1 of 3 is a value"),
    "a kind of fact was never seen": (see_another_kind, "kinds of facts seen: "),
    "the latest fact is later": (look_later, "the moment of the latest fact: "),
}


@pytest.mark.parametrize("what", ALTERED)
def test_a_trail_that_was_changed_is_found_with_its_account_and_the_first_part(
    world: World, what: str
) -> None:
    change, part = ALTERED[what]
    lived(world, "bob")
    account = lived(world)
    alter(world, account, change)
    finding = only(world)
    assert (finding.what, finding.account, finding.plan) == ("trails of features", str(account), "")
    assert finding.expected.startswith(part)
    assert finding.found.startswith(part[: part.rindex(":")])
    assert finding.expected != finding.found
    assert SEALER.seal(Identifier.DEVICE, "d0") not in str(finding)


@pytest.mark.parametrize(
    ("packed", "found"),
    [
        (b"", "a trail of 0 parts"),
        (b"\xff", "bytes that cannot be read"),
        (b"\x94\x00\x00\x90\xa0", "a trail of 0 parts"),
    ],
)
def test_bytes_that_are_no_trail_are_found(world: World, packed: bytes, found: str) -> None:
    account = lived(world)
    store_packed(world, account, packed)
    finding = only(world)
    assert (finding.account, finding.found) == (str(account), found)
    assert finding.expected.startswith(f"a trail of {KEEPER.width} parts after ")


def test_a_trail_of_more_events_than_there_are_is_found(world: World) -> None:
    lived(world)
    with as_owner(world.store) as session:
        session.run("UPDATE trails SET number = number + 1000", {})
    assert only(world).expected == f"at most {LOGINS + 1} events"


def test_an_event_that_was_changed_is_found_by_the_trail_it_went_into(world: World) -> None:
    account = lived(world)
    with as_owner(world.store) as session:
        session.run("UPDATE events SET kind = 'complaint' WHERE kind = 'login' AND number = 3", {})
    assert only(world).account == str(account)


def test_a_sample_makes_that_many_trails_again(world: World) -> None:
    accounts = [lived(world, person) for person in ("ann", "bob", "cid", "dan")]
    for account in accounts:
        alter(world, account, look_later)
    checked = check(world.store, sample=2)
    assert checked.trails == 2
    assert len(checked.findings) == 2
    assert check(world.store, sample=2).findings == checked.findings
    assert check(world.store, sample=0).trails == 0


def test_trails_and_events_are_read_in_small_pieces(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_trails, "AT_ONCE", 2)
    monkeypatch.setattr(trail_rows, "EVENTS_MAX", 3)
    accounts = [lived(world, f"person {number}") for number in range(5)]
    assert check(world.store).findings == ()
    alter(world, accounts[4], forget_a_moment)
    told: list[tuple[int, int]] = []
    checked = check(world.store, progress=lambda _what, done, whole: told.append((done, whole)))
    assert [one.account for one in checked.findings] == [str(accounts[4])]
    assert told[-1] == (11, 11)  # six accounts with the house, five trails


def test_trails_of_other_features_are_nobodys(world: World) -> None:
    account = lived(world)
    alter(world, account, look_later)
    with as_owner(world.store) as session:
        session.run("UPDATE trails SET features_id = %(other)s", {"other": UUID(int=7)})
    assert (check(world.store).trails, check(world.store).findings) == (0, ())


def run(url: str, *words: str) -> Result:
    environment = {"FENQI_DATABASE_URL": url, "COLUMNS": "120", "TERM": "dumb"}
    return CliRunner().invoke(app, ["ledger", "check", *words], env=environment)


def test_the_command_ends_with_seventy_and_names_the_account(
    world: World, database_url: str
) -> None:
    account = lived(world)
    ended = run(database_url)
    assert ended.exit_code == 0
    assert "1 trails made again" in ended.stdout.replace("\n", " ")
    alter(world, account, forget_a_moment)
    ended = run(database_url, "--json")
    assert ended.exit_code == 70
    assert str(account) in ended.stdout
    assert "trails of features" in run(database_url, "--sample", "1").stdout
