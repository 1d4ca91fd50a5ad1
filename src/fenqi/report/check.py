"""The nightly check: all records of one fact agree, and every plan replays to what is stored.

Four parts. Accounts are walked in ranges and compared table against table (M1, M2, M5, event
numbers); the closed days' totals are added up again; and plans are replayed from their operations
and compared with their instalments, allocations, columns and ledger lines (M8); and what is written
down of the trails that features are read from is made again from the events. Each part reads small
pieces in snapshots of their own, so the check may run beside the live book.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from fenqi.core.ledger import Postings
from fenqi.core.terms.life.state import Status
from fenqi.core.terms.product import Component
from fenqi.core.terms.schedule import schedule
from fenqi.core.values.ids import AccountId
from fenqi.report.book import chosen_or_all
from fenqi.store import audit, audit_by_time, audit_trails, catalogue, plans
from fenqi.store.audit import Difference, Stored
from fenqi.store.catalogue import Catalogue
from fenqi.store.plans import PlanKey, PlanRecord
from fenqi.store.pool import Session, Store
from fenqi.store.projections import allocation_rows, part_columns
from fenqi.store.views import snapshot

FINDINGS_MAX = 1_000  # a book with more is broken in one place many times
PLANS_AT_ONCE = 500
AMOUNTS = 3  # columns of a stored instalment before its amounts: number and days
SIGNED = (Component.PRINCIPAL, Component.INTEREST, Component.FEE)  # what a plan is signed for

Progress = Callable[[str, int, int], None]  # what is being checked, how many done, of how many


@dataclass(frozen=True, slots=True)
class Finding:
    """One contradiction: which rule, where, what it should be and what it is."""

    what: str
    account: str
    plan: str
    expected: str
    found: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What was looked at and what was wrong with it; `findings` stops at `FINDINGS_MAX`."""

    books: int
    accounts: int
    plans: int
    trails: int
    findings: tuple[Finding, ...]


def check(
    store: Store,
    sample: int | None = None,
    *,
    book_id: str | None = None,
    progress: Progress | None = None,
) -> Checked:
    """Check every book, or the one named; replay all plans and trails, or `sample` of each book.

    Errors: BookMissing; BookUnclear without a book.
    """
    with store.transaction() as session:
        names = chosen_or_all(session, book_id)
        known = catalogue.load(session)
    accounts_checked = plans_checked = trails_checked = 0
    findings = [] if book_id else _orphans(store)  # rows of no account are of no book
    for name in names:
        counter = _Counter(progress or _silent, f"book {name}")
        for difference in _differences(store, name, known, sample, counter):
            findings.append(_finding(difference))
            if len(findings) >= FINDINGS_MAX:
                break
        accounts_checked += counter.accounts
        plans_checked += counter.plans
        trails_checked += counter.trails
    return Checked(len(names), accounts_checked, plans_checked, trails_checked, tuple(findings))


def _orphans(store: Store) -> list[Finding]:
    with store.transaction() as session:
        snapshot(session)
        return [_finding(difference) for difference in audit.orphans(session)]


def as_table(checked: Checked) -> dict[str, object]:
    """Return the result as plain values for JSON."""
    return dataclasses.asdict(checked)


def _silent(_what: str, _done: int, _whole: int) -> None:
    """Tell nobody."""


class _Counter:
    """Counts what was checked and tells the one who waits."""

    def __init__(self, progress: Progress, what: str) -> None:
        self._progress = progress
        self._what = what
        self._whole = 1
        self.accounts = 0
        self.plans = 0
        self.trails = 0

    def begin(self, whole: int) -> None:
        self._whole = max(whole, 1)
        self._progress(self._what, 0, self._whole)

    def add(self, *, accounts: int = 0, plans: int = 0, trails: int = 0) -> None:
        self.accounts += accounts
        self.plans += plans
        self.trails += trails
        done = self.accounts + self.plans + self.trails
        self._progress(self._what, min(done, self._whole), self._whole)


def _differences(
    store: Store, book_id: str, known: Catalogue, sample: int | None, counter: _Counter
) -> Iterator[Difference]:
    with store.transaction() as session:
        snapshot(session)
        accounts, plan_count = audit.size(session, book_id)
        trail_count = audit_trails.size(session, book_id)
        found = list(audit.compare_days(session, book_id))
        found += audit_by_time.compare(session, book_id)
        if sample is None:
            chosen, drawn = None, None
        else:
            chosen = audit.sample_plans(session, book_id, sample)
            drawn = audit_trails.sample_trails(session, book_id, sample)
            plan_count, trail_count = len(chosen), len(drawn)
    counter.begin(accounts + plan_count + trail_count)
    yield from found
    after: audit.Range | None = None
    while True:
        with store.transaction() as session:
            snapshot(session)
            after = audit.next_range(session, book_id, after)
            if after is None:
                break
            found = list(audit.compare(session, after))
            counter.add(accounts=after.accounts)
            if chosen is None:
                keys = audit.plans_of(session, after)
                found += _replayed(session, keys, known, counter)
            trails = audit_trails.trails_of(session, after) if drawn is None else []
        yield from found
        yield from _refolded(store, trails, counter)
    for start in range(0, len(chosen or []), PLANS_AT_ONCE):
        with store.transaction() as session:
            snapshot(session)
            page = (chosen or [])[start : start + PLANS_AT_ONCE]
            found = list(_replayed(session, page, known, counter))
        yield from found
    yield from _refolded(store, drawn or [], counter)


def _refolded(
    store: Store, accounts: Sequence[AccountId], counter: _Counter
) -> Iterator[Difference]:
    """Yield where trails are not what their accounts' events come to; few are held at a time."""
    for start in range(0, len(accounts), audit_trails.AT_ONCE):
        page = accounts[start : start + audit_trails.AT_ONCE]
        with store.transaction() as session:
            snapshot(session)
            found = list(audit_trails.compare(session, page))
        counter.add(trails=len(page))
        yield from found


def _replayed(
    session: Session, keys: list[PlanKey], known: Catalogue, counter: _Counter
) -> Iterator[Difference]:
    """Yield where plans are not what their operations make them."""
    for start in range(0, len(keys), PLANS_AT_ONCE):
        page = keys[start : start + PLANS_AT_ONCE]
        records = plans.load(session, page, known)
        for key, stored in audit.stored(session, page).items():
            yield from plan_differences(records[key], stored)
        counter.add(plans=len(page))


def plan_differences(record: PlanRecord, stored: Stored) -> Iterator[Difference]:
    """Yield where a stored plan differs from the replay of its operations."""
    for what, expected, found in _compared(record, stored):
        if expected != found:
            yield Difference(
                f"M8 {what}", record.account_id, record.plan_id, str(expected), str(found)
            )


def _compared(record: PlanRecord, stored: Stored) -> Iterator[tuple[str, object, object]]:
    """Yield (what, as replayed, as stored)."""
    projection = record.projection()
    yield (
        "operation numbers",
        list(range(1, len(record.operations) + 1)),
        [operation.number for operation in record.operations],
    )
    yield "state", projection.status.value, record.state.value
    principal = projection.open_of(Component.PRINCIPAL)
    yield "open principal", principal, record.principal_open_minor
    yield "oldest claim", str(record.claimed_since()), str(record.oldest_due_on)
    yield "bucket of the last crossing", stored.crossed_to, record.bucket
    if projection.status is Status.CLOSED:
        yield "nothing left to bill", None, record.unbilled_due_on
    signed = schedule(record.terms)
    for component, amounts in zip(SIGNED, stored.signed, strict=True):
        what = f"signed {component.name.lower()}"  # an empty array is all zeros
        yield what, [due.amounts[component] for due in signed], amounts or [0] * len(signed)
    parts = {row[0]: row for row in stored.instalments}
    for part in projection.rows:
        columns = (part.key, *part_columns(part))
        yield f"instalment {part.key}", columns, parts.pop(part.key, None)
    # What a payment found later took away again asks for nothing.
    beyond = {number: row for number, row in parts.items() if any(row[AMOUNTS:])}
    yield "instalments beyond the schedule", {}, beyond
    record.is_rearranged, was = False, record.is_rearranged
    record.note_rearranged()
    yield "rows other than signed", was or record.is_rearranged, was
    lines = allocation_rows(projection)
    for number in sorted(lines.keys() | stored.allocations.keys()):
        what = f"allocation of operation {number}"
        yield what, lines.get(number, []), stored.allocations.get(number, [])
    yield from _booked(record.postings(), stored.transfers)


def _booked(
    expected: Postings, found: Mapping[tuple[str, str], int]
) -> Iterator[tuple[str, int, int]]:
    """Yield what a plan should have moved between two accounts, and what its lines moved.

    A correction is booked with the sides swapped, so only the net of both directions is a fact.
    """
    as_replayed = _net({(pair[0].value, pair[1].value): n for pair, n in expected.items()})
    as_booked = _net(found)
    for one, other in sorted(as_replayed.keys() | as_booked.keys()):
        yield (
            f"ledger from {other} to {one}",
            as_replayed.get((one, other), 0),
            as_booked.get((one, other), 0),
        )


def _net(moved: Mapping[tuple[str, str], int]) -> dict[tuple[str, str], int]:
    net: dict[tuple[str, str], int] = {}
    for (debit, credit), minor in moved.items():
        pair, signed = ((debit, credit), minor) if debit < credit else ((credit, debit), -minor)
        net[pair] = net.get(pair, 0) + signed
    return net


def _finding(difference: Difference) -> Finding:
    return Finding(
        what=difference.what,
        account=str(difference.account_id or ""),
        plan=str(difference.plan_id or ""),
        expected=difference.expected,
        found=difference.found,
    )
