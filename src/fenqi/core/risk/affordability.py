"""What a person can carry: a limit bounded by income, by what is owed elsewhere, and by the pack.

Income that was shown counts more than income that was only said; what is owed elsewhere is the
larger of what the person says and what a bureau says. What nobody knows is taken at nothing, under
a smaller bound, so that an outage of ours is a smaller beginning and never a decline (P5).
"""

from dataclasses import dataclass
from enum import StrEnum

from fenqi.core.terms.lending_rules import LendingRules
from fenqi.core.values.rate import PPM


class Bound(StrEnum):
    """What holds a limit down."""

    ASKED = "as-asked"
    INCOME = "income"
    OBLIGATIONS = "obligations"
    UNEVIDENCED = "income-not-shown"
    UNKNOWN = "no-bureau-report"
    PACK = "highest-limit"


@dataclass(frozen=True, slots=True)
class Means:
    """What is known of a person's money by the month; None is unknown.

    Units: minor units of the book's currency.
    """

    income_declared_minor: int
    income_evidenced_minor: int | None
    obligations_declared_minor: int | None
    obligations_reported_minor: int | None
    is_reported: bool  # a bureau's word is there, be it that it knows nothing of the person

    @property
    def obligations_minor(self) -> int | None:
        """The larger of what was said and what was reported."""
        known = (self.obligations_declared_minor, self.obligations_reported_minor)
        return max((one for one in known if one is not None), default=None)

    @property
    def income_minor(self) -> int:
        """What was shown, else what was said."""
        shown = self.income_evidenced_minor
        return self.income_declared_minor if shown is None else shown


@dataclass(frozen=True, slots=True)
class Carried:
    """The largest limit that can be carried, and what holds it down; minor units."""

    limit_minor: int
    bound: Bound


def carried(means: Means, rules: LendingRules, asked_minor: int | None = None) -> Carried:
    """Return the largest limit a person can carry, no more than asked for.

    Units: minor units. Whole units are rounded down, in the person's interest.
    """
    is_shown = means.income_evidenced_minor is not None
    multiple = rules.multiple_evidenced_ppm if is_shown else rules.multiple_declared_ppm
    income = max(0, means.income_minor)
    free = income * rules.service_share_max_ppm // PPM - (means.obligations_minor or 0)
    bounds = {
        Bound.PACK: rules.limit_minor_max,
        Bound.INCOME: income * multiple // PPM,
        Bound.OBLIGATIONS: max(0, free) * rules.service_months,
    }
    if not is_shown:
        bounds[Bound.UNEVIDENCED] = rules.limit_unevidenced_minor_max
    if not means.is_reported:
        bounds[Bound.UNKNOWN] = rules.limit_unknown_minor_max
    if asked_minor is not None:
        bounds[Bound.ASKED] = asked_minor
    bound = min(bounds, key=lambda one: bounds[one])
    return Carried(bounds[bound], bound)
