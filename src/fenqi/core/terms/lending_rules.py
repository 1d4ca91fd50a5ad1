"""Whom a pack lets be lent to, and how much: exclusions, bounds of a limit, how long things hold.

Part of a policy pack, its table [lending]; each number and choice names its source there.
"""

from dataclasses import dataclass, fields
from enum import StrEnum

from fenqi.core.terms.reading import Reader

AGE_MAX = 150
DAYS_MAX = 3_650
PPM_MAX = 100_000_000
MINOR_MAX = 2_000_000_000
MONTHS_MAX = 120


class Students(StrEnum):
    """Whether somebody who studies may be lent to."""

    NONE = "none"
    EVIDENCED = "evidenced-income"  # only on income that is shown
    ANY = "any"


@dataclass(frozen=True, slots=True)
class LendingRules:
    """The rules of one pack.

    Units: minor units of the book's currency; a multiple is of one month's income, in ppm.
    """

    age_years_min: int
    students: Students
    multiple_evidenced_ppm: int  # of income that was shown
    multiple_declared_ppm: int  # of income that was only said
    service_share_max_ppm: int  # of a month's income, for all debts together
    service_months: int  # in which a limit used to the full is thought to be paid back
    limit_minor_max: int
    limit_unevidenced_minor_max: int  # of a first limit on income that was only said
    limit_unknown_minor_max: int  # of a first limit where no bureau said anything
    limit_minor_least: int  # below it no account is opened
    report_days: int  # how long a bureau's report is used again
    offer_days: int  # how long an offer can be accepted

    @classmethod
    def read(cls, reader: Reader) -> "LendingRules":
        """Return the rules of a pack's table. Errors: those of the reader."""
        rules = cls(
            age_years_min=reader.integer("age_years_min", most=AGE_MAX),
            students=reader.choice("students", Students),
            multiple_evidenced_ppm=reader.integer("multiple_evidenced_ppm", most=PPM_MAX),
            multiple_declared_ppm=reader.integer("multiple_declared_ppm", most=PPM_MAX),
            service_share_max_ppm=reader.integer("service_share_max_ppm", most=1_000_000),
            service_months=reader.integer("service_months", least=1, most=MONTHS_MAX),
            limit_minor_max=reader.integer("limit_minor_max", most=MINOR_MAX),
            limit_unevidenced_minor_max=reader.integer("limit_unevidenced_minor_max"),
            limit_unknown_minor_max=reader.integer("limit_unknown_minor_max"),
            limit_minor_least=reader.integer("limit_minor_least", least=1),
            report_days=reader.integer("report_days", most=DAYS_MAX),
            offer_days=reader.integer("offer_days", least=1, most=DAYS_MAX),
        )
        for name in ("limit_unevidenced_minor_max", "limit_unknown_minor_max", "limit_minor_least"):
            if getattr(rules, name) > rules.limit_minor_max:
                raise reader.refused(name, "at most limit_minor_max")
        sources = reader.table("source")
        for field in fields(cls):
            sources.text(field.name)
        sources.done()
        reader.done()
        return rules
