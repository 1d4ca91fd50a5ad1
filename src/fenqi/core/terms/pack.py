"""A policy pack is what a jurisdiction and its conduct rules ask, as versioned data.

Every number in a pack names where it comes from: a rule of law, a published practice, or "ours".
No product is offered under a pack whose caps it breaks (`check_product`).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date
from fractions import Fraction
from functools import cache

from fenqi.core.errors import Conflict, Invalid
from fenqi.core.terms.allowances import Allowances, WithdrawalRule
from fenqi.core.terms.cost import CostKind, nominal_annual, request_rates
from fenqi.core.terms.lending_rules import LendingRules
from fenqi.core.terms.product import COUNT_MAX, Product
from fenqi.core.terms.reading import FOR_PEOPLE, Reader
from fenqi.core.terms.schedule import (
    PRINCIPAL_MINOR_MAX,
    Frame,
    Terms,
    check_principal,
    schedule,
)
from fenqi.core.values.day import add_months
from fenqi.core.values.money import CURRENCIES
from fenqi.core.values.rate import PPM, Rounding, round_decimal

# No numbers of a rule, or a table with sources of its own.
WITHOUT_SOURCE = frozenset({"pack_id", "version", "currencies", "lending"})
# What a pack may leave out, and the most each may say; left out it is what the field begins with:
# 0, which allows nothing, or what protects a customer under a pack that was written before it.
OPTIONAL = {
    "withdrawal_days": 3_650,
    "protective_hold_hours_max": 72,
    "protection_pause_hours": 8_760,
    "freeze_days_alone_max": 90,
    "step_up_hours": 720,
    "appeal_days": 3_650,
    "appeal_answer_days": 90,
    "excused_days_max": 60,
    "excuse_days_alone_max": 60,
    "deferral_cost_ppm_max": PPM,
    "extension_cost_ppm_per_period_max": PPM,
}
FORBIDDEN = "forbidden_inputs"  # a table a pack may leave out
PURPOSES = ("all", "credit", "fraud", "service")
BUCKETS_MAX = 24
DPD_MAX = 3_650
REFERENCE_PRINCIPAL_MINOR = 10**8  # so large that rounding to minor units moves no rate by a ppm
DISCOUNT_SCALE = 10**30  # so fine that no amount of minor units feels its rounding
SOUND_KEPT = 8192  # products at prices, in counts under packs, that are remembered
REFERENCE_START = date(2026, 1, 1)  # any day: a period is a month whatever its days


class PackInvalid(Invalid):
    """A pack table has a field that is missing, unknown, out of range or without a source."""

    code = "pack-invalid"


class NotLending(Conflict):
    """The pack of the book does not say whom may be lent to, so nobody can apply."""

    code = "pack-lends-nothing"


class CapBroken(Invalid):
    """A product would cost more, or be harsher, than the pack allows."""

    code = "cap-broken"


@dataclass(frozen=True, slots=True)
class Pack:
    """One version of one policy pack.

    Units: `nominal_annual_max_ppm` is 12 x monthly irr of everything paid if all goes normally;
    the late caps bound each LateRule; `bucket_bounds[k]` is the last day past due of bucket Mk.
    """

    pack_id: str
    version: int
    currencies: tuple[str, ...]  # ISO 4217 codes
    nominal_annual_max_ppm: int
    late_rate_ppm_per_day_max: int
    late_cap_ppm_max: int
    late_grace_days_min: int
    write_off_dpd: int
    non_accrual_dpd: int
    hold_days: int  # how long an authorisation holds the limit before it expires
    bucket_bounds: tuple[int, ...]
    provision_ppm: tuple[int, ...]  # of open principal, per bucket: M0, M1 .. beyond the last bound
    withdrawal_days: int = 0  # in which a customer withdraws without a reason; 0 if none
    deferral_cost_ppm_max: int = 0  # of what the deferred instalment asks for
    extension_cost_ppm_per_period_max: int = 0  # of the principal to come
    protective_hold_hours_max: int = 0  # of new purchases, without proof (P6); 0 allows no hold
    protection_pause_hours: int = 0  # after a hold that ended, before the next without proof
    freeze_days_alone_max: int = 0  # that one person may order; beyond it a second one is asked
    step_up_hours: int = 0  # after which a check that was asked for is asked no more; 0 asks none
    appeal_days: int = 365  # in which a decision can be contested (P3)
    appeal_answer_days: int = 15  # in which an appeal is answered
    excused_days_max: int = (
        10  # of money on its way, a channel that failed, an outage that runs (P5)
    )
    excuse_days_alone_max: int = 3  # that one person may excuse; beyond it a second one is asked
    # What no policy may look at for a purpose (P7), by purpose, or "all" for any.
    forbidden_inputs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    lending: LendingRules | None = None  # whom may be lent to, how much; without it nobody applies

    @property
    def lends(self) -> LendingRules:
        """Whom may be lent to, and how much. Errors: NotLending."""
        if self.lending is None:
            raise NotLending(pack=self.pack_id)
        return self.lending

    @classmethod
    def read(cls, table: Mapping[str, object]) -> "Pack":
        """Return the pack a parsed TOML table describes.

        Errors: PackInvalid naming the field, what it holds and what it may hold.
        """
        reader = Reader(table, PackInvalid, unread=FOR_PEOPLE - {"source"})
        pack = cls(
            pack_id=reader.identity("id"),
            version=reader.integer("version", least=1),
            currencies=_currencies(reader),
            nominal_annual_max_ppm=reader.integer("nominal_annual_max_ppm"),
            late_rate_ppm_per_day_max=reader.integer("late_rate_ppm_per_day_max"),
            late_cap_ppm_max=reader.integer("late_cap_ppm_max"),
            late_grace_days_min=reader.integer("late_grace_days_min"),
            write_off_dpd=reader.integer("write_off_dpd", least=1),
            non_accrual_dpd=reader.integer("non_accrual_dpd", least=1),
            hold_days=reader.integer("hold_days", least=1),
            bucket_bounds=_bounds(reader),
            provision_ppm=_provisions(reader),
            **{
                name: reader.integer(name, most=most)
                for name, most in OPTIONAL.items()
                if name in table
            },
            forbidden_inputs=_forbidden(reader) if FORBIDDEN in table else {},
            lending=LendingRules.read(reader.table("lending")) if "lending" in table else None,
        )
        _check_sources(reader.table("source"), table)
        reader.done()
        return pack


def _forbidden(reader: Reader) -> dict[str, tuple[str, ...]]:
    """Return what no policy may look at, by purpose."""
    below = reader.table(FORBIDDEN)
    listed = {
        purpose: tuple(below.texts(purpose, "a list of different names of inputs"))
        for purpose in PURPOSES
        if below.has(purpose)
    }
    below.done()
    return listed


def _currencies(reader: Reader) -> tuple[str, ...]:
    expected = "a list of different codes from " + ", ".join(sorted(CURRENCIES))
    codes = reader.texts("currencies", expected)
    if not set(codes) <= set(CURRENCIES):
        raise reader.refused("currencies", expected)
    return tuple(codes)


def _bounds(reader: Reader) -> tuple[int, ...]:
    """Return the bucket bounds; M0 is what is not late, so the first bound is 0."""
    bounds = reader.integers("bucket_bounds", most=DPD_MAX, length_max=BUCKETS_MAX)
    if bounds[0] != 0 or bounds != sorted(bounds):
        raise reader.refused("bucket_bounds", "rising days past due that begin with 0")
    return tuple(bounds)


def _provisions(reader: Reader) -> tuple[int, ...]:
    """Return the provision rates: one more than there are bounds, rising to the whole at most."""
    bounds = reader.integers("bucket_bounds", most=DPD_MAX, length_max=BUCKETS_MAX)
    rates = reader.integers("provision_ppm", most=PPM, length_max=BUCKETS_MAX + 1)
    if len(rates) != len(bounds) + 1 or rates != sorted(rates):
        raise reader.refused("provision_ppm", "one rising rate in ppm for each bucket")
    return tuple(rates)


def _check_sources(sources: Reader, table: Mapping[str, object]) -> None:
    """Demand a source for every number of the pack, and no source for what is not there."""
    for one in fields(Pack):
        is_left_out = one.name in (*OPTIONAL, FORBIDDEN) and one.name not in table
        if one.name not in WITHOUT_SOURCE and not is_left_out:
            sources.text(one.name)
    sources.done()


def allowances(product: Product, pack: Pack) -> Allowances:
    """Return what a customer may ask for: the product's offers, and the pack's withdrawal."""
    days = pack.withdrawal_days
    return replace(product.allowances, withdrawal=WithdrawalRule(days) if days else None)


def check_product(product: Product, pack: Pack) -> None:
    """Refuse a product that breaks a cap of the pack in any number of instalments.

    The yearly cost is that of a large reference purchase in months of equal length, in whole ppm,
    so that a product exactly at the cap passes.

    Errors: CapBroken naming product, count, what, value and cap; count is None where the number
    of instalments plays no part.
    """
    late, asked = product.late, request_rates(product)
    limits = (
        (late.rate_ppm_per_day, pack.late_rate_ppm_per_day_max, "late_rate_ppm_per_day"),
        (late.cap_ppm, pack.late_cap_ppm_max, "late_cap_ppm"),
        (asked[CostKind.DEFERRAL_FEE], pack.deferral_cost_ppm_max, "deferral_cost_ppm"),
        (
            asked[CostKind.EXTENSION_FEE],
            pack.extension_cost_ppm_per_period_max,
            "extension_cost_ppm_per_period",
        ),
    )
    for value, cap, what in limits:
        if value > cap:
            raise _broken(product, None, what, value=value, cap=cap)
    if late.rate_ppm_per_day and late.grace_days < pack.late_grace_days_min:
        least = pack.late_grace_days_min
        raise _broken(product, None, "late_grace_days", value=late.grace_days, cap=least)
    for count in product.counts:
        value = _reference_nominal_ppm(product, count)
        if value > pack.nominal_annual_max_ppm:
            cap = pack.nominal_annual_max_ppm
            raise _broken(product, count, "nominal_annual_ppm", value=value, cap=cap)


def check_amount(frame: Frame, principal_minor: int, pack: Pack) -> None:
    """Refuse an amount that cannot be lent in this frame, as `check_plan` does its terms.

    Errors: PrincipalOutOfRange, CapBroken.
    """
    check_principal(principal_minor)
    if principal_minor < _sound_from(frame.product, frame.count, pack):
        check_plan(frame.terms(principal_minor), pack)


def check_plan(terms: Terms, pack: Pack) -> None:
    """Refuse a plan whose own rounding lifts its yearly cost above the cap.

    A cent of fee on a few cents of goods is a rate no reference purchase shows. What is paid,
    discounted at the cap, must not exceed what is lent; no rate is solved for that.

    Errors: CapBroken.
    """
    if terms.principal_minor >= _sound_from(terms.product, terms.count, pack):
        return
    dues = schedule(terms)
    if not any(due.amounts[1] or due.amounts[2] for due in dues):
        return
    factors = discounts_at(pack.nominal_annual_max_ppm)
    worth = sum(due.total_minor * factors[due.number] for due in dues)
    if worth > terms.principal_minor * factors[0]:
        paid = [due.total_minor for due in dues]
        rate = nominal_annual(terms.principal_minor, paid)
        value = round_decimal(rate * PPM, rounding=Rounding.UP)
        cap = pack.nominal_annual_max_ppm
        raise _broken(terms.product, terms.count, "nominal_annual_ppm", value=value, cap=cap)


class _SoundFrom:
    """From which principal on no rounding can lift a product's yearly cost above a pack's cap."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int, int, int, str, int], tuple[Product, Pack, int]] = {}

    def __call__(self, product: Product, count: int, pack: Pack) -> int:
        """Return that principal in minor units, or one no plan reaches.

        A product or pack is known by its name, version and price; whether it is the same one is
        looked at, since a hash of all its fields costs more than the check this spares.
        """
        named = (product.product_id, product.version, product.price_ppm)
        key = (*named, count, pack.pack_id, pack.version)
        known = self._known.get(key)
        if known is None or known[0] is not product or known[1] is not pack:
            if len(self._known) >= SOUND_KEPT:
                self._known.clear()  # prices are asked for by strangers, and may be any
            known = self._known[key] = (product, pack, _least_sound(product, count, pack))
        return known[2]


_sound_from = _SoundFrom()


def _least_sound(product: Product, count: int, pack: Pack) -> int:
    """Return the principal whose room below the cap exceeds whatever rounding could add.

    Equal splits of principal and fee move fewer than `count` units each between instalments. A
    level payment is off by at most one unit and so is each row's interest, which the last row makes
    good, with interest. The room grows with the principal, the rounding does not.
    """
    dues = schedule(_reference(product, count))
    factors = discounts_at(pack.nominal_annual_max_ppm)
    worth = sum(due.total_minor * factors[due.number] for due in dues)
    grown = (1 + Fraction(product.interest_ppm_per_year, 12 * PPM)) ** count
    rounding = 2 * count + 1 + 4 * math.ceil(count * grown)
    room = REFERENCE_PRINCIPAL_MINOR * factors[0] - worth - rounding * factors[0]
    if room <= 0:
        return PRINCIPAL_MINOR_MAX + 1
    return math.ceil(Fraction(rounding * factors[0] * REFERENCE_PRINCIPAL_MINOR, room))


@cache
def discounts_at(nominal_annual_ppm: int) -> tuple[int, ...]:
    """Return the worth today of one unit paid after 0, 1, ... months, scaled and rounded down."""
    month = 12 * PPM
    factors = [DISCOUNT_SCALE]
    for _ in range(COUNT_MAX):
        factors.append(factors[-1] * month // (month + nominal_annual_ppm))
    return tuple(factors)


def _reference(product: Product, count: int) -> Terms:
    return Terms(
        product=product,
        count=count,
        principal_minor=REFERENCE_PRINCIPAL_MINOR,
        starts_on=REFERENCE_START,
        due_on=tuple(add_months(REFERENCE_START, month) for month in range(1, count + 1)),
    )


def _reference_nominal_ppm(product: Product, count: int) -> int:
    paid = [sum(due.amounts) for due in schedule(_reference(product, count))]
    rate = nominal_annual(REFERENCE_PRINCIPAL_MINOR, paid)
    return round_decimal(rate * PPM, rounding=Rounding.HALF_EVEN)


def _broken(product: Product, count: int | None, what: str, *, value: int, cap: int) -> CapBroken:
    return CapBroken(product=product.product_id, count=count, what=what, value=value, cap=cap)
