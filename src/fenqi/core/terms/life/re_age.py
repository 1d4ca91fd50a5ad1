"""Re-ageing: what is unpaid moves to new instalments from a start day.

Old rows keep only what was paid; money paid for rows after the day is gathered in one extra row.
Source: the vectors' README, section "Re-age".
"""

from fenqi.core.terms.life.operations import ReAge
from fenqi.core.terms.life.walk import Walk


def re_age(walk: Walk, operation: ReAge) -> None:
    """Lay what is unpaid over new rows."""
    raise NotImplementedError
