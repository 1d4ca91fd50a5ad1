"""What was taken from a customer for a fact that proved wrong is given back, and told.

A cut is made again from its decision: the features are taken from the facts as they are corrected
now, the days past due are those that count now, and the policy of then decides. The parts of the
cut that it would not ask for any more are given back, for later purchases, by a change of its own
whose parts sum to it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from fenqi.core.risk.change import Change, ChangeTerms, Standing, Subject
from fenqi.core.risk.features.moment import moment_of
from fenqi.core.risk.features.trail import Keeper
from fenqi.core.risk.given import OVERDUE
from fenqi.core.risk.input import Value
from fenqi.core.risk.pulls import SCORE_INPUT, Lost, wants
from fenqi.core.risk.record import Record
from fenqi.core.risk.rulebook import Rulebook, restored
from fenqi.core.risk.scorecard import Scorecard
from fenqi.core.servicing.excuse import Span, overdue_anew
from fenqi.store import assessments, changes, decision_records, scorecards
from fenqi.store.accounts import Account
from fenqi.store.booking import Booking
from fenqi.store.changes import Changes
from fenqi.store.ground import Ground
from fenqi.store.pool import Session
from fenqi.store.trails import Lacking, fold_events

CUTS_MAX = 100  # of one account, since a day
TOLD = {Subject.LIMIT: "limit-restored", Subject.PRICE: "price-restored"}

CUTS = """
SELECT subject, decision_id FROM changes
WHERE account_id = %(account)s AND direction = 'harsher' AND booked_on >= %(since)s
    AND decision_id IS NOT NULL
ORDER BY event_number LIMIT %(most)s
"""
SAID = """
SELECT from_on, through_on, begun_number, COALESCE(void_number, %(never)s) FROM excuses
WHERE account_id = %(account)s ORDER BY begun_number LIMIT %(most)s
"""
SAID_MAX = 10_000  # excuses of one account
NEVER = 2**62


@dataclass(frozen=True, slots=True)
class _Cut:
    """A harsher change: what of, by which decision, and how it stands."""

    subject: Subject
    decision_id: UUID
    stands: changes.Cut


class _Said(NamedTuple):
    """Days of an account that were excused from one of its events on, up to another."""

    span: Span
    begun_number: int
    void_number: int


@dataclass(frozen=True, slots=True)
class _Days:
    """The days of an account that are excused now, and those that were at any time before."""

    before: frozenset[date]  # until what happens now
    after: frozenset[date]
    said: Sequence[_Said]  # what was said of its own days before

    def at(self, number: int) -> frozenset[date]:
        """Return the days that were excused when an event was the account's latest."""
        later = (one.span.days for one in self.said if one.begun_number > number)
        then = (one.span.days for one in self.said if one.begun_number <= number < one.void_number)
        return self.before.difference(*later).union(*then)


@dataclass(slots=True)
class Restitution:
    """Gives back to the locked accounts of one batch; each change is sent at once."""

    ground: Ground
    booking: Booking
    session: Session

    def give_back(
        self, account: Account, *, since: date, before: frozenset[date], after: frozenset[date]
    ) -> int:
        """Give back what was cut since a day for facts that do not stand; return how many cuts.

        `before` are the days excused until now, `after` those excused now.
        """
        asked = {"account": account.account_id, "since": since, "most": CUTS_MAX}
        found = self.session.rows(CUTS, asked)
        if not found:
            return 0
        days = _Days(before, after, self._said(account))
        given = 0
        for name, decision_id in found:
            subject = Subject(name)
            stands = changes.cut_of(self.session, account.account_id, subject, decision_id)
            if stands is not None and stands.left:
                given += self._undo(account, _Cut(subject, decision_id, stands), days)
        return given

    def _said(self, account: Account) -> list[_Said]:
        asked = {"account": account.account_id, "never": NEVER, "most": SAID_MAX}
        rows = self.session.rows(SAID, asked)
        return [_Said(Span(first, last), begun, void) for first, last, begun, void in rows]

    def _undo(self, account: Account, cut: _Cut, days: _Days) -> int:
        """Undo the parts of a cut that facts do not ask for any more; return 1 if there are any."""
        conduct = self.ground.catalogue.conduct()
        terms: ChangeTerms = conduct.terms(cut.subject)
        back = self._back(account, cut, terms, days)
        on = account.book.business_date
        known = changes.histories(
            self.session, {account.account_id: account}, cut.subject, on=on, conduct=conduct
        )
        standing = known[account.account_id].standing
        owed = {name: part - cut.stands.given.get(name, 0) for name, part in back.items()}
        parts = {name: _less(part, cut.stands.left.get(name, 0)) for name, part in owed.items()}
        parts = {name: _less(part, standing.parts.get(name, 0)) for name, part in parts.items()}
        parts = {name: part for name, part in parts.items() if part}
        new = standing.value + sum(parts.values())
        if not parts or (terms.levels and new not in terms.levels):
            return 0
        stands = {name: part + parts.get(name, 0) for name, part in standing.parts.items()}
        change = Change(
            subject=cut.subject,
            old=standing.value,
            new=new,
            wanted=new,
            parts=parts,
            standing=Standing(standing.base, {name: one for name, one in stands.items() if one}),
            reasons=(),
            bounds=(),
            turns=0,
        )
        made = Changes(self.booking, conduct)
        made.make(account, change, decision_id=cut.decision_id, kind=TOLD[cut.subject])
        made.write(self.session)  # what stands is read again for the next cut
        return 1

    def _back(
        self,
        account: Account,
        cut: _Cut,
        terms: ChangeTerms,
        days: _Days,
    ) -> dict[str, int]:
        """Return, by part, what a cut took that its policy would not take for the facts of now."""
        record = decision_records.read(self.session, cut.decision_id)
        rulebook = restored(record.rulebook.content)
        names = [one.name for one in rulebook.policy.inputs]
        then: dict[str, Value] = dict(zip(names, record.inputs, strict=True))
        now = dict(then)
        overdue = then.get(OVERDUE)
        if isinstance(overdue, int):
            on, before = date.fromisoformat(record.booked_on), days.at(record.as_of_number or 0)
            now[OVERDUE] = overdue_anew(overdue, on, before=before, after=days.after)
        now |= self._features(account, record, names, account.event_count)
        lost: list[Lost | None] = [None, None]
        if SCORE_INPUT in names:
            card = scorecards.of(rulebook.scorecard)
            as_then = self._features(account, record, card.inputs, record.as_of_number or 0)
            as_now = self._features(account, record, card.inputs, account.event_count)
            lost = _scores(card, then, now, as_then, as_now)
        asked = [
            _pulls(rulebook, terms, known, one)
            for known, one in zip((then, now), lost, strict=True)
        ]
        return {
            name: _share(part, asked[0][name], asked[1].get(name, 0))
            for name, part in cut.stands.taken.items()
            if part * cut.subject.harm > 0 and name in asked[0]
        }

    def _features(
        self, account: Account, record: Record, names: Sequence[str], known: int
    ) -> dict[str, Value]:
        """Return the features among names at a decision's moment, as corrected by an event."""
        trails = self.ground.trails
        features = {one.name for one in trails.features.features}
        asked = [one for one in names if one in features]
        keeper = Keeper(trails.features)
        trail = keeper.begin(account.book.zone)
        lacking = Lacking(account.raw, trail, record.as_of_number or 0, known)
        fold_events(self.session, keeper, [lacking])
        moment = moment_of(datetime.fromisoformat(record.decided_at))
        return dict(zip(asked, trails.row(asked)(trail, moment), strict=True))


def _scores(
    card: Scorecard,
    then: Mapping[str, Value],
    now: dict[str, Value],
    as_then: Mapping[str, Value],
    as_now: Mapping[str, Value],
) -> list[Lost | None]:
    """Move the score by what the corrected facts change of it; return what either lost.

    What a decision did not keep is unknown to both, so it moves nothing.
    """
    scored = [{**then, **as_then}, {**now, **as_now}]
    lost: list[Lost | None] = [assessments.scored(card, one) for one in scored]
    points, was = now.get(SCORE_INPUT), [one[SCORE_INPUT] for one in scored]
    if isinstance(points, int) and isinstance(was[0], int) and isinstance(was[1], int):
        now[SCORE_INPUT] = points + was[1] - was[0]
    return lost


def _pulls(
    rulebook: Rulebook, terms: ChangeTerms, known: Mapping[str, Value], lost: Lost | None
) -> dict[str, int]:
    """Return what a policy wants of a value for what is known, by part. Units: ppm of the base."""
    verdict = rulebook.decide([known.get(one.name) for one in rulebook.policy.inputs])
    return {one.name: one.ppm for one in wants(rulebook.policy, verdict, terms, lost=lost).pulls}


def _share(part: int, then_ppm: int, now_ppm: int) -> int:
    """Return what of a part is not asked for any more, rounded in the customer's favour."""
    less = max(0, abs(then_ppm) - abs(now_ppm))
    share = -(-abs(part) * less // abs(then_ppm))
    return -share if part > 0 else share


def _less(back: int, stands: int) -> int:
    """Return what is given back of a part, no more than stands of it."""
    if back * stands >= 0:
        return 0
    return max(back, -stands) if back < 0 else min(back, -stands)
