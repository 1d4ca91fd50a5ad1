"""The demo's challenger: the shipped policy of purchases with three figures moved, beside it.

It decides nothing. What it would have done with the demo's purchases is a report to read, and its
file one to change and try again (`fenqi policy diff`, `fenqi shadow start`).
"""

from importlib import resources
from pathlib import Path
from uuid import UUID

from fenqi.core.errors import Conflict, ensure
from fenqi.flows import shadow
from fenqi.report import shadow as shadowing
from fenqi.runtime import Runtime

RUNS_ALREADY = "challenger-runs"
DAYS_MAX = 365  # that a challenger may run; a longer demo goes on without it
FILE = "challenger.toml"
STARTED_BY = "an analyst of the demo"
SHIPPED = "data/policies/purchase.toml"
# Stricter with who was late before, milder with who buys for more than usual. Of each pair the
# first stands in the shipped file exactly once.
CHANGES = (
    (
        "# Whether a purchase is approved, with which checks, and which plans are on its menu.",
        "# The shipped policy of purchases, changed where it says `was`: the demo's challenger.",
    ),
    ("version = 3\n", "version = 4\n"),
    ('author = "fenqi"', f'author = "{STARTED_BY}"'),
    (
        'amount_minor > 3 * purchase_amount_max_90d and amount_minor > 200000 minor"',
        'amount_minor > 4 * purchase_amount_max_90d and amount_minor > 200000 minor"  # was 3 *',
    ),
    (
        'when = "overdue_episodes_365d >= 3"\npoints = 20',
        'when = "overdue_episodes_365d >= 2"\npoints = 24  # was 20, from 3 episodes',
    ),
    (
        "at_least = 40\n",
        "at_least = 30  # was 40\n",
    ),
)


def text() -> str:
    """Return the challenger's file.

    Errors: Broken if the shipped one is not what it was made of.
    """
    told = (resources.files("fenqi") / SHIPPED).read_text("utf-8")
    for old, new in CHANGES:
        ensure(told.count(old) == 1, "challenger-differs", part=old)
        told = told.replace(old, new)
    return told


def begin(runtime: Runtime, file: Path, *, days: int) -> None:
    """Write the challenger's file and begin to judge it; one that runs already goes on.

    Errors: those of `rulebook_of`.
    """
    file.write_text(text(), encoding="utf-8")
    rules = shadowing.rulebook_of(file)
    try:
        shadow.begin(runtime.ground, rules, by=STARTED_BY, days=min(days, DAYS_MAX))
    except Conflict as refused:
        if refused.code != RUNS_ALREADY:
            raise
        return  # the demo was interrupted and goes on


def find(runtime: Runtime) -> UUID:
    """Return the challenger that was begun here last."""
    found = [one for one in shadowing.every(runtime.store) if one.started_by == STARTED_BY]
    return found[0].challenger_id
