"""A book as it is founded: the shipped catalogue, one merchant, a clock that stands at noon."""

from datetime import UTC, date, datetime, time

from fenqi.core.values.ids import MerchantId
from fenqi.runtime import Ids, MovingClock
from fenqi.store import books, catalogue
from fenqi.store.ground import Ground
from fenqi.store.pool import Store

FUNDING = 100_000_000
NOON = time(4)  # in Shanghai, told in UTC


def noon(day: date) -> datetime:
    return datetime.combine(day, NOON, UTC)


def founded(
    store: Store,
    *,
    book_id: str,
    legal_entity: str,
    opened_on: date,
    slices: int,
    currency: str = "CNY",
    seed: int = 1,
) -> tuple[Ground, MovingClock, MerchantId]:
    """Return what works on a fresh book, its clock at noon of the first day, and its merchant."""
    clock = MovingClock(noon(opened_on))
    ids = Ids(clock, seed=seed)
    with store.transaction() as session:
        catalogue.install(session, clock.now())
        known = catalogue.load(session)
        pack = known.pack("cn")
        new = books.NewBook(
            book_id=book_id,
            legal_entity=legal_entity,
            currency=currency,
            zone="Asia/Shanghai",
            opened_on=opened_on,
            pack=pack.pack_id,
            pack_version=pack.version,
            slices=slices,
            funding_minor=FUNDING,
        )
        books.create(session, new, ids=ids, now=clock.now())
        merchant = books.merchant(session, book_id, "shop", ids=ids)
    return Ground(store, clock, ids, known), clock, merchant
