"""Trails of the accounts used lately, so that features cost microseconds and no row.

A trail is in step if its number is that of the account's last event; what it lacks is read from
the events, for all accounts of a batch at once. So it is exact whoever wrote them, this program or
another, and nothing has to be rebuilt after a crash. A trail belongs to the transaction that holds
the account's row: it is taken out when it is asked for and put back only once that is committed, so
what was rolled back was never in it.

Between two looks a trail is packed: a string of bytes, which the collector of garbage passes over
and of which a million fit into memory. Now and then, once it has come some events further, the
transaction that carries it writes it down beside its own rows (`trails`), so that who knows nothing
of an account, as every program after its start, reads that and the few events since.

Where facts were corrected (`store/corrections.py`) a trail that had them begins anew.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from fenqi.core.risk.features.declaration import FeatureSet, Key
from fenqi.core.risk.features.row import Row, compile_row
from fenqi.core.risk.features.trail import LAYOUT, Keeper, Trail
from fenqi.store import corrections
from fenqi.store.accounts import Account
from fenqi.store.columns import pack
from fenqi.store.features import shipped
from fenqi.store.pool import Session
from fenqi.store.rows import Rows, Sheet, Upsert

TRAILS_MAX = 1_000_000  # kept at a time; the one unused for longest goes first
BYTES_MAX = 256_000_000  # of all trails kept
EVENTS_MAX = 50_000  # read at a time
ROWS_MAX = 256  # different lists of features
WRITTEN_EVENTS = 128  # a trail may have come further than what is written of it
PUT_OFF_MAX = 32  # facts put off
ENTRY_BYTES = 250  # of one kept, beside its packed form
FACT_BYTES = 120  # of a fact put off, beside its text

DECODE = msgspec.json.Decoder(dict[str, Any]).decode

TRAILS = Upsert(
    "trails",
    "account_id uuid, number bigint, features_id uuid?, packed bytea",
    keys="account_id",
)

WRITTEN = """
SELECT k.place, t.number, t.packed
FROM UNNEST(%(accounts)s::uuid[], %(numbers)s::bigint[], %(lasts)s::bigint[]) WITH ORDINALITY
    AS k (account_id, number, last, place)
JOIN trails AS t ON t.account_id = k.account_id AND t.number > k.number AND t.number <= k.last
WHERE t.features_id = %(features_id)s
"""
# A fact says what it was corrected to by the event up to which corrections are known; one that does
# not count any more has no payload.
MISSING = """
SELECT k.place, e.number, e.kind, (EXTRACT(EPOCH FROM e.recorded_at) * 1000000)::bigint,
    CASE WHEN x.is_corrected THEN (e.payload || x.says)::text ELSE e.payload::text END
FROM UNNEST(%(accounts)s::uuid[], %(numbers)s::bigint[], %(lasts)s::bigint[], %(known)s::bigint[])
    WITH ORDINALITY AS k (account_id, number, last, known, place)
JOIN events AS e ON e.account_id = k.account_id AND e.number > k.number AND e.number <= k.last
LEFT JOIN LATERAL (
    SELECT TRUE AS is_corrected, own.says FROM corrections AS own
    WHERE own.account_id = e.account_id AND own.number = e.number AND own.corrected_by <= k.known
    ORDER BY own.corrected_by DESC LIMIT 1
) AS x ON TRUE
WHERE e.kind = ANY(%(kinds)s::text[])
ORDER BY k.place, e.number LIMIT %(most)s
"""

Fact = tuple[str, int, str | bytes]  # kind, moment, payload as JSON
# Plain tuples, which the collector of garbage leaves alone once they hold nothing that could be in
# a circle. A trail with a number beyond 64 bits is kept as it is.
# number, trail, put off, written up to, and about how many bytes of memory it takes
Kept = tuple[int, bytes | Trail, tuple[Fact, ...], int, int]

CORRECTED = corrections.KIND

NOTHING: Kept = (0, b"", (), 0, ENTRY_BYTES)


class _Packed(msgspec.Struct, array_like=True, gc=False):
    """What a trail is packed as."""

    at: int
    seen: int
    cells: list[Any]
    address: str


PACK = msgspec.msgpack.Encoder().encode
UNPACK = msgspec.msgpack.Decoder(_Packed).decode


def packed(trail: Trail) -> bytes | None:
    """Return a trail as bytes; None if a number in it does not fit 64 bits."""
    try:
        return PACK(_Packed(trail.at, trail.seen, trail.cells, trail.address))
    except OverflowError:
        return None


def unpacked(keeper: Keeper, zone: str, form: bytes) -> Trail:
    """Return the trail that was packed; of no bytes that of an account without facts.

    Errors: msgspec.MsgspecError.
    """
    trail = keeper.begin(zone)
    if form:
        kept = UNPACK(form)
        trail.at, trail.seen, trail.cells = kept.at, kept.seen, kept.cells
        trail.address = kept.address
    return trail


class _Held:
    """What one transaction holds of an account: its trail, unpacked once somebody looks.

    `number` is how far it has come, `put_off` are facts that belong to it but are folded only when
    somebody looks: most customers do not come again so soon. `form` is the trail without them.
    """

    __slots__ = (
        "account",
        "form",
        "is_altered",
        "is_outdated",
        "number",
        "put_off",
        "trail",
        "written",
    )

    def __init__(self, account: Account, kept: Kept) -> None:
        self.account = account
        self.number, self.form, self.put_off, self.written, _ = kept
        self.trail: Trail | None = None
        self.is_altered = False  # the trail is no longer what its form says
        self.is_outdated = False  # facts in it were corrected: it is not kept, nor written down

    def read(self, keeper: Keeper) -> Trail:
        """Return the trail with all that was put off."""
        trail = self.trail
        if trail is None:
            form, zone = self.form, self.account.book.zone
            trail = form if isinstance(form, Trail) else unpacked(keeper, zone, form)
            self.trail = trail
        if self.put_off:
            put_off, self.put_off, self.is_altered = self.put_off, (), True
            for kind, moment, payload in put_off:
                keeper.fold(
                    trail, number=self.number, kind=kind, moment=moment, fields=DECODE(payload)
                )
        return trail

    def kept(self, keeper: Keeper) -> Kept:
        """Return it as it is kept until the next look."""
        if len(self.put_off) > PUT_OFF_MAX:
            self.read(keeper)
        if self.trail is not None and self.is_altered:
            self.form, self.is_altered = packed(self.trail) or self.trail, False
        form = self.form
        size = ENTRY_BYTES + (8 * len(form.cells) if isinstance(form, Trail) else len(form))
        for _, _, payload in self.put_off:
            size += FACT_BYTES + len(payload)
        return (self.number, form, self.put_off, self.written, size)


class Followed:
    """The trails of one transaction's accounts; a `Booking` notes its own events in them."""

    def __init__(
        self, keeper: Keeper, held: dict[bytes, _Held], features_id: UUID, written_events: int
    ) -> None:
        self._keeper, self._held = keeper, held
        self._features_id, self._written_events = features_id, written_events

    def of(self, account: Account) -> Trail:
        """Return an account's trail, in step with what was booked so far. Errors: KeyError."""
        return self._held[account.raw].read(self._keeper)

    def newest(self, account: Account, names: Collection[str]) -> int | None:
        """Return the moment of an account's latest fact behind some features (`Keeper.newest`)."""
        return self._keeper.newest(self.of(account), names)

    def note(
        self,
        account: Account,
        *,
        kind: str,
        moment: int,
        payload: str | bytes,
    ) -> None:
        """Take up the account's latest event, which is being booked; its payload is JSON.

        An account that is not followed is passed over. Units: `moment` in microseconds since 1970.
        """
        held = self._held.get(account.raw)
        if held is None or held.number != account.event_count - 1:
            return  # what is not in step here is read from the events next time
        held.number = account.event_count
        if kind in self._keeper.bits:
            held.put_off += ((kind, moment, payload),)
        elif kind == CORRECTED:
            held.is_outdated = True

    def fill(self, sheet: Sheet) -> None:
        """Write down the trails that have come far since they were written last."""
        rows = Rows(TRAILS)
        for raw, held in self._held.items():
            if held.number - held.written >= self._written_events and not held.is_outdated:
                form = packed(held.read(self._keeper))
                if form is not None:
                    rows.add(raw, held.number, self._features_id, form)
                    held.written = held.number
        sheet.add(rows)


class Trails:
    """This program's trails for one set of features. Thread-safe."""

    def __init__(
        self,
        features: FeatureSet | None = None,
        *,
        trails_max: int = TRAILS_MAX,
        bytes_max: int = BYTES_MAX,
        written_events: int = WRITTEN_EVENTS,
    ) -> None:
        self.features = features or shipped()
        self._keeper = Keeper(self.features)
        self._features_id = features_id(self.features)
        self._trails_max, self._bytes_max = trails_max, bytes_max
        self._written_events = written_events
        self._kept: OrderedDict[bytes, Kept] = OrderedDict()
        self._bytes = 0
        self._gate = threading.Lock()
        self._rows: dict[tuple[str, ...], Row] = {}

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def memory_bytes(self) -> int:
        """Return about how many bytes of memory all that is kept takes."""
        return self._bytes

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
        held: dict[bytes, _Held] = {}
        behind: list[_Held] = []
        with self._gate:
            for account in accounts:
                if account.raw in held:
                    continue
                kept = self._take(account.raw)
                if kept is None or kept[0] > account.event_count:
                    kept = NOTHING
                one = held[account.raw] = _Held(account, kept)
                if one.number < account.event_count:
                    behind.append(one)
        if behind:
            self._catch_up(session, behind)
        session.after_commit(lambda: self._put_back(held))
        return Followed(self._keeper, held, self._features_id, self._written_events)

    def _take(self, raw: bytes) -> Kept | None:
        found = self._kept.pop(raw, None)
        if found is not None:
            self._bytes -= found[-1]
        return found

    def _put_back(self, held: Mapping[bytes, _Held]) -> None:
        """Keep trails again, the latest used last; make room by dropping the first."""
        packed_again = [
            (raw, one.kept(self._keeper)) for raw, one in held.items() if not one.is_outdated
        ]
        with self._gate:
            for raw, kept in packed_again:
                newer = self._kept.get(raw)
                if newer is not None:
                    if newer[0] >= kept[0]:
                        continue
                    self._take(raw)
                self._kept[raw] = kept
                self._bytes += kept[-1]
            while len(self._kept) > self._trails_max or self._bytes > self._bytes_max:
                _, dropped = self._kept.popitem(last=False)
                self._bytes -= dropped[-1]

    def _catch_up(self, session: Session, behind: Sequence[_Held]) -> None:
        """Read what trails lack: first what is written of those that lack much, then events."""
        far = [
            one for one in behind if one.account.event_count - one.number >= self._written_events
        ]
        if far:
            self._read_written(session, far)
        lacking = [
            Lacking(one.account.raw, one.read(self._keeper), one.account.event_count)
            for one in behind
        ]
        for one, asked in zip(behind, lacking, strict=True):
            asked.trail.number = one.number
        for place in fold_events(session, self._keeper, lacking):
            behind[place].is_altered = True
        for one in behind:
            one.number = one.account.event_count  # what came since looks at no feature

    def _read_written(self, session: Session, far: Sequence[_Held]) -> None:
        """Take up what is written down of trails; one nobody can read is as good as none."""
        asked = {
            "accounts": pack("uuid", [one.account.raw for one in far]),
            "numbers": pack("bigint", [one.number for one in far]),
            "lasts": pack("bigint", [one.account.event_count for one in far]),
            "features_id": self._features_id,
        }
        for place, number, form in session.rows(WRITTEN, asked):
            one = far[place - 1]
            try:
                trail = unpacked(self._keeper, one.account.book.zone, form)
            except msgspec.MsgspecError:
                continue
            if form and len(trail.cells) == self._keeper.width:
                one.form, one.trail, one.put_off = form, trail, ()
                one.number = one.written = number


class Lacking(NamedTuple):
    """A trail that lacks events of an account, those after its own number up to the last.

    `known` is the number of the event up to which corrections are known, if not the last.
    """

    account: bytes | UUID
    trail: Trail
    last: int
    known: int | None = None


def fold_events(session: Session, keeper: Keeper, lacking: Sequence[Lacking]) -> set[int]:
    """Fold into trails the events they lack; return the places of those that had any.

    Events are read in pages, so an account with millions costs no more memory than a page. A trail
    that has facts already, and lacks a correction, is made anew from the first.
    """
    altered: set[int] = set()
    accounts = pack("uuid", [one.account for one in lacking])
    lasts = pack("bigint", [one.last for one in lacking])
    known = pack("bigint", [one.last if one.known is None else one.known for one in lacking])
    kinds = pack("text", [*keeper.kinds, CORRECTED])
    anew = {place for place, one in enumerate(lacking) if not one.trail.number}
    while True:
        asked = {
            "accounts": accounts,
            "numbers": pack("bigint", [one.trail.number for one in lacking]),
            "lasts": lasts,
            "known": known,
            "kinds": kinds,
            "most": EVENTS_MAX,
        }
        rows = session.rows(MISSING, asked)
        outdated = {row[0] - 1 for row in rows if row[2] == CORRECTED} - anew
        for place in outdated:
            _begin_anew(lacking[place].trail)
        anew |= outdated
        altered |= outdated
        for place, number, kind, moment, payload in rows:
            if place - 1 in outdated or payload is None:
                continue
            altered.add(place - 1)
            keeper.fold(
                lacking[place - 1].trail,
                number=number,
                kind=kind,
                moment=moment,
                fields=DECODE(payload),
            )
        if len(rows) < EVENTS_MAX and not outdated:
            return altered


def _begin_anew(trail: Trail) -> None:
    """Forget what a trail has."""
    trail.number = trail.at = trail.seen = 0
    trail.cells = [None] * len(trail.cells)


def features_id(features: FeatureSet) -> UUID:
    """Return what tells trails of these features from those of others, or of another layout.

    Names, titles and purposes of features are no part of it: they change no trail.
    """
    asked = [
        (one.key.value, one.stream, one.aggregate.value, one.window, one.field, one.part, *own)
        for one in features.features
        for own in [(one.known_by, one.name if one.key is not Key.ACCOUNT else None)]
    ]
    told = repr((LAYOUT, sorted(features.kinds), [*features.streams.values()], asked))
    return UUID(bytes=hashlib.sha256(told.encode()).digest()[:16])
