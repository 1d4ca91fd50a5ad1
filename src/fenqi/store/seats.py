"""Who works in a data folder: each living program has a seat, and the others can read its name.

A seat is a locked file in `programs/`; the system frees the lock when a program dies, however it
dies, so a file that can be locked is a seat nobody has any more. Call it under the folder's lock.
"""

import fcntl
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from fenqi.core.errors import Conflict

PROGRAMS_MAX = 100  # named in an error


class FolderInUse(Conflict):
    """Another program works in the folder, and what was asked would take it away from it."""

    code = "folder-in-use"


class Seat:
    """One program's place in a folder, until it leaves or dies."""

    def __init__(self, folder: Path, words: str) -> None:
        self._programs = folder / "programs"
        self._programs.mkdir(mode=0o700, exist_ok=True)
        place, name = tempfile.mkstemp(prefix=f"{os.getpid()}-", dir=self._programs)
        self._place, self._file = place, Path(name)
        fcntl.flock(place, fcntl.LOCK_EX)
        os.write(place, f"{words} (process {os.getpid()})".encode(errors="replace"))

    def others(self) -> list[str]:
        """Return the names of the other living programs."""
        return living(self._programs.parent, but=self._file)

    def leave(self) -> None:
        """Give the seat back."""
        self._file.unlink(missing_ok=True)
        os.close(self._place)


def living(folder: Path, *, but: Path | None = None) -> list[str]:
    """Return the names of the programs that work in a folder; seats of dead ones are removed."""
    names: list[str] = []
    programs = folder / "programs"
    for file in sorted(programs.iterdir() if programs.exists() else ()):
        if len(names) == PROGRAMS_MAX:
            break
        if file == but:
            continue
        with suppress(FileNotFoundError), file.open("rb") as seat:
            try:
                fcntl.flock(seat, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                names.append(seat.read().decode(errors="replace"))
            else:
                file.unlink()
    return names
