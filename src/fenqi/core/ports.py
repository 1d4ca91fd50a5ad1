"""What the core and the flows ask of the outside: protocols only, no implementation.

Implementations are built once in `runtime` and passed in; tests pass their own.
"""

from datetime import datetime
from typing import Protocol
from uuid import UUID

from fenqi.core.values.bureau import BureauAnswer, Enquiry


class Clock(Protocol):
    """Tells the instant; the only way any code learns what time it is."""

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""


class IdSource(Protocol):
    """Makes time-ordered ids; the only way any code gets a new id."""

    def new(self) -> UUID:
        """Return an id that sorts after those made before it by this source."""

    def raw(self, count: int) -> list[bytes]:
        """Return as many ids as asked, in their order, sixteen bytes each."""


class Bureau(Protocol):
    """A credit bureau. It is asked outside of any transaction, and it never raises."""

    name: str

    def ask(self, enquiry: Enquiry) -> BureauAnswer:
        """Return what the bureau says within its time, or how it failed to say anything."""
