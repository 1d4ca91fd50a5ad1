"""Runs `fenqi` as a program of its own by a clock that stands where a file says it does.

    python moved.py CLOCK_FILE WORD...

So hours pass between two commands of a test, and what comes at once comes without the clock moving.
"""

import sys
from datetime import datetime
from pathlib import Path

from fenqi.machine import SystemClock


class FileClock:
    """Tells the instant that stands in a file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def now(self) -> datetime:
        return datetime.fromisoformat(self.file.read_text("ascii"))

    def set(self, instant: datetime) -> None:
        """Move every program that reads the file; none ever reads half an instant."""
        fresh = self.file.with_suffix(".new")
        fresh.write_text(instant.isoformat(), "ascii")
        fresh.replace(self.file)


if __name__ == "__main__":
    clock = FileClock(Path(sys.argv[1]))
    SystemClock.now = lambda _: clock.now()  # type: ignore[method-assign] # the only clock there is
    sys.argv[:2] = []
    sys.argv.insert(0, "fenqi")
    from fenqi.cli import main

    main()
