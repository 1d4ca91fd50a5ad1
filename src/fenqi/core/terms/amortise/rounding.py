"""How an exact amount becomes money, and an instalment a multiple."""

from collections.abc import Sequence
from decimal import Decimal

from fenqi.core.terms.amortise.settings import EXACT, Settings
from fenqi.core.values.rate import Rounding, round_decimal


def rounded(value: Decimal) -> int:
    """Return an amount as whole minor units, HALF_EVEN, at the moment it becomes money."""
    return round_decimal(value, rounding=Rounding.HALF_EVEN)


def capped(total_minor: int, parts_minor: Sequence[int]) -> tuple[int, ...]:
    """Return parts of an amount, none below zero or above what is left; the last takes the rest."""
    left, parts = total_minor, []
    for part in parts_minor[:-1]:
        parts.append(max(0, min(part, left)))
        left -= parts[-1]
    return (*parts, left)


def to_multiple(amount_minor: Decimal | int, settings: Settings) -> int:
    """Return an instalment rounded to the product's multiple; never down to nothing."""
    whole = rounded(Decimal(amount_minor))
    if not settings.multiple:
        return whole
    step = settings.multiple * 10**settings.digits
    steps = EXACT.divide(Decimal(amount_minor), Decimal(step))
    nearest = round_decimal(steps, rounding=settings.multiple_rounding) * step
    return nearest if nearest or whole <= 0 else whole
