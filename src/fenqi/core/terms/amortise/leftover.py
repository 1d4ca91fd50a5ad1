"""The row that gives way: the last open one asks for what the instalments leave over.

All instalments together are what was lent and what interest is due; whenever that changes, one
instalment has to.
"""

from datetime import date

from fenqi.core.terms.amortise.deferral import defer_run_interest
from fenqi.core.terms.amortise.model import Model
from fenqi.core.terms.amortise.period import Period

ROUNDS_MAX = 1_200  # each round but the last closes a period


def place_leftover(model: Model, on: date) -> None:
    """Let the last open period ask for what the instalments leave over, or that much less.

    Its instalment is the only one that gives way: all instalments together are what was lent and
    what interest is due.
    """
    for _ in range(ROUNDS_MAX):
        model.settle()
        _trim_to_outstanding(model)
        row = _last_open(model)
        if row is None:
            return
        if _take_leftover(model, row):
            defer_run_interest(model, row, on)
            model.settle()
            return


def _take_leftover(model: Model, row: Period) -> bool:
    """Let a row take what is left over; return whether that is all.

    It is not if more was paid for the row, or if the row's new room lets more interest fall due.
    """
    _forget_deferral(model, row)
    interest_before = row.due_interest_minor
    totals = model.totals()
    amount = row.instalment_minor + totals.lent_minor + totals.interest_minor - totals.asked_minor
    if row.fixed_interest_minor > 0:
        amount = max(amount, row.paid_principal_minor + row.fixed_interest_minor)
    least = row.paid_minor - row.credited_minor
    row.ask(max(amount, least))
    model.settle()
    return amount >= least and row.due_interest_minor == interest_before


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
        period.ask(max(period.instalment_minor - min(excess, period.open_principal_minor), least))
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
