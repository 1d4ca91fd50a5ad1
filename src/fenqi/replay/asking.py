"""A wish becomes a command: asked of the first of a person's plans that grants it.

What is sent is what the preview showed (`report.request`), as a page would do it.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from fenqi.core.errors import Conflict, Forbidden, Invalid, Missing
from fenqi.core.values.ids import AccountId, PlanId
from fenqi.flows.change_due_day import ChangeDueDay
from fenqi.flows.defer import Defer
from fenqi.flows.extend import Extend
from fenqi.flows.settle import Settle
from fenqi.flows.split_bill import SplitBill
from fenqi.flows.withdraw import Withdraw
from fenqi.replay.wishes import Wish
from fenqi.report import preview as previewing
from fenqi.report import request
from fenqi.report.request import Answer, Bill
from fenqi.runtime import Runtime

DEFER_DAYS = 7
DUE_DAY = 20
EXTEND_COUNT = 3
SPLIT_INTO = ("flat", 6)
REVIEWER = "an officer of the demo"
CHANNEL = "bank"
PLANS_TRIED_MAX = 8


Request = ChangeDueDay | Defer | Extend | Settle | SplitBill | Withdraw


@dataclass(frozen=True, slots=True)
class Asking:
    """One wish of one person at an instant."""

    account_id: AccountId
    wish: Wish
    at: datetime

    @property
    def key(self) -> str:
        """The command's key: one wish a day."""
        return f"ask/{self.at.date().isoformat()}"


def command_of(runtime: Runtime, asking: Asking) -> Request | None:
    """Return what is sent for a wish; None if nothing grants it. Errors: those of a fault."""
    plans, statement = request.askable(runtime.ground, asking.account_id)
    if asking.wish is Wish.SPLIT:
        bill = Bill(statement, *SPLIT_INTO)
        shown = _shown(runtime, asking, bill=bill)
        return None if shown is None else _split(asking, bill, shown)
    wish = _wished(asking.wish, request.today(runtime.ground, asking.account_id))
    for plan in plans[:PLANS_TRIED_MAX]:
        shown = _shown(runtime, asking, plan_id=plan, wish=wish)
        if shown is not None:
            return _command(asking, plan, shown)
    return None


def _wished(wish: Wish, on: date) -> previewing.Wish:
    match wish:
        case Wish.DEFER:
            return previewing.Wish(on, defer_days=DEFER_DAYS)
        case Wish.DUE_DAY:
            return previewing.Wish(on, due_day=DUE_DAY)
        case Wish.EXTEND:
            return previewing.Wish(on, extend_count=EXTEND_COUNT)
        case Wish.SETTLE:
            return previewing.Wish(on, settles=True)
        case _:
            return previewing.Wish(on, withdraws=True)


def _shown(
    runtime: Runtime,
    asking: Asking,
    *,
    plan_id: PlanId | None = None,
    wish: previewing.Wish | None = None,
    bill: Bill | None = None,
) -> Answer | None:
    """Return what is shown, or None where it is not granted. Errors: those of a fault."""
    try:
        return request.preview(
            runtime.ground, asking.account_id, plan_id=plan_id, wish=wish, bill=bill
        )
    except (Invalid, Forbidden, Conflict, Missing):
        return None


def _split(asking: Asking, bill: Bill, shown: Answer) -> SplitBill:
    return SplitBill(
        scope_id=str(asking.account_id),
        key=asking.key,
        actor="replay",
        account_id=asking.account_id,
        statement=bill.statement,
        product=bill.product,
        count=bill.count,
        amount_minor=shown.moved_minor,
        asked_at=asking.at,
    )


def _command(asking: Asking, plan: PlanId, shown: Answer) -> Request:
    account, at, cost = asking.account_id, asking.at, shown.cost_minor
    own: dict[str, Any] = {"scope_id": str(account), "key": asking.key, "actor": "replay"}
    asked: dict[str, Any] = {"account_id": account, "plan_id": plan, "asked_at": at}
    money: dict[str, Any] = {
        "account_id": account,
        "plan_id": plan,
        "channel": CHANNEL,
        "channel_reference": f"{account}/{asking.key}",
        "amount_minor": shown.to_pay_minor or 0,
        "received_at": at,
    }
    match asking.wish:
        case Wish.DEFER:
            return Defer(**own, **asked, days=DEFER_DAYS, cost_minor=cost)
        case Wish.DUE_DAY:
            return ChangeDueDay(**own, **asked, day=DUE_DAY)
        case Wish.EXTEND:
            named: dict[str, Any] = {"count": EXTEND_COUNT, "reviewed_by": REVIEWER}
            return Extend(**own, **asked, **named, cost_minor=cost)
        case Wish.SETTLE:
            return Settle(**own, **money)
        case _:
            return Withdraw(**own, **money)
