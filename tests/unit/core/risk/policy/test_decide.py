"""What a policy decides, line by line: effects, reasons, points, the menu, and the unknown."""

from fenqi.core.risk.decision import Effect
from fenqi.core.risk.input import Value
from fenqi.core.risk.policy.policy import Act, Offer, Policy, Verdict
from fenqi.core.risk.policy.rows import compile_row
from fenqi.core.risk.policy.trace import Status, trace
from make_policy import policy

MENU = """
[[tables]]
id = "menu"
hit = "first"
columns = ["score_points", "regime"]
if_unknown = "new"

[[tables.rows]]
id = "good"
when = [">= 600", "any"]
offers = [{product = "flat", counts = [3, 6, 12]}, {product = "free4", counts = [4]}]

[[tables.rows]]
id = "weak"
when = ["< 450", "== 'tight'"]
offers = [{product = "flat", counts = [3]}]
reason = "late"
effects = [{effect = "decline"}]

[[tables.rows]]
id = "new"
otherwise = true
offers = [{product = "flat", counts = [3, 6]}]
"""
FULL = (Offer("flat", (3, 6, 12)), Offer("free4", (4,)))
NEW = (Offer("flat", (3, 6)),)


def decided(made: Policy, **given: Value) -> Verdict:
    verdict = compile_row(made)(made.row(given))
    assert verdict == trace(made, made.row(given))[0]
    return verdict


def rule(name: str, when: str, more: str = "") -> str:
    return f'[[rules]]\nid = "{name}"\nwhen = "{when}"\n{more}\n'


def test_the_first_row_that_holds_makes_the_menu() -> None:
    made = policy(MENU)
    assert decided(made, score_points=700, regime=0).offers == FULL
    assert decided(made, score_points=500, regime=2).offers == NEW
    weak = decided(made, score_points=400, regime=2)
    assert (weak.outcome, weak.reasons, weak.hits) == ("decline", ("late",), (1,))


def test_an_unknown_row_before_leaves_the_menu_for_the_unknown() -> None:
    made = policy(MENU)
    nothing = decided(made)
    assert (nothing.outcome, nothing.offers) == ("approve", NEW)
    assert nothing.hits == (2,)
    assert nothing.unknown == (1, 0)
    # Whatever the regime is, the score is good enough.
    assert decided(made, score_points=600).offers == FULL
    assert decided(made, score_points=400).outcome == "approve"


def test_a_cooler_menu_leaves_the_shorter_plans_and_never_none() -> None:
    cooler = "purchases_24h > 5"
    made = policy(
        rule("many", cooler, 'effects = [{effect = "cooler-menu", counts_max = 4}]') + MENU
    )
    busy = decided(made, score_points=700, purchases_24h=6)
    assert busy.outcome == "cooler-menu"
    assert busy.offers == (Offer("flat", (3,)), Offer("free4", (4,)))
    shorter = policy(
        rule("many", cooler, 'effects = [{effect = "cooler-menu", counts_max = 2}]') + MENU
    )
    assert decided(shorter, score_points=700, purchases_24h=6).offers == (Offer("flat", (3,)),)


def test_of_one_effect_the_strongest_parameter_counts() -> None:
    hold = 'effects = [{{effect = "hold", hours = {}}}, {{effect = "review", priority = {}}}]\n'
    made = policy(
        rule("a", "purchases_1h > 2", hold.format(4, 1) + 'reason = "busy"')
        + rule("b", "purchases_1h > 3", hold.format(24, 3) + 'reason = "late"')
    )
    found = decided(made, purchases_1h=4)
    assert found.effects == (Act(Effect.HOLD, 24), Act(Effect.REVIEW, 1))
    assert found.reasons == ("late", "busy")
    assert found.hits == (1, 0)


def test_points_lead_to_an_effect_and_their_lines_are_its_reasons() -> None:
    made = policy(
        rule("a", "purchases_1h > 2", 'points = 10\nreason = "busy"')
        + rule("b", "overdue_episodes_365d > 0", 'points = 25\nreason = "late"')
        + rule("c", "payments_on_time_365d > 10", "points = -20")
        + '[[thresholds]]\nat_least = 30\neffects = [{effect = "decline"}]\n'
        + '[[thresholds]]\nat_least = 10\neffects = [{effect = "review", priority = 3}]\n'
    )
    both = decided(made, purchases_1h=3, overdue_episodes_365d=1, payments_on_time_365d=0)
    assert (both.outcome, both.points, both.reasons) == ("decline", 35, ("late", "busy"))
    assert both.effects == (Act(Effect.DECLINE), Act(Effect.REVIEW, 3))
    good = decided(made, purchases_1h=3, overdue_episodes_365d=1, payments_on_time_365d=11)
    assert (good.outcome, good.points) == ("review", 15)
    # Nobody knows whether the good payments are there: they might be, so this harms nobody.
    unsure = decided(made, purchases_1h=3, overdue_episodes_365d=1)
    assert (unsure.outcome, unsure.points, unsure.unknown) == ("review", 35, (2,))
    calm = decided(made, purchases_1h=0, overdue_episodes_365d=0, payments_on_time_365d=0)
    assert (calm.outcome, calm.reasons, calm.points) == ("approve", (), 0)


def test_only_lines_that_led_to_something_are_reasons() -> None:
    made = policy(
        rule("a", "purchases_1h > 2", 'points = 10\nreason = "busy"')
        + rule("b", "overdue_days > 0", 'effects = [{effect = "decline"}]\nreason = "late"')
        + '[[thresholds]]\nat_least = 30\neffects = [{effect = "hold", hours = 2}]\n'
    )
    assert decided(made, purchases_1h=3, overdue_days=1).reasons == ("late",)


def test_at_most_four_reasons_each_once() -> None:
    codes = ("busy", "late", "own1", "own2", "own3")
    made = policy(
        "".join(
            rule(
                f"r{place}",
                "is_held",
                f'effects = [{{effect = "decline"}}]\nreason = "{code}"\npoints = {place}',
            )
            for place, code in enumerate((*codes, "busy"))
        ),
        reasons=" ".join(codes),
    )
    assert decided(made, is_held=1).reasons == ("busy", "own3", "own2", "own1")


def test_the_reason_of_harm_is_told_before_those_of_reviews() -> None:
    codes = ("own1", "own2", "own3", "own4")
    review = 'effects = [{{effect = "review", priority = 1}}]\nreason = "{}"'
    made = policy(
        "".join(rule(f"r{code}", "is_held", review.format(code)) for code in codes)
        + rule(
            "cut",
            "is_held",
            'effects = [{effect = "smaller-limit", limit_ppm = 500000}]\nreason = "late"',
        ),
        reasons="late " + " ".join(codes),
    )
    found = decided(made, is_held=1)
    assert (found.outcome, found.reasons) == ("review", ("late", "own1", "own2", "own3"))


def test_a_suppressed_line_does_not_count() -> None:
    made = policy(
        rule("campus", "is_allowed_address")
        + rule(
            "many",
            "accounts_per_device_7d > 10",
            'effects = [{effect = "hold", hours = 4}]\nreason = "busy"\nsuppressed_by = ["campus"]',
        )
    )
    assert decided(made, is_allowed_address=0, accounts_per_device_7d=11).outcome == "hold"
    assert decided(made, is_allowed_address=1, accounts_per_device_7d=11).outcome == "approve"
    # Whether the address is allowed is unknown: it might be.
    assert decided(made, accounts_per_device_7d=11).outcome == "approve"
    _, told = trace(made, made.row({"is_allowed_address": 1, "accounts_per_device_7d": 11}))
    assert [one.status for one in told] == [Status.HIT, Status.SUPPRESSED]


def test_dividing_by_zero_and_leaving_64_bits_is_unknown() -> None:
    made = policy(
        rule("a", "used_minor // instalment_count > 5 minor", 'reason = "busy"\npoints = 1')
        + rule("b", "used_minor * instalment_count > 5 minor")
        + rule("c", "share(used_minor, limit_minor) > 1 ppm")
    )
    verdict = decided(made, used_minor=2**62, instalment_count=0, limit_minor=2**62)
    assert verdict.unknown == (0, 2)
    assert decided(made, used_minor=2**62, instalment_count=4, limit_minor=1).unknown == (1, 2)
    row = made.row({"used_minor": 2**62, "instalment_count": 0, "limit_minor": 0})
    assert [one.status for one in trace(made, row)[1]] == [
        Status.ERROR,
        Status.NOT_HIT,
        Status.ERROR,
    ]


def test_a_trace_tells_the_value_of_each_part() -> None:
    made = policy(rule("a", "used_minor + amount_minor > limit_minor and not is_held"))
    _, (told,) = trace(made, made.row({"used_minor": 3, "amount_minor": 4, "limit_minor": 6}))
    assert told.status is Status.UNKNOWN
    assert told.parts == (
        ("used_minor", 3),
        ("amount_minor", 4),
        ("(used_minor + amount_minor)", 7),
        ("limit_minor", 6),
        ("(used_minor + amount_minor) > limit_minor", True),
        ("is_held", None),
        ("not is_held", None),
        ("(used_minor + amount_minor) > limit_minor and not is_held", None),
    )


def test_a_collect_table_takes_every_row_that_holds() -> None:
    made = policy(MENU.replace('"first"', '"collect"').replace('if_unknown = "new"\n', ""))
    found = decided(made, score_points=700, regime=0)
    assert found.hits == (0, 2)
    assert found.offers == (Offer("flat", (3, 6, 12)), Offer("free4", (4,)))
