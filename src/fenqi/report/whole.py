"""A file that appears under its name only when it is whole."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from fenqi.core.errors import Invalid
from fenqi.core.values.phrase import Phrase


class PathUnwritable(Invalid):
    """A file cannot be written there."""

    code = "path-unwritable"


@contextmanager
def whole_file(target: Path) -> Iterator[TextIO]:
    """Give a file to write; at the end it takes the name `target`, replacing what had it.

    Errors: PathUnwritable; OSError if the disk is full, which another name would not mend.
    """
    if target.exists() and not target.is_file():
        # A device or a pipe has its place for good; a file must never take it.
        raise PathUnwritable(path=str(target), fault="it is no regular file")
    if not target.parent.is_dir():
        raise PathUnwritable(
            path=str(target), fault=Phrase("there is no folder {folder}", folder=target.parent)
        )
    part = target.parent / f"{target.name}.part"
    try:
        with part.open("w", encoding="utf-8", newline="\n") as file:
            yield file
        part.replace(target)
    except OSError as fault:
        if fault.errno == errno.ENOSPC:
            raise OSError(fault.errno, fault.strerror, str(target)) from fault
        raise PathUnwritable(path=str(target), fault=fault.strerror or str(fault)) from fault
    finally:
        with suppress(OSError):  # nothing to take away, or nowhere to take it from
            part.unlink()
