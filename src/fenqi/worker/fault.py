"""A fault as whoever runs fenqi may read it: what was raised and where, never a person's values."""

import traceback

from fenqi.core.errors import FenqiError
from fenqi.store.pool import DatabaseFull, DatabaseGone, OutcomeUnknown

AWAY = (DatabaseGone, OutcomeUnknown, DatabaseFull)  # nobody's row is to blame

# Values of our errors that are about no person.
TOLD = ("fault", "place", "constraint", "table", "sqlstate", "pack", "product", "state", "rulebook")


def told(fault: BaseException) -> str:
    """Return a fault in a few words: its code with harmless values, or its type and its place."""
    if isinstance(fault, FenqiError):
        fields = {name: fault.fields[name] for name in TOLD if name in fault.fields}
        return ", ".join([fault.code, *(f"{name} {value}" for name, value in fields.items())])
    return f"{type(fault).__name__} at {place(fault)}"


def place(fault: BaseException) -> str:
    """Return the file and line a fault was raised in."""
    steps = traceback.extract_tb(fault.__traceback__)
    return f"{steps[-1].filename.rpartition('/')[2]}:{steps[-1].lineno}" if steps else "nowhere"
