"""What one plan was agreed with: rules, interest, term, and the day its due days count from."""

from dataclasses import dataclass
from datetime import date

from fenqi.core.terms.amortise.dates import Span, spans
from fenqi.core.terms.amortise.settings import Settings, SettingsInvalid
from fenqi.core.terms.life.rules import LifeRules
from fenqi.core.terms.schedule import Terms


@dataclass(frozen=True, slots=True)
class LifeTerms:
    """The terms of a life.

    Errors: SettingsInvalid.
    """

    rules: LifeRules
    interest: Settings
    count: int
    submitted_on: date
    counts_from_submission: bool = False  # due days count from that day, not from the first payout
    length_days: int | None = None  # the last due day is forced
    signed: Terms | None = None  # the schedule is the one the customer was shown

    def __post_init__(self) -> None:
        """Refuse a grace of interest: a schedule can be shown with one, a plan cannot live by it.

        What ran in it would have to be asked for, or not, by every later payment and re-age; an
        agreement says it as a later start, or as a rate that changes.
        """
        if self.interest.interest_grace:
            raise SettingsInvalid(interest_grace=self.interest.interest_grace, most=0)

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
