"""Protections of accounts: what holds, freezes, narrows or checks new purchases, cause to end."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from fenqi.core.risk.response import Finding, Past, ProtectionKind, Strength
from fenqi.core.values.ids import AccountId
from fenqi.store.accounts import Account
from fenqi.store.pool import Session
from fenqi.store.rows import Change, Rows, Table, array_text

REMEMBERED = timedelta(days=400)  # longer than any pause a pack may ask for
OPEN_MAX = 200  # protections of one account that did not end; what is asked beyond is a review
OPEN_READ_MAX = 10 * OPEN_MAX  # so that none is forgotten, however they came to be
ENDED_MAX = 1_000  # of one account that are remembered, one of each sort and every freeze

PROTECTIONS = Table(
    "protections",
    "account_id uuid, protection_id uuid, kind word, cause text, strength word,"
    "reasons word>text[], ceiling_minor bigint?, decision_id uuid?, case_id uuid?,"
    "is_shared boolean, placed_by word, placed_at timestamptz, ends_at timestamptz,"
    "asked_until timestamptz",
)
STATES = Change(
    "protections",
    keys="account_id uuid, protection_id uuid",
    columns="case_id uuid?, ends_at timestamptz, seconded_by word, ended_at timestamptz?,"
    "ended_by word, finding word",
)
COLUMNS = Change(
    "accounts",
    keys="account_id uuid",
    columns="held_until timestamptz?, frozen_until timestamptz?, step_up_until timestamptz?,"
    "ceiling_minor bigint?, ceiling_until timestamptz?",
)


@dataclass(slots=True)
class Protection:
    """One protection; its account is locked.

    `is_shared`: asked for only by what several accounts share, such as an address or a device.

    Units: `ceiling_minor` in minor units of the account's currency.
    """

    account_id: AccountId
    protection_id: UUID
    kind: ProtectionKind
    cause: str
    strength: Strength
    reasons: tuple[str, ...]
    ceiling_minor: int | None
    decision_id: UUID | None
    case_id: UUID | None
    is_shared: bool
    placed_by: str
    placed_at: datetime
    ends_at: datetime
    asked_until: datetime
    seconded_by: str | None = None
    ended_at: datetime | None = None
    ended_by: str | None = None
    finding: Finding | None = None

    def is_running(self, now: datetime) -> bool:
        """Whether it keeps anything from being bought."""
        return self.ended_at is None and now < self.ends_at

    def past(self) -> Past:
        """What a later response must know of it."""
        told = (self.kind, self.cause, self.strength, self.ends_at, self.ended_at, self.finding)
        alone_by = None if self.seconded_by else self.placed_by
        return Past(*told, self.case_id, self.placed_at, alone_by)


# What did not end is looked at whenever it was placed, for it still stops something; of what ended
# the latest of each sort says all that a later response must know; but freezes of one person add
# up, so each of them stays.
OF = """
SELECT p.account_id, p.protection_id, p.kind, p.cause, p.strength, p.reasons, p.ceiling_minor,
    p.decision_id, p.case_id, p.is_shared, p.placed_by, p.placed_at, p.ends_at, p.asked_until,
    p.seconded_by, p.ended_at, p.ended_by, p.finding
FROM UNNEST(%(accounts)s::uuid[]) AS asked (account_id)
CROSS JOIN LATERAL (
    (
        SELECT * FROM protections AS own
        WHERE own.account_id = asked.account_id AND own.ended_at IS NULL
        ORDER BY own.ends_at DESC LIMIT %(open_most)s
    ) UNION ALL (
        SELECT * FROM (
            SELECT DISTINCT ON (cause, kind, strength, finding, case_id,
                CASE kind WHEN 'freeze' THEN protection_id END) * FROM protections AS own
            WHERE own.account_id = asked.account_id AND own.ended_at > %(since)s
            ORDER BY cause, kind, strength, finding, case_id,
                CASE kind WHEN 'freeze' THEN protection_id END, ended_at DESC
        ) AS latest
        ORDER BY latest.ended_at DESC LIMIT %(ended_most)s
    )
) AS p
ORDER BY p.account_id, p.protection_id
"""


def of(
    session: Session, account_ids: Collection[AccountId], now: datetime
) -> dict[AccountId, list[Protection]]:
    """Return what protects, or lately protected, some accounts, oldest first; they are locked."""
    asked = {
        "accounts": list(account_ids),
        "since": now - REMEMBERED,
        "open_most": OPEN_READ_MAX,
        "ended_most": ENDED_MAX,
    }
    found: dict[AccountId, list[Protection]] = {one: [] for one in account_ids}
    for row in session.rows(OF, asked):
        account_id, protection_id, kind, cause, strength, reasons, *others, finding = row
        rest: tuple[Any, ...] = tuple(others)
        found[account_id].append(
            Protection(
                AccountId(account_id),
                protection_id,
                ProtectionKind(kind),
                cause,
                Strength(strength),
                tuple(reasons),
                *(*rest, Finding(finding) if finding else None),
            )
        )
    return found


OVER = """
SELECT account_id FROM protections WHERE ended_at IS NULL AND ends_at <= %(now)s
ORDER BY ends_at, account_id LIMIT %(most)s
"""


def over(session: Session, now: datetime, most: int) -> list[AccountId]:
    """Return accounts with protections whose time is over and who have not been told so."""
    asked = {"now": now, "most": most}
    return list(dict.fromkeys(AccountId(one) for (one,) in session.rows(OVER, asked)))


def placed(protections: Iterable[Protection]) -> Rows:
    """Return the rows of new protections."""
    rows = Rows(PROTECTIONS)
    for one in protections:
        rows.add(
            one.account_id,
            one.protection_id,
            one.kind.value,
            one.cause,
            one.strength.value,
            array_text(one.reasons),
            one.ceiling_minor,
            one.decision_id,
            one.case_id,
            one.is_shared,
            one.placed_by,
            one.placed_at,
            one.ends_at,
            one.asked_until,
        )
    return rows


def changed(protections: Iterable[Protection]) -> Rows:
    """Return the rows of protections that ended, last longer, or belong to another case now."""
    rows = Rows(STATES)
    for one in protections:
        rows.add(
            one.account_id,
            one.protection_id,
            one.case_id,
            one.ends_at,
            one.seconded_by,
            one.ended_at,
            one.ended_by,
            one.finding.value if one.finding else None,
        )
    return rows


def settle(account: Account, protections: Iterable[Protection], now: datetime) -> None:
    """Bring an account's columns in step with what protects it.

    Of several ceilings the lowest counts until it ends.
    """
    running = [one for one in protections if one.is_running(now)]
    account.held_until = _last(running, ProtectionKind.HOLD)
    account.frozen_until = _last(running, ProtectionKind.FREEZE)
    account.step_up_until = _last(running, ProtectionKind.STEP_UP)
    ceilings = [
        (one.ceiling_minor, one.ends_at) for one in running if one.ceiling_minor is not None
    ]
    account.ceiling_minor, account.ceiling_until = min(ceilings, default=(None, None))


def columns(accounts: Iterable[Account]) -> Rows:
    """Return the rows of what accounts say of their protections."""
    rows = Rows(COLUMNS)
    for one in accounts:
        rows.add(
            one.raw,
            one.held_until,
            one.frozen_until,
            one.step_up_until,
            one.ceiling_minor,
            one.ceiling_until,
        )
    return rows


def _last(running: Iterable[Protection], kind: ProtectionKind) -> datetime | None:
    return max((one.ends_at for one in running if one.kind is kind), default=None)
