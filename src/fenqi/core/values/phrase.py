"""A sentence of ours that can be said in another language after it was written.

It is its English text and keeps what that was made of, so that whoever tells a person puts the same
values into the sentence of another catalogue. Values that are phrases are said in that one too.
"""

from collections.abc import Callable, Sequence


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
        return gettext(self.template).format(**values)


def told(value: object, gettext: Callable[[str], str]) -> object:
    """Return a value; a phrase in the language of a catalogue."""
    return value.told(gettext) if isinstance(value, Phrase) else value


def lines(phrases: Sequence[str]) -> Phrase:
    """Return phrases below one another as one."""
    names = [f"line{place}" for place in range(len(phrases))]
    template = "\n  ".join(f"{{{name}}}" for name in names)
    return Phrase(template, **dict(zip(names, phrases, strict=True)))
