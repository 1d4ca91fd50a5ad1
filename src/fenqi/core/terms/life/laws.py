"""The laws of a walk, asked after every operation: no principal comes or goes, nothing is overpaid.

An operation that would break one is refused before it is kept, whatever rule it came through.
"""

from fenqi.core.errors import ensure
from fenqi.core.terms.life.interest import FEE, INTEREST, PENALTY, PRINCIPAL
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
        if row.due != row.paid:  # a row that is met in time is in most plans most rows
            opens = (row.open(PRINCIPAL) + row.open(INTEREST), row.open(FEE), row.open(PENALTY))
            ensure(min(opens) >= 0, "no-row-is-overpaid", due_on=row.due_on, open_minor=min(opens))
        else:
            gone = (*row.relieved, *row.written_off, *row.moved)
            ensure(not any(gone), "no-row-is-overpaid", due_on=row.due_on, gone_minor=sum(gone))
    ensure(
        due == walk.lent_minor + credited,
        "principal-due-is-lent-or-credited",
        due_minor=due,
        lent_minor=walk.lent_minor,
        credited_minor=credited,
    )
