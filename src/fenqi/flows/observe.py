"""Others tell of an account: logins, changes of device or phone, failed payments, complaints.

Each fact becomes an event of the account at the server's own time; what is told late or by a clock
that is ahead is kept and marked. How many accounts share an address or a device is counted here,
inside the batch, and written into the fact. What is about access is then decided about. Days on
which a channel failed are excused until it is back (P5).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, ClassVar

import msgspec
from msgspec import UNSET, UnsetType

from fenqi.core.errors import FenqiError, Invalid
from fenqi.core.risk import fact
from fenqi.core.risk.decision import DecisionKind
from fenqi.core.risk.fact import Cause, Fact, FactKind
from fenqi.core.risk.features.moment import MICROSECOND
from fenqi.core.risk.features.trail import meets
from fenqi.core.risk.identity import SEAL, Identifier
from fenqi.core.servicing.excuse import ExcuseCause, channel_excuse
from fenqi.core.values.ids import AccountId
from fenqi.store import accounts, excuses, facts, links
from fenqi.store.access import AccessRulings
from fenqi.store.accounts import Account
from fenqi.store.booking import Booking, Happening
from fenqi.store.commands import Command, Inbox, known
from fenqi.store.deciding import Deciding
from fenqi.store.excuses import Excuses
from fenqi.store.facts import Counts, Measure, Measures, Presence
from fenqi.store.ground import Ground
from fenqi.store.links import Sightings
from fenqi.store.plans import PlanRecord
from fenqi.store.pool import Session
from fenqi.store.rows import Rows

FACTS_MAX = 100  # of one command
WAITING_MAX = 128  # commands of one account that wait at a desk; a batch takes as many
CROWD = "crowd"  # the name of the count by which a crowd at an address is seen
SHARED_DEVICE = "is_shared_device"  # what a fact says of its device besides how many use it


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
    """Facts of one account, in their order.

    `told_by` names the run of a program that tells them, if it wants to know whether it was the one
    that did. It is no part of what is told: another run that tells the same tells the same command.
    """

    kind: ClassVar[str] = "observe"
    waiting_max: ClassVar[int | None] = WAITING_MAX
    account_id: AccountId
    facts: tuple[Told, ...]
    told_by: str | UnsetType = UNSET

    def body_sha256(self) -> str:
        """Return the digest of everything the command says, whoever tells it."""
        said = msgspec.structs.replace(self, told_by=UNSET)
        return Command.body_sha256(said)


@dataclass(frozen=True, slots=True)
class Observed:
    """The events the facts became, by number, and how many of them were marked.

    If what was told is about access, also what was decided: the strongest effect or approve.
    `told_by` is the run that told them first, None if it gave no name.
    """

    first_number: int
    last_number: int
    late: int
    skewed: int
    outcome: str | None = None
    reasons: list[str] = field(default_factory=list)
    decision_id: str | None = None
    told_by: str | None = None


@dataclass(slots=True)
class _Noted:
    """A fact that was read, with what its event will say and what is counted for it."""

    fact: Fact
    says: dict[str, int | str]
    counted: list[tuple[bytes, Measure]]

    @property
    def device(self) -> bytes | None:
        """The device it was seen with, None if it names none."""
        found = (one for kind, one in self.fact.identifiers if kind is Identifier.DEVICE)
        return next(found, None)


@dataclass(frozen=True, slots=True)
class _Heard:
    """A command whose facts were read."""

    place: int
    command: Observe
    account: Account
    noted: Sequence[_Noted]

    def named(self, kind: Identifier) -> list[bytes]:
        """The identifiers of a kind that its facts name."""
        return [
            identifier
            for each in self.noted
            for one, identifier in each.fact.identifiers
            if one is kind
        ]


def observe(ground: Ground, commands: Sequence[Observe]) -> list[Observed | FenqiError]:
    """Store the facts of each command of the batch in order; a command is stored whole or not."""
    with ground.store.transaction() as session:
        with session.pipeline():
            lock = accounts.locking(session, [command.account_id for command in commands])
            inbox: Inbox[Observe, Observed] = Inbox(session, commands, Observed)
            deciding = Deciding(session, DecisionKind.ACCESS)
            facts.lock_identifiers(session, _seals(commands))
        locked = lock()
        # Its moment is after that of all who held the locks.
        watch = _Watch(ground, Booking(ground))
        booking = watch.booking
        heard = []
        for place, command in inbox.fresh():
            try:
                account = accounts.find(locked, command.account_id)
                heard.append(_Heard(place, command, account, watch.read(command)))
            except FenqiError as refusal:
                inbox.refuse(place, refusal)
        watch.count(session, heard)
        followed = ground.trails.follow(session, [one.account for one in heard])
        booking.followed = followed
        rulings = AccessRulings(
            ground,
            booking,
            session,
            followed=followed,
            deciding=deciding,
            accounts={one.account.account_id: one.account for one in heard},
            addresses={each for one in heard for each in one.named(Identifier.IP)},
            devices={each for one in heard for each in one.named(Identifier.DEVICE)},
        )
        watch.look(session, heard)
        for one in heard:
            answer = watch.take(one)
            if one.command.told_by is not UNSET:
                answer = replace(answer, told_by=one.command.told_by)
            if any(each.fact.kind in fact.ACCESS for each in one.noted):
                answer = _rule(rulings, one, answer)
            inbox.answer(one.place, one.account.account_id, answer)
        watch.sightings.rouse(session)
        booking.write(session, inbox.kept(booking.now))
    return inbox.answers()


def strangers(ground: Ground, account_ids: Collection[AccountId]) -> set[AccountId]:
    """Return which of some ids no customer has, so that a file is refused before it is begun."""
    with ground.store.transaction() as session:
        return set(account_ids) - accounts.there(session, account_ids)


def told_before(ground: Ground, asked: Sequence[Observe]) -> set[str]:
    """Return the keys of those commands that were answered already."""
    with ground.store.transaction() as session:
        return {key for _, _, key in known(session, asked)}


def _rule(rulings: AccessRulings, one: _Heard, answer: Observed) -> Observed:
    """Return the answer with what was decided after a command's facts."""
    evidence = {
        "kinds": sorted({each.fact.kind.value for each in one.noted}),
        "first_number": answer.first_number,
        "last_number": answer.last_number,
    }
    ruled = rulings.rule(
        one.account,
        addresses=one.named(Identifier.IP),
        devices=one.named(Identifier.DEVICE),
        evidence=evidence,
    )
    return replace(
        answer,
        outcome=ruled.outcome,
        reasons=list(ruled.reasons),
        decision_id=str(ruled.decision_id),
    )


def _seals(commands: Sequence[Observe]) -> set[bytes]:
    """Return the seals that commands name, before anything else of them is looked at."""
    names = [one.value for one in Identifier]
    found = [told.said.get(name) for one in commands for told in one.facts for name in names]
    return {bytes.fromhex(one) for one in found if isinstance(one, str) and SEAL.fullmatch(one)}


class _Watch:
    """Where one batch's facts are read, counted and become events."""

    def __init__(self, ground: Ground, booking: Booking) -> None:
        self.booking = booking
        self._features = ground.trails.features
        self._measures: dict[str, Measures] = {}
        self._counts: Counts = {}
        self._rule = ground.crowd
        self._shared: frozenset[bytes] = frozenset()  # devices that say nothing of one account
        window = ground.crowd.window // MICROSECOND
        self._crowd = Measure(CROWD, window, ground.crowd.size_min)
        self._identifier_facts = Rows(facts.IDENTIFIER_FACTS)
        self.sightings = Sightings(ground, booking)
        booking.others.append(self._identifier_facts)
        self._ground = ground
        self._excuses: Excuses | None = None  # of those to whom a channel failed, or is back
        self._plans: dict[AccountId, list[PlanRecord]] = {}

    def read(self, command: Observe) -> list[_Noted]:
        """Return the facts of a command. Errors: FactsUncounted and those of `fact.read`."""
        if not 1 <= len(command.facts) <= FACTS_MAX:
            raise FactsUncounted(facts=len(command.facts), facts_max=FACTS_MAX)
        now = self.booking.now
        read = [fact.read(one.kind, one.happened_at, one.said, now=now) for one in command.facts]
        return [self._note(one) for one in read]

    def _note(self, one: Fact) -> _Noted:
        """Return a fact with its marks, and the identifiers over whose accounts is counted."""
        says = dict(one.said)
        if one.is_late:
            says["is_late"] = True
        if one.is_stale:
            says["is_stale"] = True
        if one.is_skewed:
            says["is_skewed"] = True
        measures = self._measures.get(one.kind)
        if measures is None:
            measures = self._measures[one.kind] = facts.measures(self._features, one.kind)
        counted = [
            (identifier, measure)
            for kind, identifier in one.identifiers
            for measure, conditions in measures.get(kind.value, ())
            if all(meets(condition, says.get(condition.field)) for condition in conditions)
        ]
        address = one.said.get(Identifier.IP.value)
        if any(identifier.hex() == address for identifier, _ in counted):
            counted.append((bytes.fromhex(str(address)), self._crowd))
        return _Noted(one, says, counted)

    def count(self, session: Session, heard: Sequence[_Heard]) -> None:
        """Note who is seen with which identifiers, and count their accounts."""
        presences = [
            Presence(one.account.account_id, *pair)
            for one in heard
            for noted in one.noted
            for pair in noted.counted
        ]
        self._counts = facts.see(session, presences, self.booking.now)
        least = self._rule.device_good_min
        devices = {
            identifier
            for one in heard
            for noted in one.noted
            for identifier, measure in noted.counted
            if identifier == noted.device and self._counts[identifier, measure.name] >= least
        }
        self._shared = links.shared_devices(session, devices, self.booking.now, self._rule)

    def look(self, session: Session, heard: Sequence[_Heard]) -> None:
        """Read what is excused, and the plans it may change, of those who tell of a channel."""
        since: dict[AccountId, date] = {}
        for one in heard:
            days = [_day(one.account, each.fact) for each in one.noted if _is_of_channel(each.fact)]
            if days:
                earliest = since.get(one.account.account_id, date.max)
                since[one.account.account_id] = min(earliest, *days)
        if since:
            self._excuses = Excuses(self._ground, self.booking, session)
            self._excuses.know([one.account for one in heard if one.account.account_id in since])
            self._plans = excuses.touched(session, since, self._ground)

    def take(self, one: _Heard) -> Observed:
        """Make events of a command's facts."""
        numbers = [self._store(one, noted) for noted in one.noted]
        return Observed(
            first_number=numbers[0],
            last_number=numbers[-1],
            late=sum(noted.fact.is_late for noted in one.noted),
            skewed=sum(noted.fact.is_skewed for noted in one.noted),
        )

    def _store(self, one: _Heard, noted: _Noted) -> int:
        told = noted.fact
        for identifier, measure in noted.counted:
            if measure is not self._crowd:
                noted.says[measure.name] = self._counts[identifier, measure.name]
            if identifier == noted.device:
                noted.says[SHARED_DEVICE] = int(identifier in self._shared)
        happening = self.booking.event(
            one.account,
            told.kind.value,
            payload=noted.says,
            occurred_at=told.happened_at,
            actor=one.command.actor,
            command_key=one.command.key,
        )
        if _is_of_channel(told) and self._excuses is not None:
            self._excuse(self._excuses, one.account, happening, told)
        # What is told late was not here now; it only says that the two belong together.
        at = told.happened_at if told.is_late else self.booking.now
        for kind, identifier in told.identifiers:
            self._identifier_facts.add(
                identifier, kind.value, at, one.account.raw, happening.number
            )
            self.sightings.saw(one.account, kind, identifier)
            if self._counts.get((identifier, CROWD), 0) >= self._crowd.cap and not told.is_late:
                self.sightings.crowded(identifier, at)
        return happening.number

    def _excuse(self, known: Excuses, account: Account, happening: Happening, told: Fact) -> None:
        """Excuse the days of a channel that failed, or let them end: it is back, or it answered."""
        on, channel = _day(account, told), told.said.get("channel")
        named = None if channel is None else str(channel)
        if told.said.get("cause") != Cause.CHANNEL.value:
            known.back(account, happening, named, on)
        elif records := self._plans[account.account_id]:
            span = channel_excuse(on, known.pack_of(account).excused_days_max)
            if any(owed.due_on < span.through_on for owed in excuses.owed_by(records)):
                cause = ExcuseCause.CHANNEL
                known.begin(account, happening, cause, [span], channel=named)
        known.carry(account, happening, self._plans[account.account_id])


def _is_of_channel(told: Fact) -> bool:
    """Whether a fact says that a channel failed, or that it works."""
    return told.kind in (
        FactKind.PAYMENT_FAILED,
        FactKind.CHANNEL_FAILED,
        FactKind.CHANNEL_RESTORED,
    )


def _day(account: Account, told: Fact) -> date:
    return account.book.day_of(told.happened_at)
