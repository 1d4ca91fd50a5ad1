"""The laws of a walk, asked after every operation: no principal comes or goes, nothing is overpaid.

An operation that would break one is refused before it is kept, whatever rule it came through.
"""

from fenqi.core.errors import ensure
from fenqi.core.terms.life.interest import FEE, INTEREST, PENALTY, PRINCIPAL
from fenqi.core.terms.life.state import NOTHING
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
        asked, paid = row.due, row.paid
        due += asked[0]
        credited += row.credited[0]
        if row.relieved == row.written_off == row.moved == NOTHING:
            if asked == paid:  # as in most plans most rows are
                continue
            principal, interest, fee, penalty = asked
            is_within = paid[0] + paid[1] <= principal + interest
            if is_within and paid[2] <= fee and paid[3] <= penalty:
                continue
        opens = (row.open(PRINCIPAL) + row.open(INTEREST), row.open(FEE), row.open(PENALTY))
        ensure(min(opens) >= 0, "no-row-is-overpaid", due_on=row.due_on, open_minor=min(opens))
    ensure(
        due == walk.lent_minor + credited,
        "principal-due-is-lent-or-credited",
        due_minor=due,
        lent_minor=walk.lent_minor,
        credited_minor=credited,
    )
