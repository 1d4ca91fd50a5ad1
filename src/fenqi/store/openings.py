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
            | ({"cost_table": str(one.cost_table)} if one.cost_table else {})
            | _cautious(one),
            actor=one.actor,
            command_key=one.command_key,
            topic="customer" if one.reasons else None,
        )
        if one.is_proved:
            booking.event(account, "step-up-passed", payload={}, actor=one.actor)


def _cautious(one: NewAccount) -> dict[str, object]:
    """Return what the opening tells after many applications; purchases are decided on it."""
    if one.applications_24h is None:
        return {}
    return {
        "applications_24h": one.applications_24h,
        "counts_max": one.counts_max,
        "reasons": list(one.reasons),
    }
