"""Early settlement: cost that time has not earned is waived, everything else is paid.

Such cost that was paid ahead counts as paid for what is owed; what is left of it nobody owes. Where
interest follows the balance day by day, no interest is unearned and only fees are waived. Money
that turns out not to be enough, because an earlier payment was taken back, is a plain payment.
Source: docs/adr/0007-settle-early-by-the-day.md.
"""

from datetime import date

from fenqi.core.terms.life.charge import note_relief
from fenqi.core.terms.life.finish import finish
from fenqi.core.terms.life.interest import owes_to_rest
from fenqi.core.terms.life.operations import Disburse, Settle
from fenqi.core.terms.life.receive import allocate_receipt, exceed
from fenqi.core.terms.life.relief import OF_THIS_PLAN, relieve
from fenqi.core.terms.life.rest import pay_off_of
from fenqi.core.terms.life.rules import SettlementRule
from fenqi.core.terms.life.state import IN_SCHEDULE, Kind, Parts, Row, Transaction
from fenqi.core.terms.life.unearned import Ending, asked, unearned
from fenqi.core.terms.life.walk import Walk
from fenqi.core.terms.product import Component, Settlement

FEE, INTEREST = Component.FEE, Component.INTEREST
Waivers = list[tuple[Row, Parts]]


def note_settlement(walk: Walk, operation: Settle) -> None:
    """Note whether a settlement ends the plan by the rule of its pay-offs, or withdraws to its day.

    Only a product whose pay-offs owe interest to the rest asks.
    """
    walk.is_withdrawal = operation.is_withdrawal
    if owes_to_rest(walk) and walk.recalculates:
        then = finish(walk, operation.on, is_pay_off=True)
        ending = ending_minor(then, operation.on, waivers_on(then, operation.on))
        walk.is_pay_off = operation.amount_minor >= ending


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


def _waive(walk: Walk, transaction: Transaction, row: Row, parts: Parts) -> int:
    """Relieve a row of cost and note it on its charges; return the money freed."""
    before = row.copy()
    freed = relieve(walk, transaction, row, parts[:], OF_THIS_PLAN)
    note_relief(walk, row, before)
    return freed
