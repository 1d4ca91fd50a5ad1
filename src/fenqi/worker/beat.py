"""A sign of life: what does long work says after each piece that it has not hung."""

from collections.abc import Callable

Beat = Callable[[], None]


def still() -> None:
    """Tell nobody: what a person waits for on a command line needs no sign of life."""
