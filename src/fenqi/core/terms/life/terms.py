"""What one plan was agreed with: rules, interest, term, and the day its due days count from."""

from dataclasses import dataclass
from datetime import date

from fenqi.core.terms.amortise.dates import Span, spans
from fenqi.core.terms.amortise.settings import Settings
from fenqi.core.terms.life.rules import LifeRules
from fenqi.core.terms.schedule import Terms


@dataclass(frozen=True, slots=True)
class LifeTerms:
    """The terms of a life."""

    rules: LifeRules
    interest: Settings
    count: int
    submitted_on: date
    counts_from_submission: bool = False  # due days count from that day, not from the first payout
    length_days: int | None = None  # the last due day is forced
    signed: Terms | None = None  # the schedule is the one the customer was shown

    @property
    def bears_interest(self) -> bool:
        """Whether the plan was agreed with a rate."""
        return self.interest.rate != 0

    @property
    def multiple_minor(self) -> int:
        """The minor units that instalments are rounded to; one where nothing is said."""
        return self.interest.multiple * 10**self.interest.digits or 1

    def spans(self, disbursed_on: date) -> tuple[Span, ...]:
        """Return the periods that follow from the first disbursement."""
        start = self.submitted_on if self.counts_from_submission else disbursed_on
        return spans(start, self.interest.interval, self.count, length_days=self.length_days)
