"""The model of one plan: its periods in order, rates, and the balances that follow.

Events change facts of periods and mark them stale; `settle` derives what follows, touching only
periods whose facts or whose inheritance from the period before have changed.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from operator import attrgetter
from typing import NamedTuple

from fenqi.core.errors import Invalid
from fenqi.core.terms.amortise.dates import PERIODS_MAX, Span
from fenqi.core.terms.amortise.factor import ZERO, rate_factor, real_units
from fenqi.core.terms.amortise.period import Period, Segment
from fenqi.core.terms.amortise.settings import Method, Settings

ONE_DAY = timedelta(days=1)
DUE_ON = attrgetter("due_on")  # periods, and the rows that follow them, stand in its order
FactorKey = tuple[Decimal, date, Span]  # rate, first day, the period it was laid for


class PeriodsInvalid(Invalid):
    """Periods of a model that are none, too many, or out of order."""

    code = "periods-invalid"


class Overdue(NamedTuple):
    """A correction of the balance because principal was overdue, so that it can be taken back."""

    on: date
    amount_minor: int
    due_on: date  # of the period it fell into


class Totals(NamedTuple):
    """Sums over all periods of a plan. Units: minor units."""

    asked_minor: int
    disbursed_minor: int
    credited_minor: int  # principal put back by chargebacks
    interest_minor: int  # due
    paid_principal_minor: int
    paid_interest_minor: int

    @property
    def lent_minor(self) -> int:
        """All principal there is to pay: disbursed or credited back."""
        return self.disbursed_minor + self.credited_minor

    @property
    def left_minor(self) -> int:
        """What no row asks for yet; below zero if rows ask for too much."""
        return self.lent_minor + self.interest_minor - self.asked_minor

    @property
    def open_principal_minor(self) -> int:
        """Principal not yet paid."""
        return max(0, self.lent_minor - self.paid_principal_minor)

    @property
    def open_interest_minor(self) -> int:
        """Interest due and not yet paid."""
        return max(0, self.interest_minor - self.paid_interest_minor)


@dataclass(frozen=True, slots=True)
class Row:
    """What a period asks for at this moment.

    Units: minor units. `instalment_minor` leaves out what was credited.
    """

    starts_on: date
    due_on: date
    instalment_minor: int
    interest_minor: int
    principal_minor: int
    paid_interest_minor: int
    paid_principal_minor: int
    balance_minor: int
    is_paid: bool


class Model:
    """The interest model of one plan; the one mutable thing of this package."""

    def __init__(self, settings: Settings, spans: Sequence[Span]) -> None:
        """Build the periods of a plan in which nothing has happened yet.

        Errors: PeriodsInvalid.
        """
        if not 1 <= len(spans) <= PERIODS_MAX:
            raise PeriodsInvalid(periods=len(spans), least=1, most=PERIODS_MAX)
        previous = spans[0][0]
        for starts_on, due_on in spans:
            if starts_on != previous or due_on < starts_on:
                raise PeriodsInvalid(starts_on=starts_on, due_on=due_on, must_follow=previous)
            previous = due_on
        self.settings = settings
        self.math = settings.arithmetic
        self.periods = [Period.between(*span) for span in spans]
        self.rates: list[tuple[date, Decimal]] = []
        self.disbursements: list[tuple[date, int]] = []
        self.pauses: list[Span] = []
        self.interest_ends_on: date | None = None  # settled and shared out: none runs from then
        self.overdue: list[Overdue] = []
        self.overdue_on: date | None = None
        self.is_trial = False  # a copy that tries out what the instalments would be
        self.is_grace_lifted = False
        self._factors: dict[FactorKey, Decimal] = {}
        self._units: dict[Span, Decimal] = {}
        self._totals: Totals | None = None  # kept until a period is derived anew
        self.has_news = True  # some period was derived anew since somebody took notice

    def copy(self) -> "Model":
        """Return a copy that changes alone; factors already computed are shared."""
        twin = object.__new__(Model)
        twin.__dict__.update(self.__dict__)
        twin.periods = [period.copy() for period in self.periods]
        twin.rates = list(self.rates)
        twin.disbursements = list(self.disbursements)
        twin.pauses = list(self.pauses)
        twin.overdue = list(self.overdue)
        return twin

    def settle(self, *, through: int | None = None) -> None:
        """Derive what follows from the facts, from the first period that has changed.

        With `through` only up to that period; the later ones wait.
        """
        for period in self.periods:  # the quickest way to tell that nothing is, as most often
            if period.is_stale:
                break
        else:
            if through is None:
                return
        stale = [place for place, period in enumerate(self.periods) if period.is_stale]
        if through is not None and through + 1 < len(self.periods):
            self.periods[through + 1].is_stale = True
            stale = [place for place in stale if place <= through]
        if stale:
            self.settle_between(stale[0], stale[-1], through=through)

    def settle_between(self, first: int, last: int, *, through: int | None = None) -> None:
        """Derive what follows from changes in some periods, of which the ends are known."""
        periods = self.periods if through is None else self.periods[: through + 1]
        is_declining = self.settings.method is Method.DECLINING_BALANCE
        before = periods[first - 1] if first else None
        opening = before.closing_minor if before else 0
        carried = before.carried_on_minor if before else 0
        for place in range(first, len(periods)):
            period = periods[place]
            has_inherited = period.opening_minor != opening or period.carried_in_minor != carried
            if has_inherited or period.is_stale:
                lent = None if is_declining else self._lent(period)
                period.flow(opening, carried, lent, self.math)
            elif place > last:
                break  # whatever follows has inherited the same as before
            opening, carried = period.closing_minor, period.carried_on_minor
        self._totals, self.has_news = None, True

    def news(self) -> list[Period]:
        """Return the periods derived anew since this was last asked."""
        self.settle()
        news = [period for period in self.periods if period.is_news]
        for period in news:
            period.is_news = False
        self.has_news = False
        return news

    def tell(self, place: int) -> None:
        """Let a period be news though nothing of it has changed."""
        self.periods[place].is_news = self.has_news = True

    def rows(self) -> tuple[Row, ...]:
        """Return what each period asks for at this moment."""
        self.settle()
        return tuple(
            Row(
                starts_on=period.starts_on,
                due_on=period.due_on,
                instalment_minor=period.instalment_minor,
                interest_minor=period.due_interest_minor,
                principal_minor=period.due_principal_minor,
                paid_interest_minor=period.paid_interest_minor,
                paid_principal_minor=period.paid_principal_minor,
                balance_minor=period.closing_minor,
                is_paid=period.is_paid,
            )
            for period in self.periods
        )

    def rate_on(self, on: date) -> Decimal:
        """Return the yearly rate of a segment that starts on a day."""
        if self.interest_ends_on is not None and on >= self.interest_ends_on:
            return ZERO
        rate = self.settings.rate
        for since, changed in self.rates:
            if since <= on:
                rate = changed
        return rate

    def add_rate(self, since: date, rate: Decimal) -> None:
        """Let another rate hold from a day on; the first one told for a day stays."""
        if all(known != since for known, _ in self.rates):
            self.rates.append((since, rate))
            self.rates.sort()

    def find(self, on: date) -> int | None:
        """Return the period a day belongs to: after its start up to its due day.

        The first day of the first period belongs to it too.
        """
        if on == self.periods[0].starts_on:
            return 0
        for place in range(self.first_due_from(on), len(self.periods)):
            if self.periods[place].starts_on < on:
                return place
        return None

    def index_of(self, starts_on: date, due_on: date) -> int | None:
        """Return the period with these days, or else the first one that encloses them."""
        enclosing = None
        for place in range(self.first_due_from(due_on), len(self.periods)):
            period = self.periods[place]
            if period.due_on > due_on and enclosing is not None:
                break
            if period.starts_on == starts_on and period.due_on == due_on:
                return place
            if enclosing is None and period.starts_on <= starts_on:
                enclosing = place
        return enclosing

    def first_due_from(self, on: date) -> int:
        """Return the first period that falls due on a day or later; their number if none does."""
        return bisect_left(self.periods, on, key=DUE_ON)

    def lent_by(self, on: date) -> int:
        """Return what was disbursed up to a day, that day included."""
        return sum(amount for disbursed_on, amount in self.disbursements if disbursed_on <= on)

    def refresh_factors(self, first: int = 0, last: int | None = None) -> None:
        """Compute the rate factors of the segments of some periods; all, unless named."""
        for period in self.periods[first:last]:
            self.refresh_factor(period)

    def refresh_factor(self, period: Period) -> None:
        """Compute the rate factors of a period's segments from their days and rates.

        Factors are kept: a segment that is cut goes on bearing interest by the one it had.
        """
        period.own()
        for segment in period.segments:
            since, whole = segment.starts_on, segment.laid
            due_on = whole[1]
            rate = self.rate_on(since)
            key = (rate, since, whole)
            factor = self._factors.get(key)
            if factor is None:
                span, units = (since, due_on), self._units_of(whole)
                factor = rate_factor(self.settings, rate, span, whole, units=units)
                self._factors[key] = factor
            segment.earn(factor, days=(segment.ends_on - since).days, of=(due_on - since).days)
        period.is_stale = True

    def level_factor(self, segment: Segment) -> Decimal:
        """Return the factor of a segment for the level instalment.

        It is the one for interest if the segment runs to the due day of a period of nominal length.
        """
        nominal, whole = self.settings.interval.every, segment.laid
        if segment.ends_on == whole[1] and self._units_of(whole) == nominal:
            return segment.factor_to_due
        span, rate = (segment.starts_on, segment.ends_on), self.rate_on(segment.starts_on)
        return rate_factor(self.settings, rate, span, whole, units=Decimal(nominal))

    def change_balance(
        self, on: date, *, disbursed_minor: int = 0, corrected_minor: int = 0
    ) -> int | None:
        """Change the balance on a day, cutting the segment there; return the period, if any.

        A change on the very last due day ends in a segment of no length behind it. A period without
        segments has no days left to change.
        """
        place = self.find(on)
        if place is None or not self.periods[place].segments:
            return None
        period = self.periods[place]
        period.own()
        segment = self._ending(period, on, is_last=place == len(self.periods) - 1)
        if segment is None:
            segment = cut(period, on)
            self.refresh_factor(period)
        segment.disbursed_minor += disbursed_minor
        segment.corrected_minor += corrected_minor
        period.is_stale = True
        return place

    def correct_for_overdue(self, on: date, amount_minor: int) -> bool:
        """Let the balance differ from a day on because principal is overdue, and note by how much.

        Return whether the day lies in the plan.
        """
        place = self.change_balance(on, corrected_minor=amount_minor)
        if place is None:
            return False
        self.overdue.append(Overdue(on, amount_minor, self.periods[place].due_on))
        return True

    def totals(self) -> "Totals":
        """Return the sums over all periods, as last settled."""
        if self._totals is None:
            self._totals = self._summed()
        return self._totals

    def note_paid(self, *, principal_minor: int = 0, interest_minor: int = 0) -> None:
        """Let the sums know of a payment that left all else as it was."""
        if self._totals is not None:
            asked, disbursed, credited, interest, paid_principal, paid_interest = self._totals
            paid_principal += principal_minor
            paid_interest += interest_minor
            self._totals = Totals(
                asked, disbursed, credited, interest, paid_principal, paid_interest
            )

    def _summed(self) -> "Totals":
        asked = disbursed = credited = interest = paid_principal = paid_interest = 0
        for period in self.periods:
            asked += period.asked_minor
            disbursed += period.disbursed_minor
            credited += period.credited_principal_minor
            interest += period.due_interest_minor
            paid_principal += period.paid_principal_minor
            paid_interest += period.paid_interest_minor
        return Totals(asked, disbursed, credited, interest, paid_principal, paid_interest)

    @property
    def is_blank(self) -> bool:
        """Whether no period asks for an instalment yet."""
        return all(period.instalment_minor == 0 for period in self.periods)

    def _units_of(self, period: Span) -> Decimal:
        units = self._units.get(period)
        if units is None:
            units = real_units(self.settings, period, anchor=self.periods[0].starts_on)
            self._units[period] = units
        return units

    def _ending(self, period: Period, on: date, *, is_last: bool) -> Segment | None:
        """Return the first segment that ends on a day, if the day needs no cut."""
        last = period.segments[-1]
        if is_last and on == period.due_on and last.starts_on < last.ends_on:
            return None
        return next((segment for segment in period.segments if segment.ends_on == on), None)

    def _lent(self, period: Period) -> list[int]:
        """Return the base of flat interest in each segment: all that was lent by its start."""
        if self.settings.method is Method.FLAT_WHOLE_TERM:
            return [0] * len(period.segments)  # its interest is set, not counted by days
        return [self.lent_by(segment.starts_on) for segment in period.segments]


def pause_days(period: Period, first: date, last: date) -> bool:
    """Pause the days of a period from one day to another, both included; return if any are."""
    if period.starts_on >= last or period.due_on < first:
        return False
    start = max(first - ONE_DAY, period.starts_on)  # a day's interest is that of the night before
    end = min(last, period.due_on)
    period.own()
    if all(segment.starts_on != start for segment in period.segments):
        cut(period, start)
    if all(segment.ends_on != end for segment in period.segments):
        cut(period, end)
    for segment in period.segments:
        if segment.starts_on >= start and segment.ends_on <= end:
            segment.is_paused = True
    period.is_stale = True
    return True


def cut(period: Period, on: date) -> Segment:
    """Cut the segment that holds a day there; return its first part.

    What changed the balance at the end of the segment still does: it goes to the second part. What
    was credited belongs to the start and stays.
    """
    period.own()
    place = 0
    for number, segment in enumerate(period.segments):
        if segment.starts_on < on <= segment.ends_on:
            place = number
    first = period.segments[place]
    at = min(max(on, first.starts_on), first.ends_on)
    rest = Segment(at, first.ends_on, first.laid, is_paused=first.is_paused)
    rest.disbursed_minor, rest.corrected_minor = first.disbursed_minor, first.corrected_minor
    first.disbursed_minor = first.corrected_minor = 0
    first.ends_on = at
    period.segments.insert(place + 1, rest)
    period.is_stale = True
    return first
