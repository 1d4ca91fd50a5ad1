"""Rings in a month of a million logins: which are found, who is held wrongly, and how soon.

    python tests/bench/rings.py [--seeds 5 11 23] [--share 1.0] [--rings 120] [--json FILE]

First the whole month goes through the shipped policies of accesses and purchases, login by login,
and through the rule of the crowds, once for each threshold: the curves of wrong holds and freezes
are of both together; then, for other seeds too, once for each way in which rings may disguise
themselves. Then a stream of logins with rings in it goes through the program, its desk,
its database and its watch, and each ring's tenth login is timed until all ten are held.
"""

import argparse
import hashlib
import json
import random
import statistics
import sys
import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import numpy as np
from rings_world import DAY, NEVER, Bools, Ints, Way, World, make

from bench import folder
from fenqi.core.risk.breaker import Caps
from fenqi.core.risk.crowd import (
    CrowdKind,
    CrowdRule,
    Manner,
    Place,
    is_place,
    is_shared_device,
    judge,
)
from fenqi.core.risk.decision import DecisionKind, Effect
from fenqi.core.risk.identity import Identifier
from fenqi.core.risk.links import Link, Web
from fenqi.core.risk.policy.columns import compile_columns
from fenqi.core.values.ids import AccountId
from fenqi.desk import Desk
from fenqi.flows.enrol import Enrol
from fenqi.flows.found import Found, found
from fenqi.flows.observe import Observe, Told
from fenqi.machine import Config
from fenqi.runtime import Runtime, wipe_database
from fenqi.store import policies
from fenqi.store.crowds import shipped
from fenqi.store.ground import Ground
from fenqi.worker.watch import Watch

BOOK = "rings"
ON = date(2026, 1, 1)
RING_STAYS = 3_600  # seconds, as the program has it
MANNERS = (Manner.UNKNOWN, Manner.SETTLED, Manner.STRANGE)
LOOK_AGAIN = 3_600  # seconds after which a place of very many is judged anew, to save time
HELD = "SELECT account_id FROM protections WHERE account_id = ANY(%(accounts)s)"


@dataclass(frozen=True)
class Verdicts:
    """What a rule did to a world."""

    rings: int
    rings_found: int  # somebody looks, by the tenth login
    rings_held: int  # whole, of those that sit behind no place
    rings_answered: int  # whole, of the same: each account held, frozen or asked for a check
    rings_open: int
    accounts_held: int  # of rings
    accounts_frozen: int
    accounts_asked: int  # and neither held nor frozen
    wrong_holds: int  # innocent accounts, a freeze is none of them
    wrong_hours: int  # of these holds, if nobody passes a check before
    wrong_freezes: int
    wrong_by_kind: dict[str, int]  # holds and freezes
    wrong_checks: int  # innocent accounts asked for a check, and neither held nor frozen
    checks_by_kind: dict[str, int]
    innocent: int


@dataclass(frozen=True)
class Answered:
    """What the policies do login by login, whoever the rule of the crowds holds besides.

    A check is asked for at an access, or at a purchase right after it.
    """

    held: frozenset[int]
    frozen: frozenset[int]
    asked: frozenset[int]
    looked_at: frozenset[int]


class Facts:
    """A world's facts by address, with what the rule asks about accounts."""

    def __init__(self, world: World, rule: CrowdRule) -> None:
        self.world, self.rule = world, rule
        self.visits: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
        for number, (at, account, address) in enumerate(_logins(world)):
            self.visits[address].append((at, account, number))
        self.age, self.pays = world.age_days.tolist(), world.pays.tolist()
        self.device_of: dict[int, list[int]] = defaultdict(list)
        for device, accounts in world.devices.items():
            for account in accounts:
                self.device_of[account].append(device)
        least = 6  # the smallest size that any rule here asks for
        self.busy = [
            one for one, seen in self.visits.items() if len({a for _, a, _ in seen}) >= least
        ]
        self._own: Telephones | None = Telephones(world)

    def manners(self, rule: CrowdRule) -> list[Manner]:
        """Return with what device each login came, by the rule's word for it."""
        if self._own is None:
            return [Manner.UNKNOWN] * len(self.world.at)
        return [MANNERS[one] for one in self._own.manners(rule).tolist()]

    def forget(self) -> None:
        """Let nobody know with what device a login came."""
        self._own = None

    def is_good(self, account: int, at: int, rule: CrowdRule) -> bool:
        return bool(self.pays[account]) and self.age[account] + at // DAY >= rule.good_age_days

    def web(self, crowd: Sequence[int], rule: CrowdRule) -> Web:
        devices = {device for one in crowd for device in self.device_of[one]}
        links = [
            Link(_id(one), device.to_bytes(8, "big"), Identifier.DEVICE, ON, ON)
            for device in sorted(devices)
            for one in self.world.devices[device]
        ]
        return Web(rule.links, ON, links)


class Telephones:
    """Of each login how its account used the same device before. Shapes: all (logins,)."""

    def __init__(self, world: World) -> None:
        account, day = world.account, world.at // DAY
        is_second = day >= world.device_after[account]
        since = np.where(is_second, world.device_after[account], world.device_since[account])
        self._age_days = day - since
        self._used_days = self._days_elsewhere(world, is_second) + np.where(
            is_second, 0, world.device_used[account]
        )
        self._is_second = is_second

    @staticmethod
    def _days_elsewhere(world: World, is_second: Bools) -> Ints:
        """Return on how many earlier days of the month the device was used at another address."""
        found = np.empty(len(world.at), np.int64)
        seen: dict[tuple[int, bool], dict[int, int]] = defaultdict(dict)  # of a day where, or -1
        second = is_second.tolist()
        for number, (at, account, address) in enumerate(_logins(world)):
            day, days = at // DAY, seen[account, second[number]]
            found[number] = sum(where != address for on, where in days.items() if on < day)
            days[day] = address if days.get(day, address) == address else -1
        return found

    def manners(self, rule: CrowdRule) -> Ints:
        """Return a place in MANNERS for each login."""
        is_settled = (self._age_days >= rule.settled_age_days) & (
            self._used_days >= rule.settled_days_min
        )
        is_strange = self._is_second & (self._age_days < rule.settled_age_days)
        return np.where(is_strange, 2, is_settled.astype(np.int64))


class Sightings:
    """What the policies look at in each login of a world, in the order of time.

    A login is seen with the first device that its account shares, else with one of its own. Shapes:
    all (logins,). Units: counts of accounts; days.
    """

    def __init__(self, facts: Facts, rule: CrowdRule, found: dict[int, int]) -> None:
        world = facts.world
        self.account = world.account
        count = len(self.account)
        self.columns = {
            "accounts_per_ip_10m": np.zeros(count, np.int64),
            "accounts_per_ip_24h": np.zeros(count, np.int64),
            "accounts_on_device_7d": np.ones(count, np.int64),
            "accounts_on_device_30d": np.ones(count, np.int64),
            "accounts_per_device_7d": np.ones(count, np.int64),
            "accounts_per_device_30d": np.ones(count, np.int64),
            "is_shared_device": np.zeros(count, np.int64),
            "is_stepped_up": np.zeros(count, np.int64),
            "account_age_days": world.age_days[self.account] + world.at // DAY,
            # A place that nobody wrote down is known once its crowd showed it.
            "is_allowed_address": np.array(
                [found.get(address, NEVER) < at for at, _, address in _logins(world)],
                np.int64,
            ),
        }
        self._count_addresses(facts)
        self._count_devices(facts, rule)

    def _count_addresses(self, facts: Facts) -> None:
        for name, window in (("accounts_per_ip_10m", 600), ("accounts_per_ip_24h", DAY)):
            column = self.columns[name]
            inside: dict[int, deque[tuple[int, int]]] = defaultdict(deque)
            present: dict[int, dict[int, int]] = defaultdict(lambda: defaultdict(int))
            for place, (at, account, address) in enumerate(_logins(facts.world)):
                visits, here = inside[address], present[address]
                visits.append((at, account))
                here[account] += 1
                while visits[0][0] <= at - window:
                    gone = visits.popleft()[1]
                    here[gone] -= 1
                    if not here[gone]:
                        del here[gone]
                column[place] = len(here)

    def _count_devices(self, facts: Facts, rule: CrowdRule) -> None:
        seen: dict[int, dict[int, int]] = defaultdict(dict)  # by device and account, when last
        for place, (at, account, _) in enumerate(_logins(facts.world)):
            devices = facts.device_of.get(account)
            if not devices:
                continue
            users = seen[devices[0]]
            users[account] = at
            for days in (7, 30):
                count = sum(last > at - days * DAY for last in users.values())
                for name in (f"accounts_on_device_{days}d", f"accounts_per_device_{days}d"):
                    self.columns[name][place] = count  # a device is all that an account uses here
            good = sum(facts.is_good(one, at, rule) for one in users)
            self.columns["is_shared_device"][place] = is_shared_device(
                rule, size=len(users), good=good
            )

    def answered(self) -> Answered:
        """Return what the shipped policies do to whom."""
        hit: dict[Effect, set[int]] = {one: set() for one in Effect}
        for kind in (DecisionKind.ACCESS, DecisionKind.PURCHASE):
            policy = policies.shipped(kind).policy
            shape = (len(policy.inputs), len(self.account))
            values, known = np.zeros(shape, np.int64), np.zeros(shape, np.bool_)
            for place, one in enumerate(policy.inputs):
                if one.name in self.columns:
                    values[place], known[place] = self.columns[one.name], True
            verdicts = compile_columns(policy)(values, known)
            for row in np.flatnonzero(verdicts.strength).tolist():
                for act in verdicts.verdict(row).effects:
                    hit[act.effect].add(int(self.account[row]))
        return Answered(
            held=frozenset(hit[Effect.HOLD]),
            frozen=frozenset(hit[Effect.FREEZE]),
            asked=frozenset(hit[Effect.STEP_UP]),
            looked_at=frozenset(hit[Effect.REVIEW]),
        )


def _logins(world: World) -> Iterator[tuple[int, int, int]]:
    return zip(world.at.tolist(), world.account.tolist(), world.address.tolist(), strict=True)


def found_places(facts: Facts, rule: CrowdRule) -> dict[int, int]:
    """Return when a crowd first showed an address to be a place that many share."""
    found: dict[int, int] = {}
    manners = facts.manners(rule)
    for address in facts.busy:
        for at, _, kind in crowds(facts, address, rule, manners):
            if kind is None:
                found.setdefault(address, at)
                break
    return found


def policies_alone(facts: Facts, rule: CrowdRule) -> tuple[Answered, dict[str, Any]]:
    """Return what the policies do without the rule of the crowds, and that in figures."""
    answered = Sightings(facts, rule, found_places(facts, rule)).answered()
    ring_of = facts.world.ring_of
    told = {
        f"{name}_{side}": sum(
            int((ring_of[one] >= 0) == (side == "ring")) for one in getattr(answered, name)
        )
        for name in ("held", "frozen", "asked", "looked_at")
        for side in ("ring", "innocent")
    }
    return answered, told


def _id(account: int) -> AccountId:
    return cast(AccountId, account)  # the rule only compares them


def run_rule(facts: Facts, rule: CrowdRule, answered: Answered) -> Verdicts:
    """Let every login of the world go through a rule, beside what the policies do."""
    held, frozen, asked = set(answered.held), set(answered.frozen), set(answered.asked)
    hit = {Effect.HOLD: held, Effect.FREEZE: frozen, Effect.STEP_UP: asked}
    held_at: dict[int, int] = {}
    looked: dict[int, int] = {}  # when somebody first was to look at an address
    manners = facts.manners(rule)
    for address in facts.busy:
        for at, crowd, kind in crowds(facts, address, rule, manners):
            looked.setdefault(address, at)
            if kind is CrowdKind.RING:
                for answer in crowd:
                    one = cast(int, answer.account_id)
                    held_at.setdefault(one, address)
                    hit[answer.effect].add(one)
    held -= frozen
    asked -= held | frozen
    world = facts.world
    innocent = {one for one in held | frozen | asked if world.ring_of[one] < 0}
    open_rings = [n for n in range(len(world.rings)) if n not in world.hidden]
    members = [set(world.rings[n][2].tolist()) for n in open_rings]
    by_kind: dict[str, int] = defaultdict(int)
    checks_by_kind: dict[str, int] = defaultdict(int)
    for one in innocent:
        kinds = checks_by_kind if one in asked else by_kind
        kinds[world.kinds.get(held_at.get(one, -1), "other")] += 1
    return Verdicts(
        rings=len(world.rings),
        rings_found=sum(looked.get(address, NEVER) <= tenth for address, tenth, _ in world.rings),
        rings_held=sum(one <= held | frozen for one in members),
        rings_answered=sum(one <= held | frozen | asked for one in members),
        rings_open=len(open_rings),
        accounts_held=len(held) - len(held & innocent),
        accounts_frozen=len(frozen) - len(frozen & innocent),
        accounts_asked=len(asked) - len(asked & innocent),
        wrong_holds=len(held & innocent),
        wrong_hours=len(held & innocent) * rule.hold_hours,
        wrong_freezes=len(frozen & innocent),
        wrong_by_kind=dict(by_kind),
        wrong_checks=len(asked & innocent),
        checks_by_kind=dict(checks_by_kind),
        innocent=world.innocent,
    )


def crowds(
    facts: Facts, address: int, rule: CrowdRule, manners: Sequence[Manner]
) -> Iterator[tuple[int, Any, Any]]:
    """Yield when a crowd is at an address, and what happens to whom; a place yields nobody."""
    inside: deque[tuple[int, int, int]] = deque()
    present: dict[int, int] = defaultdict(int)
    seen: set[int] = set()
    good_seen: set[int] = set()
    answered: set[int] = set()
    quiet_until, ring_at = -1, None
    for at, account, number in facts.visits[address]:
        inside.append((at, account, number))
        present[account] += 1
        while inside[0][0] <= at - rule.window_seconds:
            gone = inside.popleft()[1]
            present[gone] -= 1
            seen.add(gone)
            if facts.is_good(gone, at, rule):
                good_seen.add(gone)
            if not present[gone]:
                del present[gone]
        if len(present) < rule.size_min or at < quiet_until:
            continue
        place = Place(False, len(seen), len(good_seen))
        crowd = list(dict.fromkeys(a for _, a, _ in inside))
        good = frozenset(_id(one) for one in crowd if facts.is_good(one, at, rule))
        came = _came(inside, manners)
        familiar = sum(came[one] is not Manner.STRANGE for one in good)
        is_answered = answered.issuperset(crowd)
        looks_shared = is_place(place, rule, size=len(crowd), good=familiar)
        was_ring = ring_at is not None and at < ring_at + RING_STAYS
        if looks_shared and not was_ring:
            quiet_until = at + (LOOK_AGAIN if len(seen) > rule.size_max else 0)
            yield at, (), None
            continue
        if is_answered:
            continue
        ids, web = [_id(one) for one in crowd], facts.web(crowd, rule)
        judged = judge(
            ids, place=place, good=good, web=web, rule=rule, was_ring=was_ring, manners=came
        )
        answered.update(crowd)
        ring_at = at if ring_at is None else ring_at
        yield at, judged.answers, judged.kind


def _came(
    inside: Iterable[tuple[int, int, int]], manners: Sequence[Manner]
) -> dict[AccountId, Manner]:
    """Return how each account of a window came: strange if once, settled if always."""
    came: dict[AccountId, Manner] = {}
    for _, account, number in inside:
        one, manner = _id(account), manners[number]
        before = came.setdefault(one, manner)
        if before is not manner:
            is_strange = Manner.STRANGE in (before, manner)
            came[one] = Manner.STRANGE if is_strange else Manner.UNKNOWN
    return came


# How the rule would do with another threshold, one at a time.
CURVES: dict[str, Sequence[int]] = {
    "size_min": (6, 8, 10, 12, 15, 20),
    "window_seconds": (300, 600, 900, 1_800, 3_600),
    "place_good_share_ppm": (100_000, 200_000, 300_000, 400_000, 500_000, 700_000),
    "crowd_good_share_ppm": (300_000, 400_000, 500_000, 600_000, 800_000),
    "place_good_min": (3, 5, 8, 12, 20),
    "group_min": (2, 3, 4, 6),
    "good_age_days": (30, 90, 180),
    "settled_age_days": (1, 3, 7, 14, 28),
    "settled_days_min": (1, 3, 5, 8),
}


def curves(seed: int, share: float) -> dict[str, Any]:
    """Return what each threshold gives."""
    rule = shipped()
    facts = Facts(make(seed, share=share), rule)
    told: dict[str, Any] = {"facts": len(facts.world.at), "addresses": len(facts.visits)}
    answered, told["policies"] = policies_alone(facts, rule)
    told["shipped"] = asdict(run_rule(facts, rule, answered))
    for name, values in CURVES.items():
        told[name] = {}
        for value in values:
            changed: Any = {name: value}
            told[name][value] = asdict(run_rule(facts, replace(rule, **changed), answered))
            sys.stderr.write(f"{name}={value}: {told[name][value]}\n")
    return told


def disguises(seed: int, share: float) -> dict[str, Any]:
    """Return what the shipped rule does to each way of a ring, and what it did without manners.

    Without: no device counts as an account's own, and none as strange.
    """
    told: dict[str, Any] = {}
    for way in Way:
        rule = shipped()
        facts = Facts(make(seed, share=share, way=way), rule)
        answered, _ = policies_alone(facts, rule)
        told[way.value] = {"shipped": asdict(run_rule(facts, rule, answered))}
        facts.forget()
        told[way.value]["without"] = asdict(run_rule(facts, rule, answered))
        sys.stderr.write(f"seed {seed}, {way}: {told[way.value]}\n")
    return told


@dataclass
class Timed:
    """One ring on its way through the program."""

    members: list[AccountId]
    tenth_sent: float = 0.0
    tenth_booked: float = 0.0
    all_held: float = 0.0


class Stream:
    """Logins through the desk at a steady pace: some of rings, most of everybody else."""

    def __init__(self, runtime: Runtime, desk: Desk, people: list[AccountId]) -> None:
        self._runtime, self._desk, self._people = runtime, desk, people
        self._chance = random.Random(3)
        self._number = 0
        self.rings: list[Timed] = []
        self.late = 0

    def run(self, rings: int, *, per_second: int, seconds: float) -> None:
        """Send for some seconds; rings begin one after another and overlap."""
        left = list(self._people)
        plans = []
        for number in range(rings):
            ring = Timed([left.pop() for _ in range(12)])
            self.rings.append(ring)
            start = seconds * 0.9 * number / rings
            for place, member in enumerate(ring.members):
                at = start + place * 0.05
                plans.append((at, member, f"ring-{number}", place, ring))
        plans.sort(key=lambda one: one[0])
        plans.reverse()
        begin = time.perf_counter()
        futures: list[Future[Any]] = []
        for step in range(int(per_second * seconds)):
            due = begin + step / per_second
            pause = due - time.perf_counter()
            if pause > 0:
                time.sleep(pause)
            else:
                self.late += 1
            while plans and plans[-1][0] <= time.perf_counter() - begin:
                _, member, address, place, ring = plans.pop()
                if place == 9:
                    ring.tenth_sent = time.perf_counter()
                future = self._log_in(member, address)
                if place == 9:
                    future.add_done_callback(lambda _, ring=ring: _booked(ring))
                futures.append(future)
            one = self._chance.choice(left)
            futures.append(self._log_in(one, f"home-{one.int % 20_000}"))
        for future in futures:
            future.result()

    def _log_in(self, account: AccountId, address: str) -> "Future[Any]":
        self._number += 1
        seal = hashlib.sha256(address.encode()).hexdigest()
        fact = Told("login", datetime.now(UTC), {"ip": seal})
        command = Observe(
            scope_id=str(account), key=f"l{self._number}", account_id=account, facts=(fact,)
        )
        return self._desk.submit(command)


def _booked(ring: Timed) -> None:
    ring.tenth_booked = time.perf_counter()


class Onlooker:
    """Looks every few milliseconds who is held, as anybody who reads the database sees it."""

    def __init__(self, runtime: Runtime, stream: Stream) -> None:
        self._runtime, self._stream = runtime, stream
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.wait(3)
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            open_ = [one for one in self._stream.rings if one.tenth_sent and not one.all_held]
            if open_:
                ids = [member for one in open_ for member in one.members[:10]]
                with self._runtime.store.transaction() as session:
                    rows = session.rows(HELD, {"accounts": ids})
                now, seen = time.perf_counter(), {row[0] for row in rows}
                for one in open_:
                    if seen.issuperset(one.members[:10]):
                        one.all_held = now
            self._stop.wait(0.01)


def timed(rings: int, *, per_second: int, seconds: float) -> dict[str, Any]:
    """Return how soon rings are held in the running program."""
    config = Config(data_folder=folder("rings"))
    wipe_database(config)  # so that no run finds another's rings
    with Runtime.open(config, stop_after=True) as runtime:
        day = datetime.now(UTC).date()
        run = f"{time.time_ns()}"
        ground = uncapped(runtime.ground)
        found(
            ground,
            Found(book_id=BOOK, legal_entity="Bench", currency="CNY", zone="UTC", opened_on=day),
        )
        people = open_accounts(runtime, 12 * rings + 4_000, run)
        with Desk(ground) as desk, Watch(ground):
            stream = Stream(runtime, desk, people)
            onlooker = Onlooker(runtime, stream)
            stream.run(rings, per_second=per_second, seconds=seconds)
            onlooker.close()
    held = [one for one in stream.rings if one.all_held]
    waits = sorted(one.all_held - one.tenth_sent for one in held)
    after = sorted(one.all_held - one.tenth_booked for one in held)
    place = max(0, -(-99 * len(waits) // 100) - 1)
    return {
        "rings": rings,
        "rings_held": len(held),
        "logins_per_second": per_second,
        "seconds": seconds,
        "sent_late": stream.late,
        "median_s": round(statistics.median(waits), 4),
        "p99_s": round(waits[place], 4),
        "max_s": round(waits[-1], 4),
        "p99_after_commit_s": round(after[place], 4),
    }


def uncapped(ground: Ground) -> Ground:
    """Return the ground with room for any number of holds: the pace is measured, not the breaker.

    A thousand holds in a book of a few thousand logins is what the caps are there to stop.
    """
    conduct = ground.catalogue.conduct()
    room = Caps(hour_least=10**6, day_least=10**6)
    wide = replace(conduct, caps={**conduct.caps, Effect.HOLD: room, Effect.FREEZE: room})
    conducts = {(conduct.conduct_id, conduct.version): wide}
    return replace(ground, catalogue=replace(ground.catalogue, conducts=conducts))


def open_accounts(runtime: Runtime, count: int, run: str) -> list[AccountId]:
    """Open as many accounts, by the program's own flow."""
    with Desk(runtime.ground) as desk:
        futures = [
            desk.submit(
                Enrol(
                    scope_kind="book",
                    scope_id=BOOK,
                    key=f"{run}-{number}",
                    book_id=BOOK,
                    person_reference=f"{run}-{number}",
                    limit_minor=100_000,
                    statement_day=1 + number % 28,
                )
            )
            for number in range(count)
        ]
        return [AccountId(UUID(one.result().account_id)) for one in futures]


def main() -> None:
    words = argparse.ArgumentParser()
    words.add_argument("--seeds", type=int, nargs="+", default=[5, 11, 23])
    words.add_argument("--share", type=float, default=1.0)
    words.add_argument("--rings", type=int, default=120)
    words.add_argument("--per-second", type=int, default=150)
    words.add_argument("--seconds", type=float, default=40)
    words.add_argument("--json", type=Path)
    asked = words.parse_args()
    told = {
        "bench": "rings",
        "program": timed(asked.rings, per_second=asked.per_second, seconds=asked.seconds),
        "world": curves(asked.seeds[0], asked.share),
        "ways": {one: disguises(one, asked.share) for one in asked.seeds},
    }
    text = json.dumps(told, indent=1)
    if asked.json:
        asked.json.write_text(text + "\n", encoding="utf-8")
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
