"""The groups of the night: which accounts links tie together, for a whole book at once.

Apart from `links`, which answers for one account within milliseconds: what finds groups among
millions of links takes a third of a second to load, and only the close asks for it.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def components(
    accounts: NDArray[np.int64],
    identifiers: NDArray[np.int64],
    accounts_max: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return the group of each account by number: the least account number in it.

    One link per place: `accounts` and `identifiers` count from 0, each pair once and fresh;
    `accounts_max` is the bound of each identifier, beyond which it ties nobody.

    Shapes: (links,), (links,), (identifiers,) -> (accounts,).
    """
    count = int(accounts.max()) + 1 if len(accounts) else 0
    shared = np.bincount(identifiers, minlength=len(accounts_max))
    kept = shared[identifiers] <= accounts_max[identifiers]
    ends = identifiers[kept] + count  # identifiers stand behind the accounts
    size = count + len(accounts_max)
    graph = coo_array((np.ones(len(ends), np.int8), (accounts[kept], ends)), shape=(size, size))
    _, labels = connected_components(graph, directed=False)
    least = np.full(size, count, np.int64)
    np.minimum.at(least, labels[:count], np.arange(count))
    return least[labels[:count]]
