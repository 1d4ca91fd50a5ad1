"""What a flow hands in beside the features: what an account's own row says of it now.

Decisions about purchases, accesses, limits and prices all look at an account through this, so that
one name means one thing in each of them.
"""

from fenqi.core.account import AccountStatus, Standing
from fenqi.core.risk.input import Value
from fenqi.core.values.rate import PPM

PLACE_OF = {status: place for place, status in enumerate(AccountStatus)}
NORMAL = 0  # the place of the regime among its choices, while that room is unfurnished
OVERDUE = "overdue_days"  # the input that excused days make smaller
CHECKS_PASSED = "checks_passed_24h"  # the feature that says whether the customer proved himself


def given_of(standing: Standing, *, age_days: int, needs_step_up: bool) -> dict[str, Value]:
    """Return what an account's row says, by the names of the vocabulary.

    Units: as `data/features/shipped.toml` declares; `age_days` since the account was opened. The
    share used of no limit is unknown.
    """
    limit, used = standing.limit_minor, standing.used_minor
    return {
        "account_status": PLACE_OF[standing.status],
        "limit_minor": limit,
        "used_minor": used,
        "available_minor": max(0, limit - used),
        "utilisation_ppm": used * PPM // limit if limit > 0 else None,
        "overdue_days": standing.overdue_days,
        "account_age_days": age_days,
        "regime": NORMAL,
        "is_held": int(standing.is_held),
        "needs_step_up": int(needs_step_up),
    }
