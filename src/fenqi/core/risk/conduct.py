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
from fenqi.core.risk.decision import HARMFUL, LADDER, DecisionKind, Effect
from fenqi.core.terms.reading import WHOLE_MAX, Reader
from fenqi.core.values.phrase import Phrase
from fenqi.core.values.rate import PPM

Table = Mapping[str, object]

DAYS_MAX = 3_650
CEILING_DAYS = 7
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

    A harmful effect without caps is not in `caps`: reading refuses that, so all have them. A kind
    of decision may have caps of its own for some effects (`kind_caps`).
    """

    conduct_id: str
    version: int
    limit: ChangeTerms
    price: ChangeTerms
    grades: tuple[Grade, ...]
    caps: Mapping[Effect, Caps]
    kind_caps: Mapping[DecisionKind, Mapping[Effect, Caps]]
    ceiling_days: int  # how long a smaller limit of a purchase's decision holds for later ones

    @classmethod
    def read(cls, table: Mapping[str, object]) -> "Conduct":
        """Return the conduct a parsed TOML table describes.

        Errors: ConductInvalid naming the field, what it holds and what it may hold.
        """
        reader = Reader(table, ConductInvalid)
        limit, price = reader.table("limit"), reader.table("price")
        breaker = reader.table("breaker")
        grades, harms = _grades(price, table), _inside(table, "breaker")
        ceiling_days = CEILING_DAYS  # of conducts that were written before they said it
        if "ceiling_days" in _inside(table, "limit"):
            ceiling_days = limit.integer("ceiling_days", least=1, most=DAYS_MAX)
        conduct = cls(
            conduct_id=reader.identity("id"),
            version=reader.integer("version", least=1),
            limit=_limit(limit),
            price=_price(price, grades),
            grades=grades,
            caps={one: _caps(breaker, one, harms) for one in LADDER if one in HARMFUL},
            kind_caps=_kind_caps(breaker, harms),
            ceiling_days=ceiling_days,
        )
        for part in (limit, price, breaker):
            part.text("source")
            part.done()
        reader.done()
        return conduct

    def caps_of(self, kind: DecisionKind) -> Mapping[Effect, Caps]:
        """Return the caps on a kind of decision."""
        return {**self.caps, **self.kind_caps.get(kind, {})}

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
        expected = Phrase("1 to {most} tables, {first} and on", most=GRADES_MAX, first="grade.0")
        raise price.refused("grade", expected)
    grades: list[Grade] = []
    for number in range(count):
        grade = named.table(str(number))
        least = grades[-1].level_ppm + 1 if grades else 0
        level = grade.integer("level_ppm", least=least, most=PPM)
        products = grade.texts("products", Phrase("the names of products"))
        grade.done()
        grades.append(Grade(level, frozenset(products)))
    named.done()
    return tuple(grades)


def _kind_caps(breaker: Reader, whole: Table) -> dict[DecisionKind, dict[Effect, Caps]]:
    """Return the caps of kinds that have their own, `[breaker.KIND]`."""
    found: dict[DecisionKind, dict[Effect, Caps]] = {}
    for kind in DecisionKind:
        if kind.value in whole:
            own, known = breaker.table(kind.value), _inside(whole, kind.value)
            effects = [one for one in LADDER if one in HARMFUL and one.value in known]
            found[kind] = {effect: _caps(own, effect, known) for effect in effects}
            own.done()
    return found


def _caps(breaker: Reader, effect: Effect, whole: Table) -> Caps:
    reader = breaker.table(effect.value)
    if "hour_max" in _inside(whole, effect.value):  # as conducts were written before shares
        most = reader.integer("hour_max")
        caps = Caps(most, reader.integer("day_max", least=most))
    else:
        least = reader.integer("hour_least")
        caps = Caps(
            hour_least=least,
            day_least=reader.integer("day_least", least=least),
            hour_ppm=reader.integer("hour_ppm", most=PPM),
            day_ppm=reader.integer("day_ppm", most=PPM),
        )
    reader.done()
    return caps


def _inside(table: Table, name: str) -> Table:
    """Return a table within a table, empty where there is none; the reader names what is wrong."""
    found = table.get(name)
    return found if isinstance(found, Mapping) else {}
