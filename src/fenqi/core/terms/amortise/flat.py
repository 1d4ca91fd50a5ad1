"""Flat interest: counted on all that was lent, whatever has been repaid.

Either each period's interest is counted by its days and all instalments are alike, or the interest
of the whole term is counted once and shared out in equal parts.

Source: the flat set-ups of the published vectors.
"""

from collections.abc import Sequence
from decimal import Decimal
from functools import reduce

from fenqi.core.terms.amortise.leftover import place_leftover
from fenqi.core.terms.amortise.model import Model
from fenqi.core.terms.amortise.period import Period
from fenqi.core.terms.amortise.rounding import rounded, to_multiple
from fenqi.core.terms.amortise.settings import EXACT


def set_flat_instalments(model: Model, related: Sequence[Period]) -> None:
    """Give the periods equal parts of what was lent and of all flat interest, the rest last.

    A period that was paid more than its part keeps what was paid; the later ones, from the last,
    ask for that much less, but never less than their interest.
    """
    first, last = related[0], related[-1]
    count = Decimal(len(related))
    fixed = Decimal(sum(period.fixed_interest_minor for period in related))
    interest = rounded(model.math.divide(fixed, count))
    for period in related:
        model.settle()
        interest += period.run_interest_minor
        period.ask(period.run_interest_minor)  # so that none is carried into the next
    left = model.lent_by(first.segments[-1].starts_on) - _repaid_before(model, first)
    exact = model.math.divide(Decimal(left + interest), count)
    share = to_multiple(rounded(exact), model.settings)
    excess = 0
    for period in related:
        run = period.instalment_minor
        repaid = left if period is last else min(max(0, share - run), left)
        left -= repaid
        part = run + repaid
        short = period.paid_minor - (part + period.credited_minor + period.deferred_minor)
        if short > 0:
            excess += short
            part = period.paid_minor
        period.ask(part, signed_minor=part)
    model.settle()
    for period in reversed(related):
        if excess > 0 and not period.is_paid:
            paid = period.paid_minor - period.credited_minor - period.deferred_minor
            least = max(period.run_interest_minor, paid, period.instalment_minor - excess)
            excess -= period.instalment_minor - least
            period.ask(least)
    model.settle()


def set_whole_term_instalments(model: Model, related: Sequence[Period]) -> None:
    """Give the periods equal parts of what is outstanding and of the interest of all their days.

    The last one takes the rest of each.
    """
    model.settle()
    place = model.periods.index(related[0])
    opening = model.periods[place - 1].closing_minor if place else 0
    principal = opening + related[0].disbursed_minor
    factors = reduce(
        EXACT.add, (period.segments[-1].factor_to_due for period in related), Decimal(0)
    )
    count = Decimal(len(related))
    base = model.lent_by(related[0].segments[-1].starts_on)
    interest = rounded(model.math.multiply(Decimal(base), factors))
    part = rounded(model.math.divide(Decimal(interest), count))
    share = rounded(model.math.divide(Decimal(principal), count))
    left = principal
    for period in related:
        is_last = period is related[-1]
        period.fixed_interest_minor = interest - part * (len(related) - 1) if is_last else part
        amount = to_multiple(share + period.fixed_interest_minor, model.settings)
        repaid = left if is_last else min(max(0, amount - period.fixed_interest_minor), left)
        left -= repaid
        amount = repaid + period.fixed_interest_minor
        period.ask(amount, signed_minor=amount)
        period.is_stale = True
    place_leftover(model, related[0].due_on)


def _repaid_before(model: Model, first: Period) -> int:
    """Return the principal that earlier periods take of what was lent before their end."""
    place = model.periods.index(first)
    if not place:
        return 0
    before = model.periods[place - 1]
    return model.lent_by(before.due_on) - before.closing_minor
