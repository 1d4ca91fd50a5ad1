"""A condition's text as tokens, each with its place; what is no token is refused."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from fenqi.core.risk.policy.fault import PolicyInvalid
from fenqi.core.values.phrase import Phrase

TEXT_MAX = 2000  # characters of one condition

_TOKEN = re.compile(
    r"""
    (?P<space>\s+)
    | (?P<number>[0-9][0-9_]*(?:\.[0-9]+)?)
    | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
    | "(?P<double>[^"\n]*)" | '(?P<single>[^'\n]*)'
    | (?P<sign><=|>=|==|!=|//|[-<>=+*(),%])
    """,
    re.VERBOSE,
)


class Sort(StrEnum):
    """What a token is."""

    NUMBER = "number"
    WORD = "word"
    QUOTED = "quoted"
    SIGN = "sign"
    END = "end"


@dataclass(frozen=True, slots=True)
class Token:
    """One token; `start` and `end` are its characters' places from 0."""

    sort: Sort
    text: str
    start: int
    end: int


def tokens(text: str) -> Iterator[Token]:
    """Yield the tokens of a condition and an end. Errors: PolicyInvalid."""
    if len(text) > TEXT_MAX:
        fault = Phrase(
            "a condition has at most {most} characters; this one has {count}",
            most=TEXT_MAX,
            count=len(text),
        )
        raise PolicyInvalid(said=f"{text[:40]} ...", fault=fault)
    place = 0
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            raise PolicyInvalid(said=text, at=place + 1, fault=_stray(text[place]))
        if found["space"] is None:
            yield _token(found)
        place = found.end()
    yield Token(Sort.END, "the end", place, place)


def _token(found: "re.Match[str]") -> Token:
    start, end = found.span()
    if found["number"] is not None:
        return Token(Sort.NUMBER, found["number"], start, end)
    if found["word"] is not None:
        return Token(Sort.WORD, found["word"], start, end)
    for quoted in ("double", "single"):
        if found[quoted] is not None:
            return Token(Sort.QUOTED, found[quoted], start, end)
    sign = "==" if found["sign"] == "=" else found["sign"]
    return Token(Sort.SIGN, sign, start, end)


def _stray(character: str) -> Phrase:
    if character in "\"'":
        return Phrase("this quote is not closed")
    if character == "/":
        return Phrase("/ would leave fractions; // divides and rounds down")
    if character in "&|!":
        return Phrase("{character} is written as a word: and, or, not", character=character)
    return Phrase("{character} has no meaning in a condition", character=character)
