"""The laws of a walk, asked after every operation: no principal comes or goes, nothing is overpaid.

An operation that would break one is refused before it is kept, whatever rule it came through.
"""

from fenqi.core.errors import ensure
from fenqi.core.terms.life.interest import PRINCIPAL
from fenqi.core.terms.life.state import Row
from fenqi.core.terms.life.walk import Walk


def hold(walk: Walk) -> None:
    """Hold a walk against its laws.

    Rows ask for exactly the principal that was lent or credited back, and no row for less than was
    paid. Principal and interest of a row stand together: a charge-off may name paid interest anew.

    Errors: Broken.
    """
    if not walk.rows:
        return
    due = credited = 0
    for row in walk.rows:
        due += row.due[PRINCIPAL]
        credited += row.credited[PRINCIPAL]
        if row.due != row.paid or row.is_lessened:  # most rows of most plans are met in time
            _hold_row(row)
    ensure(
        due == walk.lent_minor + credited,
        "principal-due-is-lent-or-credited",
        due_minor=due,
        lent_minor=walk.lent_minor,
        credited_minor=credited,
    )


def _hold_row(row: Row) -> None:
    """Hold a row against the law that nobody has paid or was let off more than it asked for."""
    due, paid = row.due, row.paid
    schedule, fee, penalty = due[0] - paid[0] + due[1] - paid[1], due[2] - paid[2], due[3] - paid[3]
    if row.is_lessened:
        for gone in (row.relieved, row.written_off, row.moved):
            schedule -= gone[0] + gone[1]
            fee -= gone[2]
            penalty -= gone[3]
    if schedule < 0 or fee < 0 or penalty < 0:
        open_minor = min(schedule, fee, penalty)
        ensure(open_minor >= 0, "no-row-is-overpaid", due_on=row.due_on, open_minor=open_minor)
