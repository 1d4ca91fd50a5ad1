"""A check finds what is unwise before anyone adopts it: rows nobody reaches, examples that fail."""

import dataclasses
from datetime import date

from fenqi.core.risk.decision import DecisionKind, Effect
from fenqi.core.risk.policy.check import DONE, check
from make_policy import HEAD, VOCABULARY, policy, policy_text, read

OFFER = 'offers = [{product = "flat", counts = [3]}]'


def table(rows: list[list[str]], columns: list[str], *, has_end: bool = True) -> str:
    text = f'[[tables]]\nid = "menu"\nhit = "first"\nif_unknown = "r0"\ncolumns = {columns}\n'
    for place, row in enumerate(rows):
        text += f'[[tables.rows]]\nid = "r{place}"\nwhen = {row}\n{OFFER}\n'
    return text + (f'[[tables.rows]]\nid = "end"\notherwise = true\n{OFFER}\n' if has_end else "")


def told(body: str) -> list[tuple[str, str]]:
    found = check(policy(body)).findings
    return [(one.where, one.told) for one in found if one.is_fault]


NOBODY = "no customer reaches it: rows above it take everyone"
SOME = "some customers have no row; end it with a row that has otherwise = true"


def test_a_row_below_a_wider_one_is_found() -> None:
    rows = [["< 50 %", "any"], ["< 20 %", "any"], [">= 50 %", "== 'tight'"]]
    assert told(table(rows, ["utilisation_ppm", "regime"])) == [("row menu.r1", NOBODY)]


def test_a_row_that_others_cover_only_together_is_found() -> None:
    rows = [["<= 3"], ["between 4 and 6"], ["> 6"], ["in (2, 5, 9)"]]
    assert told(table(rows, ["purchases_24h"])) == [
        ("row menu.r3", NOBODY),
        ("row menu.end", NOBODY),
    ]


def test_a_flag_and_a_choice_are_covered_by_their_cases() -> None:
    rows = [["yes", "any"], ["no", "in ('open', 'frozen')"], ["any", "== 'closed'"]]
    columns = ["is_held", "account_status"]
    assert told(table(rows, columns, has_end=False)) == []
    assert told(table(rows[:2], columns, has_end=False)) == [("table menu", SOME)]


def test_a_computed_column_and_the_unknown_are_cases_too() -> None:
    rows = [["> 5.00 CNY"], ["<= 5.00 CNY"], ["is unknown"]]
    body = table(rows, ["used_minor + amount_minor"], has_end=False)
    assert told(body) == []
    assert told(body.replace("is unknown", "< 3.00 CNY")) == [("row menu.r2", NOBODY)]


def test_cells_that_compare_inputs_may_go_either_way() -> None:
    rows = [["> purchases_1h"], ["<= 3"], ["> purchases_7d"]]
    assert told(table(rows, ["purchases_24h"])) == []


EXAMPLES = """
[[rules]]
id = "late"
when = "overdue_days > 3 days"
effects = [{effect = "decline"}]
reason = "late"

[[examples]]
says = "ten days late"
given = {overdue_days = 10}
outcome = "decline"
reasons = ["late"]
hits = ["late"]
effects = ["decline"]

[[examples]]
says = "two days late"
given = {overdue_days = 2}
outcome = "decline"
"""


def test_an_example_that_fails_is_told_with_what_was_decided() -> None:
    found = check(policy(EXAMPLES))
    late, busy = found.findings
    assert (late.where, late.told, late.is_fault) == (
        "example two days late",
        "outcome should be decline, decided was approve",
        True,
    )
    assert (busy.where, busy.told, busy.is_fault) == ("reason busy", "no line gives it", False)
    assert (found.examples, found.shown, found.is_sound) == (2, {0}, False)
    assert check(policy(EXAMPLES.replace("overdue_days = 2", "overdue_days = 4"))).is_sound


def test_a_harmful_rule_without_an_example_is_a_fault() -> None:
    alone = EXAMPLES[: EXAMPLES.index("[[examples]]")]
    assert told(alone) == [
        ("rule late", "no example shows when it is hit; what may harm needs one")
    ]


def test_comparisons_that_exclude_one_another_are_found() -> None:
    body = '[[rules]]\nid = "no"\nwhen = "purchases_1h > 5 and (purchases_1h < 6 and is_held)"\n'
    never = ("rule no", "it can never be hit: its comparisons exclude one another")
    assert told(body) == [never]
    assert told(body.replace("> 5", "> 4")) == []
    assert told(body.replace("purchases_1h < 6", "purchases_1h in (1, 2)")) == [never]


def test_a_policy_past_its_end_is_a_fault() -> None:
    head = HEAD + "valid_until = 2026-06-30\n"
    made = read(policy_text('[[rules]]\nid = "a"\nwhen = "is_held"\n', head=head), VOCABULARY)
    assert check(made, today=date(2026, 6, 30)).is_sound
    assert not check(made, today=date(2026, 7, 1)).is_sound


def test_what_would_be_told_but_not_done_keeps_a_policy_from_being_adopted() -> None:
    dearer = (
        '[[rules]]\nid = "r"\nwhen = "overdue_days > 3 days"\nreason = "late"\n'
        'effects = [{effect = "dearer-price", rise_ppm = 100000}]\n'
        '[[examples]]\nsays = "late"\ngiven = { overdue_days = 9 }\noutcome = "dearer-price"\n'
    )
    idle = "dearer-price does nothing in a policy of kind purchase"
    assert told(dearer) == [("rule r", f"{idle}; prices move by policies of kind price")]
    price = policy_text(dearer, head=HEAD.replace('"purchase"', '"price"'))
    assert not [one for one in check(read(price, VOCABULARY)).findings if one.is_fault]
    hold = dearer.replace('"dearer-price", rise_ppm = 100000', '"decline"')
    hold = hold.replace('outcome = "dearer-price"', 'outcome = "decline"')
    limit = policy_text(hold, head=HEAD.replace('"purchase"', '"limit"'))
    (found,) = [one for one in check(read(limit, VOCABULARY)).findings if one.is_fault]
    assert found.told == "decline does nothing in a policy of kind limit"


def test_a_price_on_the_menu_is_refused_where_no_purchase_is_made() -> None:
    offer = 'offers = [{product = "flat", counts = [3], price_ppm = 900000}]'
    rule = f'[[rules]]\nid = "r"\nwhen = "overdue_days > 3 days"\n{offer}\n'
    assert told(rule) == []
    rule = rule.replace("overdue_days > 3 days", "amount_minor > 3.00 CNY")
    head = HEAD.replace('"purchase"', '"application"')
    (found,) = [
        one
        for one in check(read(policy_text(rule, head=head), VOCABULARY)).findings
        if one.is_fault
    ]
    assert found.where == "rule r"
    assert "flat at 900000 ppm of its price" in found.told
    assert "only a purchase" in found.told


def test_an_input_no_decision_of_the_kind_ever_knows_is_refused_with_its_line() -> None:
    rule = '[[rules]]\nid = "r"\nwhen = "{}"\npoints = -5\n'
    made = policy(rule.format("age_years >= 30 and overdue_days == 0"))
    (found,) = [one for one in check(made).findings if one.is_fault]
    assert (found.where, found.told) == (
        "rule r",
        "age_years is never known to a decision of kind purchase",
    )
    line = next(n for n, text in enumerate(made.text.splitlines(), start=1) if "age_years" in text)
    assert found.line == line
    of_facts = policy_text(rule.format("payments_90d >= 3"), head=HEAD.replace("purchase", "limit"))
    assert check(read(of_facts, VOCABULARY)).is_sound
    applying = HEAD.replace('"purchase"', '"application"')
    for name in ("payments_90d", "used_minor"):
        text = policy_text(rule.format(f"{name} >= 3"), head=applying)
        if name == "used_minor":
            text = text.replace(">= 3", ">= 3.00 CNY")
        (found,) = [one for one in check(read(text, VOCABULARY)).findings if one.is_fault]
        assert found.told == f"{name} is never known to a decision of kind application"


def test_one_plan_at_two_prices_in_one_line_is_refused() -> None:
    offers = (
        '{product = "flat", counts = [3, 6], price_ppm = 900000}, '
        '{product = "flat", counts = [6, 12]}, {product = "free4", counts = [6]}'
    )
    rule = f'[[rules]]\nid = "r"\nwhen = "overdue_days > 3 days"\noffers = [{offers}]\n'
    ((where, said),) = told(rule)
    assert where == "rule r"
    assert "flat x 6 is offered at 900000 and at 1000000 ppm" in said


def test_each_kind_says_what_it_carries_out() -> None:
    for kind, effects in DONE.items():
        assert effects <= frozenset(Effect), kind
    assert DONE.keys() == set(DecisionKind)


PLACES = """
[[rules]]
id = "never"
when = "purchases_1h > 5 and purchases_1h < 3 and is_held"
reason = "busy"

[[rules]]
id = "late"
when = "overdue_days > 3 days"
effects = [{effect = "dearer-price", rise_ppm = 100000}]
reason = "late"

[[tables]]
id = "menu"
hit = "first"
columns = ["purchases_24h"]
if_unknown = "all"
[[tables.rows]]
id = "all"
when = ["any"]
offers = [{product = "flat", counts = [3], price_ppm = 900000}, {product = "flat", counts = [3]}]
[[tables.rows]]
id = "some"
when = ["> 3"]
offers = [{product = "flat", counts = [3]}]

[[examples]]
says = "same"
given = {overdue_days = 10}
outcome = "dearer-price"

[[examples]]
says = "same"
given = {is_held = true}
outcome = "decline"
"""


def test_every_finding_names_its_line_and_the_part_of_the_condition_there() -> None:
    text = policy_text(PLACES)
    made = dataclasses.replace(read(text, VOCABULARY), file="mine.toml")
    found = check(made).findings
    at = text.split("\n")
    shown = [(str(one.where), at[one.line - 1], one.said) for one in found]
    unknown = "purchases_1h > 5 and purchases_1h < 3 and is_held"  # the first such line
    assert ("example same", 'outcome = "decline"', unknown) in shown
    assert ("row menu.some", 'when = ["> 3"]', "purchases_24h > 3") in shown
    assert (
        "rule never",
        'when = "purchases_1h > 5 and purchases_1h < 3 and is_held"',
        "purchases_1h > 5 and purchases_1h < 3",
    ) in shown
    effects = 'effects = [{effect = "dearer-price", rise_ppm = 100000}]'
    assert ("rule late", effects, "") in shown
    cheap = '{product = "flat", counts = [3], price_ppm = 900000}'
    offers = f'offers = [{cheap}, {{product = "flat", counts = [3]}}]'
    assert ("row menu.all", offers, "") in shown
    assert all(one.line and one.column and one.file == "mine.toml" for one in found)
    never = next(one for one in found if one.where == "rule never")
    line = 1 + at.index('when = "purchases_1h > 5 and purchases_1h < 3 and is_held"')
    assert never.sentence() == (
        f"mine.toml, line {line}: rule never: in `purchases_1h > 5 and purchases_1h < 3`: "
        "it can never be hit: its comparisons exclude one another"
    )


def test_a_table_with_a_gap_and_an_end_that_is_past_have_lines_too() -> None:
    gap = table([["> 3"]], ["purchases_24h"], has_end=False).replace('if_unknown = "r0"\n', "")
    body = gap.replace(OFFER, "points = 1")
    text = policy_text(body, head=HEAD + "valid_until = 2026-06-30\n")
    found = check(read(text, VOCABULARY), today=date(2026, 7, 1)).findings
    at = text.split("\n")
    lines = {str(one.where): at[one.line - 1] for one in found}
    assert lines["table menu"] == "columns = ['purchases_24h']"
    assert lines["the policy"] == "valid_until = 2026-06-30"


def test_a_hold_beyond_the_packs_hours_is_a_fault() -> None:
    held = '[[rules]]\nid = "r"\nwhen = "overdue_days > 3 days"\nreason = "late"\n'
    made = policy(held + 'effects = [{ effect = "hold", hours = 13 }]\n')
    told = [one.told for one in check(made, hold_hours_max=12).findings]
    assert "a hold of 13 hours is longer than a pack allows: at most 12" in told
    assert not [one for one in check(made, hold_hours_max=13).findings if "hours" in one.told]


def test_a_plan_that_is_not_sold_is_a_fault() -> None:
    offers = '{ product = "flat", counts = [3, 5, 7] }, { product = "flatt", counts = [3] }'
    made = policy(f'[[rules]]\nid = "r"\nwhen = "overdue_days > 3 days"\noffers = [{offers}]\n')
    told = [one.told for one in check(made, sold={"flat": (3, 6)}).findings if one.is_fault]
    assert told == [
        "flat is not sold in 5, 7 instalments; it is in 3, 6",
        "there is no product flatt; there are: flat",
    ]
    assert not any(one.is_fault for one in check(made).findings)


GRADED = (frozenset({"flat", "annuity18"}), frozenset({"annuity18"}))


def of_a_row(offers: str, *, rest: str = "") -> list[tuple[str, str]]:
    made = policy(f'{rest}[[rules]]\nid = "r"\nwhen = "is_held"\noffers = [{offers}]\n')
    return [(one.where, one.told) for one in check(made, graded=GRADED).findings if one.is_fault]


def test_a_menu_that_leaves_a_grade_of_price_nothing_is_a_fault() -> None:
    assert of_a_row('{ product = "flat", counts = [3] }') == [
        (
            "rule r",
            "customers of price grade 1 could choose nothing: that grade is offered annuity18; "
            "offer one of these too",
        )
    ]
    assert (
        of_a_row('{ product = "flat", counts = [3] }, { product = "annuity18", counts = [6] }')
        == []
    )


def test_a_menu_that_leaves_a_grade_nothing_once_it_is_cooled_is_a_fault() -> None:
    cooler = '[[rules]]\nid = "c"\nwhen = "overdue_days > 0"\nreason = "late"\n'
    cooler += 'effects = [{ effect = "cooler-menu", counts_max = 3 }]\n'
    offers = '{ product = "flat", counts = [3] }, { product = "annuity18", counts = [6] }'
    ((where, said),) = of_a_row(offers, rest=cooler)
    assert where == "rule r"
    assert said.startswith("cooled to 3 instalments, customers of price grade 1 could choose")
    assert of_a_row(offers.replace("[6]", "[3, 6]"), rest=cooler) == []


MENU = """
[[tables]]
id = "menu"
hit = "first"
columns = ["COLUMN"]
if_unknown = "rest"

[[tables.rows]]
id = "some"
when = [">= 10"]
REASON
offers = [{ product = "flat", counts = [3] }]

[[tables.rows]]
id = "rest"
otherwise = true
offers = [{ product = "flat", counts = [3, 6] }]
"""


def of_a_menu(
    column: str, *changes: tuple[str, str], reason: str = "", head: str = HEAD
) -> list[tuple[str, str, bool]]:
    text = MENU.replace("COLUMN", column).replace("REASON", reason)
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    found = check(read(policy_text(text, head=head, reasons="late"), VOCABULARY)).findings
    return [(one.where, one.told, one.is_fault) for one in found if one.where != "reason late"]


def test_a_row_that_leaves_plans_out_without_a_reason_is_noted() -> None:
    ((where, said, is_fault),) = of_a_menu("purchases_24h")
    assert (where, is_fault) == ("row menu.some", False)
    assert said.startswith("it does not offer flat x 6 as another line does, and gives no reason")
    assert of_a_menu("purchases_24h", reason='reason = "late"') == []


def test_a_reason_of_a_row_that_leaves_nothing_out_is_noted() -> None:
    told = of_a_menu("purchases_24h", ("[3] }", "[3, 6] }"), reason='reason = "late"')
    assert told == [
        (
            "row menu.some",
            "its reason is never told: it leaves out no plan that another line offers",
            False,
        )
    ]


def test_a_weak_input_moves_no_menu_and_no_price() -> None:
    """P6, by whatever name: fewer plans are a cooler menu, a dearer plan is a dearer price."""
    guarding = HEAD.replace('"credit"', '"fraud"')
    assert guarding != HEAD
    told = of_a_menu("accounts_per_ip_24h", reason='reason = "late"', head=guarding)
    assert [(where, said[:60]) for where, said, is_fault in told if is_fault] == [
        ("row menu.some", "accounts_per_ip_24h says too little of one person for cooler")
    ]
    dearer = ("counts = [3, 6] }", "counts = [3], price_ppm = 900000 }")
    told = of_a_menu("purchases_24h", dearer, reason='reason = "late"', head=guarding)
    fraud = "a line that serves fraud cannot lead to dearer-price"
    assert [said for _, said, is_fault in told if is_fault] == [fraud, fraud]
    assert of_a_menu("purchases_24h", dearer, reason='reason = "late"') == []
