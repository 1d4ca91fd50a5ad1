"""How an account opens, whoever asked for it: after an accepted offer, or with a lender's history.

The person, account, enrolment, cycle and agreement are written at once, and the opening is told as
an event.
"""

from collections.abc import Sequence

from fenqi.store import accounts
from fenqi.store.accounts import NewAccount
from fenqi.store.booking import Booking
from fenqi.store.ground import Ground
from fenqi.store.pool import Session

FIRST_AGREEMENT = 1


def open_accounts(
    session: Session, ground: Ground, booking: Booking, new: Sequence[NewAccount]
) -> None:
    """Open accounts; each goes on with the events its application had.

    Errors: AlreadyThere if another program enrolled one of the persons at the same moment.
    """
    if not new:
        return
    accounts.add(session, new, ground.catalogue)
    opened = accounts.lock(session, {one.account_id for one in new})
    for one in new:
        account = opened[one.account_id]
        account.event_count = one.event_count
        booking.event(
            account,
            "account-opened",
            payload={
                "limit_minor": one.limit_minor,
                "statement_day": one.statement_day,
                "agreement_version": FIRST_AGREEMENT,
            }
            | ({"cost_table": str(one.cost_table)} if one.cost_table else {}),
            actor=one.actor,
            command_key=one.command_key,
        )
