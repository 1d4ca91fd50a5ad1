"""Array twins: the same arithmetic over many plans at once, equal to the scalar to the minor unit.

The scalar rule is the reference. Where an array cannot be as exact, that is where floating point
comes near a rounding tie or a product would overflow 64 bits, those plans are handed to the scalar
and only those. A file per noun, and `batch.<function>` for all of them.
"""

from fenqi.core.terms.batch.ageing import buckets, days_past_due
from fenqi.core.terms.batch.allocation import Allocated, allocations, takes
from fenqi.core.terms.batch.arrays import AmountsOutOfRange, Days, Minor, ShapeInvalid, shares
from fenqi.core.terms.batch.rates import RateTooLarge, effective_annuals, nominal_annuals
from fenqi.core.terms.batch.schedule import Signed, schedules, sign
from fenqi.core.terms.batch.settlement import KINDS, Lives, earned, settle_quotes

__all__ = [
    "KINDS",
    "Allocated",
    "AmountsOutOfRange",
    "Days",
    "Lives",
    "Minor",
    "RateTooLarge",
    "ShapeInvalid",
    "Signed",
    "allocations",
    "buckets",
    "days_past_due",
    "earned",
    "effective_annuals",
    "nominal_annuals",
    "schedules",
    "settle_quotes",
    "shares",
    "sign",
    "takes",
]
