"""A contest: the customer says a purchase is not hers, or that its goods never came.

While it is open nothing of the plan is claimed. A person finds for or against it.
"""

from enum import StrEnum


class Ground(StrEnum):
    """Why a purchase is contested."""

    NOT_MINE = "not-mine"  # somebody else bought it
    NOT_RECEIVED = "not-received"  # the goods never came
    NOT_AS_AGREED = "not-as-agreed"  # what came is something else, or broken


class Finding(StrEnum):
    """How a contest ends."""

    UPHELD = "upheld"  # the purchase is undone, and all that was paid for it goes back
    NOT_UPHELD = "not-upheld"  # it goes on, with the days given that the contest was open
