"""A crowd: many accounts at one network address within minutes. A ring, or a place many share?

The address alone is weak evidence (P6). A place that is known, or that long-standing customers in
good order use, is looked at by a person and holds nobody. Elsewhere each account of the crowd is
held for some hours; those that share a device, card or phone with another of the crowd are frozen,
unless they have been good customers for long: those are held only.
"""

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from fenqi.core.errors import Invalid
from fenqi.core.risk.decision import Effect
from fenqi.core.risk.links import TYING, LinkRule, Step, Web
from fenqi.core.terms.reading import FOR_PEOPLE, Reader
from fenqi.core.values.ids import AccountId
from fenqi.core.values.rate import PPM

WINDOW_SECONDS_MAX = 86_400
SIZE_MAX = 10_000
DAYS_MAX = 3_650
HOURS_MAX = 8_760


class CrowdRuleInvalid(Invalid):
    """A field of the crowd rule is missing, unknown or out of range."""

    code = "crowd-rule-invalid"


@dataclass(frozen=True, slots=True)
class CrowdRule:
    """When many accounts at one address are a crowd, and what follows.

    Units: as the names say; windows are (t - window, t] by server time.
    """

    rule_id: str
    version: int
    window_seconds: int
    size_min: int  # accounts within the window
    size_max: int  # of more nobody is held before a person has looked
    group_min: int  # of a crowd's accounts that paths tie together, to be frozen
    hold_hours: int
    freeze_hours: int
    good_age_days: int  # an account as old, in good order, that has paid, is a long-standing one
    place_days: int  # how far back an address is looked at
    place_good_min: int  # long-standing accounts at an address, to be a place many share
    place_good_share_ppm: int  # of all accounts that were there before the crowd
    crowd_good_share_ppm: int  # of the crowd itself, where nobody was before
    place_pause_days: int  # before the same place is looked at again
    links: LinkRule
    hold_reason: str
    freeze_reason: str
    texts: Mapping[str, Mapping[str, str]]  # what a customer reads, by reason and language

    @classmethod
    def read(cls, table: Mapping[str, object]) -> "CrowdRule":
        """Return the rule a parsed TOML table describes. Errors: CrowdRuleInvalid."""
        reader = Reader(table, CrowdRuleInvalid, unread=FOR_PEOPLE)
        links, texts = reader.table("links"), reader.table("reasons")
        hold_reason, freeze_reason = (
            reader.identity("hold_reason"),
            reader.identity("freeze_reason"),
        )
        rule = cls(
            rule_id=reader.identity("id"),
            version=reader.integer("version", least=1),
            window_seconds=reader.integer("window_seconds", least=1, most=WINDOW_SECONDS_MAX),
            size_min=reader.integer("size_min", least=3, most=SIZE_MAX),
            size_max=reader.integer("size_max", least=3, most=SIZE_MAX),
            group_min=reader.integer("group_min", least=2, most=SIZE_MAX),
            hold_hours=reader.integer("hold_hours", least=1, most=HOURS_MAX),
            freeze_hours=reader.integer("freeze_hours", least=1, most=HOURS_MAX),
            good_age_days=reader.integer("good_age_days", least=1, most=DAYS_MAX),
            place_days=reader.integer("place_days", least=1, most=DAYS_MAX),
            place_good_min=reader.integer("place_good_min", least=1, most=SIZE_MAX),
            place_good_share_ppm=reader.integer("place_good_share_ppm", most=PPM),
            crowd_good_share_ppm=reader.integer("crowd_good_share_ppm", most=PPM),
            place_pause_days=reader.integer("place_pause_days", most=DAYS_MAX),
            links=LinkRule(
                decay_days=links.integer("decay_days", least=1, most=DAYS_MAX),
                accounts_max={
                    kind: links.integer(f"{kind.value}_accounts_max", least=2, most=SIZE_MAX)
                    for kind in TYING
                },
            ),
            hold_reason=hold_reason,
            freeze_reason=freeze_reason,
            texts={name: _texts(texts.table(name)) for name in {hold_reason, freeze_reason}},
        )
        for one in (links, texts, reader):
            one.done()
        return rule

    @property
    def window(self) -> timedelta:
        """How long a crowd takes to gather."""
        return timedelta(seconds=self.window_seconds)


def _texts(reader: Reader) -> dict[str, str]:
    texts = {language: reader.text(language) for language in ("zh", "en")}
    reader.done()
    return texts


class Visit(NamedTuple):
    """An account was seen at the address."""

    at: datetime
    account_id: AccountId


class PlaceKind(StrEnum):
    """What an address that many share is."""

    CAMPUS = "campus"
    OFFICE = "office"
    CARRIER = "carrier"
    SHOP = "shop"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Place:
    """What is known of an address besides the crowd: who was there before it, over `place_days`."""

    is_known: bool  # somebody wrote down that many share it
    seen: int
    good: int  # of these, long-standing accounts in good order


class CrowdKind(StrEnum):
    """What a crowd is taken for."""

    RING = "ring"
    PLACE = "place"
    TOO_LARGE = "too-large"  # to be held on weak evidence: a person decides


@dataclass(frozen=True, slots=True)
class Answer:
    """What happens to one account of a crowd; `ties` is the path to another of them."""

    account_id: AccountId
    effect: Effect
    ties: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Crowd:
    """A crowd, what it is taken for, and what happens to each of its accounts."""

    kind: CrowdKind
    answers: tuple[Answer, ...]
    groups: tuple[frozenset[AccountId], ...]  # of its accounts that paths tie together


def gathered(visits: Iterable[Visit], rule: CrowdRule) -> list[AccountId]:
    """Return the accounts of every window in which enough of them met, in order of their visits.

    `visits` are those of one address by time.
    """
    inside: deque[Visit] = deque()
    present: Counter[AccountId] = Counter()
    found: dict[AccountId, None] = {}
    for visit in visits:
        inside.append(visit)
        present[visit.account_id] += 1
        while inside[0].at <= visit.at - rule.window:
            gone = inside.popleft().account_id
            present[gone] -= 1
            if not present[gone]:
                del present[gone]
        if len(present) == rule.size_min:
            found.update(dict.fromkeys(one.account_id for one in inside))
        elif len(present) > rule.size_min:
            # Those before were taken when the window filled, or with the visit before this one.
            found[visit.account_id] = None
    return list(found)


def judge(
    account_ids: Sequence[AccountId],
    *,
    place: Place,
    good: frozenset[AccountId],
    web: Web,
    rule: CrowdRule,
    was_ring: bool = False,
) -> Crowd:
    """Return what a crowd is, and what happens to whom.

    `good` are the long-standing accounts in good order among them; `web` holds their strong links.
    What was a ring a moment ago stays one (`was_ring`), so that a good account more or less does
    not turn it over with each login.
    """
    crowd = set(account_ids)
    whole = (group & crowd for group in web.groups(account_ids))
    groups = tuple(group for group in whole if len(group) >= rule.group_min)
    looks_shared = is_place(place, rule, size=len(crowd), good=len(good & crowd))
    if place.is_known or (looks_shared and not was_ring):
        return Crowd(CrowdKind.PLACE, (), groups)
    if len(crowd) > rule.size_max:
        return Crowd(CrowdKind.TOO_LARGE, (), groups)
    tied = {one: group for group in groups for one in group}
    answers = []
    for one in account_ids:
        if one in tied and one not in good:
            nearest = _nearest(web, one, tied[one])
            answers.append(Answer(one, Effect.FREEZE, nearest))
        else:
            answers.append(Answer(one, Effect.HOLD))
    return Crowd(CrowdKind.RING, tuple(answers), groups)


def is_place(place: Place, rule: CrowdRule, *, size: int, good: int) -> bool:
    """Whether many honest people share an address: it is known, or its customers show it.

    Those who came before the crowd say more than the crowd itself, which may bring some good
    accounts along. `size` and `good` are the crowd's accounts, and the long-standing among them.
    """
    return (
        place.is_known
        or _are_many(place.good, place.seen, rule.place_good_min, rule.place_good_share_ppm)
        or _are_many(good, size, rule.place_good_min, rule.crowd_good_share_ppm)
    )


def _are_many(good: int, of: int, least: int, share_ppm: int) -> bool:
    return good >= least and good * PPM >= share_ppm * of


def _nearest(web: Web, one: AccountId, group: frozenset[AccountId]) -> tuple[Step, ...]:
    """Return the shortest path to another of the crowd; of several the least account's."""
    paths = (web.path(one, other) for other in sorted(group) if other != one)
    return min((path for path in paths if path is not None), key=len, default=())


def sort_visits(visits: Iterable[tuple[datetime, AccountId]]) -> list[Visit]:
    """Return visits by time, and at one instant by account."""
    return [Visit(*one) for one in sorted(visits)]
