"""An invented month of logins: families, campuses, offices, carriers, one-day events, and rings.

A million facts from a seed. Everything is drawn as integers with numpy, so that the same seed gives
the same world on any machine; how often what happens is written beside it and said in
docs/benchmarks.md. A ring is the only thing in it that means harm; `Way` says how it disguises
itself. The honest are the same people, at the same places and times, whatever the rings do.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

DAYS = 30
DAY = 86_400
MINUTE = 60
FACTS = 1_000_000
HOMES = 14_000
HOME_SIZES = (0.35, 0.30, 0.20, 0.10, 0.05)  # of one to five accounts
CAMPUSES, STUDENTS, NETS = 12, 800, 2
OFFICES = 60
CARRIERS = 20
SHOPS = 400
EVENTS = 25  # a fair, a concert: an address of one evening, with people who never met there before
DORMITORIES, LODGERS = 3, 200  # opened within the month: nobody was there, most are new with us
RUSHES = (6, 13, 21)  # days on which everybody looks at the same minute
RINGS = 60
HIDDEN = 6  # rings that sit behind a carrier or a campus
TABLET = 0.3  # of families that share a device
SECOND_HAND = 0.02  # of accounts whose device was a stranger's
NEW_PEOPLE, NEW_STUDENTS, NEW_RING = 0.25, 0.45, 0.8  # younger than 90 days at the beginning
GOOD, GOOD_RING = 0.85, 0.6  # have paid and are not behind; those of rings were bought or wait
DRAWN_PER_DAY = 0.79  # logins of an account, so that the month has about a million
DEVICE_DAYS = 700  # that a telephone serves, on average, before another one takes its place
ON_THE_SPOT = 0.5  # of lodgers who open their account on the evening the house opens
GROWN_DAYS = 21  # that a ring waits, its accounts used like honest ones, before it strikes
SLOW_SECONDS = 3_600  # over which a ring in no hurry comes
NEVER = 1 << 40  # days

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class Way(StrEnum):
    """How a ring comes by its accounts and hides; each costs it more than the one before."""

    THROWAWAY = "throwaway"  # accounts opened for it, some with a past, none seen on its devices
    TAKEN_OVER = "taken-over"  # of honest people, new and old, on devices they never used
    APART = "apart"  # throwaway, and no two accounts share a device
    MIXED = "mixed"  # apart, and every second account is a grown one
    GROWN = "grown"  # apart, each used on its one device like an honest one for weeks
    FARM = "farm"  # grown, but at the address from which it strikes
    SLOW = "slow"  # throwaway, over an hour instead of minutes


@dataclass
class World:
    """Facts by time, what is known of accounts, and what is true.

    Units: seconds from the beginning; days from it, negative before. An account uses one device at
    a time, its own or one it shares: one since `device_since`, on `device_used` days before the
    beginning (of lodgers and rings: before they come), and another from the day `device_after` on.
    Shapes: `at`, `account`, `address` (facts,); the rest by account.
    """

    at: Ints
    account: Ints
    address: Ints
    age_days: Ints  # at the beginning
    pays: Bools
    ring_of: Ints  # -1 of the innocent
    device_since: Ints
    device_used: Ints
    device_after: Ints  # NEVER of most
    devices: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    rings: list[tuple[int, int, Ints]] = field(default_factory=list)  # address, tenth at, members
    hidden: set[int] = field(default_factory=set)  # rings behind a place
    kinds: dict[int, str] = field(default_factory=dict)  # of addresses that many share

    @property
    def innocent(self) -> int:
        """How many accounts belong to no ring."""
        return int((self.ring_of < 0).sum())


class _Drawing:
    """Draws one world."""

    def __init__(self, seed: int) -> None:
        self.chance = np.random.default_rng(seed)
        self.addresses = 0
        self.accounts = 0
        self.next_device = 0
        self.age: list[Ints] = []
        self.pays: list[Bools] = []
        self.facts: list[tuple[Ints, Ints, Ints]] = []
        self.devices: dict[int, list[int]] = defaultdict(list)
        self.kinds: dict[int, str] = {}
        self.moved_in: dict[int, int] = {}  # of lodgers, on which day

    def address(self, count: int, kind: str) -> Ints:
        """Return new addresses."""
        first, self.addresses = self.addresses, self.addresses + count
        if kind not in ("home", "ring"):
            self.kinds.update(dict.fromkeys(range(first, self.addresses), kind))
        return np.arange(first, self.addresses)

    def people(self, count: int, new_share: float, good_share: float = GOOD) -> Ints:
        """Return new accounts, some of them new with us."""
        is_new = self.chance.random(count) < new_share
        age = np.where(
            is_new, self.chance.integers(0, 90, count), self.chance.integers(91, 1_500, count)
        )
        self.age.append(age)
        self.pays.append(self.chance.random(count) < good_share)
        first, self.accounts = self.accounts, self.accounts + count
        return np.arange(first, self.accounts)

    def share(self, accounts: Ints) -> None:
        """Let accounts use one device."""
        self.next_device += 1
        self.devices[self.next_device] += accounts.tolist()

    def see(self, at: Ints, accounts: Ints, addresses: Ints) -> None:
        """Let accounts be seen."""
        self.facts.append((at.astype(np.int64), accounts, addresses))

    def hours(self, count: int) -> Ints:
        """Return times of day: a morning, a noon and an evening with many, some at any time."""
        peak = self.chance.choice([8.0, 12.5, 20.0, -1.0], count, p=[0.2, 0.25, 0.35, 0.2])
        spread = self.chance.normal(peak, 1.2)
        drawn = np.where(peak < 0, self.chance.uniform(0, 24, count), spread) % 24
        return (drawn * 3_600).astype(np.int64)


def make(seed: int, *, share: float = 1.0, way: Way = Way.THROWAWAY) -> World:
    """Return the world of a seed; `share` makes a smaller one of the same kind."""
    draw = _Drawing(seed)
    homes, home_of = _homes(draw, int(HOMES * share))
    students, campus_of, campus_nets = _campuses(draw, max(2, int(CAMPUSES * share)))
    everybody = np.concatenate([homes, students])
    exits = draw.address(max(2, int(CARRIERS * share)), "carrier")
    carrier_of = draw.chance.choice(exits, len(everybody))
    day_place = _offices(draw, homes, max(2, int(OFFICES * share)))
    night_place = np.concatenate([home_of, campus_of])
    day_place = np.concatenate([day_place, campus_of])
    _live(draw, everybody, night_place, day_place, carrier_of, max(4, int(SHOPS * share)))
    _events(draw, everybody, max(2, int(EVENTS * share)))
    _dormitories(draw, max(1, int(DORMITORIES * share)))
    count = max(6, int(RINGS * share))
    places = np.concatenate([exits, campus_nets])
    rings, hidden = _rings(draw, count, places, way)
    at, account, address = (np.concatenate(column) for column in zip(*draw.facts, strict=True))
    order = np.lexsort((account, at))
    ring_of = np.full(draw.accounts, -1)
    for number, (_, _, members) in enumerate(rings):
        ring_of[members] = number
    # Drawn apart, so that telephones change nothing about who is where.
    habits = np.random.default_rng([seed, 1])
    age, pays = np.concatenate(draw.age), np.concatenate(draw.pays)
    _sign_up(habits, draw, age)
    telephones = _telephones(habits, draw, age)
    _disguise(habits, way, rings, (age, pays, *telephones))
    since, used, after = telephones
    return World(
        at=at[order],
        account=account[order],
        address=address[order],
        age_days=age,
        pays=pays,
        ring_of=ring_of,
        device_since=since,
        device_used=used,
        device_after=after,
        devices=draw.devices,
        rings=rings,
        hidden=hidden,
        kinds=draw.kinds,
    )


def _homes(draw: _Drawing, count: int) -> tuple[Ints, Ints]:
    """Return people and the home of each; some families share a device."""
    sizes = draw.chance.choice(np.arange(1, 6), count, p=HOME_SIZES)
    people = draw.people(int(sizes.sum()), NEW_PEOPLE)
    homes = np.repeat(draw.address(count, "home"), sizes)
    ends = np.cumsum(sizes)
    for number in np.flatnonzero((sizes > 1) & (draw.chance.random(count) < TABLET)):
        draw.share(people[ends[number] - sizes[number] : ends[number]])
    strangers = draw.chance.choice(people, (int(len(people) * SECOND_HAND) // 2, 2), replace=False)
    for pair in strangers:
        draw.share(pair)
    return people, homes


def _campuses(draw: _Drawing, count: int) -> tuple[Ints, Ints, Ints]:
    students = draw.people(count * STUDENTS, NEW_STUDENTS)
    nets = draw.address(count * NETS, "campus")
    campus = np.repeat(np.arange(count), STUDENTS)
    net = nets[campus * NETS + draw.chance.integers(0, NETS, len(students))]
    for room in range(0, len(students), 40):  # one room of flatmates in ten shares a tablet
        draw.share(students[room : room + 4])
    return students, net, nets


def _offices(draw: _Drawing, people: Ints, count: int) -> Ints:
    """Return where each spends the day: an office, or nowhere (-1)."""
    offices = draw.address(count, "office")
    weights = draw.chance.pareto(1.2, count) + 0.2
    place = draw.chance.choice(offices, len(people), p=weights / weights.sum())
    return np.where(draw.chance.random(len(people)) < 0.35, place, -1)


def _live(
    draw: _Drawing, people: Ints, night: Ints, day: Ints, carrier: Ints, shop_count: int
) -> None:
    """Let everybody log in now and then, from where they are at that hour."""
    chance, shops = draw.chance, draw.address(shop_count, "shop")
    counts = chance.poisson(DRAWN_PER_DAY * DAYS, len(people))
    who = np.repeat(np.arange(len(people)), counts)
    hour = draw.hours(len(who))
    at = chance.integers(0, DAYS, len(who)) * DAY + hour
    works = (hour > 8 * 3_600) & (hour < 18 * 3_600) & (day[who] >= 0)
    where = np.where(works, day[who], night[who])
    moves = chance.random(len(who))
    where = np.where(moves < 0.35, carrier[who], where)
    where = np.where(moves > 0.98, chance.choice(shops, len(who)), where)
    draw.see(at, people[who], where)
    for rush in RUSHES:  # a sale at eight: one in seven looks within ten minutes
        eager = np.flatnonzero(chance.random(len(people)) < 1 / 7)
        when = rush * DAY + 20 * 3_600 + chance.integers(0, 10 * MINUTE, len(eager))
        place = np.where(chance.random(len(eager)) < 0.4, carrier[eager], night[eager])
        draw.see(when, people[eager], place)


def _events(draw: _Drawing, people: Ints, count: int) -> None:
    for address in draw.address(count, "event"):
        guests = draw.chance.choice(people, draw.chance.integers(20, 60), replace=False)
        start = draw.chance.integers(2, DAYS) * DAY + 19 * 3_600
        when = start + draw.chance.integers(0, 15 * MINUTE, len(guests))
        draw.see(when, guests, np.full(len(guests), address))


def _dormitories(draw: _Drawing, count: int) -> None:
    """Let new houses open: on its first evening everybody tries the network, later as elsewhere.

    The hardest honest crowd there is: new accounts at an address nobody knows, and one room in
    five shares a tablet.
    """
    for address in draw.address(count, "dormitory"):
        lodgers = draw.people(LODGERS, 0.8)
        for room in range(0, LODGERS, 20):
            draw.share(lodgers[room : room + 4])
        opens = int(draw.chance.integers(5, 20))
        draw.moved_in.update(dict.fromkeys(lodgers.tolist(), opens))
        first = opens * DAY + 18 * 3_600 + draw.chance.integers(0, 90 * MINUTE, LODGERS)
        counts = draw.chance.poisson(DRAWN_PER_DAY * (DAYS - opens - 1), LODGERS)
        who = np.repeat(np.arange(LODGERS), counts)
        later = draw.chance.integers(opens + 1, DAYS, len(who)) * DAY + draw.hours(len(who))
        at, seen = np.concatenate([first, later]), np.concatenate([np.arange(LODGERS), who])
        draw.see(at, lodgers[seen], np.full(len(at), address))


def _rings(
    draw: _Drawing, count: int, places: Ints, way: Way
) -> tuple[list[tuple[int, int, Ints]], set[int]]:
    """Let rings of ten to sixty log in within minutes, most on an address nobody knows."""
    rings, hidden = [], set()
    for number in range(count):
        size = int(min(10 + draw.chance.geometric(0.08), 60))
        members = draw.people(size, NEW_RING, GOOD_RING)
        if number < HIDDEN * count // RINGS:
            address = int(draw.chance.choice(places))
            hidden.add(number)
        else:
            address = int(draw.address(1, "ring")[0])
        if draw.chance.random() < 0.6:
            left = members.copy()
            while len(left) > 1:
                farm = int(draw.chance.integers(2, 11))
                if way not in (Way.APART, Way.MIXED, Way.GROWN, Way.FARM):
                    draw.share(left[:farm])
                left = left[farm:]
        start = int(draw.chance.integers(2, DAYS - 1)) * DAY + int(draw.chance.integers(0, DAY))
        span = int(draw.chance.integers(2 * MINUTE, 9 * MINUTE))
        span = SLOW_SECONDS if way is Way.SLOW else span
        when = np.sort(start + draw.chance.integers(0, span, size))
        draw.see(when, members, np.full(size, address))
        rings.append((address, int(when[9]), members))
    return rings, hidden


def _sign_up(habits: np.random.Generator, draw: _Drawing, age: Ints) -> None:
    """Let some lodgers open their account on the evening they move in: nobody has seen them."""
    lodgers = np.array(sorted(draw.moved_in), np.int64)
    fresh = lodgers[habits.random(len(lodgers)) < ON_THE_SPOT]
    age[fresh] = [-draw.moved_in[one] for one in fresh.tolist()]


def _telephones(habits: np.random.Generator, draw: _Drawing, age: Ints) -> tuple[Ints, Ints, Ints]:
    """Return since when each account has its device, on how many days used, and until when."""
    since = -np.minimum(age, habits.exponential(DEVICE_DAYS, len(age)).astype(np.int64))
    after = habits.exponential(DEVICE_DAYS, len(age)).astype(np.int64)
    known = -since
    lodgers = np.array(sorted(draw.moved_in), np.int64)
    moved = np.array([draw.moved_in[one] for one in lodgers.tolist()])
    known[lodgers] += moved  # until then they lived elsewhere, as everybody does
    used = habits.binomial(np.maximum(known, 0), _seen_on_a_day())
    after = np.where(after < DAYS, np.maximum(after, 1), NEVER)
    shared = {one for accounts in draw.devices.values() for one in accounts}
    for one in sorted(shared & draw.moved_in.keys()):  # a room's tablet is new to all of it
        since[one], used[one], after[one] = -age[one], used[one], draw.moved_in[one]
    return since, used, after


def _seen_on_a_day() -> float:
    """Return how likely somebody logs in on a day at all."""
    return float(1 - np.exp(-DRAWN_PER_DAY))


def _disguise(
    habits: np.random.Generator,
    way: Way,
    rings: list[tuple[int, int, Ints]],
    known: tuple[Ints, Bools, Ints, Ints, Ints],
) -> None:
    """Let the accounts of rings have come by their devices in a way."""
    age, pays, since, used, after = known
    for _, tenth, members in rings:
        strikes = tenth // DAY
        since[members], used[members], after[members] = strikes, 0, NEVER
        if way is Way.TAKEN_OVER:
            count = len(members)
            is_new = habits.random(count) < NEW_PEOPLE
            age[members] = np.where(
                is_new, habits.integers(0, 90, count), habits.integers(91, 1_500, count)
            )
            pays[members] = habits.random(count) < GOOD
            since[members], used[members] = -age[members], 1
            after[members] = strikes
        elif way in (Way.GROWN, Way.MIXED):
            grown = members[:: 2 if way is Way.MIXED else 1]
            since[grown] = strikes - GROWN_DAYS
            used[grown] = habits.binomial(GROWN_DAYS, _seen_on_a_day(), len(grown))
        elif way is Way.FARM:
            since[members] = strikes - GROWN_DAYS  # and on no day used elsewhere
