"""The customer's account: its limit, what uses it, and whether a purchase may be made.

Used limit = outstanding principal + live holds (M5). It may lawfully exceed a limit that was cut
later. A refusal is a value with reasons, not an exception.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class AccountStatus(StrEnum):
    """Whether new purchases are possible at all; repaying always is (P1)."""

    OPEN = "open"
    FROZEN = "frozen"
    CLOSED = "closed"


class Reason(StrEnum):
    """Why a purchase was declined; each has a text for the customer in the catalogue."""

    LIMIT_EXCEEDED = "limit-exceeded"
    PAYMENT_OVERDUE = "payment-overdue"
    ACCOUNT_FROZEN = "account-frozen"
    ACCOUNT_CLOSED = "account-closed"
    PURCHASES_HELD = "purchases-held"
    PLAN_NOT_OFFERED = "plan-not-offered"
    PRICE_NOT_OFFERED = "price-not-offered"
    CHECK_ASKED = "check-asked"


class Outcome(StrEnum):
    """What was decided about a purchase."""

    APPROVE = "approve"
    DECLINE = "decline"


REASONS_MAX = 4  # P3: one to four true reasons


class Standing(NamedTuple):
    """What the decision about a purchase looks at.

    Units: minor units of the account's currency; `overdue_days` counts from the oldest unpaid due
    day less excused days, 0 when nothing is overdue.
    """

    status: AccountStatus
    limit_minor: int
    used_minor: int
    overdue_days: int
    is_held: bool = False  # a protective hold on new purchases runs
    needs_step_up: bool = False  # a check is asked for before the next purchase


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome and its reasons, none when approved."""

    outcome: Outcome
    reasons: tuple[Reason, ...]


APPROVED = Verdict(Outcome.APPROVE, ())
POLICY = ("starter", 2)  # name and version stored with each decision made by `judge`


def judge(standing: Standing, amount_minor: int) -> Verdict:
    """Return whether the account may buy for `amount_minor` now, with every reason against.

    Units: minor units of the account's currency.
    """
    reasons = []
    if standing.status is AccountStatus.CLOSED:
        reasons.append(Reason.ACCOUNT_CLOSED)
    if standing.status is AccountStatus.FROZEN:
        reasons.append(Reason.ACCOUNT_FROZEN)
    if standing.is_held:
        reasons.append(Reason.PURCHASES_HELD)
    if standing.overdue_days > 0:
        reasons.append(Reason.PAYMENT_OVERDUE)
    if standing.used_minor + amount_minor > standing.limit_minor:
        reasons.append(Reason.LIMIT_EXCEEDED)
    return Verdict(Outcome.DECLINE, tuple(reasons[:REASONS_MAX])) if reasons else APPROVED
