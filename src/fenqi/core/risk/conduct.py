"""How the lender moves limits and prices, and how much harm a machine may do: versioned data.

A conduct says how far and how often a value changes (`change`), which products each grade of price
puts on the menu, and the caps of the circuit breaker (`breaker`). Each part names where its figures
come from. What a decision was made by includes its conduct, so that it is computed again exactly.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fenqi.core.errors import Invalid
from fenqi.core.risk.breaker import Caps
from fenqi.core.risk.change import ChangeTerms, Subject
from fenqi.core.risk.decision import HARMFUL, LADDER, Effect
from fenqi.core.terms.reading import WHOLE_MAX, Reader
from fenqi.core.values.rate import PPM

DAYS_MAX = 3_650
GRADES_MAX = 32
POINT_PPM_MAX = 100_000
TURNS_MAX = 365


class ConductInvalid(Invalid):
    """A conduct table has a field that is missing, unknown, out of range or without a source."""

    code = "conduct-invalid"


@dataclass(frozen=True, slots=True)
class Grade:
    """One grade of price: what it stands for, and the products an account of it is offered.

    Units: `level_ppm` is what twelve monthly instalments cost a year in this grade, in ppm.
    """

    level_ppm: int
    products: frozenset[str]


@dataclass(frozen=True, slots=True)
class Conduct:
    """One version of a lender's conduct. Grades rise in price; grade 0 is what accounts begin with.

    A harmful effect without caps is not in `caps`: reading refuses that, so all have them.
    """

    conduct_id: str
    version: int
    limit: ChangeTerms
    price: ChangeTerms
    grades: tuple[Grade, ...]
    caps: Mapping[Effect, Caps]

    @classmethod
    def read(cls, table: Mapping[str, object]) -> "Conduct":
        """Return the conduct a parsed TOML table describes.

        Errors: ConductInvalid naming the field, what it holds and what it may hold.
        """
        reader = Reader(table, ConductInvalid)
        limit, price = reader.table("limit"), reader.table("price")
        breaker = reader.table("breaker")
        grades = _grades(price, table)
        conduct = cls(
            conduct_id=reader.identity("id"),
            version=reader.integer("version", least=1),
            limit=_limit(limit),
            price=_price(price, grades),
            grades=grades,
            caps={effect: _caps(breaker.table(effect)) for effect in LADDER if effect in HARMFUL},
        )
        for part in (limit, price, breaker):
            part.text("source")
            part.done()
        reader.done()
        return conduct

    def grade_of(self, level_ppm: int) -> int:
        """Return the number of the grade that stands for a price."""
        return [grade.level_ppm for grade in self.grades].index(level_ppm)

    def offered(self, products: Iterable[str], grade: int) -> frozenset[str]:
        """Return which of some products an account of a grade of price is offered.

        A product that no grade names is offered to all.
        """
        named = frozenset().union(*(one.products for one in self.grades))
        graded = self.grades[min(grade, len(self.grades) - 1)].products
        return frozenset(one for one in products if one not in named or one in graded)

    def terms(self, subject: Subject) -> ChangeTerms:
        """Return how a subject changes."""
        return self.limit if subject is Subject.LIMIT else self.price


def _limit(reader: Reader) -> ChangeTerms:
    least = reader.integer("least_minor")
    unit = reader.integer("unit_minor", least=1)
    return _terms(
        reader,
        Subject.LIMIT,
        least=least,
        most=reader.integer("most_minor", least=max(least, 1)),
        unit=unit,
        offer_days=reader.integer("offer_days", least=1, most=DAYS_MAX),
    )


def _price(reader: Reader, grades: tuple[Grade, ...]) -> ChangeTerms:
    levels = tuple(grade.level_ppm for grade in grades)
    return _terms(
        reader, Subject.PRICE, least=levels[0], most=levels[-1], levels=levels, offer_days=0
    )


def _terms(
    reader: Reader,
    subject: Subject,
    *,
    least: int,
    most: int,
    unit: int = 1,
    levels: tuple[int, ...] = (),
    offer_days: int,
) -> ChangeTerms:
    band = reader.integer("band_ppm", most=PPM)
    cool_down = reader.integer("cool_down_days", most=DAYS_MAX)
    return ChangeTerms(
        subject=subject,
        band_ppm=band,
        turn_band_ppm=reader.integer("turn_band_ppm", least=band, most=PPM),
        cool_down_days=cool_down,
        turn_days=reader.integer("turn_days", least=cool_down, most=DAYS_MAX),
        turns_a_year_max=reader.integer("turns_a_year_max", most=TURNS_MAX),
        harsher_step_ppm_max=reader.integer("harsher_step_ppm_max", most=PPM),
        milder_step_ppm_max=reader.integer("milder_step_ppm_max", most=WHOLE_MAX),
        least=least,
        most=most,
        unit=unit,
        levels=levels,
        offer_days=offer_days,
        ppm_per_point=reader.integer("ppm_per_point", most=POINT_PPM_MAX),
    )


def _grades(price: Reader, table: Mapping[str, object]) -> tuple[Grade, ...]:
    """Return the grades, from `[price.grade.0]` on, their prices rising."""
    named = price.table("grade")
    whole = table["price"]
    count = len(whole["grade"]) if isinstance(whole, dict) else 0
    if not 1 <= count <= GRADES_MAX:
        raise price.refused("grade", f"1 to {GRADES_MAX} tables, grade.0 and on")
    grades: list[Grade] = []
    for number in range(count):
        grade = named.table(str(number))
        least = grades[-1].level_ppm + 1 if grades else 0
        level = grade.integer("level_ppm", least=least, most=PPM)
        products = grade.texts("products", "the names of products")
        grade.done()
        grades.append(Grade(level, frozenset(products)))
    named.done()
    return tuple(grades)


def _caps(reader: Reader) -> Caps:
    hour = reader.integer("hour_max")
    caps = Caps(hour, reader.integer("day_max", least=hour))
    reader.done()
    return caps
