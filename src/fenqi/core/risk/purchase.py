"""A purchase before the policy: what a verdict means, and what is on the menu.

The policy is data and may say anything; the floor of `core.account.judge` holds whatever it says. A
review or a nudge stops nothing by itself; a step-up waits for the customer; a cooler menu lets him
choose another plan.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple

from fenqi.core.risk.decision import LADDER, Effect
from fenqi.core.risk.policy.policy import Act, Offer
from fenqi.core.values.rate import PPM

NONE: frozenset[Effect] = frozenset()
STOPS = frozenset({Effect.DECLINE, Effect.FREEZE, Effect.HOLD})

Sold = tuple[str, int]  # a product in a number of instalments
Plan = tuple[str, int, int]  # the same at a price, in ppm of the product's own
Plans = tuple[Plan, ...]


class Course(StrEnum):
    """What becomes of a purchase."""

    APPROVE = "approve"
    DECLINE = "decline"
    STEP_UP = "step-up"  # once the customer has proved who he is, he may ask again
    OTHER_PLAN = "other-plan"  # the plan he chose is not on the menu at that price; others are


def menu_of(
    plans: Iterable[Sold],
    offers: Sequence[Offer],
    effects: Iterable[Act],
    products: frozenset[str],
) -> Plans:
    """Return the plans a customer may choose from: of `plans`, those that nothing takes away.

    `offers` are the policy's, none if it leaves the menu alone; `products` those of the account's
    grade of price. A plan stands on it once, at the lowest of the prices it is offered at; at the
    product's own if the policy leaves the menu alone.
    """
    prices = {(product, count): price for product, count, price in offered(offers)}
    left = [
        (product, count, prices.get((product, count), PPM))
        for product, count in plans
        if product in products and (not offers or (product, count) in prices)
    ]
    asked = [act.amount for act in effects if act.effect is Effect.COOLER_MENU]
    if not asked or not left:
        return tuple(left)
    # A cooler menu is no silent decline: if every count is above, the shortest of all stays.
    most = max(min(asked), min(count for _, count, _ in left))
    return tuple(one for one in left if one[1] <= most)


def offered(offers: Iterable[Offer]) -> frozenset[Plan]:
    """Return the plans of offers, each once and at the lowest of its prices."""
    prices: dict[Sold, int] = {}
    for one in offers:
        for count in one.counts:
            sold = (one.product, count)
            prices[sold] = min(one.price_ppm, prices.get(sold, PPM))
    return frozenset((*sold, price) for sold, price in prices.items())


class Moved(NamedTuple):
    """A plan that two menus offer differently. Units: ppm of its price, None if it is not there."""

    product: str
    instalments: int
    first_ppm: int | None
    second_ppm: int | None


def moved(first: frozenset[Plan], second: frozenset[Plan]) -> tuple[Moved, ...]:
    """Return the plans on which two menus differ.

    A menu without plans is that of a policy that leaves it alone: whatever the other one offers is
    there, at its listed price; what else is there only the catalogue knows.
    """
    known = [{one[:2]: one[2] for one in menu} for menu in (first, second)]
    found = []
    for sold in sorted(known[0].keys() | known[1].keys()):
        prices = [menu.get(sold) if menu else PPM for menu in known]
        if prices[0] != prices[1]:
            found.append(Moved(*sold, *prices))
    return tuple(found)


def stopped_by(wanted: Iterable[Act], acts: Iterable[Act], course: Course) -> Effect:
    """Return the effect for which a purchase is declined or waits: whose reasons are told.

    `wanted` is all of the verdict, `acts` what is carried out. Where what holds for all declines,
    so does the policy, whose own decline says why; else the amount is above what a smaller limit
    leaves.
    """
    if course is Course.STEP_UP:
        return Effect.STEP_UP
    asked = {act.effect for act in acts} & STOPS or {act.effect for act in wanted} & {
        Effect.DECLINE
    }
    return max(asked, key=LADDER.index, default=Effect.SMALLER_LIMIT)


def course_of(effects: Sequence[Act], *, is_floored: bool, is_on_menu: bool) -> Course:
    """Return what becomes of a purchase; `is_floored` if what holds for all forbids it."""
    asked = frozenset(act.effect for act in effects) if effects else NONE
    if is_floored or asked & STOPS:
        return Course.DECLINE
    if Effect.STEP_UP in asked:
        return Course.STEP_UP
    return Course.APPROVE if is_on_menu else Course.OTHER_PLAN
