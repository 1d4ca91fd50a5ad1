"""A book is founded, and merchants are enlisted in it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from fenqi.core.errors import Conflict, Invalid
from fenqi.core.values.ids import MerchantId
from fenqi.core.values.money import currency
from fenqi.store import books
from fenqi.store.ground import Ground

NAME_LENGTH_MAX = 100


class CurrencyOutsidePack(Conflict):
    """The pack says nothing about this currency."""

    code = "currency-outside-pack"


class NameInvalid(Invalid):
    """A name is empty, too long, or holds what cannot be printed."""

    code = "name-invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a book is founded with. Units: `funding_minor` in minor units of the currency.

    Founding it again with the same words changes nothing. A trial book, in which a history is
    replayed and nobody is owed anything, may use a pack made for other currencies. `origin` is
    the digest of such a history, or of an invented one; `drawn_from` and `drawn_seed` tell what
    its payments are drawn from.
    """

    book_id: str
    legal_entity: str
    currency: str
    zone: str
    opened_on: date
    pack: str = "cn"
    slices: int = 2
    due_after_days: int = 9
    funding_minor: int = 0
    is_trial: bool = False
    origin: str = ""
    drawn_from: str = ""
    drawn_seed: int | None = None


@dataclass(frozen=True, slots=True)
class Founded:
    """Where the book stands: the open business day."""

    business_date: date


def found(ground: Ground, command: Found) -> Founded:
    """Found a book, or find it founded with the same words.

    Errors: NameInvalid, CurrencyUnknown, CurrencyOutsidePack; BookDiffers if another book has the
    name.
    """
    for name in (command.book_id, command.legal_entity):
        if not 0 < len(name.strip()) <= len(name) <= NAME_LENGTH_MAX or not name.isprintable():
            raise NameInvalid(name=name, length_max=NAME_LENGTH_MAX)
    currency(command.currency)
    pack = ground.catalogue.pack(command.pack)
    if command.currency not in pack.currencies and not command.is_trial:
        raise CurrencyOutsidePack(
            currency=command.currency, pack=pack.pack_id, currencies=list(pack.currencies)
        )
    new = books.NewBook(
        book_id=command.book_id,
        legal_entity=command.legal_entity,
        currency=command.currency,
        zone=command.zone,
        opened_on=command.opened_on,
        pack=pack.pack_id,
        pack_version=pack.version,
        slices=command.slices,
        due_after_days=command.due_after_days,
        funding_minor=command.funding_minor,
        origin=command.origin,
        drawn_from=command.drawn_from,
        drawn_seed=command.drawn_seed,
    )
    with ground.store.transaction() as session:
        book = books.find_or_create(session, new, ids=ground.ids, now=ground.clock.now())
    return Founded(book.business_date)


def enlist(ground: Ground, book_id: str, names: Collection[str]) -> dict[str, MerchantId]:
    """Return a book's merchants of these names, enlisting the new ones. Errors: BookMissing."""
    with ground.store.transaction() as session:
        books.read(session, book_id)
        return {
            name: books.merchant(session, book_id, name, ids=ground.ids) for name in sorted(names)
        }
