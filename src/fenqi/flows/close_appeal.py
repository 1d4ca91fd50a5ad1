"""A person who did not make a decision finds for or against whoever contested it (P3).

If the appeal is upheld, what the decision did is undone: the limit or price comes back by a change
of its own, protections end, the application is decided again without what was refuted. If it is
not, the reasons that stand are told.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar
from uuid import UUID

from fenqi.core.account import judge
from fenqi.core.errors import FenqiError
from fenqi.core.risk.appeal import Answer, answered, restored, stopping
from fenqi.core.risk.application import INCOME_REASONS, EvidenceMissing, EvidenceUnasked
from fenqi.core.risk.case import (
    MACHINES,
    CaseOutcome,
    EntryKind,
    check_apart,
    check_name,
    check_text,
)
from fenqi.core.risk.change import Subject
from fenqi.core.risk.consent import ConsentMissing, DataClass
from fenqi.core.risk.consequence import UNTOLD
from fenqi.core.risk.decision import DecisionKind
from fenqi.core.risk.input import Purpose
from fenqi.core.risk.response import Finding, ProtectionKind
from fenqi.core.values.ids import AccountId
from fenqi.store import appeals, cases, changes, decision_records, persons
from fenqi.store.accounts import Account
from fenqi.store.appeals import Appeal, AppealMissing, Contested
from fenqi.store.applications import ApplicationState
from fenqi.store.booking import Booking
from fenqi.store.cases import Case
from fenqi.store.changes import Changes
from fenqi.store.commands import Command, Inbox
from fenqi.store.ground import Ground
from fenqi.store.parties import Parties
from fenqi.store.pool import Session
from fenqi.store.responses import Responses
from fenqi.store.rows import Rows

EVIDENCE = ("payslip", "bank-statement", "tax-record")  # of income


class CloseAppeal(Command, frozen=True, kw_only=True):
    """Find for or against an appeal. The actor is a person who did not make the decision.

    `reasons` are those refuted, or those that stand, of the decision's; none names all.
    `income_evidenced_minor` is what an applicant has shown meanwhile, with `evidence` of what kind.

    Units: minor units a month.
    """

    kind: ClassVar[str] = "close-appeal"
    account_id: AccountId
    appeal_id: UUID
    outcome: Answer
    text: str
    reasons: tuple[str, ...] = ()
    income_evidenced_minor: int | None = None
    evidence: str | None = None


@dataclass(frozen=True, slots=True)
class AppealClosed:
    """What came of it: the limit or price there is now, protections that ended, what waits again.

    `stands` are the reasons for which a purchase would still be declined if it were tried now.

    Units: minor units for a limit, ppm a year for a price.
    """

    outcome: str
    reasons: list[str]
    restored: int | None = None
    ended: int = 0
    is_reopened: bool = False
    stands: list[str] = field(default_factory=list)


def close_appeal(
    ground: Ground, commands: Sequence[CloseAppeal]
) -> list[AppealClosed | FenqiError]:
    """End each command's appeal with what was found."""
    booking = Booking(ground)
    ends = Rows(appeals.CHANGES)
    booking.others.append(ends)
    with ground.store.transaction() as session:
        parties = Parties(session, {one.account_id for one in commands})
        inbox: Inbox[CloseAppeal, AppealClosed] = Inbox(session, commands, AppealClosed)
        known = appeals.KEPT.lock(session, {(one.account_id, one.appeal_id) for one in commands})
        held = cases.lock(session, {one.case_id for one in known.values()})
        decisions = appeals.contested(session, {one.decision_id for one in known.values()})
        work = _Work(ground, session, booking, parties)
        for place, command in inbox.fresh():
            key = (command.account_id, command.appeal_id)
            try:
                account = parties.find(command.account_id)
                appeal = known.get(key)
                if appeal is None:
                    raise AppealMissing(appeal=command.appeal_id)
                appeal.check_open()
                by, text = check_name("actor", command.actor), check_text(command.text)
                decision = decisions[appeal.decision_id]
                reasons = answered(command.reasons, decision.reasons or (UNTOLD,))
                work.check_apart(by, appeal, held[appeal.case_id], decision)
                work.check_shown(command, decision, reasons)
            except FenqiError as refusal:
                inbox.refuse(place, refusal)
                continue
            known[key] = replace(appeal, outcome=command.outcome)
            answer = work.close(account, decision, appeal, command, reasons)
            appeals.ended(appeal, command.outcome, reasons, account.book.business_date, by, ends)
            work.close_case(held[appeal.case_id], command, text)
            inbox.answer(place, account.account_id, answer)
        parties.keep(booking)
        booking.write(session, inbox.kept(booking.now))
    return inbox.answers()


class _Work:
    """Where the appeals of one batch are answered."""

    def __init__(
        self, ground: Ground, session: Session, booking: Booking, parties: Parties
    ) -> None:
        self._ground, self._session, self._booking = ground, session, booking
        self._parties = parties
        self._conduct = ground.catalogue.conduct()
        self._responses = Responses(ground, booking, session)

    def check_apart(self, by: str, appeal: Appeal, case: Case, decision: Contested) -> None:
        """Keep out who made the decision, or what it was made for, or the appeal. Errors: TookPart.

        Whoever wrote an appeal down for its customer does not answer it, nor does a machine.
        """
        kinds = stopping(decision.reasons) if decision.kind is DecisionKind.PURCHASE else ()
        ids = (appeal.account_id, appeal.decision_id)
        parted = appeals.took_part(self._session, *ids, kinds)
        check_apart(by, {*parted, *MACHINES, case.opened_by}, case=appeal.case_id)

    def check_shown(
        self, command: CloseAppeal, decision: Contested, reasons: Sequence[str]
    ) -> None:
        """Take evidence of income only where an application is to be decided again with it.

        Errors: ApplicationMissing, ApplicationElsewhere, EvidenceMissing, EvidenceUnasked,
        ConsentMissing.
        """
        if decision.kind is DecisionKind.APPLICATION and command.outcome is Answer.UPHELD:
            self._parties.check_reopens(decision)
            _check_income(command, reasons)
            self._check_consent(command)
        elif (command.income_evidenced_minor, command.evidence) != (None, None):
            raise EvidenceUnasked

    def _check_consent(self, command: CloseAppeal) -> None:
        """Refuse income that was shown after the consent to it was taken back: no ruling sees it.

        Errors: ConsentMissing.
        """
        if command.income_evidenced_minor is None:
            return
        person = self._parties.application(command.account_id).person_id
        consents = persons.Consents(self._session, {person})
        if consents.taken_back_at(person, DataClass.INCOME, Purpose.CREDIT) is not None:
            raise ConsentMissing(data_class=DataClass.INCOME.value)

    def close(
        self,
        account: Account,
        decision: Contested,
        appeal: Appeal,
        command: CloseAppeal,
        reasons: tuple[str, ...],
    ) -> AppealClosed:
        """Tell what was found and undo what was wrong."""
        is_upheld = command.outcome is Answer.UPHELD
        answer = AppealClosed(command.outcome.value, list(reasons))
        if is_upheld:
            answer = self._undo(account, decision, command, answer)
        self._booking.event(
            account,
            "appeal-closed",
            payload={
                "appeal_id": appeal.appeal_id,
                "decision_id": appeal.decision_id,
                "kind": appeal.kind.value,
                "outcome": answer.outcome,
                "reasons": reasons,
                "restored": answer.restored,
                "ended": answer.ended,
                "is_reopened": answer.is_reopened,
                "stands": answer.stands,
            },
            actor=command.actor,
            command_key=command.key,
            topic="customer",
        )
        return answer

    def _undo(
        self, account: Account, decision: Contested, command: CloseAppeal, answer: AppealClosed
    ) -> AppealClosed:
        """Undo what a decision did; a purchase is not made by it, but may be tried again."""
        if decision.kind is DecisionKind.APPLICATION:
            self._reopen(command, answer.reasons)
            return replace(answer, is_reopened=True)
        if decision.subject is not None:
            return replace(answer, restored=self._restore(account, decision, command))
        if decision.kind is DecisionKind.PURCHASE:
            return self._let_try(account, decision, command, answer)
        return replace(answer, ended=self._release(account, decision, command.actor))

    def _reopen(self, command: CloseAppeal, reasons: Sequence[str]) -> None:
        """Let an application wait for its decision again, without what was refuted."""
        one = self._parties.application(command.account_id)
        one.state, one.decided_at, one.decided_by = ApplicationState.RECEIVED, None, None
        one.reopened += 1
        one.refuted = tuple(dict.fromkeys([*one.refuted, *reasons]))
        if command.income_evidenced_minor is not None:
            one.income_evidenced_minor = command.income_evidenced_minor
            one.evidence = command.evidence

    def _restore(self, account: Account, decision: Contested, command: CloseAppeal) -> int | None:
        """Give back what still stands of a cut or a rise; return the value there is then."""
        subject, decision_id = decision.subject, decision.decision_id
        if subject is None:
            return None
        cut = changes.cut_of(self._session, account.account_id, subject, decision_id)
        if cut is None:
            return None
        of = {account.account_id: account}
        on, conduct = account.book.business_date, self._conduct
        history = changes.histories(self._session, of, subject, on=on, conduct=conduct)
        standing = history[account.account_id].standing
        levels = () if subject is Subject.LIMIT else [one.level_ppm for one in conduct.grades]
        change = restored(subject, standing, cut.left, levels)
        if change is None:
            return None
        made = Changes(self._booking, conduct)
        made.make(
            account,
            change,
            decision_id=decision_id,
            actor=command.actor,
            command_key=command.key,
        )
        made.write(self._session)  # what stands is read again for the next appeal
        return change.new

    def _let_try(
        self, account: Account, decision: Contested, command: CloseAppeal, answer: AppealClosed
    ) -> AppealClosed:
        """End what a purchase was stopped for; say what would stop the same one still.

        The merchant's order is declined for good. What a policy declined for does no harm for a
        while, because a person found it wrong (`store/cases.py: cleared`).
        """
        kinds = stopping(answer.reasons)
        ended = self._release(account, decision, command.actor, kinds)
        record = decision_records.read(self._session, decision.decision_id)
        standing = account.standing_at(self._booking.now)
        floor = judge(standing, record.given.get("amount_minor") or 0)
        stands = [one.value for one in floor.reasons]
        return replace(answer, ended=ended, stands=stands)

    def _release(
        self,
        account: Account,
        decision: Contested,
        actor: str,
        kinds: Collection[ProtectionKind] = (),
    ) -> int:
        """End what a decision placed, and protections of some kinds; return how many."""
        ended = 0
        for one in self._responses.of(account):
            is_meant = one.decision_id == decision.decision_id or one.kind in kinds
            if one.ended_at is None and is_meant:
                self._responses.end(account, one, finding=Finding.FALSE_ALARM, actor=actor)
                ended += 1
        return ended

    def close_case(self, case: Case, command: CloseAppeal, text: str) -> None:
        """Close the case too, unless a person has done so; a false alarm upholds an appeal."""
        if case.outcome is not None:
            return
        is_upheld = command.outcome is Answer.UPHELD
        case.outcome = CaseOutcome.FALSE_ALARM if is_upheld else CaseOutcome.CONFIRMED
        case.closed_by, case.closed_at = command.actor, self._booking.now
        evidence: Mapping[str, object] = {"outcome": command.outcome.value}
        self._responses.docket.write(case, EntryKind.CLOSED, command.actor, text, evidence)


def _check_income(command: CloseAppeal, reasons: Sequence[str]) -> None:
    """Refuse to reopen what would be declined again for want of income that nobody has shown.

    Errors: EvidenceMissing.
    """
    lacks = [code for code in reasons if code in INCOME_REASONS]
    shown = command.income_evidenced_minor
    if lacks and (shown is None or shown <= 0):
        raise EvidenceMissing(reason=lacks[0])
    is_half = shown is None and command.evidence is not None
    if is_half or (shown is not None and (shown < 0 or command.evidence not in EVIDENCE)):
        raise EvidenceMissing(reason="income-not-shown")
