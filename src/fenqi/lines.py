"""The lines to strangers: HTTP clients, open for as long as a command needs them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from fenqi.channels.bureau import HttpBureau
from fenqi.core.ports import Bureau
from fenqi.machine import Config


@contextmanager
def open_bureau(config: Config) -> Iterator[Bureau | None]:
    """Open the way to the bureau of these settings, None if there is none."""
    if config.bureau is None:
        yield None
        return
    with httpx.Client(trust_env=False) as client:
        yield HttpBureau(client, config.bureau, elapsed=time.monotonic)
