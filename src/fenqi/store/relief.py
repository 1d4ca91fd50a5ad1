"""Relief: what a customer for whom paying is hard may ask of each plan, as of today, at no fee.

Each way is previewed by the function that would book it, so what is told can be had. A later day
is granted at once, more instalments once a person has looked. What has a fee is not offered
unasked, and nothing here changes a plan: the customer asks, or does not.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from functools import partial

from fenqi.core.errors import FenqiError
from fenqi.core.terms.life import customer
from fenqi.core.terms.life.life import Life
from fenqi.core.terms.life.operations import Defer, Extend
from fenqi.core.terms.life.preview import preview
from fenqi.core.terms.life.state import Status
from fenqi.core.terms.pack import allowances
from fenqi.store.plans import PlanRecord

PLANS_MAX = 20  # named to one customer; who has more may ask for the others too
LOOKS = "a person"  # who looks at an extension once it is asked for; here nobody has

Ways = Mapping[str, object]


def ways_of(records: Iterable[PlanRecord], on: date) -> list[Ways]:
    """Return what a customer may ask of plans on a day, of those that owe longest first.

    Of each plan `plan_id`; `deferral_days`, how much later its next instalment may fall due at
    most, with what the plan costs more for it; `extension_count`, how many more instalments there
    may be at most, with the same. A plan of which nothing may be asked is left out.

    Units: `..._cost_minor` in minor units of the account's currency.
    """
    running = [one for one in records if one.state is Status.ACTIVE and one.contested_on is None]
    running.sort(key=lambda one: (one.oldest_due_on or on, one.plan_id))
    ways: list[Ways] = []
    for record in running[:PLANS_MAX]:
        may, life = allowances(record.terms.product, record.pack), record.life()
        found: dict[str, object] = {}
        if may.deferral is not None:
            days = may.deferral.days_max
            cost = _cost(life, partial(customer.deferral, life, on, days=days))
            if cost is not None:
                found |= {"deferral_days": days, "deferral_cost_minor": cost}
        if may.extension is not None:
            count = may.extension.count_max
            ask = partial(customer.extension, life, on, count=count, reviewed_by=LOOKS)
            cost = _cost(life, ask)
            if cost is not None:
                found |= {"extension_count": count, "extension_cost_minor": cost}
        if found:
            ways.append({"plan_id": record.plan_id} | found)
    return ways


def _cost(life: Life, ask: Callable[[], Defer | Extend]) -> int | None:
    """Return what a plan costs more for a request; None if it is refused, or has a fee."""
    try:
        operation = ask()
        return None if operation.cost_minor else preview(life, operation).cost_minor
    except FenqiError:
        return None
