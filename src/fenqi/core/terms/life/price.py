"""What a request costs on the day it is made: free so often a year, then what was disclosed.

A year is the twelve months before the day of the request. A replay asks no more: what was free then
stays free, whatever is found later.
Source: docs/adr/0020-carry-requests-to-the-ledger.md.
"""

from collections.abc import Sequence
from datetime import date

from fenqi.core.terms.allowances import DeferralRule, ExtensionRule
from fenqi.core.terms.life.extend import extension_cost_minor
from fenqi.core.terms.life.operations import Defer, Extend, Operation
from fenqi.core.terms.life.redate import deferral_cost_minor
from fenqi.core.terms.life.state import Row
from fenqi.core.terms.life.walk import Walk
from fenqi.core.values.day import add_months

MONTHS_OF_A_YEAR = 12


def times_in_a_year(walk: Walk, kind: type[Operation], on: date) -> int:
    """Return how often a kind of request counted in the year up to a day."""
    since = add_months(on, -MONTHS_OF_A_YEAR)
    return sum(type(one) is kind and one.on > since for one in walk.done)


def deferral_price_minor(walk: Walk, row: Row, rule: DeferralRule, on: date) -> int:
    """Return what deferring an instalment costs when it is asked for on a day.

    Units: minor units.
    """
    if times_in_a_year(walk, Defer, on) < rule.free_a_year:
        return 0
    return deferral_cost_minor(row, rule)


def extension_price_minor(
    walk: Walk, rows: Sequence[Row], count: int, rule: ExtensionRule, on: date
) -> int:
    """Return what further instalments cost when they are asked for on a day.

    Units: minor units.
    """
    if times_in_a_year(walk, Extend, on) < rule.free_a_year:
        return 0
    return extension_cost_minor(rows, count, rule)
