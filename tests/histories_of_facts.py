"""Random histories of facts, busy and quiet accounts, clocks that go back, bursts of one moment."""

import random
from collections.abc import Callable
from typing import Any

from fenqi.core.risk.features.history import Fact

START = 1_767_225_600_000_000  # 2026-01-01 in microseconds since 1970
SECOND = 1_000_000
DAY = 86_400 * SECOND
ZONES = ("Asia/Shanghai", "Europe/Berlin", "America/New_York")
CATEGORIES = ("food", "gold", "clothes", "gift-card", "toys", "books")


def random_facts(count: int, accounts: int, seed: int, *, days: int = 400) -> list[Fact]:
    """Return facts in the order of their numbers per account; the first account is the busiest."""
    chance = random.Random(seed)
    numbers = [0] * accounts
    clocks = [START + chance.randrange(30 * DAY) for _ in range(accounts)]
    gap = days * DAY * accounts // max(count, 1)
    facts = []
    for _ in range(count):
        account = 0 if chance.random() < 0.05 else chance.randrange(accounts)
        numbers[account] += chance.choice((1, 1, 1, 2, 5))  # events of other kinds lie between
        step = chance.choice((0, 0, SECOND, 60 * SECOND, gap, 3 * gap, -5 * SECOND))
        clocks[account] += step
        kind = chance.choice(KINDS)
        facts.append(Fact(account, numbers[account], kind, clocks[account], fields(chance, kind)))
    return facts


def fields(chance: random.Random, kind: str) -> dict[str, Any]:
    """Return what a fact of a kind may say, sometimes less than it should."""
    said = {name: draw(chance) for name, draw in SAID.get(kind, {}).items()}
    if kind == "purchase-captured" and chance.random() < 0.3:
        said["was_held"] = True
    if kind == "login" and chance.random() < 0.1:
        said["is_late"] = True
    if said and chance.random() < 0.02:
        said.pop(chance.choice(list(said)))
    return said


Draw = Callable[[random.Random], Any]


def amount(chance: random.Random) -> int:
    return chance.choice((1, 999, 10_000, 123_456, 10**11))


def one_of(*values: Any) -> Draw:
    return lambda chance: chance.choice(values)


MEASURED = (
    "accounts_per_ip_10m",
    "accounts_per_ip_24h",
    "accounts_per_device_7d",
    "accounts_per_device_30d",
)
PURCHASE: dict[str, Draw] = {
    "amount_minor": amount,
    "merchant": one_of(*(f"m{place}" for place in range(6))),
}
SIGHTING: dict[str, Draw] = {
    "device": one_of("d1", "d2", "d3", "d4"),
    **dict.fromkeys(MEASURED, one_of(*range(1, 40))),
    "is_shared_device": one_of(0, 1),
}
CAUSE: dict[str, Draw] = {"cause": one_of("customer", "channel")}
SAID: dict[str, dict[str, Draw]] = {
    "purchase-authorised": PURCHASE,
    "purchase-captured": PURCHASE,
    "purchase-refunded": {"amount_minor": amount},
    "login": SIGHTING,
    "device-changed": SIGHTING,
    "payment-failed": CAUSE,
    "channel-failed": CAUSE,
    "receipt-final": {
        "amount_minor": amount,
        "overdue_days": one_of(0, 0, 3),
        "is_partial": one_of(0, 1),
    },
    "basket": {"amount_minor": amount, "category": one_of(*CATEGORIES)},
    "application-received": {"applications_24h": one_of(1, 2, 5)},
    "account-opened": {"applications_24h": one_of(1, 5, 6)},
    "bucket-crossed": {
        "from": one_of(0, 1, 2),
        "to": one_of(1),
        "due_on": one_of("2026-01-10", "2026-02-10", "2026-03-10"),
    },
}
KINDS = (
    *("purchase-authorised", "purchase-captured", "purchase-declined", "purchase-refunded"),
    *("login", "login", "device-changed", "phone-changed", "card-changed", "address-changed"),
    *("receipt-final", "receipt-final", "payment-failed", "channel-failed", "basket"),
    *("complaint", "bucket-crossed", "plan-extended", "instalment-deferred", "account-opened"),
    *("application-received", "step-up-passed", "statement-cut", "income-recognised"),
)
