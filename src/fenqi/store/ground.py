"""What every flow stands on: store, clock, ids and catalogue, handed in together."""

from dataclasses import dataclass

from fenqi.core.ports import Clock, IdSource
from fenqi.store.catalogue import Catalogue
from fenqi.store.pool import Store


@dataclass(frozen=True, slots=True)
class Ground:
    """Built once by `runtime`, passed to each flow."""

    store: Store
    clock: Clock
    ids: IdSource
    catalogue: Catalogue
