"""The row that gives way: the last open one asks for what the instalments leave over.

All instalments together are what was lent and what interest is due; whenever that changes, one
instalment has to.
"""

from datetime import date

from fenqi.core.terms.amortise.deferral import defer_run_interest, forget_deferral
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
        if forget_deferral(model, row, on):
            totals = model.totals()
        if _close_idle(model, totals):
            continue
        if _take_leftover(model, row, totals):
            if defer_run_interest(model, row, on):
                model.settle()
                _take_leftover(model, row, model.totals())  # part of it may be paid already
            return
        if _is_closed_but_for_interest(model, row) and _last_open(model, model.totals()) is row:
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


def ask_unasked(model: Model, most_minor: int) -> tuple[int, int]:
    """Let a row ask for interest that ran and that no row has room for; return which, how much.

    Principal paid first can close all rows before the interest of the days gone is asked for.
    Whoever paid no more than that is done, but money that came in beyond it pays that interest
    before it is overpaid. The last row that asks for interest takes it, else the very last.

    Source: published life LoanRepayment-Part4#CXXXX, its row 33.
    """
    if model.totals().open_principal_minor or not all(one.is_paid for one in model.periods):
        return 0, 0
    last = len(model.periods) - 1
    unasked = model.periods[last].carried_on_minor
    asked = min(unasked, most_minor)
    if not asked:
        return 0, 0
    taking = (
        place
        for place in range(last, -1, -1)
        if model.periods[place].due_interest_minor
        and model.periods[place].carried_on_minor == unasked  # nothing of it ran later
    )
    place = next(taking, last)
    row = model.periods[place]
    row.ask(row.instalment_minor + asked)
    model.settle()
    return place, asked


def _take_leftover(model: Model, row: Period, totals: Totals) -> bool:
    """Let a row take what is left over; return whether that is all.

    It is not if more was paid for the row, also with its fixed interest, or if the row's new room
    lets more interest fall due.
    """
    left = totals.left_minor
    wanted = amount = row.instalment_minor + left
    if row.fixed_interest_minor > 0:
        amount = max(amount, _fixed_least(model, row))
    least = row.paid_minor - row.credited_minor - row.deferred_minor
    interest_before = row.due_interest_minor
    row.ask(max(amount, least))
    if row.is_stale:
        model.settle()
    if row is model.periods[-1] and not row.is_interest_grace and row.carried_on_minor:
        # What ran in the last row can be carried no further, so it gets the room it needs.
        row.ask(row.instalment_minor + row.interest_least_minor - row.asked_minor)
        model.settle()
    return amount == wanted >= least and row.due_interest_minor == interest_before


def _fixed_least(model: Model, row: Period) -> int:
    """Return what a row asks for at least where its interest is set by agreement.

    What of it found no room there and a later row asks for is not asked for twice.
    """
    asked_later = row.carried_on_minor - model.periods[-1].carried_on_minor
    return row.fixed_least_minor - max(0, asked_later)


def _is_closed_but_for_interest(model: Model, row: Period) -> bool:
    """Return whether a row is open for the rest of its fixed interest only."""
    is_at_least = row.instalment_minor == _fixed_least(model, row)
    return row.fixed_interest_minor > 0 and is_at_least and not row.is_paid


def _close_idle(model: Model, totals: Totals) -> bool:
    """Let the last rows that bear no interest ask for nothing more, if others take what is left.

    It is what a round for each of them comes to, since no interest changes; return whether any was.
    """
    left = totals.left_minor
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
    last, left = model.periods[-1], totals.left_minor
    for period in reversed(model.periods):
        if period.is_paid:
            continue
        is_bound = left < 0 and period is last and period.asked_minor == period.interest_least_minor
        if not (is_bound or _is_closed_but_for_interest(model, period)):
            return period
        kept = kept or period
    if kept:
        return kept
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
