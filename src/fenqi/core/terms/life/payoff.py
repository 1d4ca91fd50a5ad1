"""Pay-off: what ends a plan on a day.

Source: the vectors' README, section "Interest recalculation".
"""

from collections.abc import Iterable, Iterator
from datetime import date

from fenqi.core.terms.amortise.as_of import outstanding_as_of
from fenqi.core.terms.amortise.settings import PayOffInterest
from fenqi.core.terms.life.charge import CHARGED
from fenqi.core.terms.life.finish import finish
from fenqi.core.terms.life.life import Life
from fenqi.core.terms.life.state import Row, RowKind
from fenqi.core.terms.product import Component


def payoff_minor(life: Life, on: date) -> int:
    """Return what the customer pays on a day to end the plan.

    Where interest follows the balance: principal out, interest to the day or to the end of the
    rest, what stands outside the model, and all charges, also those that count from a later day.

    Units: minor units.
    """
    walk = finish(life.walk_by(on), on)
    later = sum(_charges(life.walk.rows)) - sum(_charges(walk.rows))
    if not walk.recalculates:
        return walk.open_minor + later
    until = on
    if walk.terms.interest.pay_off_interest is PayOffInterest.TO_REST:
        until = next((row.due_on for row in walk.rows if row.starts_on < on <= row.due_on), on)
    left = outstanding_as_of(walk.the_model, until)
    total = left.principal_minor + left.interest_minor + sum(_charges(walk.rows)) + later
    for row in walk.rows:
        if row.kind in (RowKind.DOWN_PAYMENT, RowKind.EXTRA):
            total += row.open(Component.PRINCIPAL) + row.open(Component.INTEREST)
    return total


def _charges(rows: Iterable[Row]) -> Iterator[int]:
    return (row.open(component) for row in rows for component in CHARGED)
