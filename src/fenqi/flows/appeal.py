"""Somebody contests a decision about them, and a person who did not make it will find (P3).

Any decision that harmed can be contested, also by who applied and has no account: a purchase that
was declined, a cut, a dearer price, a hold, an application. What is found, `close_appeal.py` does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import ClassVar
from uuid import UUID

from fenqi.core.errors import FenqiError
from fenqi.core.risk.appeal import check_may_contest
from fenqi.core.risk.case import CaseKind, check_name, check_text
from fenqi.core.risk.decision import DecisionKind
from fenqi.core.values.ids import AccountId
from fenqi.store import appeals
from fenqi.store.accounts import Account
from fenqi.store.appeals import Appeal, AppealMade, Contested
from fenqi.store.booking import Booking
from fenqi.store.cases import Case
from fenqi.store.commands import Command, Inbox
from fenqi.store.decision_records import DecisionMissing
from fenqi.store.ground import Ground
from fenqi.store.parties import Parties
from fenqi.store.responses import Responses

PRIORITY = 2  # of its case: somebody waits for it
CUSTOMER = "customer"


class OpenAppeal(Command, frozen=True, kw_only=True):
    """Contest a decision, in one's own words. The scope is the account, or who applied for it."""

    kind: ClassVar[str] = "open-appeal"
    account_id: AccountId
    decision_id: UUID
    text: str


@dataclass(frozen=True, slots=True)
class AppealOpened:
    """The appeal, its case, and the day by which it is answered."""

    appeal_id: str
    case_id: str
    due_on: str


def open_appeal(ground: Ground, commands: Sequence[OpenAppeal]) -> list[AppealOpened | FenqiError]:
    """Open an appeal for each command."""
    booking = Booking(ground)
    with ground.store.transaction() as session:
        parties = Parties(session, {one.account_id for one in commands})
        inbox: Inbox[OpenAppeal, AppealOpened] = Inbox(session, commands, AppealOpened)
        known = appeals.contested(session, {one.decision_id for one in commands})
        keys = {(one.account_id, one.decision_id) for one in commands}
        made = appeals.of_decisions(session, keys)
        responses = Responses(ground, booking, session)
        opened: list[Appeal] = []
        for place, command in inbox.fresh():
            try:
                account = parties.find(command.account_id)
                decision = _decision(command, known, made)
                pack, today = ground.catalogue.pack(account.book.pack), account.book.business_date
                about = (decision.outcome, decision.reasons, decision.decided_on)
                check_may_contest(*about, today, days=pack.appeal_days)
                if decision.kind is DecisionKind.APPLICATION:
                    parties.check_reopens(decision)
                text = check_text(command.text)
            except FenqiError as refusal:
                inbox.refuse(place, refusal)
                continue
            due_days = pack.appeal_answer_days
            appeal = _open(ground, booking, responses, account, decision, command, text, due_days)
            made[appeal.decision_id] = appeal
            opened.append(appeal)
            answer = AppealOpened(
                str(appeal.appeal_id), str(appeal.case_id), appeal.due_on.isoformat()
            )
            inbox.answer(place, account.account_id, answer)
        parties.keep(booking)
        booking.write(session, appeals.begun(opened), inbox.kept(booking.now))
    return inbox.answers()


def _decision(
    command: OpenAppeal, known: Mapping[UUID, Contested], made: Mapping[UUID, Appeal]
) -> Contested:
    """Return the decision that is contested, once. Errors: DecisionMissing, AppealMade."""
    decision = known.get(command.decision_id)
    if decision is None or decision.account_id != command.account_id:
        raise DecisionMissing(decision=command.decision_id)
    if command.decision_id in made:
        raise AppealMade(appeal=made[command.decision_id].appeal_id)
    return decision


def _open(
    ground: Ground,
    booking: Booking,
    responses: Responses,
    account: Account,
    decision: Contested,
    command: OpenAppeal,
    text: str,
    due_days: int,
) -> Appeal:
    appeal_id, on = ground.ids.new(), account.book.business_date
    due_on = on + timedelta(days=due_days)
    case = _open_case(responses, account, decision, command, text, due_on)
    booking.event(
        account,
        "appeal-opened",
        payload={
            "appeal_id": appeal_id,
            "decision_id": decision.decision_id,
            "kind": decision.kind.value,
            "case_id": case.case_id,
            "due_on": due_on,
        },
        actor=command.actor,
        command_key=command.key,
        topic="customer",
    )
    account_id, kind = account.account_id, decision.kind
    return Appeal(account_id, appeal_id, decision.decision_id, kind, case.case_id, on, due_on)


def _open_case(
    responses: Responses,
    account: Account,
    decision: Contested,
    command: OpenAppeal,
    text: str,
    due_on: date,
) -> Case:
    case, _ = responses.docket.open(
        [account.account_id],
        book_id=account.book.book_id,
        kind=CaseKind.APPEAL,
        cause=f"{account.account_id}/decision/{decision.decision_id}",
        subject=f"contested: {decision.kind.value}",
        priority=PRIORITY,
        evidence={
            "decision_id": decision.decision_id,
            "outcome": decision.outcome,
            "reasons": decision.reasons,
            "due_on": due_on,
        },
        decision_id=decision.decision_id,
        author=check_name("actor", command.actor),
        text=text,
    )
    return case
