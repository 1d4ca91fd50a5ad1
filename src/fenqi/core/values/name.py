"""What may stand as the name of somebody or something that people write down."""

import unicodedata

NAME_CHARS_MAX = 80


def is_name(text: str) -> bool:
    """Whether a text, apart from spaces around it, is a name that no terminal obeys."""
    return 0 < len(text.strip()) <= NAME_CHARS_MAX and text.strip().isprintable()


def as_heard(name: str) -> str:
    """Return a name without what only its writing differs in: case, width, spaces.

    Whoever must be somebody else is not by another writing of the same name.
    """
    return " ".join(unicodedata.normalize("NFKC", name).split()).casefold()
