"""Scenes: the crowds at network addresses, with all that is known of who met there.

They are read for whoever answers suspicions, and told as evidence to whoever works on their cases;
no customer ever reads it, and of an identifier it holds too little to be of use anywhere else.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from fenqi.core.risk.crowd import Crowd, CrowdRule, Manner, Place, Visit, gathered, judge
from fenqi.core.risk.decision import Effect
from fenqi.core.risk.identity import Identifier
from fenqi.core.risk.links import Link, Step, Web
from fenqi.core.risk.response import HOUR
from fenqi.core.values.ids import AccountId
from fenqi.store import cases, links, places
from fenqi.store.links import RING, Suspicion
from fenqi.store.pool import Session

SAMPLE_MAX = 50  # accounts named in the evidence about a place
DRAWN_MAX = 2_000  # links in the evidence about a ring
IDENTIFIER_DIGITS = 12  # of a hash, in evidence: enough to tell two apart, useless otherwise
RING_STAYS = HOUR  # however many good accounts come along; a day later it may be an office


class Suspect(NamedTuple):
    """An address, with the first and the last instant at which so many were there."""

    address: bytes
    first: datetime
    last: datetime


def by_address(taken: Iterable[Suspicion]) -> list[Suspect]:
    """Return each address with its first and last suspicious instant, the oldest first."""
    merged: dict[bytes, tuple[datetime, datetime]] = {}
    for one in taken:
        first, last = merged.get(one.address, (one.first, one.last))
        merged[one.address] = (min(first, one.first), max(last, one.last))
    ordered = sorted(merged.items(), key=lambda item: (item[1], item[0]))
    return [Suspect(address, first, last) for address, (first, last) in ordered]


class Answered(NamedTuple):
    """What happens to one account of a ring, and by which decision, if one was made now."""

    account_id: AccountId
    effect: Effect
    decision_id: UUID | None
    ties: Sequence[Step]


@dataclass(frozen=True, slots=True)
class Scene:
    """A crowd of one book at one address, with all that is known of it."""

    book_id: str
    address: bytes
    visits: Sequence[Visit]
    crowd: Crowd
    place: Place
    place_kind: str | None
    web: Web
    drawn: Sequence[Link]

    @property
    def cause(self) -> str:
        """The cause of the case about the crowd."""
        return links.crowd_cause(self.book_id, self.address)

    @property
    def device_causes(self) -> list[str]:
        """The causes of cases about devices that several of a crowd use: they go on in its own."""
        members = {one.account_id for one in self.visits}
        used = Counter(
            link.identifier
            for link in self.drawn
            if link.kind is Identifier.DEVICE and link.account_id in members
        )
        several = (one for one, count in used.items() if count > 1 and not self.web.is_hub(one))
        return sorted(links.device_cause(self.book_id, one) for one in several)

    def told(self, rule: CrowdRule) -> dict[str, object]:
        """Return what a person needs to judge the crowd besides its accounts."""
        return {
            "address": _short(self.address),
            "rule": f"{rule.rule_id}/{rule.version}",
            "from": self.visits[0].at,
            "until": self.visits[-1].at,
            "visits": len(self.visits),
            "size": len({one.account_id for one in self.visits}),
            "place": {
                "kind": self.place_kind,
                "accounts_before": self.place.seen,
                "long_standing": self.place.good,
            },
        }

    def sample(self) -> dict[str, object]:
        """Return some accounts that were there, as evidence about a place."""
        seen = list(dict.fromkeys(one.account_id for one in self.visits))
        return {"accounts": seen[:SAMPLE_MAX]}

    def graph(self, answered: Iterable[Answered]) -> dict[str, object]:
        """Return the evidence of a ring: who, why, and the links that tie them."""
        tied = {one for group in self.crowd.groups for one in group}
        drawn = [
            link
            for link in self.drawn
            if link.account_id in tied and not self.web.is_hub(link.identifier)
        ]
        return {
            "accounts": [
                {
                    "account_id": one.account_id,
                    "effect": one.effect.value,
                    "decision_id": one.decision_id,
                    "path": [_told(step) for step in one.ties],
                }
                for one in answered
            ],
            "groups": [sorted(group) for group in self.crowd.groups],
            "links": [
                [one.account_id, one.kind.value, _short(one.identifier), one.first_on, one.last_on]
                for one in drawn[:DRAWN_MAX]
            ],
        }


def _told(step: Step) -> dict[str, object]:
    """Return one step of a path between two accounts."""
    before, after = step
    return {
        "kind": before.kind.value,
        "identifier": _short(before.identifier),
        "from": before.account_id,
        "from_days": [before.first_on, before.last_on],
        "to": after.account_id,
        "to_days": [after.first_on, after.last_on],
    }


def _short(identifier: bytes) -> str:
    return identifier.hex()[:IDENTIFIER_DIGITS]


def gather(
    session: Session, rule: CrowdRule, suspects: Sequence[Suspect], now: datetime
) -> list[Scene]:
    """Return the crowds at some addresses, one per book; none where too few met after all.

    What is asked of all of them is asked at once: three round trips, however many they are.
    """
    met = _met(session, rule, suspects)
    with session.pipeline():
        told = [_asking_known(session, rule, one, now) for one in met]
    known = [one() for one in told]
    with session.pipeline():
        before = [links.asking_standings(session, about.seen, rule) for about in known]
        rings = [
            _asking_rings(session, one.suspect, about.standings.books.values())
            for one, about in zip(met, known, strict=True)
        ]
    return [
        scene
        for one, about, were, was_ring in zip(met, known, before, rings, strict=True)
        for scene in _by_book(rule, one, about, len(were().good), was_ring)
    ]


class _Met(NamedTuple):
    """An address with who visited it, and which accounts of them met."""

    suspect: Suspect
    visits: Sequence[Visit]
    present: Sequence[AccountId]


def _met(session: Session, rule: CrowdRule, suspects: Sequence[Suspect]) -> list[_Met]:
    """Return the addresses at which enough accounts met."""
    with session.pipeline():
        asked = [
            links.asking_visits(session, one.address, after=one.first - rule.window, until=one.last)
            for one in suspects
        ]
    return [
        _Met(one, visits, present)
        for one, visits in zip(suspects, [visits() for visits in asked], strict=True)
        if (present := gathered(visits, rule))
    ]


class _Known(NamedTuple):
    """What is known of those who met at an address, and of it."""

    standings: links.Standings
    place_kind: str | None
    seen: Sequence[AccountId]
    around: Sequence[Link]
    manners: Mapping[AccountId, Manner]


def _asking_known(
    session: Session, rule: CrowdRule, met: _Met, now: datetime
) -> Callable[[], _Known]:
    """Ask what is known of those who met; to be called for it when the pipeline is over."""
    one, present = met.suspect, met.present
    begin = one.first - rule.window
    standings = links.asking_standings(session, present, rule)
    kind = places.asking_kind(session, one.address, now)
    seen = links.asking_seen(session, one.address, begin, rule)
    around = links.asking_around(session, present, one.last.date(), rule.links)
    # Of a crowd too large to be held nobody is asked with what they came.
    manners: Callable[[], Mapping[AccountId, Manner]] = dict
    if len(present) <= rule.size_max:
        manners = links.asking_manners(session, one.address, after=begin, until=one.last, rule=rule)
    return lambda: _Known(standings(), kind(), seen(), around(), manners())


def _asking_rings(
    session: Session, one: Suspect, books: Iterable[str]
) -> dict[str, Callable[[], bool]]:
    """Ask, of each book, whether a ring was lately found where they met."""
    since = one.last - RING_STAYS
    return {
        book_id: cases.asking_open(
            session, links.crowd_cause(book_id, one.address), subject=RING, since=since
        )
        for book_id in sorted(set(books))
    }


def _by_book(
    rule: CrowdRule,
    met: _Met,
    about: _Known,
    good_before: int,
    was_ring: Mapping[str, Callable[[], bool]],
) -> list[Scene]:
    """Judge who met at one address, book by book."""
    place = Place(about.place_kind is not None, len(about.seen), good_before)
    web = Web(rule.links, met.suspect.last.date(), about.around)
    scenes = []
    for book_id, is_one in was_ring.items():
        crowd = judge(
            [each for each in met.present if about.standings.books.get(each) == book_id],
            place=place,
            good=about.standings.good,
            web=web,
            rule=rule,
            was_ring=is_one(),
            manners=about.manners,
        )
        where = (book_id, met.suspect.address, met.visits)
        scenes.append(Scene(*where, crowd, place, about.place_kind, web, about.around))
    return scenes
