"""A crowd: many accounts at one network address within minutes. A ring, or a place many share?

The address alone is weak evidence (P6). A place that is known, or that long-standing customers in
good order use, is looked at by a person and holds nobody. Elsewhere an account that came with a
device it has been using by itself for long is asked for a check before the next purchase; each
other one is held for some hours. Those that share a device, card or phone with others of the crowd
are frozen, unless they have been good customers for long: those are held only. A long-standing
account on a device that it never used before speaks for no place: it may have been taken over.
"""

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple

from fenqi.core.errors import Invalid
from fenqi.core.risk.decision import Effect
from fenqi.core.risk.identity import Identifier
from fenqi.core.risk.input import Value
from fenqi.core.risk.links import TYING, LinkRule, Step, Web
from fenqi.core.terms.reading import FOR_PEOPLE, Reader
from fenqi.core.values.ids import AccountId
from fenqi.core.values.phrase import Phrase
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
    place_pause_days: int  # before the same place, or shared device, is looked at again
    device_good_min: int  # long-standing accounts on a device, to be one that honest people share
    device_good_share_ppm: int  # of all accounts that use it
    settled_age_days: int  # since an account's device was first seen with it, to be its own
    settled_days_min: int  # different days before the crowd's on which it was used
    check_ends_hold: bool  # whether who passes a check is let go, before the hold is over
    links: LinkRule
    hold_reason: str
    freeze_reason: str
    check_reason: str
    texts: Mapping[str, Mapping[str, str]]  # what a customer reads, by reason and language

    @classmethod
    def read(cls, table: Mapping[str, object]) -> "CrowdRule":
        """Return the rule a parsed TOML table describes. Errors: CrowdRuleInvalid."""
        reader = Reader(table, CrowdRuleInvalid, unread=FOR_PEOPLE)
        links, texts = reader.table("links"), reader.table("reasons")
        hold_reason, freeze_reason, check_reason = (
            reader.identity(name) for name in ("hold_reason", "freeze_reason", "check_reason")
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
            device_good_min=reader.integer("device_good_min", least=1, most=SIZE_MAX),
            device_good_share_ppm=reader.integer("device_good_share_ppm", most=PPM),
            settled_age_days=reader.integer("settled_age_days", least=1, most=DAYS_MAX),
            settled_days_min=reader.integer("settled_days_min", least=1, most=DAYS_MAX),
            check_ends_hold=bool(reader.integer("check_ends_hold", most=1)),
            links=LinkRule(
                decay_days=links.integer("decay_days", least=1, most=DAYS_MAX),
                accounts_max={
                    kind: links.integer(f"{kind.value}_accounts_max", least=2, most=SIZE_MAX)
                    for kind in TYING
                },
            ),
            hold_reason=hold_reason,
            freeze_reason=freeze_reason,
            check_reason=check_reason,
            texts={
                name: _texts(texts.table(name))
                for name in {hold_reason, freeze_reason, check_reason}
            },
        )
        for one in (links, texts, reader):
            one.done()
        return rule

    @property
    def window(self) -> timedelta:
        """How long a crowd takes to gather."""
        return timedelta(seconds=self.window_seconds)


class Figures(NamedTuple):
    """What of a rule a single decision depends on. Units: as `CrowdRule`.

    Records of rules that asked nobody for a check lack its reason.
    """

    size_max: int
    group_min: int
    hold_hours: int
    freeze_hours: int
    place_good_min: int
    place_good_share_ppm: int
    crowd_good_share_ppm: int
    hold_reason: str
    freeze_reason: str
    check_reason: str = ""


Rule = CrowdRule | Figures  # what a decision looks at of either


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


class Manner(StrEnum):
    """With what device an account came to an address."""

    SETTLED = "settled"  # one that it has used by itself for long, at each of its visits
    STRANGE = "strange"  # one never seen with it before, at a visit, though it has another
    UNKNOWN = "unknown"  # any other, or none


class CrowdKind(StrEnum):
    """What a crowd is taken for."""

    RING = "ring"
    PLACE = "place"
    TOO_LARGE = "too-large"  # to be held on weak evidence: a person decides


class Seen(NamedTuple):
    """What a decision about one account of a crowd looks at, in the order of its record.

    Units: counts of accounts; flags are 0 or 1. The last three are the account's own. Records of
    rules that did not ask how an account came lack the last.
    """

    crowd_size: int
    crowd_good: int  # long-standing accounts in good order among them, on no strange device
    is_known_place: int
    place_seen: int
    place_good: int
    was_ring: int
    group_size: int = 0  # of the crowd's accounts that paths tie to it, itself included
    is_good: int = 0
    is_settled: int = 0

    @classmethod
    def of(cls, place: Place, *, size: int, good: int, was_ring: bool) -> "Seen":
        """Return what is seen of a crowd as a whole."""
        return cls(size, good, int(place.is_known), place.seen, place.good, int(was_ring))


@dataclass(frozen=True, slots=True)
class Answer:
    """What happens to one account of a crowd; `ties` is the path to another of them."""

    account_id: AccountId
    effect: Effect
    ties: tuple[Step, ...]
    seen: Seen


@dataclass(frozen=True, slots=True)
class Crowd:
    """A crowd, what it is taken for, and what happens to each of its accounts."""

    kind: CrowdKind
    answers: tuple[Answer, ...]
    groups: tuple[frozenset[AccountId], ...]  # of its accounts that paths tie together
    seen: Seen


NO_MANNERS: Mapping[AccountId, Manner] = MappingProxyType({})


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
    manners: Mapping[AccountId, Manner] = NO_MANNERS,
) -> Crowd:
    """Return what a crowd is, and what happens to whom.

    `good` are the long-standing accounts in good order among them; `web` holds their strong links;
    `manners` says how each came, of whom it is known.
    What was a ring a moment ago stays one (`was_ring`), so that a good account more or less does
    not turn it over with each login.
    """
    crowd = set(account_ids)
    whole = [group & crowd for group in web.groups(account_ids)]
    groups = tuple(group for group in whole if len(group) >= rule.group_min)
    tied = {one: group for group in whole for one in group}
    familiar = [one for one in good & crowd if manners.get(one) is not Manner.STRANGE]
    seen = Seen.of(place, size=len(crowd), good=len(familiar), was_ring=was_ring)
    kind = kind_of(seen, rule)
    if kind is not CrowdKind.RING:
        return Crowd(kind, (), groups, seen)
    answers = []
    for one in account_ids:
        mine = seen._replace(
            group_size=len(tied.get(one, ())),
            is_good=int(one in good),
            is_settled=int(manners.get(one) is Manner.SETTLED),
        )
        effect = effect_of(mine, rule)
        ties = _nearest(web, one, tied[one]) if effect is Effect.FREEZE else ()
        answers.append(Answer(one, effect, ties, mine))
    return Crowd(kind, tuple(answers), groups, seen)


def kind_of(seen: Seen, rule: Rule) -> CrowdKind:
    """Return what a crowd is taken for, by what was counted."""
    place = Place(bool(seen.is_known_place), seen.place_seen, seen.place_good)
    looks_shared = is_place(place, rule, size=seen.crowd_size, good=seen.crowd_good)
    if place.is_known or (looks_shared and not seen.was_ring):
        return CrowdKind.PLACE
    return CrowdKind.TOO_LARGE if seen.crowd_size > rule.size_max else CrowdKind.RING


def effect_of(seen: Seen, rule: Rule) -> Effect:
    """Return what happens to one account of a ring.

    Those tied to others of it are frozen, the good among them held; of the rest those on a device
    of their own are asked for a check.
    """
    if seen.group_size >= rule.group_min:
        return Effect.HOLD if seen.is_good else Effect.FREEZE
    return Effect.STEP_UP if seen.is_settled else Effect.HOLD


def is_place(place: Place, rule: Rule, *, size: int, good: int) -> bool:
    """Whether many honest people share an address: it is known, or its customers show it.

    Those who came before the crowd say more than the crowd itself, which may bring some good
    accounts along. `size` and `good` are the crowd's accounts, and the long-standing among them.
    """
    return (
        place.is_known
        or _are_many(place.good, place.seen, rule.place_good_min, rule.place_good_share_ppm)
        or _are_many(good, size, rule.place_good_min, rule.crowd_good_share_ppm)
    )


def is_shared_device(rule: CrowdRule, *, size: int, good: int) -> bool:
    """Whether a device says nothing of any one account: a hub, or one that honest people share.

    `size` accounts use it, `good` of them long-standing and in good order: a shop's tablet, the
    tablet of a family.
    """
    is_hub = size > rule.links.accounts_max[Identifier.DEVICE]
    return is_hub or _are_many(good, size, rule.device_good_min, rule.device_good_share_ppm)


def _are_many(good: int, of: int, least: int, share_ppm: int) -> bool:
    return good >= least and good * PPM >= share_ppm * of


def _nearest(web: Web, one: AccountId, group: frozenset[AccountId]) -> tuple[Step, ...]:
    """Return the shortest path to another of the crowd; of several the least account's."""
    paths = (web.path(one, other) for other in sorted(group) if other != one)
    return min((path for path in paths if path is not None), key=len, default=())


def sort_visits(visits: Iterable[tuple[datetime, AccountId]]) -> list[Visit]:
    """Return visits by time, and at one instant by account."""
    return [Visit(*one) for one in sorted(visits)]


# What a record of such a decision holds, to be computed again.

JUDGE = "crowd"
HOURS_A_DAY = 24


class Ruled(NamedTuple):
    """What is decided about one account: its effects as decisions keep them, and why."""

    effect: Effect | None
    words: tuple[str, ...]
    reasons: tuple[str, ...]


def content(rule: CrowdRule) -> dict[str, object]:
    """Return what decisions about the accounts of a crowd rest on, as JSON values."""
    return {
        "judge": JUDGE,
        "inputs": list(Seen._fields),
        "choices": {},
        "rule": {name: getattr(rule, name) for name in Figures._fields},
        "reasons": {code: dict(texts) for code, texts in rule.texts.items()},
    }


def rule_again(content: Mapping[str, Any], values: Sequence[Value]) -> Ruled:
    """Return what a stored decision comes to, from its rulebook's content and its inputs.

    Errors: CrowdRuleInvalid if it lacks a figure or a value.
    """
    try:
        figures = Figures(**content["rule"])
        seen = Seen(*(int(str(value)) for value in values))
    except (KeyError, TypeError, ValueError) as fault:
        expected = Phrase("a whole record")
        raise CrowdRuleInvalid(field="rule", value=str(fault), expected=expected) from fault
    return ruled(seen, figures)


def ruled(seen: Seen, rule: Rule) -> Ruled:
    """Return what is decided about one account of a crowd; nothing where it is no ring."""
    if kind_of(seen, rule) is not CrowdKind.RING:
        return Ruled(None, (), ())
    effect = effect_of(seen, rule)
    if effect is Effect.STEP_UP:
        return Ruled(effect, (effect.value,), (rule.check_reason,))
    if effect is Effect.FREEZE:
        days = -(-rule.freeze_hours // HOURS_A_DAY)  # as the ladder counts freezes
        return Ruled(effect, (f"{effect}:{days}",), (rule.freeze_reason,))
    return Ruled(effect, (f"{effect}:{rule.hold_hours}",), (rule.hold_reason,))
