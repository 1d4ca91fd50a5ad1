"""The down payment: a share of a disbursement that falls due on its day, before any interest.

Source: README of the published vectors, "Down payment".
"""

from fenqi.core.terms.amortise.rounding import to_multiple
from fenqi.core.terms.amortise.settings import Settings
from fenqi.core.values.rate import Rounding, apply_ppm


def down_payment(amount_minor: int, share_ppm: int, settings: Settings) -> int:
    """Return the part of a disbursement due at once, rounded to the minor unit, then to a multiple.

    Units: minor units; `share_ppm` in parts per million of the disbursement.
    """
    part = apply_ppm(amount_minor, share_ppm, rounding=Rounding.HALF_EVEN)
    return min(amount_minor, to_multiple(part, settings))
