"""Pay-off: what ends a plan on a day.

Source: the vectors' README, section "Interest recalculation".
"""

from datetime import date

from fenqi.core.terms.life.life import Life


def payoff_minor(life: Life, on: date) -> int:
    """Return what the customer pays on a day to end the plan. Units: minor units."""
    return life.view(on).open_minor
