"""The level instalment: its formula, its smoothing, and the row that takes what is left over.

With f(i) one plus the rate factor of period i, P the product of all f(i), and F folded as
F = 1 + f(i) F from the second period on, the instalment that repays a balance B is B P / F.

Source: README of the published vectors, "Instalment (EMI)".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import assert_never

from fenqi.core.terms.amortise.deferral import follow_deferral
from fenqi.core.terms.amortise.factor import nominal_factor
from fenqi.core.terms.amortise.flat import set_flat_instalments, set_whole_term_instalments
from fenqi.core.terms.amortise.leftover import cover_outstanding, place_leftover
from fenqi.core.terms.amortise.model import Model
from fenqi.core.terms.amortise.period import Period
from fenqi.core.terms.amortise.rounding import rounded, to_multiple
from fenqi.core.terms.amortise.settings import EXACT, LevelRate, Method, Settings
from fenqi.core.values.rate import Rounding, divide

ONE = Decimal(1)
HUNDRED = 100
SMOOTHING_ROUNDS_MAX = 3


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
    if model.settings.method is not Method.DECLINING_BALANCE:
        model.settle()
        _set_instalments(model, related)
        _ask_interest_only(model, first)
        return
    is_fresh = is_fresh or model.is_blank or model.is_trial
    if is_fresh:
        set_level_instalments(model, related)
    else:
        model.settle()
        trial = _as_agreed(model)
        relevel(trial, first, is_fresh=True)
        for period, tried in zip(related, trial.periods[first:], strict=True):
            least = period.paid_minor - period.credited_minor
            period.ask(max(tried.instalment_minor, least), signed_minor=tried.signed_minor)
    _ask_interest_only(model, first)
    place_leftover(model, due_on)
    if is_fresh:
        smooth(model, related)
    cover_outstanding(model, due_on)


def _set_instalments(model: Model, related: Sequence[Period]) -> None:
    match model.settings.method:
        case Method.DECLINING_BALANCE:
            set_level_instalments(model, related)
        case Method.FLAT:
            set_flat_instalments(model, related)
        case Method.FLAT_WHOLE_TERM:
            set_whole_term_instalments(model, related)
        case _:
            assert_never(model.settings.method)


def set_level_instalments(model: Model, related: Sequence[Period]) -> None:
    """Give the periods the instalment that repays their first balance; paid ones keep theirs."""
    if not related:
        return
    model.settle(through=model.periods.index(related[0]))
    math = model.math
    product = worth = ONE
    for number, period in enumerate(related):
        growth = _growth(model, period)
        product = math.multiply(product, growth)
        if number:
            worth = math.add(ONE, math.multiply(worth, growth))
    balance = Decimal(_opening(model, related[0]) + related[0].disbursed_minor)
    exact = math.divide(math.multiply(product, balance), worth)
    fixed = Decimal(sum(period.fixed_interest_minor for period in related))
    exact_fixed = math.divide(fixed, Decimal(len(related)))
    amount = to_multiple(rounded(exact) + rounded(exact_fixed), model.settings)
    if model.settings.multiple_rounding is not Rounding.HALF_EVEN:
        amount = to_multiple(math.add(exact, exact_fixed), model.settings)
    for period in related:
        if amount >= period.paid_minor:
            period.ask(amount, signed_minor=amount)
    if balance and not any(period.instalment_minor for period in related):
        related[-1].ask(int(balance))  # too little to be shared out is left to the last row
    model.settle()


def smooth(model: Model, related: Sequence[Period]) -> None:
    """Spread the last instalment's difference over all, as long as that makes it smaller."""
    if not related or not model.settings.is_last_smoothed:
        return
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
                period.ask(amount, signed_minor=amount)
        place_leftover(trial, related[0].due_on)
        if abs(_gap(trial.periods).difference_minor) >= abs(gap.difference_minor):
            return
        for period, tried in zip(model.periods[first:], trial.periods[first:], strict=True):
            if not (period.is_principal_grace or period.is_early_holder):
                period.ask(tried.instalment_minor, signed_minor=tried.instalment_minor)
        follow_deferral(model, trial)
        model.settle()


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
        share = divide(self.difference_minor, rows, rounding=Rounding.HALF_EVEN)
        return self.instalment_minor + share


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


def _growth(model: Model, period: Period) -> Decimal:
    """Return one plus the period's rate factor; one if it is free of interest by grace."""
    if period.is_interest_grace:
        return ONE
    if model.settings.level_rate is LevelRate.NOMINAL:
        return EXACT.add(ONE, nominal_factor(model.settings, model.rate_on(period.starts_on)))
    growth = ONE
    for segment in period.segments:
        growth = EXACT.add(growth, model.level_factor(segment))
    return growth


def _opening(model: Model, period: Period) -> int:
    """Return the principal out when a period begins, without what earlier rows still ask for.

    Overdue principal bears interest, so it is in the balance; it is due already, so no later
    instalment repays it. What a re-amortisation keeps out of the balance up to its day, the later
    instalments repay.
    """
    place = model.periods.index(period)
    if not place:
        return 0
    before = model.periods[place - 1]
    overdue = sum(item.amount_minor for item in model.overdue if item.on <= before.due_on)
    return max(0, before.closing_minor - overdue)


def _as_agreed(model: Model) -> Model:
    """Return a copy in which nothing was paid and no balance corrected."""
    trial = model.copy()
    trial.is_trial = True
    trial.overdue.clear()
    for period in trial.periods:
        if period.is_moved_on:
            period.fixed_interest_minor = period.paid_interest_minor
        period.paid_principal_minor = period.paid_interest_minor = period.deferred_minor = 0
        period.own()
        for segment in period.segments:
            segment.corrected_minor = 0
        period.is_stale = True
    return trial


def _mark_interest_grace(model: Model) -> None:
    """Let the first periods be free of interest, unless another agreement has laid them out."""
    if model.is_grace_lifted:
        return
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
            interest = period.due_interest_minor
            least = period.paid_minor - period.credited_minor
            period.ask(max(interest, least), signed_minor=interest)
            period.is_principal_grace = True
        else:
            period.is_principal_grace = period.due_principal_minor == 0
    related = [period for period in model.periods[first:] if not period.is_principal_grace]
    if grace and related:
        _set_instalments(model, related)
