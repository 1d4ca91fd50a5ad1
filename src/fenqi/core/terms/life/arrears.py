"""Arrears: since when a plan is behind.

Source: the vectors' README, section "Delinquency".
"""

from datetime import date, timedelta

from fenqi.core.terms.life.view import View


def behind_since(view: View, on: date, *, grace_days: int) -> date | None:
    """Return the day from which overdue days count: the oldest unpaid due day after its grace."""
    due_days = [row.due_on for row in view.rows if row.is_open]
    since = min(due_days, default=on) + timedelta(days=grace_days)
    return since if since < on else None
