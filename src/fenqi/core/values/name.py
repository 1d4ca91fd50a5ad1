"""What may stand as the name of somebody or something that people write down."""

NAME_CHARS_MAX = 80


def is_name(text: str) -> bool:
    """Whether a text, apart from spaces around it, is a name that no terminal obeys."""
    return 0 < len(text.strip()) <= NAME_CHARS_MAX and text.strip().isprintable()
