"""What stays on the menu of a purchase."""

from fenqi.core.risk.decision import Effect
from fenqi.core.risk.policy.policy import Act, Offer
from fenqi.core.risk.purchase import menu_of

PLANS = (("flat", 3), ("flat", 12), ("free4", 4), ("unsplit", 1))
ALL = frozenset({"flat", "free4", "unsplit"})
COOLER = (Act(Effect.COOLER_MENU, 3),)


def test_a_cooler_menu_has_short_plans_only() -> None:
    assert menu_of(PLANS, (), COOLER, ALL) == (("flat", 3), ("unsplit", 1))


def test_a_cooler_menu_is_never_empty() -> None:
    offers = (Offer("free4", (4,)), Offer("flat", (12,)))
    assert menu_of(PLANS, offers, COOLER, ALL) == (("free4", 4),)
    assert menu_of((), (), COOLER, ALL) == ()


def test_a_menu_is_what_the_policy_offers_of_the_products_of_the_grade() -> None:
    assert menu_of(PLANS, (Offer("flat", (3, 24)),), (), ALL) == (("flat", 3),)
    assert menu_of(PLANS, (), (), frozenset({"unsplit"})) == (("unsplit", 1),)
