"""Rulings: one batch's purchases before the policy, with all that a verdict leads to.

Features are taken from the accounts' trails, the policy decides, the floor of `core.account.judge`
holds whatever it says, the circuit breaker may turn harm into a review; the decision is kept and
its responses are told. Without a policy the built-in judge decides alone. Which policy decides is
asked in each batch, per book: an adoption counts at once, and a breaker that is open falls back.
"""

from collections.abc import Callable, Collection, Sequence
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

from fenqi.core.account import Outcome, Reason, Standing, Verdict, judge
from fenqi.core.risk.consequence import left_out_reasons, reasons_of
from fenqi.core.risk.decision import DecisionKind, Effect
from fenqi.core.risk.features.moment import moment_of
from fenqi.core.risk.features.row import Row
from fenqi.core.risk.given import CHECKS_PASSED
from fenqi.core.risk.input import Value
from fenqi.core.risk.policy.policy import REASONS_MAX, Act, Offer, Policy
from fenqi.core.risk.policy.policy import Verdict as Said
from fenqi.core.risk.policy.turn import turned, turned_of_judge, turned_to
from fenqi.core.risk.purchase import Course, Plans, Sold, course_of, menu_of, stopped_by
from fenqi.core.risk.rulebook import Rulebook
from fenqi.core.values.ids import AccountId
from fenqi.core.values.rate import PPM
from fenqi.store import bureau, places
from fenqi.store.accounts import Account
from fenqi.store.booking import Booking
from fenqi.store.books import Book
from fenqi.store.consequences import Consequences
from fenqi.store.deciding import Deciding
from fenqi.store.decisions import (
    STARTER,
    Decision,
    Decisions,
    Menu,
    latency_us,
    starter_inputs,
)
from fenqi.store.ground import Ground
from fenqi.store.places import Allowed
from fenqi.store.pool import Session
from fenqi.store.scorecards import NOTHING, Scoring
from fenqi.store.trails import Followed

ALLOWED = "is_allowed_address"  # whether many honest people share the address last seen
MENUS_MAX = 4096  # different menus remembered


class Ruling(NamedTuple):
    """What becomes of one purchase, and why. `plans` are what he may choose from.

    `missed` is what a menu without the plan he chose lacks, None where the plan is on it.
    """

    course: Course
    reasons: tuple[str, ...]
    plans: Plans
    policy: str
    policy_version: int
    missed: Reason | None = None
    said: Said | None = None  # by the policy, None of the built-in judge
    acts: tuple[Act, ...] = ()  # carried out once its event is booked


class Asked(NamedTuple):
    """One purchase that is asked for.

    Units: minor units of the account's currency; `price_ppm` of the product's own price.
    """

    account: Account
    amount_minor: int
    product: str
    instalments: int
    decision_id: bytes
    price_ppm: int = PPM

    @property
    def plan(self) -> tuple[str, int, int]:
        """The plan he chose, as it stands on a menu."""
        return (self.product, self.instalments, self.price_ppm)

    def missed_on(self, plans: Plans, course: Course) -> Reason | None:
        """Return what a menu lacks of the plan where another is to be chosen: it, or its price."""
        if course is not Course.OTHER_PLAN:
            return None
        is_dearer = any(one[:2] == self.plan[:2] for one in plans)
        return Reason.PRICE_NOT_OFFERED if is_dearer else Reason.PLAN_NOT_OFFERED


@lru_cache(maxsize=MENUS_MAX)
def menu(plans: Plans) -> Menu:
    """Return the menu of some plans."""
    return Menu(plans)


class _Rules(NamedTuple):
    """What decides in a book, and how its inputs are computed.

    `row` computes the inputs of the policy and, behind them, those that only the card looks at.
    """

    book: Rulebook
    row: Row
    scoring: Scoring | None  # None if the policy does not look at a score
    asks_address: bool


class Inquiry(NamedTuple):
    """What is asked in the round trip of the locks: which policy decides, what bureaus said."""

    rulebook_of: Callable[[Book], Rulebook]
    reports: Callable[[], bureau.Said]


def asking(ground: Ground, session: Session, accounts: Collection[AccountId]) -> Inquiry | None:
    """Ask what a policy needs, in the round trip of a pipeline; None if none is to decide."""
    named = ground.rulebooks.get(DecisionKind.PURCHASE)
    if named is None and not ground.asks_policies:
        return None
    rulebook_of = Deciding(session, DecisionKind.PURCHASE).of if named is None else _always(named)
    return Inquiry(rulebook_of, bureau.asking(session, accounts, ground.clock.now()))


def _always(rulebook: Rulebook) -> Callable[[Book], Rulebook]:
    return lambda _: rulebook


class Rulings:
    """The rulings of one batch; its accounts are locked."""

    def __init__(
        self,
        ground: Ground,
        booking: Booking,
        session: Session,
        accounts: Collection[Account],
        inquiry: Inquiry | None,
    ) -> None:
        self._ground, self._booking, self._session = ground, booking, session
        self._decisions = Decisions(booking)
        self._conduct = ground.catalogue.conduct()
        self._plans = _plans(ground)
        # What is known by identity is kept beside it, so that it does not go away.
        self._menus: dict[tuple[int, tuple[Act, ...], int], tuple[Menu, tuple[Offer, ...]]] = {}
        self._rules: dict[str, _Rules] = {}  # by book
        self._followed: Followed | None = None
        if inquiry is not None:
            self._rulebook_of = inquiry.rulebook_of
            self._accounts = accounts
            self._allowed: Allowed | None = None
            self._reports = inquiry.reports()
            self._moment = moment_of(booking.now)
            self._checks = ground.trails.row([CHECKS_PASSED])
            self._followed = booking.followed = ground.trails.follow(session, accounts)
        self._consequences = Consequences(ground, booking, session, accounts, self._followed)

    def _rules_of(self, book: Book) -> _Rules:
        """Return what decides in a book. Errors: PolicyMissing, RulebookAltered."""
        found = self._rules.get(book.book_id)
        if found is None:
            rulebook = self._rulebook_of(book)
            names = [one.name for one in rulebook.policy.inputs]
            scoring = Scoring.of(names, rulebook.scorecard)
            row = self._ground.trails.row(scoring.names if scoring else names)
            found = self._rules[book.book_id] = _Rules(rulebook, row, scoring, ALLOWED in names)
        return found

    def rule(self, asked: Sequence[Asked]) -> list[Ruling]:
        """Decide purchases of different accounts as these stand now, and keep the decisions.

        Each step is taken for all of them before the next: what a step runs and looks at then stays
        in the processor's nearest cache, which halves its time.

        Shapes: one ruling per purchase, in their order.
        """
        now, followed = self._booking.now, self._followed
        standings = [one.account.standing_at(now) for one in asked]
        floors = [judge(at, one.amount_minor) for one, at in zip(asked, standings, strict=True)]
        if followed is None:
            latency_us = self._latency_us()
            return [
                self._judged(*one, latency_us) for one in zip(asked, standings, floors, strict=True)
            ]
        rules = [self._rules_of(one.account.book) for one in asked]
        values = self._values(followed, rules, asked, standings)
        said = [one.book.decide(row) for one, row in zip(rules, values, strict=True)]
        latency_us = self._latency_us()
        return [
            self._judged(one, standing, floor, latency_us)
            if floor.outcome is Outcome.DECLINE and not _declines(verdict)
            else self._ruled(one, floor, rule.book, row, verdict, latency_us)
            for one, standing, floor, rule, row, verdict in zip(
                asked, standings, floors, rules, values, said, strict=True
            )
        ]

    def _ruled(
        self,
        asked: Asked,
        floor: Verdict,
        rulebook: Rulebook,
        values: Sequence[Value],
        said: Said,
        latency_us: int,
    ) -> Ruling:
        """Return what becomes of a purchase by the verdict of its policy, and keep the decision."""
        account, is_floored = asked.account, floor.outcome is Outcome.DECLINE
        weighed = self._consequences.weigh(rulebook, account, said, is_floored=is_floored)
        acts = weighed.acts
        offered = self._menu(account, said.offers, acts)
        plans = offered.plans
        course = course_of(
            acts,
            is_floored=is_floored or _is_narrowed(acts, account, asked.amount_minor),
            is_on_menu=asked.plan in plans,
        )
        missed = asked.missed_on(plans, course)
        reasons: tuple[str, ...] = ()
        if missed is not None:
            reasons = self._missed(rulebook.policy, asked, said, acts, missed)
        elif course is not Course.APPROVE:
            reasons = reasons_of(rulebook.policy, said, stopped_by(said.effects, acts, course))
        self._decisions.add(
            rulebook,
            Decision(
                account=account,
                decision_id=asked.decision_id,
                outcome=weighed.outcome,
                reasons=weighed.reasons,
                inputs=values,
                as_of_number=account.event_count,
                effects=weighed.words,
                points=said.points,
                hits=said.hits,
                menu=offered,
                would_change=self._turn(rulebook, asked, values, said, missed),
                latency_us=latency_us,
            ),
        )
        return Ruling(course, reasons, plans, rulebook.name, rulebook.version, missed, said, acts)

    def _missed(
        self, policy: Policy, asked: Asked, said: Said, acts: tuple[Act, ...], missed: Reason
    ) -> tuple[str, ...]:
        """Return why a menu lacks the plan that was asked for: the reasons of that alone (P3).

        What the grade of price or the catalogue does not offer is no doing of the policy's.
        """
        sold = {one[:2] for one in self._menu(asked.account, (), ()).plans}
        if asked.plan[:2] not in sold:
            return (missed.value,)
        why = left_out_reasons(policy, said, asked.plan)
        if missed is Reason.PRICE_NOT_OFFERED:
            return (missed.value, *why)[:REASONS_MAX]
        cooled = {one[:2] for one in self._menu(asked.account, (), acts).plans}
        if asked.plan[:2] not in cooled:
            why += reasons_of(policy, said, Effect.COOLER_MENU)
        return tuple(dict.fromkeys(why))[:REASONS_MAX] or (missed.value,)

    def _turn(
        self,
        rulebook: Rulebook,
        asked: Asked,
        values: Sequence[Value],
        said: Said,
        missed: Reason | None,
    ) -> str | None:
        """Return what would change a decision, or put the plan on its menu, as it is kept."""
        turn = turned(rulebook.policy, rulebook.decide, values) if said.effects else None
        if turn is None and missed is not None:
            products = self._products(asked.account)

            def is_made(after: Said) -> bool:
                plans = menu_of(self._plans, after.offers, after.effects, products)
                is_there = asked.plan in plans
                found = course_of(after.effects, is_floored=False, is_on_menu=is_there)
                return found is Course.APPROVE

            turn = turned_to(rulebook.policy, rulebook.decide, values, is_made)
        return None if turn is None else turn.text

    def note(self, account: Account, kind: str, payload: str) -> None:
        """Let the account's trail know of its latest event, which the flow books itself."""
        if self._followed is not None:
            self._followed.note(account, kind=kind, moment=self._moment, payload=payload)

    def respond(self, asked: Asked, ruling: Ruling) -> None:
        """Carry out what a ruling asks for, after the event of the purchase itself."""
        if ruling.said is not None:
            self._consequences.carry_out(
                self._rules_of(asked.account.book).book,
                asked.account,
                ruling.said,
                ruling.acts,
                decision_id=UUID(bytes=asked.decision_id),
                evidence={"amount_minor": asked.amount_minor},
            )

    def _values(
        self,
        followed: Followed,
        rules: Sequence[_Rules],
        asked: Sequence[Asked],
        standings: Sequence[Standing],
    ) -> list[list[Value]]:
        """Return the inputs of purchases of different accounts, step by step for all of them."""
        moment = self._moment
        trails = [followed.of(one.account) for one in asked]
        passed = [self._checks(trail, moment)[0] for trail in trails]
        given = [one.account.given(at) for one, at in zip(asked, standings, strict=True)]
        for known, one, rule, trail, checks in zip(
            given, asked, rules, trails, passed, strict=True
        ):
            known["amount_minor"] = one.amount_minor
            known["instalment_count"] = one.instalments
            known["is_stepped_up"] = int(bool(checks))
            if self._reports:
                known.update(self._reports.get(one.account.account_id, NOTHING))
            if rule.asks_address and trail.address:
                address, allowed = bytes.fromhex(trail.address), self._allowed_among(followed)
                known[ALLOWED] = int(allowed.has(one.account.book.book_id, address))
        values = [
            rule.row(trail, moment, known)
            for rule, trail, known in zip(rules, trails, given, strict=True)
        ]
        for rule, row, one, standing in zip(rules, values, asked, standings, strict=True):
            if rule.scoring is not None:
                is_cut = standing.limit_minor != one.account.limit_minor
                rule.scoring.complete(row, _uncut(one.account) if is_cut else NOTHING)
        return values

    def _allowed_among(self, followed: Followed) -> Allowed:
        """Return which addresses the batch's accounts were last at are allowed, asked once."""
        if self._allowed is None:
            seen = {followed.of(one).address for one in self._accounts}
            seals = [bytes.fromhex(one) for one in seen if one]
            books = {one.book.book_id for one in self._accounts}
            now, rule = self._booking.now, self._ground.crowd
            with self._session.pipeline():
                asked = places.asking_allowed(self._session, books, seals, now, rule)
            self._allowed = asked()
        return self._allowed

    def _judged(self, asked: Asked, standing: Standing, floor: Verdict, latency_us: int) -> Ruling:
        """Return what the built-in judge decides, and keep the decision."""
        offered = self._menu(asked.account, (), ())
        reasons = tuple(one.value for one in floor.reasons)
        turn = turned_of_judge(standing, asked.amount_minor) if reasons else None
        self._decisions.add(
            STARTER,
            Decision(
                account=asked.account,
                decision_id=asked.decision_id,
                outcome=floor.outcome.value,
                reasons=reasons,
                inputs=starter_inputs(standing, asked.amount_minor),
                as_of_number=asked.account.event_count,
                menu=offered,
                would_change=turn and turn.text,
                latency_us=latency_us,
            ),
        )
        plans = offered.plans
        course = course_of(
            (),
            is_floored=floor.outcome is Outcome.DECLINE,
            is_on_menu=asked.plan in plans,
        )
        missed = asked.missed_on(plans, course)
        if missed is not None:
            reasons = (missed.value,)
        return Ruling(course, reasons, plans, STARTER.name, STARTER.version, missed)

    def _latency_us(self) -> int:
        return latency_us(self._booking.now, self._ground.clock.now())

    def _menu(self, account: Account, offers: tuple[Offer, ...], acts: tuple[Act, ...]) -> Menu:
        """Return what an account is offered; most of a batch share a few menus."""
        key = (id(offers), acts, account.price_grade)
        found = self._menus.get(key)
        if found is None:
            plans = menu_of(self._plans, offers, acts, self._products(account))
            found = self._menus[key] = (menu(plans), offers)
        return found[0]

    def _products(self, account: Account) -> frozenset[str]:
        """Return the products of an account's grade of price."""
        return self._conduct.offered({name for name, _ in self._plans}, account.price_grade)


def _uncut(account: Account) -> dict[str, Value]:
    """Return what a score is told of a limit that is smaller for a while: that of the limit itself.

    A protection may have a weak cause, and those never move a score (P6).
    """
    used, limit = account.principal_open_minor + account.held_minor, account.limit_minor
    return {"utilisation_ppm": used * PPM // limit if limit > 0 else None}


def _declines(said: Said) -> bool:
    return any(act.effect is Effect.DECLINE for act in said.effects)


def _is_narrowed(acts: Sequence[Act], account: Account, amount_minor: int) -> bool:
    """Return whether the amount is above the share of the limit that is left to new purchases.

    Of the limit itself: a ceiling that runs already is not made smaller by the same share again.
    """
    shares = [act.amount for act in acts if act.effect is Effect.SMALLER_LIMIT]
    if not shares:
        return False
    used_minor = account.principal_open_minor + account.held_minor
    return used_minor + amount_minor > account.limit_minor * min(shares) // PPM


def _plans(ground: Ground) -> tuple[Sold, ...]:
    """Return every plan that is sold at all."""
    sold = ground.catalogue.sold()
    return tuple((name, count) for name, counts in sold.items() for count in counts)
