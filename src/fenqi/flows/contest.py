"""A customer contests a purchase; a person finds for or against it.

While it is open nothing of the plan is claimed: no statement names it, no payment or credit goes to
it, it does not age, and no late charge counts. Upheld, it is refunded as if never lent, with all
late charges; not upheld, it goes on with as many days as it had left, and the days it was open cost
nothing. A case holds what was said and found.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import ClassVar
from uuid import UUID

from fenqi.core.errors import FenqiError
from fenqi.core.risk.case import (
    MACHINES,
    CaseKind,
    CaseOutcome,
    EntryKind,
    check_apart,
    check_name,
    check_text,
)
from fenqi.core.servicing.contest import Finding
from fenqi.core.servicing.contest import Ground as Why
from fenqi.core.terms.operation import Contested, OperationKind
from fenqi.core.values.ids import AccountId, OrderId, PlanId
from fenqi.store import accounts, bills, cases, contests, plans
from fenqi.store.accounts import Account
from fenqi.store.booking import Booking
from fenqi.store.cases import Case, Docket
from fenqi.store.commands import Command, Inbox
from fenqi.store.contests import CHANGES, Contest, ContestMissing
from fenqi.store.ground import Ground
from fenqi.store.plans import PlanContested, PlanHasNoOrder, PlanRecord, open_days
from fenqi.store.returns import Returns, refundable
from fenqi.store.rows import Rows

A_DAY = timedelta(days=1)
PRIORITY = 2  # of its case: money of a customer waits on it
CUSTOMER = "customer"


class OpenContest(Command, frozen=True, kw_only=True):
    """Contest a purchase, by its plan, in the customer's own words."""

    kind: ClassVar[str] = "open-contest"
    account_id: AccountId
    plan_id: PlanId
    ground: Why
    text: str
    asked_at: datetime


class CloseContest(Command, frozen=True, kw_only=True):
    """Find for or against a contest. The actor is a person."""

    kind: ClassVar[str] = "close-contest"
    account_id: AccountId
    contest_id: UUID
    outcome: Finding
    text: str
    found_at: datetime


@dataclass(frozen=True, slots=True)
class ContestOpened:
    """The contest and its case."""

    contest_id: str
    case_id: str


@dataclass(frozen=True, slots=True)
class ContestClosed:
    """What came of it: the days given, or what need not be paid and what goes back.

    Units: minor units.
    """

    outcome: str
    days_given: int
    principal_minor: int = 0
    cost_minor: int = 0
    returned_minor: int = 0


def open_contest(
    ground: Ground, commands: Sequence[OpenContest]
) -> list[ContestOpened | FenqiError]:
    """Open a contest for each command."""
    booking = Booking(ground)
    with ground.store.transaction() as session:
        locked = accounts.lock(session, {command.account_id for command in commands})
        inbox: Inbox[OpenContest, ContestOpened] = Inbox(session, commands, ContestOpened)
        found = plans.load(session, {(c.account_id, c.plan_id) for c in commands}, ground.catalogue)
        docket = Docket(ground, session, booking.now)
        booking.others.append(docket)
        opened: list[Contest] = []
        for place, command in inbox.fresh():
            try:
                account = accounts.find(locked, command.account_id)
                record = plans.find(found, (command.account_id, command.plan_id))
                if record.merchant_id is None:
                    raise PlanHasNoOrder(plan=record.plan_id)
                if record.contested_on is not None:
                    raise PlanContested(plan=record.plan_id, since=record.contested_on)
                text = check_text(command.text)
            except FenqiError as refusal:
                inbox.refuse(place, refusal)
                continue
            contest = _open(ground, booking, docket, account, record, command, text)
            opened.append(contest)
            answer = ContestOpened(str(contest.contest_id), str(contest.case_id))
            inbox.answer(place, account.account_id, answer)
        booking.write(session, contests.begun(opened), inbox.kept(booking.now))
    return inbox.answers()


def _open(
    ground: Ground,
    booking: Booking,
    docket: Docket,
    account: Account,
    record: PlanRecord,
    command: OpenContest,
    text: str,
) -> Contest:
    contest_id, on = ground.ids.new(), account.book.business_date
    case, _ = docket.open(
        [account.account_id],
        book_id=account.book.book_id,
        kind=CaseKind.REVIEW,
        cause=f"{account.account_id}/contest/{contest_id}",
        subject=f"contested: {command.ground.value}",
        priority=PRIORITY,
        evidence={"plan_id": record.plan_id, "contest_id": contest_id},
        author=CUSTOMER,
        text=text,
    )
    happening = booking.event(
        account,
        "plan-contested",
        payload={
            "plan_id": record.plan_id,
            "contest_id": contest_id,
            "case_id": case.case_id,
            "ground": command.ground.value,
            "open_minor": record.projection().open_minor,
        },
        occurred_at=command.asked_at,
        effective_on=on,
        actor=command.actor,
        command_key=command.key,
        topic="customer",
    )
    record.contested_on = on
    record.excused = frozenset(record.excused) | open_days(on, on)
    booking.change(happening, record, charged_through=on - A_DAY)
    return Contest(account.account_id, contest_id, record.plan_id, case.case_id, command.ground, on)


def close_contest(
    ground: Ground, commands: Sequence[CloseContest]
) -> list[ContestClosed | FenqiError]:
    """End each command's contest with what was found."""
    booking = Booking(ground)
    ends = Rows(CHANGES)
    booking.others.append(ends)
    with ground.store.transaction() as session:
        locked = accounts.lock(session, {command.account_id for command in commands})
        inbox: Inbox[CloseContest, ContestClosed] = Inbox(session, commands, ContestClosed)
        known = contests.KEPT.lock(session, {(c.account_id, c.contest_id) for c in commands})
        keys = {contest.plan_key for contest in known.values()}
        found = plans.load(session, keys, ground.catalogue)
        orders = {key: plans.order_of(session, key) for key in keys}
        returns = Returns(
            ground, booking, bills.taken_over(session, list(found.values()), ground.catalogue)
        )
        docket = Docket(ground, session, booking.now)
        booking.others.append(docket)
        held = cases.lock(session, {contest.case_id for contest in known.values()})
        for place, command in inbox.fresh():
            try:
                account = accounts.find(locked, command.account_id)
                contest = known.get((command.account_id, command.contest_id))
                if contest is None:
                    raise ContestMissing(contest=command.contest_id)
                contest.check_open()
                by, text = check_name("actor", command.actor), check_text(command.text)
                case = held[contest.case_id]
                check_apart(by, {case.opened_by, *MACHINES}, case=case.case_id)
            except FenqiError as refusal:
                inbox.refuse(place, refusal)
                continue
            known[command.account_id, command.contest_id] = replace(
                contest, outcome=command.outcome
            )
            record, order = found[contest.plan_key], orders[contest.plan_key]
            answer = _close(booking, returns, account, record, order, contest, command)
            contests.ended(contest, command.outcome, account.book.business_date, by, ends)
            _close_case(docket, case, command, text, booking.now)
            inbox.answer(place, account.account_id, answer)
        booking.write(session, inbox.kept(booking.now))
    return inbox.answers()


def _close(
    booking: Booking,
    returns: Returns,
    account: Account,
    record: PlanRecord,
    order_id: OrderId | None,
    contest: Contest,
    command: CloseContest,
) -> ContestClosed:
    """Give the days back; if it is upheld, undo the purchase."""
    on = account.book.business_date
    days = (on - contest.opened_on).days
    happening = booking.event(
        account,
        "contest-closed",
        payload={
            "plan_id": record.plan_id,
            "contest_id": contest.contest_id,
            "outcome": command.outcome.value,
            "days_given": days,
        },
        occurred_at=command.found_at,
        effective_on=contest.opened_on,
        actor=command.actor,
        command_key=command.key,
        topic="customer",
    )
    record.projection()  # what is stored counts the open days as excused; the difference is to that
    record.contested_on = None
    record.excused = account.excused
    if days:
        booking.change(happening, record, (OperationKind.CONTEST, 0), parameters=Contested(days))
    else:
        booking.change(happening, record)
    amount = refundable(record)
    if command.outcome is Finding.NOT_UPHELD or not amount or order_id is None:
        return ContestClosed(command.outcome.value, days)
    cost, returned = returns.take_back(
        account,
        record,
        amount,
        order_id=order_id,
        returned_at=command.found_at,
        cause=command,
    )
    return ContestClosed(command.outcome.value, days, amount, cost, returned)


def _close_case(
    docket: Docket, case: Case, command: CloseContest, text: str, now: datetime
) -> None:
    """Close the case too, unless a person has done so. An upheld contest is a confirmed case."""
    if case.outcome is not None:
        return
    is_upheld = command.outcome is Finding.UPHELD
    case.outcome = CaseOutcome.CONFIRMED if is_upheld else CaseOutcome.FALSE_ALARM
    case.closed_by, case.closed_at = command.actor, now
    docket.write(case, EntryKind.CLOSED, command.actor, text, {"outcome": command.outcome.value})
