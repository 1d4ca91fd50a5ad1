"""Interest that ran in later, fully paid periods: it falls due with the last open one.

Whoever paid the last instalments first and then fell behind owes interest for days that lie in
periods already paid. It has no room there, so the last open period asks for it.
"""

from datetime import date

from fenqi.core.terms.amortise.model import Model
from fenqi.core.terms.amortise.period import Period


def defer_run_interest(model: Model, row: Period, on: date) -> bool:
    """Let `row` ask for what ran by a day in later periods and found no room there.

    What one has no room for falls due in the next that has; so it is what the last one carries on.
    Return whether there was any.
    """
    if row is model.periods[-1]:
        return False
    place = model.periods.index(row)
    trial = model.copy()
    forget_deferral(trial, trial.periods[place], on)
    stop_interest(trial, on)
    trial.settle()
    last = trial.periods[-1]
    run_later = last.carried_on_minor - trial.periods[place].carried_on_minor
    if run_later <= 0 or last.due_on <= row.due_on:
        return False
    row.deferred_minor, row.is_stale = run_later, True
    for period in model.periods[place + 1 :]:
        if period.due_on > row.due_on:
            period.is_moved_back, period.is_stale = True, True
    return True


def forget_deferral(model: Model, row: Period, on: date) -> bool:
    """Take back what was deferred to a row, or to one not yet due; return whether anything was."""
    for period in model.periods:
        if period.deferred_minor and (period is row or (period.due_on > on and not period.is_paid)):
            period.deferred_minor, period.is_stale = 0, True
    moved = [period for period in model.periods if period.is_moved_back]
    if moved:
        _let_off_paid(model, row)
    for period in moved:
        period.is_moved_back, period.is_stale = False, True
    if not any(period.is_stale for period in model.periods):
        return False
    model.settle()
    return True


def _let_off_paid(model: Model, row: Period) -> None:
    """Let what other rows were paid of deferred interest count as paid of what ran where it ran."""
    for other in model.periods:
        if other.deferred_minor and other.is_paid and other is not row:
            other.ask(other.instalment_minor + other.deferred_minor)
            row.fixed_interest_minor -= other.deferred_minor
            other.deferred_minor, other.is_stale, row.is_stale = 0, True, True


def take_deferral_back(model: Model, on: date) -> None:
    """Let interest deferred to any row fall due where it ran; settle the model.

    What of it is paid already is let off the row that runs on a day or is the next to fall due.
    """
    rows = [period for period in model.periods if period.deferred_minor]
    for period in model.periods:
        if period.deferred_minor or period.is_moved_back:
            period.deferred_minor, period.is_moved_back, period.is_stale = 0, False, True
    model.settle()
    paid = sum(max(0, row.paid_interest_minor - row.run_interest_minor) for row in rows)
    running = next((period for period in model.periods if period.due_on > on), None)
    if paid and running is not None:
        running.fixed_interest_minor -= paid
        running.is_stale = True
        model.settle()


def follow_deferral(model: Model, trial: Model) -> None:
    """Let a model defer as its trial does, once its rows ask for what those of the trial do."""
    for period, tried in zip(model.periods, trial.periods, strict=True):
        tries = (tried.deferred_minor, tried.is_moved_back)
        if (period.deferred_minor, period.is_moved_back) != tries:
            period.deferred_minor, period.is_moved_back = tries
            period.is_stale = True


def stop_interest(model: Model, on: date) -> None:
    """Let no interest run in a model after a day."""
    place = model.find(on)
    if place is not None:
        period = model.periods[place]
        period.own()
        found = [s for s in period.segments if s.starts_on < on <= s.ends_on]
        if found:
            found[-1].ends_on = on
        elif place == 0 and period.segments[0].starts_on == on:
            period.segments[0].ends_on = on
        model.refresh_factor(period)
    for period in model.periods[model.first_due_from(on) :]:
        if any(segment.ends_on > on for segment in period.segments):
            period.own()
            period.is_stale = True
            for segment in period.segments:
                if segment.ends_on > on:
                    segment.earn_nothing()
