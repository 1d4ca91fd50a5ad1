"""What a caller has set for decimals changes nothing in a life."""

from decimal import ROUND_DOWN, Context, localcontext

from hypothesis import given

from random_lives import Told, lives


@given(lives())
def test_the_decimal_context_of_the_caller_changes_nothing(told: Told) -> None:
    seen = told.seen()
    with localcontext(Context(prec=4, rounding=ROUND_DOWN)):
        again = told.seen()
    assert [(row.due, row.paid) for row in again.rows] == [(row.due, row.paid) for row in seen.rows]
    assert [one.parts for one in again.transactions] == [one.parts for one in seen.transactions]
