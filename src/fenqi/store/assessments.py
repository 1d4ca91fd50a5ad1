"""Assessments of limits and prices: what a batch's policy wants of accounts, decided and kept.

The inputs of an account are what its row says and what its own facts come to; what nobody handed in
is unknown. The verdict is kept as a decision whether or not anything changes; a change that harms
passes the circuit breaker first.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple
from uuid import UUID

from fenqi.core.risk.breaker import held_in, outcome_of, soften
from fenqi.core.risk.case import PRIORITIES
from fenqi.core.risk.change import Change, ChangeTerms, Direction, Subject, propose
from fenqi.core.risk.consequence import outcome_reasons, reasons_of
from fenqi.core.risk.decision import DecisionKind, Effect
from fenqi.core.risk.features.moment import moment_of
from fenqi.core.risk.input import Value
from fenqi.core.risk.policy.policy import APPROVE, Verdict
from fenqi.core.risk.policy.turn import told
from fenqi.core.risk.pulls import HARMS, SCORE_INPUT, Lost, wants
from fenqi.core.risk.rulebook import Rulebook
from fenqi.core.risk.scorecard import Scorecard, score
from fenqi.core.values.ids import AccountId
from fenqi.store import bureau, changes, scorecards
from fenqi.store.accounts import Account
from fenqi.store.booking import Booking
from fenqi.store.breaker import Decider, Restraint
from fenqi.store.changes import Changes, History
from fenqi.store.deciding import Deciding
from fenqi.store.decisions import Decision, Decisions
from fenqi.store.ground import Ground
from fenqi.store.pool import Session
from fenqi.store.responses import Responses
from fenqi.store.scorecards import NOTHING

KINDS = {Subject.LIMIT: DecisionKind.LIMIT, Subject.PRICE: DecisionKind.PRICE}


class Assessment(NamedTuple):
    """One account's verdict and the change that came of it; `held` is what the breaker took.

    `reasons` are those of the outcome; a change has its own.
    """

    account: Account
    change: Change
    verdict: Verdict
    decision_id: UUID
    held: frozenset[Effect]
    reasons: tuple[str, ...]


OPEN = """
SELECT account_id FROM accounts
WHERE book_id = %(book_id)s AND kind = 'customer' AND status <> 'closed' AND account_id > %(after)s
ORDER BY account_id LIMIT %(most)s
"""


def open_accounts(session: Session, book_id: str, *, after: UUID, most: int) -> list[AccountId]:
    """Return the next accounts of a book that are not closed, in the order of their ids."""
    asked = {"book_id": book_id, "after": after, "most": most}
    return [AccountId(row[0]) for row in session.rows(OPEN, asked)]


class Assessor:
    """Assesses the locked accounts of one transaction for one subject."""

    def __init__(
        self, ground: Ground, session: Session, booking: Booking, subject: Subject
    ) -> None:
        self._ground, self._session, self._booking = ground, session, booking
        self._subject = subject
        self._deciding = Deciding(session, KINDS[subject])
        self.conduct = ground.catalogue.conduct()
        self.changes = Changes(booking, self.conduct)
        self.responses = Responses(ground, booking, session)
        self._decisions = Decisions(booking)

    def assess(
        self,
        accounts: Mapping[AccountId, Account],
        *,
        asked_minor: Mapping[AccountId, int] | None = None,
    ) -> list[Assessment]:
        """Return what becomes of each account; the decisions are kept with the booking.

        `asked_minor` is what customers asked for: no raise of theirs goes beyond it.
        """
        made: list[Assessment] = []
        of_books: dict[str, dict[AccountId, Account]] = {}
        for account_id, account in accounts.items():
            of_books.setdefault(account.book.book_id, {})[account_id] = account
        restraint = self._restraint(accounts.values())
        for book_id in sorted(of_books):
            made += self._assess_book(of_books[book_id], asked_minor or {}, restraint)
        return made

    def _assess_book(
        self,
        accounts: Mapping[AccountId, Account],
        asked_minor: Mapping[AccountId, int],
        restraint: Restraint,
    ) -> list[Assessment]:
        book = next(iter(accounts.values())).book
        live = self._deciding.of(book)
        inputs = self._inputs(live, accounts)
        histories = changes.histories(
            self._session, accounts, self._subject, on=book.business_date, conduct=self.conduct
        )
        proposed = []
        for account_id, account in accounts.items():
            row, lost = inputs[account_id]
            verdict = live.decide(row)
            history, asked = histories[account_id], asked_minor.get(account_id)
            change = self._propose(live, account, history, verdict, lost=lost, asked_minor=asked)
            proposed.append((account, row, verdict, change))
        held = restraint.hold_back(
            book,
            Decider(live.kind, live.name, live.version),
            [self._harm(change) for *_, change in proposed],
            decided=len(proposed),
        )
        return [self._keep(live, *one, held=none) for one, none in zip(proposed, held, strict=True)]

    def _restraint(self, accounts: Iterable[Account]) -> Restraint:
        kind = KINDS[self._subject]
        return Restraint(
            self._session,
            self._booking,
            [one.book for one in accounts],
            kind,
            caps=self.conduct.caps_of(kind),
            ids=self._ground.ids,
            docket=self.responses.docket,
        )

    def _propose(
        self,
        live: Rulebook,
        account: Account,
        history: History,
        verdict: Verdict,
        *,
        lost: Lost | None,
        asked_minor: int | None,
    ) -> Change:
        terms: ChangeTerms = self.conduct.terms(self._subject)
        if asked_minor is not None:
            terms = replace(terms, most=min(terms.most, asked_minor))
        standing = history.standing
        wanted = wants(live.policy, verdict, terms, lost=lost, stands=standing.parts)
        return propose(
            standing,
            wanted.pulls,
            unknown=wanted.unknown,
            harm_ppm_max=wanted.harm_ppm_max,
            past=history.past,
            on=account.book.business_date,
            terms=terms,
        )

    def _harm(self, change: Change) -> tuple[Effect, ...]:
        return (HARMS[self._subject],) if change.direction is Direction.HARSHER else ()

    def _keep(
        self,
        live: Rulebook,
        account: Account,
        row: Sequence[Value],
        verdict: Verdict,
        change: Change,
        *,
        held: frozenset[Effect],
    ) -> Assessment:
        """Keep the decision; a change that was held back is none."""
        decision_id = self._ground.ids.new()
        words = soften([act.word for act in verdict.effects], held)
        outcome = outcome_of(words, otherwise=APPROVE) if held else verdict.outcome
        reasons = outcome_reasons(live.policy, verdict, outcome, held)
        self._decisions.add(
            live,
            Decision(
                account=account,
                decision_id=decision_id.bytes,
                outcome=outcome,
                reasons=reasons,
                inputs=row,
                as_of_number=account.event_count,
                effects=words,
                points=verdict.points,
                hits=verdict.hits,
                would_change=told(live.policy, live.decide, row) if words else None,
            ),
        )
        self._respond(live, account, verdict, words, decision_id)
        return Assessment(account, change, verdict, decision_id, held, reasons)

    def _respond(
        self,
        live: Rulebook,
        account: Account,
        verdict: Verdict,
        words: Sequence[str],
        decision_id: UUID,
    ) -> None:
        """Ask a person to look, or tell the customer something that helps, if it was decided so.

        Each with the reasons of what asked for it; a review nobody asked for, with those of the
        harm that was held back.
        """
        cause = f"{self._subject.value}-assessment"
        amounts = dict(word.partition(":")[::2] for word in words)
        if Effect.REVIEW in amounts:
            self.responses.review(
                account,
                subject=f"{self._subject.value}-review",
                evidence={
                    "decision_id": decision_id,
                    "effects": words,
                    "reasons": outcome_reasons(
                        live.policy, verdict, Effect.REVIEW.value, held_in(words)
                    ),
                },
                priority=int(amounts[Effect.REVIEW] or PRIORITIES[-1]),
                cause=cause,
                decision_id=decision_id,
            )
        told = reasons_of(live.policy, verdict, Effect.NUDGE)
        if Effect.NUDGE in amounts and told:
            self.responses.nudge(account, reasons=told, cause=cause, decision_id=decision_id)

    def _inputs(
        self, live: Rulebook, accounts: Mapping[AccountId, Account]
    ) -> dict[AccountId, tuple[list[Value], Lost | None]]:
        """Return each account's values, in the order of the policy, and what its score lost.

        A score is made where the policy looks at it, of the card its rulebook names.
        """
        names = [one.name for one in live.policy.inputs]
        card = scorecards.of(live.scorecard) if SCORE_INPUT in names else None
        from_facts = {one.name for one in self._ground.trails.features.features}
        looked_at = dict.fromkeys([*names, *(card.inputs if card else ())])
        asked = [name for name in looked_at if name in from_facts]
        followed = self._ground.trails.follow(self._session, list(accounts.values()))
        self._booking.followed = followed
        reports = bureau.asking(self._session, accounts, self._booking.now)()
        row = self._ground.trails.row(asked)
        moment = moment_of(self._booking.now)
        found: dict[AccountId, tuple[list[Value], Lost | None]] = {}
        for account_id, account in accounts.items():
            # Of the limit itself, whatever ceiling stands below it for a while.
            standing = account.standing_at(self._booking.now)
            known = account.given(standing._replace(limit_minor=account.limit_minor))
            known |= reports.get(account_id, NOTHING)
            known |= dict(zip(asked, row(followed.of(account), moment), strict=True))
            lost = scored(card, known) if card else None
            found[account_id] = ([known.get(name) for name in names], lost)
        return found


def scored(card: Scorecard, known: dict[str, Value]) -> Lost:
    """Add the score to what is known; return the points each characteristic lost."""
    made = score(card, [known.get(name) for name in card.inputs])
    known[SCORE_INPUT] = made.points
    points: dict[str, int] = {}
    reasons: dict[str, str] = {}
    for one, cost in zip(card.characteristics, made.lost, strict=True):
        points[one.input] = cost
        reasons[one.input] = one.reason
    return Lost(points, reasons)
