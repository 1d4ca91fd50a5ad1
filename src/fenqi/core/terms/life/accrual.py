"""Accruals: income recognised as time passes, derived from the list of nightly runs.

Each run books in one row what has accrued by its day and was not yet booked; if less has accrued
than was booked, an adjustment. When a plan closes, the rest is booked. Charges accrue on their due
day. Nothing is stored: the rows follow from the operations in the order of recording.
Source: the vectors' README, section "Nightly run".
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from fenqi.core.terms.amortise.as_of import run_interest_as_of
from fenqi.core.terms.life.state import BESIDE_SCHEDULE, ChargeState, Kind, Row, Transaction
from fenqi.core.terms.life.walk import Walk
from fenqi.core.terms.product import Component
from fenqi.core.values.rate import Rounding, divide

INTEREST = Component.INTEREST


@dataclass(slots=True)
class Accruals:
    """What was booked so far. Units: minor units.

    Copies share the list that rows are added to, each knowing how many of it are its own: every
    operation works on a copy, and an old plan has thousands of rows.
    """

    added: list[Transaction] = field(default_factory=list)  # the first `count` are of these
    count: int = 0
    latest: date = date.min  # the last day of any row
    till: date | None = None  # the last day accrued to
    interest_minor: int = 0  # booked, less adjustments
    of_charges: dict[int, int] = field(default_factory=dict)

    @property
    def rows(self) -> Sequence[Transaction]:
        """What was booked, in the order it was."""
        return self.added if len(self.added) == self.count else self.added[: self.count]

    def copy(self) -> "Accruals":
        """Return accruals that go on alone."""
        return replace(self, of_charges=dict(self.of_charges))

    def add(self, row: Transaction) -> None:
        """Book a row."""
        if len(self.added) != self.count:  # a copy has gone on from here
            self.added = self.added[: self.count]
        self.added.append(row)
        self.count += 1
        self.latest = max(self.latest, row.on)
        self.interest_minor += _signed_interest(row)

    def take_back_after(self, day: date) -> None:
        """Take back what was booked for days after a day."""
        if self.latest <= day:
            return
        late = [row for row in self.rows if row.on > day]
        self.added = [row for row in self.rows if row.on <= day]
        self.count = len(self.added)
        self.latest = max((row.on for row in self.added), default=date.min)
        self.interest_minor -= sum(map(_signed_interest, late))


def _signed_interest(row: Transaction) -> int:
    return -row.parts[INTEREST] if row.kind is Kind.ACCRUAL_ADJUSTMENT else row.parts[INTEREST]


def accrue_night(accruals: Accruals, counted: Walk, walk: Walk, number: int, night: date) -> None:
    """Book what has accrued by the end of a day.

    Rows past are taken as they were last counted, the running one as it stands on the day.
    """
    if not walk.rows or walk.is_charged_off or walk.is_terminated or not walk.open_minor:
        return
    till = min(night, walk.rows[-1].due_on)
    accruals.take_back_after(walk.rows[-1].due_on)
    is_done = accruals.till is not None and till <= accruals.till
    if is_done and accruals.latest >= till:
        has_charge = any(charge.due_on == till for charge in walk.charges.values())
        if not has_charge:
            return
    _book(accruals, counted, walk, number, till=till, on=till)


def accrue_rest(accruals: Accruals, walk: Walk, number: int, today: date) -> None:
    """Book what is left when a plan closes, on the day or the last due day if that is earlier."""
    if walk.is_charged_off or walk.is_terminated:
        return
    last = walk.rows[-1].due_on
    accruals.take_back_after(last)
    on = min(last, today)
    if accruals.till is not None and last <= accruals.till:
        accruals.take_back_after(on)
    _book(accruals, walk, walk, number, till=last, on=on)


def accrue_end(accruals: Accruals, number: int, on: date, earned_minor: int) -> None:
    """Book the interest earned by the day a plan was charged off or called, and none after it."""
    accruals.take_back_after(on)
    missing = earned_minor - accruals.interest_minor
    if missing:
        kind = Kind.ACCRUAL if missing > 0 else Kind.ACCRUAL_ADJUSTMENT
        amount = abs(missing)
        accruals.add(Transaction(number, kind, on, amount, [0, amount, 0, 0]))


def _book(
    accruals: Accruals, counted: Walk, walk: Walk, number: int, *, till: date, on: date
) -> None:
    interest_till = till
    if walk.terms.interest.counts_first_day:
        interest_till += timedelta(days=1)
    interest = _interest_by(counted, walk, interest_till) - accruals.interest_minor
    more = Transaction(number, Kind.ACCRUAL, on, 0)
    less = Transaction(number, Kind.ACCRUAL_ADJUSTMENT, on, 0)
    _put(more, less, INTEREST, interest)
    for charge in _charges_by(walk, till):
        booked = accruals.of_charges.get(charge.number, 0)
        due = charge.amount_minor - charge.waived_minor
        _put(more, less, charge.component, due - booked)
        accruals.of_charges[charge.number] = due
    for row in (less, more):
        if any(row.parts):
            row.amount_minor = sum(row.parts)
            accruals.add(row)
            accruals.till = on


def _put(more: Transaction, less: Transaction, component: Component, amount_minor: int) -> None:
    one = more if amount_minor > 0 else less
    one.parts[component] += abs(amount_minor)


def _interest_by(counted: Walk, walk: Walk, till: date) -> int:
    """Return the interest earned by a day: whole for past rows, by the day in the running one."""
    is_closed = not walk.open_minor
    earned = 0
    for row in counted.rows:
        if row.kind in BESIDE_SCHEDULE:
            continue
        if till > row.due_on or is_closed:
            earned += row.due[INTEREST] - row.credited[INTEREST]
        elif row.starts_on < till:
            earned += _run_interest(walk, row, till)
    return earned


def _run_interest(walk: Walk, row: Row, till: date) -> int:
    """Return the interest of the running row by a day; what is fixed for it counts by days."""
    days, gone = (row.due_on - row.starts_on).days, (till - row.starts_on).days
    if walk.terms.rules.accrues_evenly:
        return divide(row.due[INTEREST] * gone, days, rounding=Rounding.HALF_EVEN)
    place = walk.the_model.index_of(row.starts_on, row.due_on)
    if place is None:
        return 0
    run = run_interest_as_of(walk.the_model, place, till, with_credited=False)
    settled = walk.the_model.periods[place].fixed_interest_minor
    return run - settled + divide(settled * gone, days, rounding=Rounding.HALF_EVEN)


def _charges_by(walk: Walk, till: date) -> list[ChargeState]:
    return [charge for charge in walk.charges.values() if charge.due_on <= till]
