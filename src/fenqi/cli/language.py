"""The language of the person at this machine: what pages and errors are written in."""

from functools import cache

from fenqi.core.values.phrase import closed_up
from fenqi.machine import speaks_chinese
from fenqi.report.language import Language, Speech


def preferred_language() -> Language:
    """Return the language of the person at this machine, of those pages are written in."""
    return Language.CHINESE if speaks_chinese() else Language.ENGLISH


def speech() -> Speech:
    """Return what says things in that language."""
    return _speech(preferred_language())


def say(sentence: str, **values: object) -> str:
    """Return a sentence of ours in that language, with its values."""
    return closed_up(speech().gettext(sentence), values).format(**values)


@cache
def _speech(language: Language) -> Speech:
    return Speech(language)
