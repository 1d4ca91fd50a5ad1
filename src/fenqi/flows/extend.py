"""What is to come of a plan is laid over more instalments, after a person has looked at it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import ClassVar

from fenqi.core.errors import FenqiError
from fenqi.core.terms.life import customer
from fenqi.core.terms.life.life import Life
from fenqi.core.terms.life.operations import Operation
from fenqi.store.accounts import Account
from fenqi.store.booking import Booking, Happening
from fenqi.store.ground import Ground
from fenqi.store.requests import Change, Granted, PlanRequest, grant


class Extend(PlanRequest, frozen=True, kw_only=True):
    """Add so many instalments, at the cost that was shown; `reviewed_by` names who looked at it."""

    kind: ClassVar[str] = "extend"
    count: int
    reviewed_by: str
    cost_minor: int = 0


def extend(ground: Ground, commands: Sequence[Extend]) -> list[Granted | FenqiError]:
    """Extend each command's plan."""
    return grant(ground, commands, _ask, _tell)


def _ask(life: Life, command: Extend, on: date) -> Operation:
    asked = customer.extension(life, on, count=command.count, reviewed_by=command.reviewed_by)
    return replace(asked, cost_minor=command.cost_minor)


def _tell(booking: Booking, account: Account, command: Extend, change: Change) -> Happening:
    return change.tell(
        booking,
        account,
        command,
        "plan-extended",
        count=command.count,
        reviewed_by=command.reviewed_by,
    )
