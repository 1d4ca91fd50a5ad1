"""Groups of accounts that strong identifiers tie together, made anew from all fresh links."""

from datetime import date, timedelta
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from fenqi.core.risk.components import components
from fenqi.core.risk.links import TYING, LinkRule
from fenqi.core.values.ids import AccountId
from fenqi.store.columns import ids, unpack
from fenqi.store.pool import Session
from fenqi.store.rows import Rows, Table

GROUPS = Table("link_groups", "account_id uuid, group_id uuid, size integer, made_on date")

# An identifier's hash is only told apart here, and half of it does that. The order makes a group
# begin with its oldest account.
LINKS = """
SELECT string_agg(uuid_send(account_id), ''::bytea ORDER BY account_id, identifier_hash),
    string_agg(decode(md5(identifier_hash), 'hex'), ''::bytea
               ORDER BY account_id, identifier_hash),
    string_agg(int2send(array_position(%(kinds)s::text[], identifier_kind)::smallint), ''::bytea
               ORDER BY account_id, identifier_hash)
FROM links JOIN accounts USING (account_id)
WHERE book_id = %(book_id)s AND last_on >= %(since)s
"""
CLEAR = """
DELETE FROM link_groups AS g USING accounts AS a
WHERE a.account_id = g.account_id AND a.book_id = %(book_id)s
"""


def make(session: Session, book_id: str, on: date, rule: LinkRule) -> list[list[AccountId]]:
    """Write the group of every account that is tied to another; return the groups, largest first.

    Each group's accounts are in the order of their ids.
    """
    asked = {
        "book_id": book_id,
        "kinds": [kind.value for kind in TYING],
        "since": on - timedelta(days=rule.decay_days),
    }
    account, identifier, kind = session.rows(LINKS, asked)[0]
    session.run(CLEAR, {"book_id": book_id})
    owners, accounts = _numbered(unpack("uuid", account))
    hashes, identifiers = _numbered(unpack("uuid", identifier))
    most = np.zeros(len(hashes), np.int64)
    bounds = np.array([rule.accounts_max[one] for one in TYING], np.int64)
    most[identifiers] = bounds[unpack("smallint", kind) - 1] if len(identifiers) else 0
    labels = components(accounts, identifiers, most)
    sizes = np.bincount(labels, minlength=len(owners)) if len(labels) else labels
    tied = np.flatnonzero(sizes[labels] > 1)
    raw = [owner.tobytes() for owner in owners]
    rows = Rows(GROUPS)
    if len(tied):
        owned, roots = ids([raw[one] for one in tied]), ids([raw[labels[one]] for one in tied])
        rows.extend(len(tied), owned, roots, sizes[labels[tied]], on)
        rows.send(session)
    found: dict[int, list[AccountId]] = {}
    for one in tied.tolist():
        found.setdefault(int(labels[one]), []).append(_id(raw[one]))
    return sorted(found.values(), key=lambda group: (-len(group), group[0]))


def _numbered(values: NDArray[np.void]) -> tuple[NDArray[np.void], NDArray[np.int64]]:
    """Return the different ids in their order, and of each place the number of its id."""
    halves = values.view(">u8").reshape(-1, 2).astype(np.uint64)
    order = np.lexsort((halves[:, 1], halves[:, 0]))
    ordered = halves[order]
    is_new = np.ones(len(ordered), bool)
    is_new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    numbers = np.empty(len(ordered), np.int64)
    numbers[order] = np.cumsum(is_new) - 1
    return values[order][is_new], numbers


def _id(raw: bytes) -> AccountId:
    return AccountId(UUID(bytes=raw))
