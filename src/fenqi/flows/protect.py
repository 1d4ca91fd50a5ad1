"""A crowd at one network address is looked at: a ring is held within a second, a place by nobody.

Facts that are too many at an address leave a suspicion in their own transaction. Here suspicions
are taken away and answered in one: whatever dies on the way is taken up again, and two programs
never answer the same one. An account is held once for one case, however often it comes back.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from fenqi.core.risk.breaker import outcome_of, soften
from fenqi.core.risk.case import CaseKind, CaseOutcome
from fenqi.core.risk.crowd import Answer, CrowdKind, content, ruled
from fenqi.core.risk.decision import DecisionKind, Effect
from fenqi.core.risk.policy.policy import APPROVE
from fenqi.core.risk.response import DAY, HOUR, KINDS, Finding, Strength
from fenqi.core.values.ids import AccountId
from fenqi.store import accounts, cases, links, scenes
from fenqi.store.accounts import Account
from fenqi.store.booking import Booking
from fenqi.store.breaker import Decider, Restraint
from fenqi.store.cases import Case
from fenqi.store.decisions import Decision, Decisions, built, latency_us
from fenqi.store.ground import Ground
from fenqi.store.links import PLACE, RING
from fenqi.store.pool import Session
from fenqi.store.responses import Because, Responses
from fenqi.store.scenes import Answered, Scene

SUSPICIONS_MAX = 256  # taken at once; those of one address are answered together
ADDRESSES_MAX = 8  # of one batch, so that no transaction holds too many accounts
RING_PRIORITY = 1
PLACE_PRIORITY = 4


@dataclass(frozen=True, slots=True)
class Protected:
    """What one batch of suspicions came to: `asked` are accounts asked for a check."""

    suspicions: int = 0
    rings: int = 0
    places: int = 0
    held: int = 0
    frozen: int = 0
    asked: int = 0


class _Made(NamedTuple):
    """A decision about one account, and whether the breaker let it be carried out."""

    decision_id: UUID
    is_placed: bool


def protect(ground: Ground, *, most: int = SUSPICIONS_MAX) -> Protected:
    """Answer the oldest suspicions; with none there it costs one look at an index."""
    booking = Booking(ground)
    with ground.store.transaction() as session:
        taken = links.take(session, booking.now, most)
        if not taken:
            return Protected()
        suspects = scenes.by_address(taken)
        for one in suspects[ADDRESSES_MAX:]:
            links.put_back(session, ground.ids.new(), *one, now=booking.now)
        found = scenes.gather(session, ground.crowd, suspects[:ADDRESSES_MAX], booking.now)
        members = {one.account_id for scene in found for one in scene.crowd.answers}
        of_devices = {cause for scene in found for cause in scene.device_causes}
        members.update(*cases.members(session, of_devices).values())
        locked = accounts.lock(session, members)
        work = _Work(ground, booking, session, locked)
        work.find(found)
        for scene in found:
            work.answer(scene)
        booking.write(session)
    return Protected(len(taken), work.rings, work.places, work.held, work.frozen, asked=work.asked)


def retry_suspicions(ground: Ground) -> int:
    """Let suspicions that failed too often be answered again; return how many wait now."""
    with ground.store.transaction() as session:
        return links.revive(session, ground.clock.now())


class _Work:
    """Where one batch's crowds are answered, and what it comes to."""

    def __init__(
        self,
        ground: Ground,
        booking: Booking,
        session: Session,
        locked: Mapping[AccountId, Account],
    ) -> None:
        self._ground, self._session, self._rule = ground, session, ground.crowd
        self._now = booking.now
        self._locked = locked
        self._responses = Responses(ground, booking, session)
        self._responses.know(list(locked))
        named = (self._rule.rule_id, self._rule.version)
        self._rulebook = built(DecisionKind.ACCESS, *named, content(self._rule))
        self._decider = Decider(DecisionKind.ACCESS, *named)
        self._decisions = Decisions(booking)
        self._restraint = Restraint(
            session,
            booking,
            [one.book for one in locked.values()],
            DecisionKind.ACCESS,
            caps=ground.catalogue.conduct().caps_of(DecisionKind.ACCESS),
            ids=ground.ids,
            docket=self._responses.docket,
        )
        self._decided: Counter[str] = Counter()  # so far, by book
        self._of_devices: Mapping[str, set[AccountId]] = {}
        self.rings = self.places = self.held = self.frozen = self.asked = 0

    def find(self, found: Sequence[Scene]) -> None:
        """Lock the cases about all addresses, and about devices of rings, in one order.

        It comes before anything is counted.
        """
        causes = {one.cause for one in found}
        of_devices = {cause for one in found for cause in one.device_causes}
        self._responses.docket.know(causes | of_devices)
        # Whom they are about is known for sure only now.
        self._of_devices = cases.members(self._session, of_devices)

    def answer(self, scene: Scene) -> None:
        """Protect a ring's accounts; of a place only ask somebody to look."""
        if scene.crowd.kind is CrowdKind.RING:
            self._protect(scene)
            return
        known = self._responses.docket.find(scene.cause)
        if known is not None and known.outcome is None:
            return  # somebody is to look already; each login of a campus is no news
        is_place = scene.crowd.kind is CrowdKind.PLACE
        case, _ = self._responses.docket.open(
            [],
            book_id=scene.book_id,
            kind=CaseKind.REVIEW if is_place else CaseKind.INVESTIGATION,
            cause=scene.cause,
            subject=PLACE if is_place else "crowd-too-large",
            priority=PLACE_PRIORITY if is_place else RING_PRIORITY,
            evidence=scene.told(self._rule) | scene.sample(),
            pause=self._rule.place_pause_days * DAY,
        )
        for other in self._others(scene) if case.outcome is None else ():
            self._join(other, case)
        self.places += 1

    def _protect(self, scene: Scene) -> None:
        """Hold or freeze whoever is new to the ring, in one case with the graph."""
        answers = [one for one in scene.crowd.answers if one.account_id in self._locked]
        known = self._responses.docket.find(scene.cause)
        if not answers or (known is not None and self._is_cleared(known, answers[0])):
            return
        case = known if known is not None and known.outcome is None else None
        others = self._others(scene)
        within = [one.case_id for one in [case, *others] if one is not None]
        made = self._decide(answers, case, within)
        if case is None:
            case = self._write(scene, answers, made, within)
        elif made:
            new = [one for one in answers if one.account_id in made]
            self._write(scene, new, made, within)
        for other in others:
            self._join(other, case)
        for one in answers:
            if one.account_id in made:
                self._place(one, case, made[one.account_id])
        self._responses.docket.involve(case, [one.account_id for one in answers])
        self.rings += 1

    def _others(self, scene: Scene) -> list[Case]:
        """Return the open cases about devices of a ring, of accounts that are locked too.

        One that has just got another account joins the ring with that account's suspicion.
        """
        found = [
            self._responses.docket.find(cause)
            for cause in scene.device_causes
            if self._of_devices.get(cause, set()) <= self._locked.keys()
        ]
        return [one for one in found if one is not None and one.outcome is None]

    def _join(self, other: Case, case: Case) -> None:
        """Let a device's case go on in the ring's, with all that was placed for it."""
        members = sorted(self._of_devices.get(other.cause, ()))
        self._responses.know(members)
        for account_id in members:
            self._responses.move(self._locked[account_id], other, case)
        self._responses.docket.join(other, case, members)

    def _is_cleared(self, known: Case, answer: Answer) -> bool:
        """Whether a person has just found that nothing is wrong at the address."""
        if known.outcome is not CaseOutcome.FALSE_ALARM or known.closed_at is None:
            return False
        pause = self._responses.bounds(self._locked[answer.account_id]).pause_hours * HOUR
        return self._now < known.closed_at + pause

    def _decide(
        self, answers: Sequence[Answer], case: Case | None, within: Collection[UUID]
    ) -> dict[AccountId, _Made]:
        """Decide about those whom something is to happen to, and keep the decisions.

        What their case has done already is decided already, and so is what those it takes up have
        done (`within`); so is what the breaker held back, once they are part of the case.
        """
        due = [one for one in answers if self._is_due(one, case, within)]
        if not due:
            return {}
        book = self._locked[due[0].account_id].book
        held = self._restraint.hold_back(
            book,
            self._decider,
            [(one.effect,) for one in due],
            decided=self._decided[book.book_id] + len(due),
        )
        self._decided[book.book_id] += len(due)
        known: set[AccountId] = set()
        if case is not None and any(held):
            known = cases.accounts_of(self._session, [case.case_id])[case.case_id]
        made = {}
        for one, none in zip(due, held, strict=True):
            if not none or one.account_id not in known:
                made[one.account_id] = _Made(self._keep(one, none), not none)
        return made

    def _is_due(self, answer: Answer, case: Case | None, within: Collection[UUID]) -> bool:
        """Whether a protection would be placed for one account, were it asked for now.

        Whom the case holds already, or who has passed a check for it, is not asked for one.
        """
        if answer.effect is Effect.STEP_UP and self._is_answered(answer, within):
            return False
        return self._responses.would_place(
            answer.effect,
            self._locked[answer.account_id],
            self._until(answer),
            cause=_cause(case),
            strength=_strength(answer),
            within=within,
        )

    def _is_answered(self, answer: Answer, within: Collection[UUID]) -> bool:
        mine = [
            one
            for one in self._responses.of(self._locked[answer.account_id])
            if one.case_id in within
        ]
        return any(one.is_running(self._now) or one.finding is Finding.PASSED for one in mine)

    def _until(self, answer: Answer) -> datetime:
        if answer.effect is Effect.STEP_UP:
            return self._responses.step_up_ends(self._locked[answer.account_id])
        is_freeze = answer.effect is Effect.FREEZE
        return self._now + (self._rule.freeze_hours if is_freeze else self._rule.hold_hours) * HOUR

    def _keep(self, answer: Answer, held: frozenset[Effect]) -> UUID:
        """Keep one decision, so that it can be told and computed again; return its id."""
        account, decision_id = self._locked[answer.account_id], self._ground.ids.new()
        said = ruled(answer.seen, self._rule)
        words = soften(said.words, held)
        self._decisions.add(
            self._rulebook,
            Decision(
                account=account,
                decision_id=decision_id.bytes,
                outcome=outcome_of(words, otherwise=APPROVE),
                reasons=said.reasons,
                inputs=list(answer.seen),
                as_of_number=account.event_count,
                effects=words,
                latency_us=latency_us(self._now, self._ground.clock.now()),
            ),
        )
        return decision_id

    def _write(
        self,
        scene: Scene,
        answers: Sequence[Answer],
        made: Mapping[AccountId, _Made],
        within: Collection[UUID],
    ) -> Case:
        """Open the case of a ring, or take more accounts into it."""
        told = [self._answered(one, made, within) for one in answers]
        case, _ = self._responses.docket.open(
            [one.account_id for one in answers],
            book_id=scene.book_id,
            kind=CaseKind.INVESTIGATION,
            cause=scene.cause,
            subject=RING,
            priority=RING_PRIORITY,
            evidence=scene.told(self._rule) | scene.graph(told),
        )
        for one in answers:
            self._responses.tell_case(self._locked[one.account_id], case)
        return case

    def _place(self, answer: Answer, case: Case, made: _Made) -> None:
        """Hold, freeze or ask one account, as far as that may be."""
        if not made.is_placed:
            return
        account, until = self._locked[answer.account_id], self._until(answer)
        because: Because = {
            "reasons": ruled(answer.seen, self._rule).reasons,
            "cause": _cause(case),
            "strength": _strength(answer),
            "decision_id": made.decision_id,
            "case_id": case.case_id,
        }
        if answer.effect is Effect.STEP_UP:
            self._responses.step_up(account, **because)
            self.asked += 1
            return
        is_freeze = answer.effect is Effect.FREEZE
        place = self._responses.freeze if is_freeze else self._responses.hold
        done = place(account, until, **because)
        self.held += done.effect is Effect.HOLD
        self.frozen += done.effect is Effect.FREEZE

    def _answered(
        self, answer: Answer, made: Mapping[AccountId, _Made], within: Collection[UUID]
    ) -> Answered:
        """Return what happens to an account of a case, and by which decision of this batch."""
        one = made.get(answer.account_id)
        is_placed = one is not None and one.is_placed
        effect = answer.effect if is_placed else self._in_force(answer.account_id, within)
        return Answered(answer.account_id, effect, one.decision_id if one else None, answer.ties)

    def _in_force(self, account_id: AccountId, within: Collection[UUID]) -> Effect:
        """Return what some cases have done to an account and still do: a look at least."""
        running = {
            known.kind
            for known in self._responses.of(self._locked[account_id])
            if known.case_id in within and known.is_running(self._now)
        }
        known_effects = (Effect.FREEZE, Effect.HOLD, Effect.STEP_UP)
        protects = [effect for effect in known_effects if KINDS[effect] in running]
        return protects[0] if protects else Effect.REVIEW


def _cause(case: Case | None) -> str:
    """Return what protections of a case are remembered by; a case that is to be has done none."""
    return f"case/{case.case_id if case else RING}"


def _strength(answer: Answer) -> Strength:
    return Strength.STRONG if answer.effect is Effect.FREEZE else Strength.WEAK
