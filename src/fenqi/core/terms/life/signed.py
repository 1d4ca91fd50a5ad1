"""A schedule as signed: rows ask for what the customer was shown, on the days that were agreed.

Such a plan has no interest model; what the array twins and the digest of the purchase say is what
its rows say.
Source: docs/reference/products.md.
"""

from dataclasses import replace
from datetime import date

from fenqi.core.terms.life.state import Row, RowKind
from fenqi.core.terms.schedule import Terms, schedule


def signed_rows(terms: Terms, principal_minor: int, on: date) -> list[Row]:
    """Return the rows of a signed plan, or of the one that would lend another amount."""
    if principal_minor != terms.principal_minor:
        terms = replace(terms, principal_minor=principal_minor)
    return [
        Row(
            due.number,
            RowKind.INSTALMENT,
            due.starts_on,
            due.due_on,
            list(due.amounts),
            [0, 0, 0, 0],
            [0, 0, 0, 0],
            [0, 0, 0, 0],
            [0, 0, 0, 0],
            met_on=None if any(due.amounts) else on,
        )
        for due in schedule(terms)
    ]
