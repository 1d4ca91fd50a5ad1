"""Recognition: what a plan's books say as time passes, next to what the customer owes.

Income is booked by nightly runs, when a plan closes and when it ends; activity rows say what each
due day recognised. All of it follows from the operations in the order of recording.
"""

from dataclasses import dataclass, field
from datetime import date, timedelta

from fenqi.core.terms.life.accrual import Accruals, accrue_end, accrue_night, accrue_rest
from fenqi.core.terms.life.activity import (
    Activities,
    post_closing,
    post_night,
    renew,
    take_back_closing,
)
from fenqi.core.terms.life.finish import finish
from fenqi.core.terms.life.operations import (
    AddCharge,
    NightlyRun,
    Operation,
    ReAge,
    ReAgeInterest,
    ReAmortise,
    Receive,
)
from fenqi.core.terms.life.state import Transaction
from fenqi.core.terms.life.walk import Walk

ONE_DAY = timedelta(days=1)


@dataclass(slots=True)
class Recognition:
    """What was recognised so far, and up to when."""

    counted_on: date = date.min  # overdue principal has borne interest up to this day
    processed_through: date = date.min  # the last night that was run
    accruals: Accruals = field(default_factory=Accruals)
    activities: Activities = field(default_factory=dict)

    def copy(self) -> "Recognition":
        """Return a recognition that goes on alone."""
        return Recognition(
            self.counted_on, self.processed_through, self.accruals.copy(), dict(self.activities)
        )

    def transactions(self) -> list[Transaction]:
        """Return what was booked."""
        return [*self.accruals.rows, *self.activities.values()]

    def run_night(self, walk: Walk, run: NightlyRun) -> None:
        """Accrue by what was counted so far, then count interest to the morning."""
        rules = walk.terms.rules
        if walk.rows:
            now = finish(walk, run.on)
            if rules.accrues:
                counted = now if self.counted_on == run.on else finish(walk, self.counted_on)
                accrue_night(self.accruals, counted, now, run.number, run.on)
            if rules.posts_activity:
                post_night(self.activities, now, run.number, run.on)
        self.counted_on = run.on + ONE_DAY
        self.processed_through = run.on

    def follow(
        self, walk: Walk, operation: Operation, *, was_closed: bool, has_replayed: bool
    ) -> None:
        """Recognise income that an operation has brought forward or taken back."""
        self._count(walk, operation)
        rules = walk.terms.rules
        if walk.earned_at_end is not None and rules.accrues:
            accrue_end(self.accruals, operation.number, *walk.earned_at_end)
        if walk.is_written_off or not walk.rows:
            return
        if not (rules.posts_activity or (rules.accrues and walk.is_closed)):
            return
        now = finish(walk, self.counted_on)
        if now.is_closed and rules.accrues:
            accrue_rest(self.accruals, now, operation.number, operation.booked_on)
        if not rules.posts_activity:
            return
        if now.is_closed:
            is_receipt = isinstance(operation, Receive)
            closed_on = operation.on if is_receipt else max(one.on for one in walk.transactions)
            post_closing(self.activities, now, operation.number, closed_on)
        elif was_closed:
            take_back_closing(self.activities, now, operation.number, operation.booked_on)
        elif has_replayed or _rearranges(operation):
            renew(self.activities, now, operation.number, self.processed_through)

    def _count(self, walk: Walk, operation: Operation) -> None:
        """Count interest to the day of recording; a charge on an extra row leaves it."""
        if isinstance(operation, AddCharge) and walk.model is not None:
            is_after_all = operation.due_on > walk.model.periods[-1].due_on
            if is_after_all and not walk.is_closed:
                return
        self.counted_on = operation.booked_on


def _rearranges(operation: Operation) -> bool:
    """Return whether an operation changes what past rows have recognised."""
    if isinstance(operation, ReAge):
        return operation.interest is not ReAgeInterest.DEFAULT
    return isinstance(operation, ReAmortise)
