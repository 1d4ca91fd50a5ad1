"""The customer moves what is to come to another day of the month, as to the day after pay day."""

from collections.abc import Sequence
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


class ChangeDueDay(PlanRequest, frozen=True, kw_only=True):
    """Pay what is to come on this day of the month, 1 to 31."""

    kind: ClassVar[str] = "change-due-day"
    day: int


def change_due_day(ground: Ground, commands: Sequence[ChangeDueDay]) -> list[Granted | FenqiError]:
    """Move the due days of each command's plan; none falls earlier than it did."""
    return grant(ground, commands, _ask, _tell)


def _ask(life: Life, command: ChangeDueDay, on: date) -> Operation:
    return customer.due_day_change(life, on, day=command.day)


def _tell(booking: Booking, account: Account, command: ChangeDueDay, change: Change) -> Happening:
    return change.tell(booking, account, command, "due-day-changed", day=command.day)
