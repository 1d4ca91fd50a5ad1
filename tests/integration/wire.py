"""A line to the database that can be cut at a chosen word of a transaction that writes.

It stands between the program and the server, so both meet a real broken connection.
"""

import contextlib
import socket
import threading
from enum import Enum, auto
from pathlib import Path
from types import TracebackType
from urllib.parse import parse_qs, quote, urlsplit, urlunsplit

COMMIT = b"Q\x00\x00\x00\x0bCOMMIT\x00"  # the protocol's simple query
WRITING = b"INSERT INTO "
CHUNK_BYTES = 1 << 16


class Cut(Enum):
    """Where a line breaks."""

    AT_COMMIT = auto()  # the order to commit never arrives
    AT_ANSWER = auto()  # it arrives and is obeyed, but nobody hears of it
    AT_STATEMENT = auto()  # the rows of a transaction never arrive


class Wire:
    """A stand-in for the server's socket. `cut` breaks the next line that comes to that point."""

    def __init__(self, url: str, folder: Path) -> None:
        self._parts = urlsplit(url)
        asked = parse_qs(self._parts.query)
        self._port = int(asked.get("port", [str(self._parts.port or 5432)])[0])
        self._host = asked.get("host", [self._parts.hostname or "localhost"])[0]
        self._folder = folder
        self._door = socket.socket(socket.AF_UNIX)
        self._door.bind(str(folder / f".s.PGSQL.{self._port}"))
        self._door.listen(32)
        self._lock = threading.Lock()
        self.cut: Cut | None = None
        self.stays_cut = False  # after a cut nobody gets through any more, by any line
        self.cuts = 0
        self._asking: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self) -> str:
        user, _, _ = self._parts.netloc.rpartition("@")
        query = f"host={quote(str(self._folder), safe='')}&port={self._port}"
        return urlunsplit(self._parts._replace(netloc=f"{user}@", query=query))

    def __enter__(self) -> "Wire":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._door.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                program, _ = self._door.accept()
                with self._lock:  # or a line that comes up during a cut would outlive it
                    if self.stays_cut and self.cuts:
                        program.close()
                        continue
                    self._asking.append(program)
                server = self._reach()
                lines = ((program, server), (server, program))
                for near, far in lines:
                    threading.Thread(
                        target=self._carry, args=(near, far, near is program), daemon=True
                    ).start()

    def _reach(self) -> socket.socket:
        if not self._host.startswith("/"):
            return socket.create_connection((self._host, self._port))
        line = socket.socket(socket.AF_UNIX)
        line.connect(f"{self._host}/.s.PGSQL.{self._port}")
        return line

    def _carry(self, near: socket.socket, far: socket.socket, is_asking: bool) -> None:
        with contextlib.suppress(OSError):
            is_writing = False
            while words := near.recv(CHUNK_BYTES):
                is_writing = is_writing or (is_asking and WRITING in words)
                cut = self._cut_now(words) if is_writing else None
                if cut is not None and self.stays_cut:
                    _end(*(line for line in self._asking if line is not near))
                if cut is Cut.AT_ANSWER:
                    _end(near)
                    far.sendall(words)
                    return  # the server obeys, and the other carrier finds nobody to tell
                if cut is not None:
                    break
                far.sendall(words)
        _end(near, far)

    def _cut_now(self, words: bytes) -> Cut | None:
        with self._lock:
            wanted = self.cut
            if wanted is None or (words == COMMIT) == (wanted is Cut.AT_STATEMENT):
                return None
            self.cut = None
            self.cuts += 1
            return wanted


def _end(*lines: socket.socket) -> None:
    for line in lines:
        with contextlib.suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)
