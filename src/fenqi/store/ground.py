"""What every flow stands on: store, clock, ids and catalogue, handed in together."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Event

from fenqi.core.ports import Clock, IdSource
from fenqi.core.risk.crowd import CrowdRule
from fenqi.core.risk.decision import DecisionKind
from fenqi.core.risk.rulebook import Rulebook
from fenqi.store import crowds
from fenqi.store.books import Merchants
from fenqi.store.catalogue import Catalogue
from fenqi.store.pool import Store
from fenqi.store.trails import Trails


@dataclass(frozen=True, slots=True)
class Ground:
    """Built once by `runtime`, passed to each flow."""

    store: Store
    clock: Clock
    ids: IdSource
    catalogue: Catalogue
    merchants: Merchants = field(default_factory=Merchants)  # met so far
    trails: Trails = field(default_factory=Trails)  # of accounts used lately, with the features
    alarm: Event = field(default_factory=Event)  # set when a crowd was seen in this program
    crowd: CrowdRule = field(default_factory=crowds.shipped)
    # What is decided by which policy; what has none is decided by its built-in judge.
    rulebooks: Mapping[DecisionKind, Rulebook] = field(default_factory=dict)
    # Whether purchases are decided by the adopted policy, where `rulebooks` names none: so in a
    # running program. A history that is replayed was decided by whoever lent then, so only what
    # holds for all is asked there.
    asks_policies: bool = False
