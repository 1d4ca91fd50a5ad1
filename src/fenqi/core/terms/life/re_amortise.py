"""Re-amortisation: same days and count; what is past due is spread over the rows to come.

Source: the vectors' README, section "Re-amortise".
"""

from fenqi.core.terms.life.operations import ReAmortise
from fenqi.core.terms.life.state import Kind, RowKind
from fenqi.core.terms.life.walk import Walk
from fenqi.core.terms.product import Component
from fenqi.core.values.rate import Rounding, divide

PRINCIPAL = Component.PRINCIPAL


def re_amortise(walk: Walk, operation: ReAmortise) -> None:
    """Move unpaid past-due principal to the instalments to come, equally, the rest to the last."""
    past = [row for row in walk.rows if row.due_on <= operation.on]
    ahead = [row for row in walk.rows if row.due_on > operation.on and is_regular(row.kind)]
    moved = sum(row.due[PRINCIPAL] - row.paid[PRINCIPAL] for row in past)
    transaction = walk.begin(operation, Kind.RE_AMORTISE, moved)
    transaction.parts[PRINCIPAL] = moved
    if not moved:
        transaction.is_reversed = True
        return
    for row in past:
        row.due[PRINCIPAL] = row.paid[PRINCIPAL]
        if not row.is_open and row.met_on is None:
            row.met_on = operation.on
    multiple = walk.terms.multiple_minor
    part = divide(moved, len(ahead), rounding=Rounding.HALF_EVEN)
    part = divide(part, multiple, rounding=Rounding.HALF_EVEN) * multiple
    for row in ahead[:-1]:
        row.due[PRINCIPAL] += part
    ahead[-1].due[PRINCIPAL] += moved - part * (len(ahead) - 1)


def is_regular(kind: RowKind) -> bool:
    """Return whether a row is an instalment of the original schedule."""
    return kind is RowKind.INSTALMENT
