"""What a page says in one language: its sentences, and how it writes amounts, shares and days.

Sentences are English in the templates; other languages come from gettext catalogues in
`data/languages`, read as they are. Numbers and days go through Babel.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from importlib import resources
from io import BytesIO

from babel.core import Locale
from babel.dates import format_date
from babel.messages.pofile import read_po
from babel.numbers import format_compact_decimal, format_decimal, format_percent
from babel.numbers import get_currency_symbol as currency_symbol

from fenqi.core.values.money import Currency
from fenqi.core.values.phrase import closed_up

PPM_DIGITS = 6


class Language(StrEnum):
    """A language pages are written in, by its BCP 47 tag."""

    ENGLISH = "en"
    CHINESE = "zh-CN"


@dataclass(frozen=True, slots=True)
class _Manner:
    """How a language writes days, and which of Babel's locales it takes its numbers from."""

    locale: str
    day: str
    month: str
    month_alone: str


_MANNERS = {
    Language.ENGLISH: _Manner("en", "d MMM yyyy", "MMM yyyy", "LLL"),
    Language.CHINESE: _Manner("zh_CN", "yyyy年M月d日", "yyyy年M月", "LLL"),
}


class Speech:
    """Says things in one language."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self._manner = _MANNERS[language]
        self._locale = Locale.parse(self._manner.locale)
        self._sentences = read_catalogue(language)

    def gettext(self, message: str) -> str:
        """Return a sentence; one the catalogue does not have stays English."""
        return self._sentences.get(message, message)

    def ngettext(self, singular: str, plural: str, count: int) -> str:
        """Return the form of a sentence that fits a count."""
        if self.language is Language.ENGLISH:
            return singular if count == 1 else plural
        return self._sentences.get(singular, plural)

    def fill(self, sentence: str, **values: object) -> str:
        """Return a sentence with its %(named)s values, its blanks as the language sets them."""
        return closed_up(sentence, values) % values

    def joined(self, *sentences: str) -> str:
        """Return sentences one after another; Chinese ones stand close, their marks are wide."""
        return ("" if self.language is Language.CHINESE else " ").join(sentences)

    def count(self, number: int) -> str:
        """Return a number with grouped thousands."""
        return str(format_decimal(number, locale=self._locale))

    def amount(self, minor: int, unit: Currency) -> str:
        """Return an amount to the minor unit, thousands grouped, without its currency."""
        pattern = "#,##0" + ("." + "0" * unit.digits if unit.digits else "")
        return str(format_decimal(_scaled(minor, unit.digits), pattern, locale=self._locale))

    def compact(self, minor: int, unit: Currency, digits: int = 2) -> str:
        """Return an amount as a person says it, as in 2.48M or 247.63万; not for adding up."""
        value = _scaled(minor, unit.digits)
        return str(format_compact_decimal(value, locale=self._locale, fraction_digits=digits))

    def symbol(self, unit: Currency) -> str:
        """Return the currency's sign as this language writes it."""
        return str(currency_symbol(unit.code, locale=self._locale))

    def percent(self, ppm: int, digits: int = 1) -> str:
        """Return a share in per cent."""
        pattern = "0" + ("." + "0" * digits if digits else "") + "%"
        return str(format_percent(_scaled(ppm, PPM_DIGITS), pattern, locale=self._locale))

    def points(self, ppm: int) -> str:
        """Return a difference of shares in percentage points, always with its sign."""
        points = _scaled(ppm, PPM_DIGITS - 2)
        return str(format_decimal(points, "+0.00;\u22120.00", locale=self._locale))

    def change(self, ppm: int) -> str:
        """Return a relative change in per cent, always with its sign."""
        return str(
            format_percent(_scaled(ppm, PPM_DIGITS), "+0.0%;\u22120.0%", locale=self._locale)
        )

    def day(self, day: date) -> str:
        """Return a day in full."""
        return str(format_date(day, self._manner.day, locale=self._locale))

    def month(self, month: date) -> str:
        """Return a month with its year."""
        return str(format_date(month, self._manner.month, locale=self._locale))

    def month_alone(self, month: date) -> str:
        """Return a month without its year, short enough for an axis."""
        return str(format_date(month, self._manner.month_alone, locale=self._locale))


def read_catalogue(language: Language) -> Mapping[str, str]:
    """Return a language's sentences by their English; empty for English itself."""
    if language is Language.ENGLISH:
        return {}
    name = _MANNERS[language].locale
    source = resources.files("fenqi") / "data" / "languages" / f"{name}.po"
    return {
        # A sentence with a count is known by its singular; Chinese has one form for all counts.
        _first(message.id): _first(message.string)
        for message in read_po(BytesIO(source.read_bytes()), locale=name)
        if message.id and message.string
    }


def _first(text: str | Sequence[str]) -> str:
    return text if isinstance(text, str) else text[0]


def _scaled(number: int, digits: int) -> Decimal:
    return Decimal(number).scaleb(-digits)
