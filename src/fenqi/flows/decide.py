"""Applications are decided: on what was said, on what a bureau answered, if one did.

The bureau was asked before, outside of any transaction; how that ended is kept here with its cost
and its time. No answer is "unknown": a smaller beginning, never a decline. An approval is an offer:
a limit, a menu, a cost table by its digest, until a day.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import ClassVar
from uuid import UUID

import msgspec

from fenqi.core.errors import FenqiError
from fenqi.core.risk.application import (
    UNCLEAR,
    Ruling,
    content,
    inputs_of,
    opinion_of,
    refuted_inputs,
    rule,
    scored,
    turned,
)
from fenqi.core.risk.case import CaseKind
from fenqi.core.risk.consent import DataClass
from fenqi.core.risk.decision import LADDER, DecisionKind, Effect
from fenqi.core.risk.given import NORMAL
from fenqi.core.risk.input import Purpose, Value
from fenqi.core.risk.policy.policy import Act, Policy
from fenqi.core.risk.purchase import menu_of
from fenqi.core.risk.rulebook import Rulebook
from fenqi.core.terms.lending_rules import LendingRules
from fenqi.core.values.bureau import CONCLUSIVE, BureauAnswer, BureauReport
from fenqi.core.values.ids import AccountId, PersonId
from fenqi.store import accounts, applications, books, bureau, identities, persons, scorecards
from fenqi.store.accounts import Account, applicant
from fenqi.store.applications import Application, ApplicationState
from fenqi.store.booking import Booking
from fenqi.store.breaker import Decider, Restraint
from fenqi.store.commands import Command, Inbox
from fenqi.store.deciding import Deciding
from fenqi.store.decisions import Built, Decision, Decisions, Menu, built
from fenqi.store.ground import Ground
from fenqi.store.pool import Session
from fenqi.store.responses import REVIEW_PRIORITY, Responses
from fenqi.store.rows import Rows


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """How asking a bureau ended, under which consent."""

    bureau: str
    asked_at: datetime
    consent_number: int
    answer: BureauAnswer


class Decide(Command, frozen=True, kw_only=True):
    """Decide an application. The scope is the account it may open.

    The key of the first decision is always the same; a second step has one of its own.
    """

    kind: ClassVar[str] = "decide"
    account_id: AccountId
    asked: Asked | None = None
    is_again: bool = False  # the bureau may speak now about an offer made without its word


@dataclass(frozen=True, slots=True)
class Decided:
    """What came out; of an offer also what there is to accept. Units: minor units."""

    state: str
    outcome: str
    reasons: list[str]
    limit_minor: int | None = None
    cost_table: str | None = None
    offer_ends_on: str | None = None
    needs_step_up: bool = False


def decide(ground: Ground, commands: Sequence[Decide]) -> list[Decided | FenqiError]:
    """Decide each application that still waits."""
    booking = Booking(ground)
    with ground.store.transaction() as session:
        known = applications.lock(session, {one.account_id for one in commands})
        # Two applications of one person at a time would both open the case about them.
        persons.lock(session, {f"applicant/{one.person_id}" for one in known.values()})
        held = books.hold(session, {one.book_id for one in known.values()})
        inbox: Inbox[Decide, Decided] = Inbox(session, commands, Decided)
        fresh = []
        for place, command in inbox.fresh():
            try:
                application = applications.find(known, command.account_id)
                state = ApplicationState.OFFERED if command.is_again else ApplicationState.RECEIVED
                application.expect(state)
                _ = ground.catalogue.pack(held[application.book_id].pack).lends
            except FenqiError as refusal:
                inbox.refuse(place, refusal)
                continue
            fresh.append((place, command, application))
        if fresh:
            people = {application.person_id for *_, application in fresh}
            bench = _Bench(session, ground, booking, people, held.values())
            for place, command, application in fresh:
                take = bench.decide_again if command.is_again else bench.decide
                answer = take(held[application.book_id], application, command)
                inbox.answer(place, command.account_id, answer)
            booking.others += [bench.reports, applications.changed(one for *_, one in fresh)]
        booking.write(session, inbox.kept(booking.now))
    return inbox.answers()


class _Bench:
    """Where the applications of one batch are decided."""

    def __init__(
        self,
        session: Session,
        ground: Ground,
        booking: Booking,
        people: set[PersonId],
        of_books: Iterable[books.Book],
    ) -> None:
        self._ground, self._booking, self._session = ground, booking, session
        self._identities = persons.identities(session, people)
        self._stated = identities.standing(session, people)
        self._consents = persons.Consents(session, people)
        self._people = people
        self._kept: dict[int, Mapping[PersonId, BureauReport]] = {}  # by how many days they hold
        self._deciding = Deciding(session, DecisionKind.APPLICATION)
        self._cost_table: UUID | None = None
        self._rulebooks: dict[tuple[LendingRules, UUID], Built] = {}
        self._decisions = Decisions(booking)
        self._responses = Responses(ground, booking, session)
        self._responses.docket.know([_cause(one) for one in people])
        self._restraint = Restraint(
            session,
            booking,
            of_books,
            DecisionKind.APPLICATION,
            caps=ground.catalogue.conduct().caps_of(DecisionKind.APPLICATION),
            ids=ground.ids,
            docket=self._responses.docket,
        )
        self._decided: Counter[str] = Counter()  # so far, by book
        self.reports = Rows(bureau.REPORTS)

    def decide(self, book: books.Book, one: Application, command: Decide) -> Decided:
        """Rule on one application and take down what follows."""
        rules = self._ground.catalogue.pack(book.pack).lends
        account = applicant(one.account_id, book, one.event_count)
        heard, report = self._heard(account, one, command, rules)
        policy = self._deciding.of(book)
        inputs = self._inputs(book, one, policy, heard=heard, report=report)
        ruling = self._rule(book, policy, inputs, rules)
        return self._conclude(account, one, command, policy, inputs, ruling)

    def decide_again(self, book: books.Book, one: Application, command: Decide) -> Decided:
        """Rule on an offer again now that a bureau may have spoken; it only ever gets better.

        What was offered stands until its day, whatever the bureau says: an outage of ours does not
        count against the customer (P5).
        """
        rules = self._ground.catalogue.pack(book.pack).lends
        account = applicant(one.account_id, book, one.event_count)
        heard, report = self._heard(account, one, command, rules)
        one.event_count = account.event_count
        policy = self._deciding.of(book)
        inputs = self._inputs(book, one, policy, heard=heard, report=report)
        ruling = rule(inputs, rules, scorecards.of(policy.scorecard), opinion_of(policy))
        if not heard or not _is_better(ruling, one):
            return _standing(one)
        return self._conclude(account, one, command, policy, inputs, ruling)

    def _conclude(
        self,
        account: Account,
        one: Application,
        command: Decide,
        policy: Rulebook,
        inputs: Mapping[str, Value],
        ruling: Ruling,
    ) -> Decided:
        """Keep a decision and what it makes of the application."""
        book, rules = account.book, self._ground.catalogue.pack(account.book.pack).lends
        menu = None if ruling.is_declined else self._menu(policy.policy, ruling)
        one.decision_id = self._ground.ids.new()
        one.menu_id = menu.menu_id if menu else None
        turn = turned(inputs, rules, scorecards.of(policy.scorecard), opinion_of(policy))
        self._decisions.add(
            self._rulebook(rules, policy),
            Decision(
                account=account,
                decision_id=one.decision_id.bytes,
                outcome=ruling.outcome,
                reasons=ruling.reasons,
                inputs=list(inputs.values()),
                as_of_number=account.event_count,
                effects=ruling.effects,
                points=ruling.points,
                hits=ruling.hits,
                menu=menu,
                would_change=turn and turn.text,
            ),
        )
        one.outcome, one.reasons, one.effects = ruling.outcome, ruling.reasons, ruling.effects
        one.decided_at, one.decided_by = self._booking.now, command.actor
        if ruling.is_declined:
            one.state, kind = ApplicationState.DECLINED, "application-declined"
        else:
            one.limit_minor, one.counts_max = ruling.limit_minor, ruling.counts_max
            one.price_grade = ruling.price_grade
            one.cost_table = self._offered_costs()
            one.offer_ends_on = book.business_date + timedelta(days=rules.offer_days)
            one.state, kind = ApplicationState.OFFERED, "application-offered"
            if ruling.waits_for_a_person:
                one.state, kind = ApplicationState.REVIEW, "application-referred"
        answer = _answer(one, ruling)
        self._booking.event(
            account,
            kind,
            payload={
                "decision_id": str(one.decision_id),
                **_told(answer),
                "because": {effect.value: list(why) for effect, why in ruling.because.items()},
            },
            actor=command.actor,
            command_key=command.key,
            topic="customer",
        )
        if ruling.has(Effect.REVIEW):
            self._alert(account, one, ruling)
        one.event_count = account.event_count
        return answer

    def _rule(
        self, book: books.Book, policy: Rulebook, inputs: Mapping[str, Value], rules: LendingRules
    ) -> Ruling:
        """Return the ruling; what its policy harms passes the circuit breaker first."""
        opine, card = opinion_of(policy), scorecards.of(policy.scorecard)
        self._decided[book.book_id] += 1
        ruling = rule(inputs, rules, card, opine)
        (held,) = self._restraint.hold_back(
            book,
            Decider(policy.kind, policy.name, policy.version),
            [[effect for effect in LADDER if effect in ruling.harms]],
            decided=self._decided[book.book_id],
        )
        return rule(inputs, rules, card, opine, held) if held else ruling

    def _alert(self, account: Account, one: Application, ruling: Ruling) -> None:
        """Open the case about a person's applications, or add to the one that is open."""
        case, is_new = self._responses.docket.open(
            [one.account_id],
            book_id=one.book_id,
            kind=CaseKind.REVIEW,
            cause=_cause(one.person_id),
            subject=(*ruling.because.get(Effect.REVIEW, ()), "application")[0],
            priority=ruling.amount(Effect.REVIEW) or REVIEW_PRIORITY,
            evidence={
                "application": str(one.account_id),
                "applications_24h": one.applications_24h,
                "asked_minor": one.asked_minor,
                "reasons": list(ruling.because.get(Effect.REVIEW, ())),
                "effects": list(ruling.effects),
                **self._unclear(one, ruling),
            },
            decision_id=one.decision_id,
        )
        if is_new:
            self._responses.tell_case(account, case)

    def _unclear(self, one: Application, ruling: Ruling) -> dict[str, int]:
        """Return how many birthdays and identity cards were stated, where that is looked at.

        What was stated stays with the persons; whoever reads the case is shown it from there.
        """
        stated = self._stated[one.person_id]
        found = {
            "birthdays_stated": len(stated.birthdays),
            "national_ids_stated": len(stated.national_ids),
        }
        looked_at = ruling.because.get(Effect.REVIEW, ())
        return {name: count for name, count in found.items() if UNCLEAR[name] in looked_at}

    def _rulebook(self, rules: LendingRules, policy: Rulebook) -> Built:
        """Return what a ruling rests on: the pack's rules, the card, the policy."""
        key = (rules, policy.rulebook_id)
        if key not in self._rulebooks:
            rests_on = content(rules, scorecards.of(policy.scorecard), policy)
            named = (policy.name, policy.version)
            self._rulebooks[key] = built(DecisionKind.APPLICATION, *named, rests_on)
        return self._rulebooks[key]

    def _menu(self, policy: Policy, ruling: Ruling) -> Menu:
        """Return the plans the account begins with: what the policy offers, as cool as it asks.

        Of what is sold to its grade of price, as for the purchases that follow.
        """
        catalogue = self._ground.catalogue
        sold = catalogue.sold()
        plans = [(name, count) for name, counts in sorted(sold.items()) for count in counts]
        products = catalogue.conduct().offered(sold, ruling.price_grade)
        # A verdict has its offers cooled already, for all grades together; those of lines are not.
        offers = [one for number in ruling.hits for one in policy.lines[number].offers]
        cooler = ruling.counts_max
        acts = [] if cooler is None else [Act(Effect.COOLER_MENU, cooler)]
        return Menu(menu_of(plans, offers, acts, products))

    def _heard(
        self, account: Account, one: Application, command: Decide, rules: LendingRules
    ) -> tuple[bool, BureauReport | None]:
        """Keep how asking the bureau ended; return whether one was heard, and its report.

        What a bureau said lately counts too, as long as the consent to use it stands.
        """
        asked = command.asked
        if asked is not None:
            self._keep(account, one, asked, command.actor)
        if self._consents.given(one.person_id, DataClass.BUREAU, Purpose.CREDIT) is None:
            return False, None
        if asked is not None and asked.answer.finding in CONCLUSIVE:
            return True, asked.answer.report
        days = rules.report_days
        if days not in self._kept:
            since = self._booking.now - timedelta(days=days)
            self._kept[days] = bureau.newest(self._session, self._people, since)
        kept = self._kept[days].get(one.person_id)
        return kept is not None, kept

    def _keep(self, account: Account, one: Application, asked: Asked, actor: str) -> None:
        answer = asked.answer
        self.reports.add(
            one.person_id,
            self._ground.ids.new(),
            asked.bureau,
            "channel",
            answer.finding.value,
            actor,
            one.account_id,
            asked.consent_number,
            asked.asked_at,
            answer.cost_minor,
            answer.latency_us,
            answer.tries,
            answer.said,
            *bureau.columns_of(answer.report),
        )
        self._booking.event(
            account,
            "bureau-asked",
            payload={
                "bureau": asked.bureau,
                "finding": answer.finding.value,
                "cost_minor": answer.cost_minor,
                "latency_us": answer.latency_us,
                "consent": asked.consent_number,
            },
            occurred_at=asked.asked_at,
            actor=actor,
        )

    def _inputs(
        self,
        book: books.Book,
        one: Application,
        policy: Rulebook,
        *,
        heard: bool,
        report: BureauReport | None,
    ) -> dict[str, Value]:
        """Return what a ruling looks at, by name."""
        person, stated = self._identities[one.person_id], self._stated[one.person_id]
        known = report or BureauReport(self._booking.now)
        owed = [one.obligations_minor, known.monthly_due_minor]
        asked_of = (one.person_id, DataClass.INCOME, Purpose.CREDIT)
        is_hidden = self._consents.taken_back_at(*asked_of) is not None
        values: dict[str, Value] = {
            "amount_minor": one.asked_minor,
            "income_declared_minor": one.income_declared_minor,
            "income_evidenced_minor": None if is_hidden else one.income_evidenced_minor,
            "obligations_monthly_minor": max((x for x in owed if x is not None), default=None),
            # Of several birthdays the earliest: law excludes whom it would by each of them.
            "age_years": age_years(min(stated.birthdays), book.business_date),
            "is_student": None if person.is_student is None else int(person.is_student),
            "bureau_score": known.score,
            "bureau_enquiries_30d": known.enquiries_30d,
            "bureau_overdue_accounts": known.overdue_accounts,
            "bureau_worst_overdue_days": known.worst_overdue_days,
            "bureau_open_credit_minor": known.open_credit_minor,
            "bureau_age_days": _age_days(report, self._booking.now),
            "is_bureau_heard": int(heard),
            "applications_24h": one.applications_24h,
            "regime": NORMAL,
            "is_stepped_up": int(one.is_stepped_up),
            "birthdays_stated": len(stated.birthdays),
            "national_ids_stated": len(stated.national_ids),
        }
        card = scorecards.of(policy.scorecard)
        for name in refuted_inputs(one.refuted, policy.policy, card):
            values[name] = None
        complete = scored(values, card)
        return {name: complete.get(name) for name in inputs_of(policy.policy)}

    def _offered_costs(self) -> UUID:
        if self._cost_table is None:
            catalogue = self._ground.catalogue
            self._cost_table = accounts.add_cost_table(self._session, catalogue)
        return self._cost_table


def _cause(person_id: PersonId) -> str:
    return f"applications/{person_id}"


def _is_better(ruling: Ruling, one: Application) -> bool:
    """Whether a ruling gives more than what was offered, and asks for nothing more."""
    if ruling.is_declined or ruling.waits_for_a_person:
        return False
    counts = ruling.counts_max
    is_cooler = counts is not None and (one.counts_max is None or counts < one.counts_max)
    asks_more = ruling.has(Effect.STEP_UP) and not (one.needs_step_up or one.is_stepped_up)
    is_dearer = ruling.price_grade > one.price_grade
    return (
        ruling.limit_minor > (one.limit_minor or 0)
        and not is_cooler
        and not asks_more
        and not is_dearer
    )


def age_years(born_on: date, on: date) -> int:
    """Return how old somebody is on a day; who was born on 29 February ages on 1 March."""
    return on.year - born_on.year - ((on.month, on.day) < (born_on.month, born_on.day))


def _age_days(report: BureauReport | None, now: datetime) -> int | None:
    return None if report is None else max(0, (now - report.as_of).days)


def _standing(one: Application) -> Decided:
    """Return what an offer says that stays as it was made."""
    return _told_of(one, one.outcome or "", list(one.reasons))


def _answer(one: Application, ruling: Ruling) -> Decided:
    return _told_of(one, ruling.outcome, list(ruling.reasons))


def _told_of(one: Application, outcome: str, reasons: list[str]) -> Decided:
    if one.state is not ApplicationState.OFFERED:
        return Decided(one.state.value, outcome, reasons)
    return Decided(
        state=one.state.value,
        outcome=outcome,
        reasons=reasons,
        limit_minor=one.limit_minor,
        cost_table=str(one.cost_table),
        offer_ends_on=str(one.offer_ends_on),
        needs_step_up=one.needs_step_up,
    )


def _told(answer: Decided) -> dict[str, object]:
    """Return what an event tells of a decision: nothing that is about the person."""
    return {
        "reasons": answer.reasons,
        "limit_minor": answer.limit_minor,
        "cost_table": answer.cost_table,
        "ends_on": answer.offer_ends_on,
        "needs_step_up": answer.needs_step_up,
    }
