"""What every flow stands on: store, clock, ids and catalogue, handed in together."""

from dataclasses import dataclass, field

from fenqi.core.ports import Clock, IdSource
from fenqi.core.risk.crowd import CrowdRule
from fenqi.core.risk.features.declaration import FeatureSet
from fenqi.store import crowds
from fenqi.store.books import Merchants
from fenqi.store.catalogue import Catalogue
from fenqi.store.features import shipped
from fenqi.store.pool import Store


@dataclass(frozen=True, slots=True)
class Ground:
    """Built once by `runtime`, passed to each flow."""

    store: Store
    clock: Clock
    ids: IdSource
    catalogue: Catalogue
    features: FeatureSet = field(default_factory=shipped)
    merchants: Merchants = field(default_factory=Merchants)  # met so far
    crowd: CrowdRule = field(default_factory=crowds.shipped)
