"""Others tell of an account: logins, changes of device or phone, failed payments, complaints.

Each fact becomes an event of the account at the server's own time; what is told late or by a clock
that is ahead is kept and marked. How many accounts share an address or a device is counted here,
inside the batch, and written into the fact.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

import msgspec

from fenqi.core.errors import FenqiError, Invalid
from fenqi.core.risk import fact
from fenqi.core.risk.crowd import CrowdRule, CrowdRuleInvalid
from fenqi.core.risk.fact import Fact
from fenqi.core.risk.features.declaration import Feature, FeatureSet, Key
from fenqi.core.risk.features.trail import meets
from fenqi.core.risk.identity import SEAL, Identifier
from fenqi.core.values.ids import AccountId
from fenqi.store import accounts, facts
from fenqi.store.accounts import Account
from fenqi.store.booking import Booking
from fenqi.store.commands import Command, Inbox
from fenqi.store.facts import Counts, Presence
from fenqi.store.ground import Ground
from fenqi.store.links import Sightings
from fenqi.store.rows import Rows

FACTS_MAX = 100  # of one command


class FactsUncounted(Invalid):
    """A command of facts has none, or more than one command may carry."""

    code = "facts-uncounted"


class Told(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One fact as it is told: its kind, when it is said to have happened, what it says.

    Identity values are seals already (`core/risk/identity.py`).
    """

    kind: str
    happened_at: datetime
    said: dict[str, Any] = {}


class Observe(Command, frozen=True, kw_only=True):
    """Facts of one account, in their order."""

    kind: ClassVar[str] = "observe"
    account_id: AccountId
    facts: tuple[Told, ...]


@dataclass(frozen=True, slots=True)
class Observed:
    """The events the facts became, by number, and how many of them were marked."""

    first_number: int
    last_number: int
    late: int
    skewed: int


@dataclass(frozen=True, slots=True)
class _Heard:
    """A command whose facts were read."""

    place: int
    command: Observe
    account: Account
    facts: Sequence[Fact]


def observe(ground: Ground, commands: Sequence[Observe]) -> list[Observed | FenqiError]:
    """Store the facts of each command of the batch in order; a command is stored whole or not."""
    with ground.store.transaction() as session:
        with session.pipeline():
            lock = accounts.locking(session, [command.account_id for command in commands])
            inbox: Inbox[Observe, Observed] = Inbox(session, commands, Observed)
            facts.lock_identifiers(session, _seals(commands))
        locked = lock()
        booking = Booking(ground)  # its moment is after that of all who held the locks before
        heard = []
        for place, command in inbox.fresh():
            try:
                account = accounts.find(locked, command.account_id)
                heard.append(_Heard(place, command, account, _read(command, booking.now)))
            except FenqiError as refusal:
                inbox.refuse(place, refusal)
        watch = _Watch(ground, booking)
        watch.counts = facts.see(session, watch.presences(heard), booking.now)
        booking.followed = ground.trails.follow(session, [one.account for one in heard])
        for one in heard:
            inbox.answer(one.place, one.account.account_id, watch.take(one))
        booking.write(session, inbox.kept(booking.now))
    return inbox.answers()


def _seals(commands: Sequence[Observe]) -> set[bytes]:
    """Return the seals that commands name, before anything else of them is looked at."""
    names = [one.value for one in Identifier]
    found = [told.said.get(name) for one in commands for told in one.facts for name in names]
    return {bytes.fromhex(one) for one in found if isinstance(one, str) and SEAL.fullmatch(one)}


def _read(command: Observe, now: datetime) -> list[Fact]:
    """Return the facts of a command. Errors: FactsUncounted and those of `fact.read`."""
    if not 1 <= len(command.facts) <= FACTS_MAX:
        raise FactsUncounted(facts=len(command.facts), facts_max=FACTS_MAX)
    return [fact.read(one.kind, one.happened_at, one.said, now=now) for one in command.facts]


class _Watch:
    """Where one batch's facts become events."""

    def __init__(self, ground: Ground, booking: Booking) -> None:
        self.counts: Counts = {}
        self._booking = booking
        self._features = ground.trails.features
        self._rule = ground.crowd
        self._crowding = crowding(self._features, ground.crowd)
        self._sightings = Sightings(ground, booking)
        self._identifier_facts = Rows(facts.IDENTIFIER_FACTS)
        booking.others.append(self._identifier_facts)

    def presences(self, heard: Sequence[_Heard]) -> list[Presence]:
        """Return who is seen with which identifiers of which accounts are counted."""
        found = []
        for one in heard:
            for each in one.facts:
                for identifier, measures in self._measured(each).items():
                    found.append(Presence(one.account.account_id, identifier, tuple(measures)))
        return found

    def _measured(self, each: Fact) -> Mapping[bytes, list[Feature]]:
        """Return what is counted over the identifiers of one fact."""
        said = _said(each)
        found: dict[bytes, list[Feature]] = defaultdict(list)
        for kind, identifier in each.identifiers:
            for measure in self._features.measures:
                stream = self._features.streams[measure.stream]
                if (
                    measure.key is Key(kind.value)
                    and each.kind in stream.kinds
                    and all(meets(ask, said.get(ask.field)) for ask in stream.conditions)
                ):
                    found[identifier].append(measure)
        return found

    def take(self, one: _Heard) -> Observed:
        """Make events of a command's facts."""
        numbers = [self._store(one, each) for each in one.facts]
        return Observed(
            first_number=numbers[0],
            last_number=numbers[-1],
            late=sum(each.is_late for each in one.facts),
            skewed=sum(each.is_skewed for each in one.facts),
        )

    def _store(self, one: _Heard, each: Fact) -> int:
        counted = {
            measure.name: self.counts[identifier, measure.name]
            for identifier, measures in self._measured(each).items()
            for measure in measures
        }
        happening = self._booking.event(
            one.account,
            each.kind.value,
            payload={**_said(each), **counted},
            occurred_at=each.happened_at,
            actor=one.command.actor,
            command_key=one.command.key,
        )
        # What is told late was not here now; it only says that the two belong together.
        at = each.happened_at if each.is_late else self._booking.now
        for kind, identifier in each.identifiers:
            self._sightings.saw(one.account, kind, identifier)
            if self.counts.get((identifier, self._crowding), 0) >= self._rule.size_min:
                self._sightings.crowded(identifier, at)
            self._identifier_facts.add(
                facts.bytea_text(identifier),
                kind.value,
                at,
                one.account.account_id,
                happening.number,
            )
        return happening.number


def crowding(features: FeatureSet, rule: CrowdRule) -> str:
    """Return the feature that counts the accounts at an address long enough to see a crowd.

    A longer window sees a crowd that is none now and then; who looks at it counts exactly.

    Errors: CrowdRuleInvalid if no window is as long as the rule's.
    """
    windows = [
        (one.window, one.name)
        for one in features.measures
        if one.key is Key.IP and one.window is not None and one.cap >= rule.size_min
    ]
    wide = [one for one in windows if timedelta(microseconds=one[0]) >= rule.window]
    if not wide:
        expected = "a window and a size that a feature over addresses counts"
        raise CrowdRuleInvalid(field="window_seconds", value=rule.window_seconds, expected=expected)
    return min(wide)[1]


def _said(each: Fact) -> dict[str, int | str]:
    """Return what an event says of a fact: its fields, and its marks."""
    said = dict(each.said)
    if each.is_late:
        said["is_late"] = True
    if each.is_skewed:
        said["is_skewed"] = True
    return said
