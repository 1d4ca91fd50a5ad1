"""What ends a plan on a day, and whether a receipt is enough for it.

A product can let pay-offs bear interest to the end of the running period, the rest; then what ends
the plan counts from there, while anything less counts from its own day.
Source: the vectors' README, section "Interest recalculation".
"""

from datetime import date

from fenqi.core.terms.amortise.as_of import outstanding_as_of
from fenqi.core.terms.life.finish import finish
from fenqi.core.terms.life.interest import (
    FEE,
    INTEREST,
    PENALTY,
    PRINCIPAL,
    end_of_rest,
    owes_to_rest,
)
from fenqi.core.terms.life.rules import GivenUp
from fenqi.core.terms.life.state import BESIDE_SCHEDULE
from fenqi.core.terms.life.walk import Walk


def note_pay_off(walk: Walk, on: date, amount_minor: int) -> None:
    """Note whether a receipt of an amount on a day ends the plan by the product's rule.

    Only a product whose pay-offs owe interest to the rest asks.
    """
    if owes_to_rest(walk) and walk.recalculates:
        ending_minor = pay_off_of(finish(walk, on, is_pay_off=True), on)
        walk.is_pay_off = amount_minor >= ending_minor


def pay_off_of(walk: Walk, on: date) -> int:
    """Return all that is open of a walk counted to a day, with interest by the product's rule.

    Where interest follows the balance: principal out, interest to the day or to the end of the
    rest, charges, and what stands outside the model.

    Units: minor units. Source: the vectors' README, section "Interest recalculation".
    """
    if not walk.recalculates:
        lives_on = walk.terms.rules.given_up is GivenUp.LIVES_ON
        return sum(row.claim_minor if lives_on else row.open_minor for row in walk.rows)
    left = outstanding_as_of(walk.the_model, end_of_rest(walk, on))
    total = left.principal_minor + left.interest_minor
    for row in walk.rows:
        total += row.open(FEE) + row.open(PENALTY)
        if row.kind in BESIDE_SCHEDULE:
            total += row.open(PRINCIPAL) + row.open(INTEREST)
    return total
