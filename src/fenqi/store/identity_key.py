"""The key that seals identity values: given, or made once and kept beside the data.

Whoever has another key would recognise nobody, so the database remembers which key sealed its
values, and another is refused until the one before is named with it.
"""

import os
import secrets
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from fenqi.core.errors import Conflict
from fenqi.core.risk.identity import KEY_BYTES_MIN, IdentityKeyInvalid, Sealer
from fenqi.store import facts
from fenqi.store.pool import Store

FILE = "identity.key"
FILE_BYTES_MAX = 10_000


class IdentityKeyChanged(Conflict):
    """The key of identity values is not the one they were sealed with before."""

    code = "identity-key-changed"


def sealer(store: Store, *, given: str | None, folder: Path, now: datetime) -> Sealer:
    """Return the sealer of a database's identity values.

    `given` is the key in hexadecimal digits; after a comma the key before, if it was changed.
    Without it the key in the folder is read, or made and kept there, readable by its owner only.

    Errors: IdentityKeyInvalid; IdentityKeyChanged.
    """
    keys = [_key(one) for one in given.split(",")] if given else [_kept(folder / FILE)]
    found, *before = [Sealer(key) for key in keys]
    with store.transaction() as session:
        known = facts.known_keys(session)
        if found.fingerprint in known:
            return found
        if known and known[-1] not in {one.fingerprint for one in before}:
            raise IdentityKeyChanged(fingerprint=found.fingerprint, before=known[-1])
        facts.add_key(session, found.fingerprint, now)
    return found


def _key(text: str) -> bytes:
    try:
        return bytes.fromhex(text.strip())
    except ValueError:
        raise IdentityKeyInvalid(bytes=0, bytes_min=KEY_BYTES_MIN) from None


def _kept(path: Path) -> bytes:
    """Return the key of a file, making it if it is not there."""
    with suppress(FileExistsError):
        path.parent.mkdir(parents=True, exist_ok=True)
        # Written whole under another name first: nobody ever reads half a key.
        fresh = path.with_name(f"{FILE}.{secrets.token_hex(8)}")
        place = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(place, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(KEY_BYTES_MIN) + "\n")
        try:
            os.link(fresh, path)
        finally:
            fresh.unlink()
    with path.open(encoding="utf-8", errors="replace") as file:
        return _key(file.read(FILE_BYTES_MAX))
