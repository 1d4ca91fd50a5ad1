"""What a customer may ask for: how much, how often and at what disclosed cost.

Product and pack data; what a plan was signed with holds for its life. `None` means that the product
does not offer it.
Source of the kinds and of typical bounds: the public terms of Klarna (up to 10 days), Afterpay (a
week, three times a year) and Baitiao (bill instalment from 10 yuan); withdrawal: Directive (EU)
2023/2225 art. 26. The figures themselves are a product's, docs/reference/customer.md.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DeferralRule:
    """The next instalment may fall due some days later.

    Units: `cost_ppm` of what the instalment still asks for without penalty; 0 is free.
    """

    days_max: int
    times_a_year: int
    cost_ppm: int = 0
    free_a_year: int = 0  # of these times, the first ones cost nothing


@dataclass(frozen=True, slots=True)
class DueDayRule:
    """All instalments to come may fall due on another day of the month; free."""

    times_a_year: int


@dataclass(frozen=True, slots=True)
class ExtensionRule:
    """What is to come may be laid over more instalments, after a person has looked at it.

    Units: `cost_ppm_per_period` of the principal to come, for each further instalment.
    """

    count_max: int
    times_a_year: int
    cost_ppm_per_period: int = 0
    free_a_year: int = 0  # of these times, the first ones cost nothing


@dataclass(frozen=True, slots=True)
class BillInstalmentRule:
    """What a statement asks for may become a plan of its own. Units: minor units."""

    least_minor: int


@dataclass(frozen=True, slots=True)
class TakeOverRule:
    """A product's plans may take over what statements ask for, within these bounds.

    Without them a debt could be moved from plan to plan for ever. Both bound the account: so many
    of its statements become plans in a year, by whatever product, and what was moved already is
    moved again so many times only.
    """

    times_a_year: int
    again_max: int = 0


@dataclass(frozen=True, slots=True)
class WithdrawalRule:
    """The customer may withdraw without a reason within some days after the day of the contract."""

    days: int


@dataclass(frozen=True, slots=True)
class Allowances:
    """All of them."""

    deferral: DeferralRule | None = None
    due_day: DueDayRule | None = None
    extension: ExtensionRule | None = None
    bill_instalment: BillInstalmentRule | None = None
    withdrawal: WithdrawalRule | None = None


NOTHING_OFFERED = Allowances()
