"""What may stand as the name of somebody or something that people write down."""

import re
import unicodedata

NAME_CHARS_MAX = 80
# What leaves no mark on a page, though it is a letter, a mark or a sign to a program: joiners,
# fillers, vowels inherent, selectors of a variant, and the blank of Braille. The Unicode standard
# lists all but the last as Default_Ignorable_Code_Point.
UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
UNSEEN_CATEGORIES = frozenset({"Cc", "Cf"})  # controls, zero-width signs and directions


def is_name(text: str) -> bool:
    """Whether a text, apart from spaces around it, is a name that is seen and no terminal obeys."""
    clean = text.strip()
    return len(clean) <= NAME_CHARS_MAX and clean.isprintable() and as_heard(clean) != ""


def as_heard(name: str) -> str:
    """Return a name without what only its writing differs in: case, width, spaces, what is unseen.

    Whoever must be somebody else is not by another writing of the same name.
    Source: Unicode standard, section 3.13, NFKC_Casefold.
    """
    plain = unicodedata.normalize("NFKC", name).casefold()
    seen = (one for one in UNSEEN.sub("", plain) if one.isspace() or not _is_unseen(one))
    return " ".join(unicodedata.normalize("NFKC", "".join(seen)).split())


def _is_unseen(character: str) -> bool:
    return unicodedata.category(character) in UNSEEN_CATEGORIES
