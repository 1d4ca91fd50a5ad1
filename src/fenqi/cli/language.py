"""The language of the person at this machine: what pages and errors are written in."""

from functools import cache

from fenqi.machine import speaks_chinese
from fenqi.report.language import Language, Speech


def preferred_language() -> Language:
    """Return the language of the person at this machine, of those pages are written in."""
    return Language.CHINESE if speaks_chinese() else Language.ENGLISH


def speech() -> Speech:
    """Return what says things in that language."""
    return _speech(preferred_language())


def say(sentence: str, **values: object) -> str:
    """Return a sentence of `answers` in that language, with its values."""
    return speech().gettext(sentence).format(**values)


@cache
def _speech(language: Language) -> Speech:
    return Speech(language)
