"""An instalment period, the segments of its days, and what follows from its facts.

Facts are what events set: the instalment, what was paid, and for each segment what changed the
balance at its end. Everything else is derived from them and from what the period before hands
over, in one pass (`Period.flow`), and kept until a fact changes.

Words: a period *asks* for its instalment and whatever was credited back to it. Interest that *ran*
in it is due as far as the instalment has room; the rest is *carried* into the next period.

Units: amounts in minor units.
Source: README of the published vectors, "Instalment (EMI)" and "Interest recalculation".
"""

from dataclasses import dataclass
from datetime import date
from decimal import Context, Decimal

from fenqi.core.terms.amortise.dates import Span
from fenqi.core.terms.amortise.settings import EXACT

ZERO = Decimal(0)


@dataclass(slots=True, eq=False)
class Segment:
    """Days of a period over which the balance and the rate stay the same.

    What was disbursed, corrected and credited takes effect at its end.
    """

    starts_on: date
    ends_on: date
    laid: Span  # the period its rate counts by, whatever becomes of the one it stands in
    is_paused: bool = False
    disbursed_minor: int = 0
    corrected_minor: int = 0
    credited_principal_minor: int = 0
    credited_interest_minor: int = 0
    factor_to_due: Decimal = ZERO  # from its start to the due day it was laid for
    days: int = 0
    days_to_due: int = 0
    base_minor: int = 0  # what `run` was last counted on, whatever copy of a period holds it
    run: Decimal = ZERO

    def copy(self) -> "Segment":
        """Return a copy that changes alone."""
        return Segment(
            self.starts_on,
            self.ends_on,
            self.laid,
            self.is_paused,
            self.disbursed_minor,
            self.corrected_minor,
            self.credited_principal_minor,
            self.credited_interest_minor,
            self.factor_to_due,
            self.days,
            self.days_to_due,
            self.base_minor,
            self.run,
        )

    def earn(self, factor_to_due: Decimal, *, days: int, of: int) -> None:
        """Let it bear interest for its days, out of those to the due day, by a factor to there."""
        self.factor_to_due, self.days, self.days_to_due = factor_to_due, days, of
        self.base_minor, self.run = 0, ZERO

    def earn_nothing(self) -> None:
        """Let it bear no interest."""
        self.earn(ZERO, days=self.days, of=self.days_to_due)

    def interest(self, base_minor: int, arithmetic: Context) -> Decimal:
        """Return the interest of this segment on a base, unrounded, with what was credited.

        What ran is kept with its base, for in an old plan most segments' bases stay as they were.
        """
        run = ZERO
        if base_minor and not self.is_paused:
            if base_minor != self.base_minor:
                self.base_minor = base_minor
                if self.days_to_due:
                    whole = arithmetic.multiply(base_minor, self.factor_to_due)
                    daily = arithmetic.divide(whole, self.days_to_due)
                    self.run = arithmetic.multiply(daily, self.days)
            run = self.run
        if self.credited_interest_minor:
            run = arithmetic.add(Decimal(self.credited_interest_minor), run)
            return run if self.is_paused else max(ZERO, run)
        return run


@dataclass(slots=True, eq=False)
class Period:
    """An instalment period of a plan: facts, and derived amounts kept until they change."""

    starts_on: date
    due_on: date
    segments: list[Segment]
    instalment_minor: int = 0
    signed_minor: int = 0  # the level instalment as last computed
    paid_principal_minor: int = 0
    paid_interest_minor: int = 0
    deferred_minor: int = 0  # interest of later, paid periods that falls due here
    fixed_interest_minor: int = 0  # set by agreement, not by days; negative: let off, paid before
    moved_away_minor: int = 0  # credited amounts that a re-age took elsewhere
    is_moved_back: bool = False  # its interest was deferred to an earlier period
    is_moved_on: bool = False  # its interest was moved on by a re-age
    is_interest_grace: bool = False
    is_principal_grace: bool = False
    is_re_aged: bool = False
    is_early_holder: bool = False  # keeps what was paid early for rows a re-age removed
    is_stale: bool = True
    is_news: bool = True  # derived anew since somebody took notice
    opening_minor: int = 0
    carried_in_minor: int = 0
    asked_minor: int = 0  # its instalment, what was credited to it, what was deferred to it
    disbursed_minor: int = 0
    credited_principal_minor: int = 0  # by chargebacks
    credited_interest_minor: int = 0
    credited_minor: int = 0  # both, less what a re-age took away
    run_interest_minor: int = 0
    due_interest_minor: int = 0
    due_principal_minor: int = 0
    carried_on_minor: int = 0  # interest that ran but found no room
    closing_minor: int = 0
    is_shared: bool = False  # its segments stand in a copy too; `own` them before one changes

    @classmethod
    def between(cls, starts_on: date, due_on: date) -> "Period":
        """Return a period in which nothing has happened yet."""
        return cls(starts_on, due_on, [Segment(starts_on, due_on, (starts_on, due_on))])

    def stretch(self, starts_on: date, due_on: date) -> None:
        """Have other days; what was laid for the old ends of the period is laid for the new."""
        self.own()
        for segment in self.segments:
            begins, ends = segment.laid
            segment.laid = (
                starts_on if begins == self.starts_on else begins,
                due_on if ends == self.due_on else ends,
            )
        if self.segments:
            self.segments[0].starts_on = starts_on
            self.segments[-1].ends_on = due_on
        self.starts_on, self.due_on, self.is_stale = starts_on, due_on, True

    def own(self) -> None:
        """Let the segments be this period's alone; every change of one comes after this."""
        if self.is_shared:
            self.segments = [one.copy() for one in self.segments]
            self.is_shared = False

    def copy(self) -> "Period":
        """Return a copy that changes alone; segments are shared until either changes one.

        An old plan has thousands of them, and a question about a day changes a few.
        """
        self.is_shared = True
        return Period(
            self.starts_on,
            self.due_on,
            self.segments,
            self.instalment_minor,
            self.signed_minor,
            self.paid_principal_minor,
            self.paid_interest_minor,
            self.deferred_minor,
            self.fixed_interest_minor,
            self.moved_away_minor,
            self.is_moved_back,
            self.is_moved_on,
            self.is_interest_grace,
            self.is_principal_grace,
            self.is_re_aged,
            self.is_early_holder,
            self.is_stale,
            self.is_news,
            self.opening_minor,
            self.carried_in_minor,
            self.asked_minor,
            self.disbursed_minor,
            self.credited_principal_minor,
            self.credited_interest_minor,
            self.credited_minor,
            self.run_interest_minor,
            self.due_interest_minor,
            self.due_principal_minor,
            self.carried_on_minor,
            self.closing_minor,
            is_shared=True,
        )

    def ask(self, instalment_minor: int, *, signed_minor: int | None = None) -> None:
        """Let the instalment be another one; `signed_minor` also changes the level it came from."""
        if signed_minor is not None:
            self.signed_minor = signed_minor
        if self.instalment_minor != instalment_minor:
            self.instalment_minor = instalment_minor
            self.is_stale = True

    def flow(
        self, opening_minor: int, carried_in_minor: int, lent: "list[int] | None", math: Context
    ) -> None:
        """Derive everything from the facts and from what the period before hands over.

        `lent` is the base of flat interest segment by segment, or None for a declining balance.
        Written in one go and without `max` and `min`: a late payment comes through here for every
        later period.
        """
        if self.is_stale:
            self._sum_facts()
        self.is_stale, self.is_news = False, True
        self.opening_minor, self.carried_in_minor = opening_minor, carried_in_minor
        after = opening_minor
        earned = ZERO
        for place, segment in enumerate(self.segments):
            balance = after if after > 0 else 0
            part = segment.interest(lent[place] if lent else balance, math)
            earned = EXACT.add(earned, part) if place else part
            after += segment.corrected_minor + segment.disbursed_minor
        if self.is_moved_back or self.is_moved_on:
            earned = ZERO
        # `round` of a decimal is half-even and exact, whatever context the caller has.
        ran = round(earned) + self.fixed_interest_minor + self.deferred_minor + carried_in_minor
        if self.is_moved_on:
            ran = self.fixed_interest_minor  # what else came into it is asked for elsewhere
        run = ran if ran > 0 else 0
        # What is asked falls due as interest and principal; what was paid is the least of each.
        asked = self.instalment_minor + self.credited_minor + self.deferred_minor
        room = asked - run
        due = run if room > 0 else asked
        paid, paid_principal = self.paid_interest_minor, self.paid_principal_minor
        if self.is_interest_grace or paid_principal > (room if room > 0 else 0) or due < paid:
            due = paid
            if self.fixed_interest_minor > paid and not self.is_moved_on:
                # Set by agreement, it keeps what room principal paid ahead has left.
                due = max(paid, min(self.fixed_interest_minor, asked - paid_principal))
        principal = asked - due
        if principal < paid_principal:
            principal = paid_principal
        closing = after + paid_principal - principal
        self.asked_minor, self.run_interest_minor = asked, run
        self.due_interest_minor, self.due_principal_minor = due, principal
        self.carried_on_minor = run - due if run > due else 0
        self.closing_minor = closing if closing > 0 else 0

    def _sum_facts(self) -> None:
        """Sum what was disbursed and credited in all segments; what is inherited changes none."""
        disbursed = principal = interest = 0
        for segment in self.segments:
            disbursed += segment.disbursed_minor
            principal += segment.credited_principal_minor
            interest += segment.credited_interest_minor
        self.disbursed_minor = disbursed
        self.credited_principal_minor = max(0, principal)
        self.credited_interest_minor = max(0, interest)
        credited = self.credited_principal_minor + self.credited_interest_minor
        self.credited_minor = credited - self.moved_away_minor

    @property
    def outcome(self) -> tuple[int, ...]:
        """What the period asks for, and what it hands on, as last derived."""
        return (
            self.asked_minor,
            self.due_interest_minor,
            self.due_principal_minor,
            self.closing_minor,
            self.carried_on_minor,
        )

    @property
    def paid_minor(self) -> int:
        """What was paid for the period, principal and interest."""
        return self.paid_principal_minor + self.paid_interest_minor

    @property
    def fixed_least_minor(self) -> int:
        """What it asks for at least where its interest is set by agreement."""
        return self.paid_principal_minor + self.fixed_interest_minor

    @property
    def interest_least_minor(self) -> int:
        """What it asks for at least where all interest that ran is asked for in it."""
        return self.paid_principal_minor + self.run_interest_minor

    @property
    def open_principal_minor(self) -> int:
        """Principal due and not paid."""
        return max(0, self.due_principal_minor - self.paid_principal_minor)

    @property
    def open_interest_minor(self) -> int:
        """Interest due and not paid."""
        return max(0, self.due_interest_minor - self.paid_interest_minor)

    @property
    def is_paid(self) -> bool:
        """Whether what was paid is exactly what the period asks for."""
        return self.asked_minor == self.paid_principal_minor + self.paid_interest_minor
