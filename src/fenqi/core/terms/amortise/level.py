"""The level instalment: its formula, its smoothing, and the row that takes what is left over.

With f(i) one plus the rate factor of period i, P the product of all f(i), and F folded as
F = 1 + f(i) F from the second period on, the instalment that repays a balance B is B P / F.

Source: README of the published vectors, "Instalment (EMI)".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal

from fenqi.core.terms.amortise.deferral import defer_run_interest
from fenqi.core.terms.amortise.model import Model
from fenqi.core.terms.amortise.period import Period
from fenqi.core.terms.amortise.settings import Method, Settings

ONE = Decimal(1)
HUNDRED = 100
SMOOTHING_ROUNDS_MAX = 3
LEFTOVER_ROUNDS_MAX = 1_200  # each round but the last closes a period


def relevel(model: Model, first: int, *, is_fresh: bool) -> None:
    """Compute the instalments of the periods from `first` on anew.

    A `fresh` computation starts from what is really outstanding; else the instalments are those of
    a plan that is paid as agreed, so that early and late payments leave them alone.
    """
    related = model.periods[first:]
    if not related:
        return
    due_on = related[0].due_on
    _mark_interest_grace(model)
    model.refresh_factors(first)
    if model.settings.method is Method.FLAT:
        set_flat_instalments(model, related)
        _ask_interest_only(model, first)
        return
    model.settle()
    is_fresh = is_fresh or model.is_blank or model.is_trial
    if is_fresh:
        set_level_instalments(model, related)
    else:
        trial = _as_agreed(model)
        relevel(trial, first, is_fresh=True)
        for period, tried in zip(related, trial.periods[first:], strict=True):
            _ask(period, tried.instalment_minor, signed_minor=tried.signed_minor)
    _ask_interest_only(model, first)
    place_leftover(model, due_on)
    if is_fresh:
        smooth(model, related)


def set_level_instalments(model: Model, related: Sequence[Period]) -> None:
    """Give the periods the instalment that repays their first balance; paid ones keep theirs."""
    if not related:
        return
    model.settle()
    math = model.math
    product = worth = ONE
    for number, period in enumerate(related):
        growth = _growth(period)
        product = math.multiply(product, growth)
        if number:
            worth = math.add(ONE, math.multiply(worth, growth))
    balance = Decimal(_opening(model, related[0]) + related[0].disbursed_minor)
    amount = rounded(math.divide(math.multiply(product, balance), worth))
    fixed = Decimal(sum(period.fixed_interest_minor for period in related))
    amount += rounded(math.divide(fixed, Decimal(len(related))))
    amount = to_multiple(amount, model.settings)
    for period in related:
        if amount >= period.paid_minor:
            _ask(period, amount, signed_minor=amount)
    model.settle()


def set_flat_instalments(model: Model, related: Sequence[Period]) -> None:
    """Give the periods equal parts of what was lent and of all flat interest, the rest last.

    A period that was paid more than its part keeps what was paid; the later ones, from the last,
    ask for that much less, but never less than their interest.

    Source: the flat set-ups of the published vectors.
    """
    first, last = related[0], related[-1]
    count = Decimal(len(related))
    fixed = Decimal(sum(period.fixed_interest_minor for period in related))
    interest = rounded(model.math.divide(fixed, count))
    for period in related:
        model.settle()
        interest += period.run_interest_minor
        _ask(period, period.run_interest_minor)  # so that none is carried into the next
    lent = model.lent_by(first.segments[-1].starts_on)
    total = lent + interest - _repaid_before(model, first)
    share = to_multiple(rounded(model.math.divide(Decimal(total), count)), model.settings)
    excess = 0
    for period in related:
        part = share + (total - share * len(related) if period is last else 0)
        short = period.paid_minor - (part + period.credited_minor + period.deferred_minor)
        if short > 0:
            excess += short
            part = period.paid_minor
        _ask(period, part, signed_minor=part)
    model.settle()
    for period in reversed(related):
        if excess > 0 and not period.is_paid:
            paid = period.paid_minor - period.credited_minor - period.deferred_minor
            least = max(period.run_interest_minor, paid, period.instalment_minor - excess)
            excess -= period.instalment_minor - least
            _ask(period, least)
    model.settle()


def place_leftover(model: Model, on: date) -> None:
    """Let the last open period ask for what the instalments leave over, or that much less.

    Its instalment is the only one that gives way: all instalments together are what was lent and
    what interest is due.
    """
    for _ in range(LEFTOVER_ROUNDS_MAX):
        model.settle()
        _trim_to_outstanding(model)
        row = _last_open(model)
        if row is None:
            return
        if _take_leftover(model, row):
            model.settle()
            defer_run_interest(model, row, on)
            model.settle()
            return


def _take_leftover(model: Model, row: Period) -> bool:
    """Let a row take what is left over; return whether it could, or was paid more than that."""
    _forget_deferral(model, row)
    totals = model.totals()
    amount = row.instalment_minor + totals.lent_minor + totals.interest_minor - totals.asked_minor
    if row.fixed_interest_minor > 0:
        amount = max(amount, row.paid_principal_minor + row.fixed_interest_minor)
    least = row.paid_minor - row.credited_minor
    _ask(row, max(amount, least))
    return amount >= least


def smooth(model: Model, related: Sequence[Period]) -> None:
    """Spread the last instalment's difference over all, as long as that makes it smaller."""
    trial: Model | None = None
    first = model.periods.index(related[0])
    for _ in range(SMOOTHING_ROUNDS_MAX):
        gap = _gap(related)
        if not gap.is_worth_spreading(model.settings):
            return
        amount = to_multiple(gap.spread_minor(), model.settings)
        if amount == gap.instalment_minor:
            return
        trial = trial or model.copy()
        for period in trial.periods[first:]:
            is_bound = period.is_early_holder or period.is_principal_grace
            if amount >= period.paid_minor and not is_bound:
                _ask(period, amount, signed_minor=amount)
        place_leftover(trial, related[0].due_on)
        if abs(_gap(trial.periods).difference_minor) >= abs(gap.difference_minor):
            return
        for period, tried in zip(model.periods[first:], trial.periods[first:], strict=True):
            if not (period.is_principal_grace or period.is_early_holder):
                _ask(period, tried.instalment_minor, signed_minor=tried.instalment_minor)
        model.settle()


def to_multiple(amount_minor: int, settings: Settings) -> int:
    """Return an instalment rounded HALF_EVEN to the product's multiple; never down to nothing."""
    if not settings.multiple:
        return amount_minor
    step = settings.multiple * 10**settings.digits
    nearest = rounded(Decimal(amount_minor) / Decimal(step)) * step
    return nearest if nearest or amount_minor <= 0 else amount_minor


@dataclass(frozen=True, slots=True)
class _Gap:
    """How far the last instalment is from the one before it."""

    instalment_minor: int
    difference_minor: int
    count: int
    grace: int
    uncountable: int

    def is_worth_spreading(self, settings: Settings) -> bool:
        """Whether the gap in hundredths of a currency unit exceeds half the number of rows."""
        half = (self.count - self.grace) // 2
        gap = abs(self.difference_minor) * HUNDRED
        return half > 0 and gap > half * 10**settings.digits

    def spread_minor(self) -> int:
        """Return the instalment with its share of the gap."""
        rows = max(1, self.count - self.uncountable)
        return self.instalment_minor + rounded(Decimal(self.difference_minor) / Decimal(rows))


def _gap(periods: Sequence[Period]) -> _Gap:
    grace = sum(period.is_principal_grace for period in periods)
    for number in range(len(periods) - 1, 0, -1):
        last, before = periods[number], periods[number - 1]
        if last.is_principal_grace or before.is_principal_grace:
            continue
        if not last.is_paid and not before.is_paid:
            amount = before.instalment_minor
            paid = sum(p.is_principal_grace or amount < p.paid_minor for p in periods)
            return _Gap(amount, last.instalment_minor - amount, len(periods), grace, paid)
    return _Gap(periods[0].instalment_minor, 0, len(periods), grace, 0)


def _ask(period: Period, instalment_minor: int, *, signed_minor: int | None = None) -> None:
    if signed_minor is not None:
        period.signed_minor = signed_minor
    if period.instalment_minor != instalment_minor:
        period.instalment_minor = instalment_minor
        period.is_stale = True


def _growth(period: Period) -> Decimal:
    """Return one plus the period's rate factor; one if it is free of interest by grace."""
    if period.is_interest_grace:
        return ONE
    return sum((segment.factor for segment in period.segments), ONE)


def _opening(model: Model, period: Period) -> int:
    place = model.periods.index(period)
    return model.periods[place - 1].closing_minor if place else 0


def _as_agreed(model: Model) -> Model:
    """Return a copy in which nothing was paid and no balance corrected."""
    trial = model.copy()
    trial.is_trial = True
    for period in trial.periods:
        if period.is_moved_on:
            period.fixed_interest_minor = period.paid_interest_minor
        period.paid_principal_minor = period.paid_interest_minor = period.deferred_minor = 0
        for segment in period.segments:
            segment.corrected_minor = 0
        period.is_stale = True
    return trial


def _last_open(model: Model) -> Period | None:
    for period in reversed(model.periods):
        if not period.is_paid:
            return period
    last = model.periods[-1]
    is_bare = model.totals().paid_principal_minor == 0 and last.segments and last.closing_minor > 0
    return last if is_bare else None


def _trim_to_outstanding(model: Model) -> None:
    """Let no period ask for more principal than is outstanding in all.

    Principal paid for the last instalments first can leave an earlier one too large.
    """
    totals = model.totals()
    outstanding = totals.lent_minor - totals.paid_principal_minor
    excesses = [
        (period, excess)
        for period in model.periods
        if (excess := period.due_principal_minor - period.paid_principal_minor - outstanding) > 0
    ]
    for period, excess in excesses:
        least = max(0, period.paid_minor - period.credited_minor)
        _ask(period, max(period.instalment_minor - min(excess, period.open_principal_minor), least))
    if excesses:
        model.settle()


def _forget_deferral(model: Model, row: Period) -> None:
    if row.deferred_minor:
        row.deferred_minor, row.is_stale = 0, True
    moved = [period for period in model.periods if period.is_moved_back]
    for period in moved:
        period.is_moved_back, period.is_stale = False, True
    if moved or row.is_stale:
        model.settle()


def _repaid_before(model: Model, first: Period) -> int:
    """Return the principal that earlier periods take of what was lent before their end."""
    place = model.periods.index(first)
    if not place:
        return 0
    before = model.periods[place - 1]
    return model.lent_by(before.due_on) - before.closing_minor


def _mark_interest_grace(model: Model) -> None:
    for place, period in enumerate(model.periods[: model.settings.interest_grace]):
        if not period.is_interest_grace:
            period.is_interest_grace, period.is_stale = place < model.settings.interest_grace, True


def _ask_interest_only(model: Model, first: int) -> None:
    """Let the first periods ask for their interest only, and relevel the others."""
    grace = 0 if model.is_grace_lifted else model.settings.principal_grace
    for place, period in enumerate(model.periods):
        period.is_principal_grace = False
        if place >= grace:
            continue
        if place >= first:
            model.settle()
            _ask(period, period.due_interest_minor, signed_minor=period.due_interest_minor)
            period.is_principal_grace = True
        else:
            period.is_principal_grace = period.due_principal_minor == 0
    related = [period for period in model.periods[first:] if not period.is_principal_grace]
    if grace and related:
        if model.settings.method is Method.FLAT:
            set_flat_instalments(model, related)
        else:
            set_level_instalments(model, related)


def rounded(value: Decimal) -> int:
    """Return an amount as whole minor units, HALF_EVEN, at the moment it becomes money."""
    return int(value.to_integral_value(rounding=ROUND_HALF_EVEN))
