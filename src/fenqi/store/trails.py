"""Trails of the accounts used lately, so that features cost microseconds and no row.

A trail is in step if its number is that of the account's last event; what it lacks is read from
the events, for all accounts of a batch at once. So it is exact whoever wrote them, this program or
another, and nothing has to be rebuilt after a crash. A trail belongs to the transaction that holds
the account's row: it is taken out when it is asked for and put back only once that is committed, so
what was rolled back was never in it.
"""

import threading
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from fenqi.core.risk.features.declaration import FeatureSet
from fenqi.core.risk.features.row import Row, compile_row
from fenqi.core.risk.features.trail import Keeper, Trail
from fenqi.store.accounts import Account
from fenqi.store.columns import pack
from fenqi.store.features import shipped
from fenqi.store.pool import Session

TRAILS_MAX = 100_000  # kept at a time; the one unused for longest goes first
POINTS_MAX = 5_000_000  # entries of all trails kept, some 40 bytes each
EVENTS_MAX = 50_000  # read at a time
ROWS_MAX = 256  # different lists of features
PENDING_POINTS = 8  # what a fact put off counts, in entries

DECODE = msgspec.json.Decoder(dict[str, Any]).decode
ENCODE = msgspec.json.Encoder().encode

MISSING = """
SELECT k.place, e.number, e.kind, (EXTRACT(EPOCH FROM e.recorded_at) * 1000000)::bigint,
    e.payload::text
FROM UNNEST(%(accounts)s::uuid[], %(numbers)s::bigint[]) WITH ORDINALITY
    AS k (account_id, number, place)
JOIN events AS e ON e.account_id = k.account_id AND e.number > k.number
WHERE e.kind = ANY(%(kinds)s::text[])
ORDER BY k.place, e.number LIMIT %(most)s
"""


class Followed:
    """The trails of one transaction's accounts; a `Booking` notes its own events in them."""

    def __init__(self, keeper: Keeper, trails: dict[UUID, Trail]) -> None:
        self._keeper = keeper
        self._trails = trails

    def of(self, account: Account) -> Trail:
        """Return an account's trail, in step with what was booked so far. Errors: KeyError."""
        trail = self._trails[account.account_id]
        if trail.pending:
            settle(self._keeper, trail)
        return trail

    def note(
        self,
        account: Account,
        *,
        kind: str,
        moment: int,
        payload: Mapping[str, object] | str | bytes,
    ) -> None:
        """Take up the account's latest event, which is being booked.

        An account that is not followed is passed over. Units: `moment` in microseconds since 1970.
        """
        trail = self._trails.get(account.account_id)
        if trail is None or trail.number != account.event_count - 1:
            return  # what is not in step here is read from the events next time
        trail.number = account.event_count
        if kind in self._keeper.bits:
            trail.pending += ((kind, moment, payload),)
            trail.points += PENDING_POINTS


def settle(keeper: Keeper, trail: Trail) -> None:
    """Fold what a trail has put off."""
    pending, trail.pending = trail.pending, ()
    for kind, moment, payload in pending:
        fields = DECODE(payload if isinstance(payload, str | bytes) else ENCODE(payload))
        keeper.fold(trail, number=trail.number, kind=kind, moment=moment, fields=fields)


class Trails:
    """This program's trails for one set of features. Thread-safe."""

    def __init__(
        self,
        features: FeatureSet | None = None,
        *,
        trails_max: int = TRAILS_MAX,
        points_max: int = POINTS_MAX,
    ) -> None:
        self.features = features or shipped()
        self._keeper = Keeper(self.features)
        self._kinds = pack("text", self._keeper.kinds)
        self._trails_max, self._points_max = trails_max, points_max
        self._kept: OrderedDict[UUID, tuple[Trail, int]] = OrderedDict()
        self._points = 0
        self._gate = threading.Lock()
        self._rows: dict[tuple[str, ...], Row] = {}

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def points(self) -> int:
        """Return how many entries are kept in all."""
        return self._points

    def row(self, names: Sequence[str]) -> Row:
        """Return the function that computes some inputs, those of a policy."""
        key = tuple(names)
        found = self._rows.get(key)
        if found is None:
            found = compile_row(self._keeper, key)
            if len(self._rows) < ROWS_MAX:
                self._rows[key] = found
        return found

    def follow(self, session: Session, accounts: Collection[Account]) -> Followed:
        """Return the trails of accounts that this transaction has locked.

        If all are in step, nothing is asked of the database.
        """
        taken: dict[UUID, Trail] = {}
        behind: list[Account] = []
        with self._gate:
            for account in accounts:
                if account.account_id in taken:
                    continue
                trail = self._take(account.account_id)
                if trail is None or trail.number > account.event_count:
                    trail = self._keeper.begin(account.book.zone)
                if trail.number < account.event_count:
                    behind.append(account)
                taken[account.account_id] = trail
        if behind:
            self._catch_up(session, behind, taken)
        session.after_commit(lambda: self._put_back(taken))
        return Followed(self._keeper, taken)

    def _take(self, account_id: UUID) -> Trail | None:
        found = self._kept.pop(account_id, None)
        if found is None:
            return None
        trail, points = found
        self._points -= points
        return trail

    def _put_back(self, taken: Mapping[UUID, Trail]) -> None:
        """Keep trails again, the latest used last; make room by dropping the first."""
        with self._gate:
            for account_id, trail in taken.items():
                newer = self._kept.get(account_id)
                if newer is not None:
                    if newer[0].number >= trail.number:
                        continue
                    self._take(account_id)
                points = trail.recount()
                self._kept[account_id] = (trail, points)
                self._points += points
            while len(self._kept) > self._trails_max or self._points > self._points_max:
                _, (_, points) = self._kept.popitem(last=False)
                self._points -= points

    def _catch_up(
        self, session: Session, behind: Sequence[Account], taken: Mapping[UUID, Trail]
    ) -> None:
        """Read the events that trails lack."""
        trails = [taken[account.account_id] for account in behind]
        accounts = pack("uuid", [account.raw for account in behind])
        fold = self._keeper.fold
        for trail in trails:
            settle(self._keeper, trail)
        while True:
            rows = session.rows(
                MISSING,
                {
                    "accounts": accounts,
                    "numbers": pack("bigint", [trail.number for trail in trails]),
                    "kinds": self._kinds,
                    "most": EVENTS_MAX,
                },
            )
            for place, number, kind, moment, payload in rows:
                fold(
                    trails[place - 1],
                    number=number,
                    kind=kind,
                    moment=moment,
                    fields=DECODE(payload),
                )
            if len(rows) < EVENTS_MAX:
                break
        for account, trail in zip(behind, trails, strict=True):
            trail.number = account.event_count  # what came since looks at no feature
