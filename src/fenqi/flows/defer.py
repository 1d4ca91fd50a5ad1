"""The customer pays the next instalment some days later; the others stay where they are.

So many times a year it is free, then it costs what the product discloses, if the product offers it.
"""

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


class Defer(PlanRequest, frozen=True, kw_only=True):
    """Pay the next instalment so many days later, at the cost that was shown."""

    kind: ClassVar[str] = "defer"
    days: int
    cost_minor: int = 0


def defer(ground: Ground, commands: Sequence[Defer]) -> list[Granted | FenqiError]:
    """Defer the next instalment of each command's plan."""
    return grant(ground, commands, _ask, _tell)


def _ask(life: Life, command: Defer, on: date) -> Operation:
    return replace(customer.deferral(life, on, days=command.days), cost_minor=command.cost_minor)


def _tell(booking: Booking, account: Account, command: Defer, change: Change) -> Happening:
    return change.tell(booking, account, command, "instalment-deferred", days=command.days)
