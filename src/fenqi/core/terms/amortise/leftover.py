"""The row that gives way: the last open one asks for what the instalments leave over.

All instalments together are what was lent and what interest is due; whenever that changes, one
instalment has to.
"""

from datetime import date

from fenqi.core.terms.amortise.deferral import defer_run_interest
from fenqi.core.terms.amortise.model import Model, Totals
from fenqi.core.terms.amortise.period import Period

ROUNDS_MAX = 1_200  # each round but the last closes a period


def place_leftover(model: Model, on: date) -> None:
    """Let the last open period ask for what the instalments leave over, or that much less.

    Its instalment is the only one that gives way: all instalments together are what was lent and
    what interest is due.
    """
    for _ in range(ROUNDS_MAX):
        model.settle()
        totals = _trimmed(model, model.totals())
        row = _last_open(model, totals)
        if row is None:
            return
        if _forget_deferral(model, row):
            totals = model.totals()
        if _close_idle(model, totals):
            continue
        if _take_leftover(model, row, totals):
            if defer_run_interest(model, row, on):
                model.settle()
                _take_leftover(model, row, model.totals())  # part of it may be paid already
            return
        if _is_closed_but_for_interest(row) and _last_open(model, model.totals()) is row:
            return


def cover_outstanding(model: Model, on: date) -> None:
    """Let the very last row ask for principal that no row asks for, where all rows are paid.

    Paid ahead, the last rows can be as large as a new instalment while earlier ones are closed.
    """
    model.settle()
    open_principal = model.totals().open_principal_minor
    if open_principal > 0 and all(period.is_paid for period in model.periods):
        last = model.periods[-1]
        last.ask(last.instalment_minor + open_principal)
        place_leftover(model, on)


def leave_room(model: Model, row: Period) -> None:
    """Let a row stay open for interest that ran and found no room in any row.

    Where principal is paid first, it can be all paid while the interest of the days gone is owed.
    """
    waiting = model.periods[-1].carried_on_minor
    if waiting:
        row.ask(row.instalment_minor + waiting)
        model.settle()


def _take_leftover(model: Model, row: Period, totals: Totals) -> bool:
    """Let a row take what is left over; return whether that is all.

    It is not if more was paid for the row, also with its fixed interest, or if the row's new room
    lets more interest fall due.
    """
    left = totals.lent_minor + totals.interest_minor - totals.asked_minor
    wanted = amount = row.instalment_minor + left
    if row.fixed_interest_minor > 0:
        amount = max(amount, row.fixed_least_minor)
    least = row.paid_minor - row.credited_minor - row.deferred_minor
    interest_before = row.due_interest_minor
    row.ask(max(amount, least))
    if row.is_stale:
        model.settle()
    if row is model.periods[-1] and not row.is_interest_grace and row.carried_on_minor:
        # What ran in the last row can be carried no further, so it gets the room it needs.
        row.ask(row.instalment_minor + row.carried_on_minor)
        model.settle()
    return amount == wanted >= least and row.due_interest_minor == interest_before


def _is_closed_but_for_interest(row: Period) -> bool:
    """Return whether a row is open for the rest of its fixed interest only."""
    is_at_least = row.instalment_minor == row.fixed_least_minor
    return row.fixed_interest_minor > 0 and is_at_least and not row.is_paid


def _close_idle(model: Model, totals: Totals) -> bool:
    """Let the last rows that bear no interest ask for nothing more, if others take what is left.

    It is what a round for each of them comes to, since no interest changes; return whether any was.
    """
    left = totals.lent_minor + totals.interest_minor - totals.asked_minor
    before = left
    for period in reversed(model.periods):
        if period.segments or period.run_interest_minor or period.deferred_minor:
            break
        if period.is_paid:
            continue
        least = period.paid_minor - period.credited_minor
        if period.instalment_minor + left >= least:
            break
        left += period.instalment_minor - least
        period.ask(least)
    return left != before


def _last_open(model: Model, totals: Totals) -> Period | None:
    """Return the last row not paid; the very last if all ask for nothing and principal is out.

    A row open for nothing but its fixed interest gives way only if no other is open.
    """
    kept: Period | None = None
    for period in reversed(model.periods):
        if period.is_paid:
            continue
        if not _is_closed_but_for_interest(period):
            return period
        kept = kept or period
    if kept:
        return kept
    last = model.periods[-1]
    is_bare = totals.paid_principal_minor == 0 and last.segments and last.closing_minor > 0
    return last if is_bare else None


def _trimmed(model: Model, totals: Totals) -> Totals:
    """Let no period ask for more principal than is outstanding in all; return the sums then.

    Principal paid for the last instalments first can leave an earlier one too large.
    """
    outstanding = totals.lent_minor - totals.paid_principal_minor
    excesses = [
        (period, excess)
        for period in model.periods
        if (excess := period.due_principal_minor - period.paid_principal_minor - outstanding) > 0
    ]
    for period, excess in excesses:
        least = max(0, period.paid_minor - period.credited_minor)
        period.ask(max(period.instalment_minor - min(excess, period.open_principal_minor), least))
    if not excesses:
        return totals
    model.settle()
    if not outstanding and all(period.is_paid for period in model.periods):
        leave_room(model, excesses[-1][0])
    return model.totals()


def _forget_deferral(model: Model, row: Period) -> bool:
    """Take back what was deferred to a row; return whether anything was."""
    if row.deferred_minor:
        row.deferred_minor, row.is_stale = 0, True
    moved = [period for period in model.periods if period.is_moved_back]
    for period in moved:
        period.is_moved_back, period.is_stale = False, True
    if not moved and not row.is_stale:
        return False
    model.settle()
    return True
