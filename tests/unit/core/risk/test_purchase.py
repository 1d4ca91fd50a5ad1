"""What stays on the menu of a purchase."""

from fenqi.core.risk.decision import Effect
from fenqi.core.risk.policy.policy import Act, Offer
from fenqi.core.risk.purchase import menu_of, moved, offered

LISTED = 1_000_000
PLANS = (("flat", 3), ("flat", 12), ("free4", 4), ("unsplit", 1))
ALL = frozenset({"flat", "free4", "unsplit"})
COOLER = (Act(Effect.COOLER_MENU, 3),)


def test_a_cooler_menu_has_short_plans_only() -> None:
    assert menu_of(PLANS, (), COOLER, ALL) == (("flat", 3, LISTED), ("unsplit", 1, LISTED))


def test_a_cooler_menu_is_never_empty() -> None:
    offers = (Offer("free4", (4,)), Offer("flat", (12,)))
    assert menu_of(PLANS, offers, COOLER, ALL) == (("free4", 4, LISTED),)
    assert menu_of((), (), COOLER, ALL) == ()


def test_a_menu_is_what_the_policy_offers_of_the_products_of_the_grade() -> None:
    assert menu_of(PLANS, (Offer("flat", (3, 24)),), (), ALL) == (("flat", 3, LISTED),)
    assert menu_of(PLANS, (), (), frozenset({"unsplit"})) == (("unsplit", 1, LISTED),)


def test_a_plan_stands_on_a_menu_once_at_the_lowest_of_its_prices() -> None:
    offers = (
        Offer("flat", (3, 12)),
        Offer("flat", (3,), 900_000),
        Offer("flat", (3,), 800_000),
        Offer("free4", (4,), 500_000),
    )
    assert menu_of(PLANS, offers, (), ALL) == (
        ("flat", 3, 800_000),
        ("flat", 12, LISTED),
        ("free4", 4, 500_000),
    )
    assert menu_of(PLANS, offers, COOLER, ALL) == (("flat", 3, 800_000),)


def test_a_cooler_menu_keeps_the_price_of_what_stays() -> None:
    offers = (Offer("flat", (12,), 700_000),)
    assert menu_of(PLANS, offers, COOLER, ALL) == (("flat", 12, 700_000),)


def test_menus_differ_in_what_they_offer_and_at_which_price() -> None:
    first = offered((Offer("flat", (3, 12)), Offer("free4", (4,), 500_000)))
    second = offered((Offer("flat", (3,), 900_000), Offer("free4", (4,), 500_000)))
    assert moved(first, second) == (
        ("flat", 3, LISTED, 900_000),
        ("flat", 12, LISTED, None),
    )
    assert moved(first, first) == ()
    # A policy without a menu leaves every plan there, as listed.
    assert moved(frozenset(), first) == (("free4", 4, LISTED, 500_000),)
    assert moved(frozenset(), frozenset()) == ()
