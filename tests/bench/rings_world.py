"""An invented month of logins: families, campuses, offices, carriers, one-day events, and rings.

A million facts from a seed. Everything is drawn as integers with numpy, so that the same seed gives
the same world on any machine; how often what happens is written beside it and said in
docs/benchmarks.md. A ring is the only thing in it that means harm.
"""

from collections import defaultdict
from dataclasses import dataclass, field

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

Ints = NDArray[np.int64]


@dataclass
class World:
    """Facts by time, what is known of accounts, and what is true.

    Units: seconds from the beginning. Shapes: `at`, `account`, `address` (facts,); the rest by
    account.
    """

    at: Ints
    account: Ints
    address: Ints
    age_days: Ints  # at the beginning
    pays: NDArray[np.bool_]
    ring_of: Ints  # -1 of the innocent
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
        self.pays: list[NDArray[np.bool_]] = []
        self.facts: list[tuple[Ints, Ints, Ints]] = []
        self.devices: dict[int, list[int]] = defaultdict(list)
        self.kinds: dict[int, str] = {}

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


def make(seed: int, *, share: float = 1.0) -> World:
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
    rings, hidden = _rings(draw, count, places)
    at, account, address = (np.concatenate(column) for column in zip(*draw.facts, strict=True))
    order = np.lexsort((account, at))
    ring_of = np.full(draw.accounts, -1)
    for number, (_, _, members) in enumerate(rings):
        ring_of[members] = number
    return World(
        at=at[order],
        account=account[order],
        address=address[order],
        age_days=np.concatenate(draw.age),
        pays=np.concatenate(draw.pays),
        ring_of=ring_of,
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
        first = opens * DAY + 18 * 3_600 + draw.chance.integers(0, 90 * MINUTE, LODGERS)
        counts = draw.chance.poisson(DRAWN_PER_DAY * (DAYS - opens - 1), LODGERS)
        who = np.repeat(np.arange(LODGERS), counts)
        later = draw.chance.integers(opens + 1, DAYS, len(who)) * DAY + draw.hours(len(who))
        at, seen = np.concatenate([first, later]), np.concatenate([np.arange(LODGERS), who])
        draw.see(at, lodgers[seen], np.full(len(at), address))


def _rings(
    draw: _Drawing, count: int, places: Ints
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
                draw.share(left[:farm])
                left = left[farm:]
        start = int(draw.chance.integers(2, DAYS - 1)) * DAY + int(draw.chance.integers(0, DAY))
        span = int(draw.chance.integers(2 * MINUTE, 9 * MINUTE))
        when = np.sort(start + draw.chance.integers(0, span, size))
        draw.see(when, members, np.full(size, address))
        rings.append((address, int(when[9]), members))
    return rings, hidden
