"""The book as one page: a file that needs nothing else, for a person to read, print and send.

Inline style and SVG, no script, nothing fetched. Every figure that is printed is asked for by its
name in `fenqi report --json` and stands in a `data` element with that name and its exact value.
"""

import dataclasses
from collections.abc import Mapping
from functools import cache, partial
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from fenqi.core.values.money import currency
from fenqi.report import chart, pictures
from fenqi.report.book import Book
from fenqi.report.language import Language, Speech
from fenqi.report.pictures import Pictures
from fenqi.report.purchases import ToldReason
from fenqi.report.rolls import ppm
from fenqi.report.whole import whole_file

TEMPLATE = "book.html.j2"
REASONS_SHOWN = 8


def write(book: Book, target: Path, language: Language) -> None:
    """Write the page of a book. Errors: those of `whole_file`."""
    page = render(book, language)
    with whole_file(target) as file:
        file.write(page)


def render(book: Book, language: Language) -> str:
    """Return the page of a book in one language; the same book gives the same bytes."""
    speech = Speech(language)
    environment = Environment(
        loader=FunctionLoader(read_template),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_gettext_callables(  # type: ignore[attr-defined] # of the extension
        speech.gettext, speech.ngettext, newstyle=True
    )
    figures = Figures(book, speech)
    return environment.get_template(TEMPLATE).render(
        book=book,
        language=language.value,
        unit=currency(book.currency),
        say=speech,
        amount=figures.amount,
        compact=figures.compact,
        share=figures.share,
        count=figures.count,
        draw=Pictures(book, speech),
        bar=chart.bar,
        shade=chart.shade,
        text_of=partial(_text_of, language),
        pictures=pictures,
        ppm=ppm,
        style=Markup(read_template("book.css")),  # noqa: S704 - our own file
        reasons_shown=REASONS_SHOWN,
    )


def _text_of(language: Language, reason: ToldReason) -> str:
    """Return what customers were told for a reason; nothing if nobody wrote it."""
    return reason.texts.get("zh" if language is Language.CHINESE else "en", "")


@cache
def read_template(name: str) -> str:
    """Return a file of the templates' folder."""
    return (resources.files("fenqi.report") / "templates" / name).read_text(encoding="utf-8")


class Figures:
    """Prints figures of the report by their names, such as `cash.settled_minor`."""

    def __init__(self, book: Book, speech: Speech) -> None:
        self._table = dataclasses.asdict(book)
        self._speech = speech
        self._unit = currency(book.currency)

    def amount(self, name: str) -> Markup:
        """Return an amount to the minor unit."""
        value = self._value(name)
        return _figure(name, value, self._speech.amount(value, self._unit))

    def compact(self, name: str) -> Markup:
        """Return an amount as a person says it."""
        value = self._value(name)
        return _figure(name, value, self._speech.compact(value, self._unit))

    def share(self, name: str, digits: int = 1) -> Markup:
        """Return a share in per cent."""
        value = self._value(name)
        return _figure(name, value, self._speech.percent(value, digits))

    def count(self, name: str) -> Markup:
        """Return a number of things."""
        value = self._value(name)
        return _figure(name, value, self._speech.count(value))

    def _value(self, name: str) -> int:
        value: Any = self._table
        for part in name.split("."):
            value = value[part] if isinstance(value, Mapping) else value[int(part)]
        if not isinstance(value, int):
            raise TypeError(name)
        return value


def _figure(name: str, value: int, text: str) -> Markup:
    return Markup('<data data-figure="{name}" value="{value}">{text}</data>').format(
        name=name, value=value, text=text
    )
