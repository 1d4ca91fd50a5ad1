"""A purchase before the policy: what a verdict means, and what is on the menu.

The policy is data and may say anything; the floor of `core.account.judge` holds whatever it says. A
review or a nudge stops nothing by itself; a step-up waits for the customer; a cooler menu lets him
choose another plan.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum

from fenqi.core.risk.decision import Effect
from fenqi.core.risk.policy.policy import Act, Offer

NONE: frozenset[Effect] = frozenset()
STOPS = frozenset({Effect.DECLINE, Effect.FREEZE, Effect.HOLD})

Plans = tuple[tuple[str, int], ...]  # (product, count) each


class Course(StrEnum):
    """What becomes of a purchase."""

    APPROVE = "approve"
    DECLINE = "decline"
    STEP_UP = "step-up"  # once the customer has proved who he is, he may ask again
    OTHER_PLAN = "other-plan"  # the plan he chose is not on the menu; others are


def menu_of(
    plans: Iterable[tuple[str, int]],
    offers: Sequence[Offer],
    effects: Iterable[Act],
    products: frozenset[str],
) -> Plans:
    """Return the plans a customer may choose from: of `plans`, those that nothing takes away.

    `offers` are the policy's, none if it leaves the menu alone; `products` those of the account's
    grade of price.
    """
    offered = {(one.product, count) for one in offers for count in one.counts}
    left = [
        (product, count)
        for product, count in plans
        if product in products and (not offers or (product, count) in offered)
    ]
    asked = [act.amount for act in effects if act.effect is Effect.COOLER_MENU]
    if not asked or not left:
        return tuple(left)
    # A cooler menu is no silent decline: if every count is above, the shortest of all stays.
    most = max(min(asked), min(count for _, count in left))
    return tuple((product, count) for product, count in left if count <= most)


def course_of(effects: Sequence[Act], *, is_floored: bool, is_on_menu: bool) -> Course:
    """Return what becomes of a purchase; `is_floored` if what holds for all forbids it."""
    asked = frozenset(act.effect for act in effects) if effects else NONE
    if is_floored or asked & STOPS:
        return Course.DECLINE
    if Effect.STEP_UP in asked:
        return Course.STEP_UP
    return Course.APPROVE if is_on_menu else Course.OTHER_PLAN
