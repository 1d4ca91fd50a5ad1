"""What a person reads when the words of a command make no command: one sentence, as of any error.

The parser of the command line raises faults with English texts of its own and of the library it
reads values with. Here a fault becomes a sentence of the catalogue: which word, what it must be,
and where help stands. Faults are known by the names of their classes, which outlive the modules
that the parser keeps them in; of one that nobody foresaw the parser's own text is told.
"""

import re
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from fenqi.core.values.phrase import Phrase

FAULTS = frozenset(
    {
        "BadArgumentUsage",
        "BadOptionUsage",
        "BadParameter",
        "MissingParameter",
        "NoSuchOption",
        "UsageError",
    }
)
UNKNOWN_COMMAND = re.compile(r"No such command (?P<quote>['\"])(?P<word>.*)(?P=quote)\.", re.DOTALL)
NEAR = re.compile(r"Did you mean '(?P<near>[^']*)'")
TOO_MANY = re.compile(r"unexpected extra argument(?:\(s\))? \((?P<words>.*)\)", re.DOTALL)
NUMBER = re.compile(r"-[0-9.]")
TAKES_NONE = "does not take a value"
EXAMPLE_ID = "0198c5a2-7d31-7c44-9b1e-2f6f0a1c3d5e"
WORD_CHARS_MAX = 60  # of a word that is told again; what is wrong with a longer one is its length


def is_fault(fault: BaseException) -> bool:
    """Return whether the parser of the command line raised this for words that make no command."""
    return type(fault).__name__ in FAULTS and hasattr(fault, "format_message")


def told(fault: Any) -> Phrase:
    """Return what a person reads of a fault for which `is_fault` holds."""
    said = _said(fault)
    if getattr(fault, "ctx", None) is None:
        return said
    help_ = Phrase("`{command} --help` tells more.", command=fault.ctx.command_path)
    return Phrase("{said} {more}", said=said, more=help_)


def _said(fault: Any) -> Phrase:
    match type(fault).__name__:
        case "MissingParameter":
            return _missing(fault)
        case "BadParameter":
            return _bad_value(fault)
        case "NoSuchOption" if NUMBER.match(fault.option_name):
            return Phrase(
                "{word} stands where an option is expected; put -- before what begins "
                "with a minus sign and is none.",
                word=_short(fault.option_name),
            )
        case "NoSuchOption":
            near = sorted(fault.possibilities or ())
            option = _short(fault.option_name)
            if near:
                return Phrase(
                    "There is no option {option}; is {meant} meant?", option=option, meant=near[0]
                )
            return Phrase("There is no option {option}.", option=option)
        case "BadOptionUsage" if TAKES_NONE in fault.message:
            return Phrase("{option} takes no value: write it alone.", option=fault.option_name)
        case "BadOptionUsage":
            return Phrase("{option} needs a value after it.", option=fault.option_name)
        case _:
            return _plain(fault)


def _plain(fault: Any) -> Phrase:
    """Return what is told of a fault that says by its text alone which it is."""
    if found := UNKNOWN_COMMAND.search(fault.message):
        near = NEAR.search(fault.message)
        word = _short(found["word"])
        if near:
            return Phrase(
                "There is no command {word}; is {meant} meant?", word=word, meant=near["near"]
            )
        return Phrase("There is no command {word}.", word=word)
    if found := TOO_MANY.search(fault.message):
        return Phrase(
            "Nothing is expected where {words} stands; a text of several words needs quotes.",
            words=_short(found["words"]),
        )
    return Phrase("{said}", said=fault.format_message())


def _missing(fault: Any) -> Phrase:
    name, expected = _name(fault), _expected(fault.param)
    if expected is None:
        return Phrase("{name} is missing.", name=name)
    return Phrase("{field} is missing; it must be {expected}.", field=name, expected=expected)


def _bad_value(fault: Any) -> Phrase:
    """Return which value is wrong and what it must be, or what the command itself says of it."""
    name, expected = _name(fault), _expected(fault.param)
    if not name:  # a command that refuses several words together says it in a sentence
        return Phrase("{said}", said=fault.message)
    if expected is None:
        expected = fault.message
    given = _given(fault)
    if given is None:
        return Phrase("{name} must be {expected}.", name=name, expected=expected)
    if not given.strip():
        return Phrase("{name} is empty; it must be {expected}.", name=name, expected=expected)
    what = {"name": name, "value": _short(given), "expected": expected}
    return Phrase("{name} is {value}; it must be {expected}.", **what)


def _name(fault: Any) -> str:
    """Return a parameter as it is written on the command line."""
    if fault.param is None:
        return str(fault.param_hint or "")
    options = [one for one in fault.param.opts if one.startswith("--")]
    return options[0] if options else str(fault.param.metavar or fault.param.name).upper()


def _given(fault: Any) -> str | None:
    """Return the word that was given, if the fault tells."""
    errors = getattr(fault.__cause__, "errors", None)
    found = errors() if callable(errors) else ()
    return str(found[0]["input"]) if found and "input" in found[0] else None


def _expected(param: Any) -> Phrase | None:
    """Return what a parameter's value must be, None if any text is one or nobody knows."""
    descriptor = getattr(param, "type_descriptor", None)
    kind = getattr(descriptor, "annotation", None)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return Phrase("one of {choices}", choices=", ".join(kind))
    if kind is UUID:
        return Phrase("an id such as {example}", example=EXAMPLE_ID)
    if kind is datetime:
        return Phrase("a day such as 2026-01-31")
    if kind is int and descriptor is not None:
        bounds = descriptor.parameter_info
        if bounds.min is not None and bounds.max is not None:
            most, least = bounds.max, bounds.min
            return Phrase("a whole number from {least} to {most}", least=least, most=most)
        return Phrase("a whole number")
    return None


def _short(word: str) -> str:
    return word if len(word) <= WORD_CHARS_MAX else word[:WORD_CHARS_MAX] + "..."
