"""A named person closes a circuit breaker: what he found is kept, the policy decides again."""

from fenqi.core.risk.decision import DecisionKind
from fenqi.store import accounts, books, breaker
from fenqi.store.booking import Booking
from fenqi.store.ground import Ground


def reset(ground: Ground, book_id: str, kind: DecisionKind, *, by: str, finding: str) -> int:
    """Close the open breakers of a kind of decision in a book; return how many.

    Errors: BookMissing, PersonNeeded, TripMissing.
    """
    booking = Booking(ground)
    with ground.store.transaction() as session:
        book = books.read(session, book_id)
        house = accounts.lock(session, {book.house_account_id})[book.house_account_id]
        closed = breaker.reset(session, booking, house, kind, by=by, finding=finding)
        booking.write(session)
    return closed
