"""Pay-off and settlement quotes: what ends a plan on a day.

The pay-off asks for all that is open; the quote waives what the product's settlement method does
not ask for, by the rule that books it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from fenqi.core.terms.life.charge import CHARGED
from fenqi.core.terms.life.finish import finish
from fenqi.core.terms.life.life import Life
from fenqi.core.terms.life.rest import pay_off_of
from fenqi.core.terms.life.rewind import rewound
from fenqi.core.terms.life.settle import Waivers, ending_minor, waivers_on
from fenqi.core.terms.life.state import Row
from fenqi.core.terms.life.walk import Walk
from fenqi.core.terms.product import Settlement


@dataclass(frozen=True, slots=True)
class SettleQuote:
    """What ends a plan, the saving against paying as agreed, and how long that stands.

    Units: minor units. A settlement that reaches us on a day up to `holds_through` is recorded with
    the day of the quote as its effective day.
    """

    on: date
    method: Settlement
    amount_minor: int
    saving_minor: int  # cost that paying as agreed would still bring
    holds_through: date


def settle_quote(life: Life, on: date, *, is_withdrawal: bool = False) -> SettleQuote:
    """Return what the customer pays to end the plan on a day, or to withdraw on it.

    Operations that count later than the day play no part in it.

    Errors: OperationUntimely if nothing was lent by the day.
    """
    then = rewound(life.walk, on)
    walk = finish(then, on, is_pay_off=True, is_withdrawal=is_withdrawal)
    waivers = waivers_on(walk, on, is_withdrawal=is_withdrawal)
    rule = walk.terms.rules.settlement
    return SettleQuote(
        on=on,
        method=rule.method,
        amount_minor=ending_minor(walk, on, waivers),
        saving_minor=_saving_minor(walk, on, waivers),
        holds_through=on + timedelta(days=rule.holds_days),
    )


def _saving_minor(walk: Walk, on: date, waivers: Waivers) -> int:
    """Return what is waived, and the interest that will not run."""
    not_run = walk.open_minor - pay_off_of(walk, on) if walk.recalculates else 0
    return not_run + sum(sum(parts) for _, parts in waivers)


def payoff_minor(life: Life, on: date) -> int:
    """Return what the customer pays on a day to end the plan if nothing is waived.

    Charges that count from a later day are asked for too.

    Units: minor units. Errors: OperationUntimely if nothing was lent by the day.
    """
    walk = finish(rewound(life.walk, on), on, is_pay_off=True)
    later = sum(_charges(life.walk.rows)) - sum(_charges(walk.rows))
    return pay_off_of(walk, on) + later


def _charges(rows: Iterable[Row]) -> Iterator[int]:
    return (row.open(component) for row in rows for component in CHARGED)
