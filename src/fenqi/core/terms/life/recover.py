"""Recovery: money that comes in after a write-off pays the claim, which lives on, oldest first.

Source: docs/adr/0016-replay-every-plan-in-one-engine.md.
"""

from fenqi.core.terms.life.rules import GivenUp
from fenqi.core.terms.life.state import Effect, Transaction
from fenqi.core.terms.life.walk import Walk


def recover(walk: Walk, transaction: Transaction, amount_minor: int) -> int:
    """Put money onto what was written off and is still claimed; return what is left."""
    if not walk.is_written_off or walk.terms.rules.given_up is GivenUp.ENDS:
        return amount_minor
    left = amount_minor
    for row in walk.rows:
        take = min(left, sum(row.written_off) - row.recovered_minor)
        if take:
            row.recovered_minor += take
            left -= take
            walk.line(transaction, row, Effect.RECOVERED)[0] += take
    return left
