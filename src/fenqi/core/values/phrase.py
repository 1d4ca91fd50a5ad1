"""A sentence of ours that can be said in another language after it was written.

It is its English text and keeps what that was made of, so that whoever tells a person puts the same
values into the sentence of another catalogue. Values that are phrases are said in that one too.
"""

import re
from collections.abc import Callable, Mapping, Sequence

# Chinese characters and the marks of their width: no blank stands between two of them.
CHINESE = re.compile("[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]")
_PLACE = re.compile(r"({\w+}|%\(\w+\)s)")


class Phrase(str):
    """An English text from a template with {names} and the values put there."""

    __slots__ = ("template", "values")
    template: str
    values: dict[str, object]

    def __new__(cls, template: str, /, **values: object) -> "Phrase":
        """Return the phrase. Errors: KeyError if the template names a value not given."""
        phrase = super().__new__(cls, template.format(**values))
        phrase.template, phrase.values = template, values
        return phrase

    def told(self, gettext: Callable[[str], str]) -> str:
        """Return it in the language of a catalogue; what that does not have stays English."""
        values = {name: told(value, gettext) for name, value in self.values.items()}
        return closed_up(gettext(self.template), values).format(**values)


def closed_up(template: str, values: Mapping[str, object]) -> str:
    """Return a template without the blanks that its values would leave between Chinese characters.

    The places are {names} or %(names)s. A blank sets Latin letters and figures apart from Chinese
    ones; whether a value begins or ends with such is known only once it is there.
    """
    parts = _PLACE.split(template)  # texts, and a place between each two of them
    shown = [
        str(values.get(_name(part), "")) if place % 2 else part for place, part in enumerate(parts)
    ]
    for place in range(0, len(parts), 2):
        before, after = shown[place - 1] if place else "", "".join(shown[place + 1 : place + 2])
        parts[place] = _closed_up(before, parts[place], after)
    return "".join(parts)


def _closed_up(before: str, text: str, after: str) -> str:
    """Return what stands between two values without its blank at either end, if Chinese meets."""
    if text.startswith(" ") and _meet(before, text[1:] or after):
        text = text[1:]
    if text.endswith(" ") and _meet(text[:-1] or before, after):
        text = text[:-1]
    return text


def _name(place: str) -> str:
    return place[1:-1] if place[0] == "{" else place[2:-2]


def _meet(before: str, after: str) -> bool:
    return bool(CHINESE.match(before[-1:]) and CHINESE.match(after[:1]))


def told(value: object, gettext: Callable[[str], str]) -> object:
    """Return a value; a phrase in the language of a catalogue."""
    return value.told(gettext) if isinstance(value, Phrase) else value


def lines(phrases: Sequence[str]) -> Phrase:
    """Return phrases below one another as one."""
    names = [f"line{place}" for place in range(len(phrases))]
    template = "\n  ".join(f"{{{name}}}" for name in names)
    return Phrase(template, **dict(zip(names, phrases, strict=True)))
