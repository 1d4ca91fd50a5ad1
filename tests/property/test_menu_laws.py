"""A purchase policy that is adopted offers every grade of price something, whoever buys."""

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from fenqi.core.risk.policy.check import check
from fenqi.core.risk.policy.rows import compile_row
from fenqi.core.risk.purchase import menu_of
from make_policy import policy

SOLD = {"flat": (3, 6, 12), "annuity18": (6, 12), "unsplit": (1,)}
PLANS = [(name, count) for name, counts in SOLD.items() for count in counts]
GRADED = (frozenset(SOLD), frozenset({"annuity18", "unsplit"}))

plans = st.sampled_from(PLANS)
menus = st.lists(st.sets(plans, min_size=1, max_size=3), min_size=3, max_size=3)


def text_of(rows: list[set[tuple[str, int]]], cooled_to: int, if_unknown: int) -> str:
    """Return a menu of three rows, with a rule that cools it."""
    text = '[[rules]]\nid = "cooler"\nwhen = "overdue_days > 0"\nreason = "late"\n'
    text += f'effects = [{{ effect = "cooler-menu", counts_max = {cooled_to} }}]\n'
    text += '[[tables]]\nid = "menu"\nhit = "first"\ncolumns = ["purchases_24h"]\n'
    text += f'if_unknown = "r{if_unknown}"\n'
    for place, row in enumerate(rows):
        when = "otherwise = true" if place == 2 else f'when = ["> {3 - 2 * place}"]'
        offers = [f'{{ product = "{name}", counts = [{count}] }}' for name, count in sorted(row)]
        text += f'[[tables.rows]]\nid = "r{place}"\n{when}\noffers = [{", ".join(offers)}]\n'
    return text


@given(menus, st.sampled_from([1, 3, 6]), st.integers(0, 2))
def test_a_menu_without_a_fault_leaves_no_grade_without_a_plan(
    rows: list[set[tuple[str, int]]], cooled_to: int, if_unknown: int
) -> None:
    made = policy(text_of(rows, cooled_to, if_unknown), reasons="late")
    found = check(made, graded=GRADED)
    bare = False
    decide = compile_row(made)
    for late, bought in product((None, 0, 1), (None, 0, 2, 5)):
        verdict = decide(made.row({"overdue_days": late, "purchases_24h": bought}))
        for products in GRADED:
            bare |= not menu_of(PLANS, verdict.offers, verdict.effects, products)
    assert found.is_sound is not bare
