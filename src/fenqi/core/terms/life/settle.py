"""Early settlement: cost that time has not earned is waived, everything else is paid.

Such cost that was paid ahead counts as paid for what is owed; what is left of it nobody owes. Where
interest follows the balance day by day, no interest is unearned and only fees are waived. Money
that turns out not to be enough, because an earlier payment was taken back, is a plain payment.
Source: docs/adr/0007-settle-early-by-the-day.md.
"""

from datetime import date

from fenqi.core.terms.amortise.as_of import outstanding_as_of
from fenqi.core.terms.amortise.settings import PayOffInterest
from fenqi.core.terms.life.charge import note_relief
from fenqi.core.terms.life.operations import Disburse, Settle
from fenqi.core.terms.life.receive import allocate_receipt, exceed
from fenqi.core.terms.life.relief import OF_THIS_PLAN, relieve
from fenqi.core.terms.life.rules import GivenUp, SettlementRule
from fenqi.core.terms.life.state import BESIDE_SCHEDULE, IN_SCHEDULE, Kind, Parts, Row, Transaction
from fenqi.core.terms.life.unearned import Ending, asked, unearned
from fenqi.core.terms.life.walk import Walk
from fenqi.core.terms.product import Component, Settlement

FEE, INTEREST, PENALTY, PRINCIPAL = (
    Component.FEE,
    Component.INTEREST,
    Component.PENALTY,
    Component.PRINCIPAL,
)
Waivers = list[tuple[Row, Parts]]


def settle_early(walk: Walk, operation: Settle) -> None:
    """End a plan: relieve it of what an end on that day does not ask for; money pays the rest.

    What the money exceeds is overpaid.
    """
    on, amount = operation.on, operation.amount_minor
    waivers = waivers_on(walk, on, is_withdrawal=operation.is_withdrawal)
    is_enough = amount >= ending_minor(walk, on, waivers)
    transaction = walk.begin(operation, Kind.SETTLEMENT, amount)
    freed = 0
    for row, parts in waivers if is_enough else ():
        freed += _waive(walk, transaction, row, parts)
    exceed(walk, transaction, allocate_receipt(walk, transaction, amount + freed))


def waivers_on(walk: Walk, on: date, *, is_withdrawal: bool = False) -> Waivers:
    """Return the rows of the schedule and the cost of each that an end on a day does not ask for.

    A withdrawal asks for interest by the day and for no fee at all.

    Units: minor units by component.
    """
    rows = [row for row in walk.rows if row.kind in IN_SCHEDULE]
    lent = [(one.on, one.amount_minor) for one in walk.done if isinstance(one, Disburse)]
    rule = walk.terms.rules.settlement
    if is_withdrawal:
        rule = SettlementRule(Settlement.BY_THE_DAY, rule.rounding)
    waivers = unearned(Ending(rows, lent, on, walk.terms.interest.interval), rule)
    for row, parts in zip(rows, waivers, strict=True):
        if walk.recalculates:
            parts[INTEREST] = 0
        if is_withdrawal:
            parts[FEE] = asked(row, FEE)
    return list(zip(rows, waivers, strict=True))


def ending_minor(walk: Walk, on: date, waivers: Waivers) -> int:
    """Return what ends a plan on a day when some cost is waived.

    Units: minor units; never below zero, since money back is no part of ending a plan.
    """
    return max(0, pay_off_of(walk, on) - sum(sum(parts) for _, parts in waivers))


def pay_off_of(walk: Walk, on: date) -> int:
    """Return all that is open of a walk counted to a day, with interest by the product's rule.

    Where interest follows the balance: principal out, interest to the day or to the end of the
    rest, charges, and what stands outside the model.

    Units: minor units. Source: the vectors' README, section "Interest recalculation".
    """
    if not walk.recalculates:
        lives_on = walk.terms.rules.given_up is GivenUp.LIVES_ON
        return sum(row.claim_minor if lives_on else row.open_minor for row in walk.rows)
    until = on
    if walk.terms.interest.pay_off_interest is PayOffInterest.TO_REST:
        until = next((row.due_on for row in walk.rows if row.starts_on < on <= row.due_on), on)
    left = outstanding_as_of(walk.the_model, until)
    total = left.principal_minor + left.interest_minor
    for row in walk.rows:
        total += row.open(FEE) + row.open(PENALTY)
        if row.kind in BESIDE_SCHEDULE:
            total += row.open(PRINCIPAL) + row.open(INTEREST)
    return total


def _waive(walk: Walk, transaction: Transaction, row: Row, parts: Parts) -> int:
    """Relieve a row of cost and note it on its charges; return the money freed."""
    before = row.copy()
    freed = relieve(walk, transaction, row, parts[:], OF_THIS_PLAN)
    note_relief(walk, row, before)
    return freed
