"""A card is read from its file with the place of each fault, and means published odds."""

from decimal import Decimal
from importlib import resources

import pytest

from fenqi.core.risk.input import Input, Purpose, Unit
from fenqi.core.risk.scorecard import (
    Scaling,
    ScorecardInvalid,
    bad_ppm,
    from_json,
    points_at,
    read,
    score,
    to_json,
)

TEXT = """\
schema = 1
id = "sample"
version = 3
base_points = 500
[scaling]
points = 600
odds = 30
points_to_double = 20
[[characteristic]]
input = "late"
reason = "late"
direction = "falling"
bounds = [1, 3]
points = [60, 30, 0]
unknown = 40
[[characteristic]]
input = "age"
reason = "short"
direction = "rising"
bounds = [30]
points = [20, 40]
unknown = 30
[reason.late]
zh = "逾期"
en = "late"
[reason.short]
zh = "时间短"
en = "short"
"""
CREDIT = frozenset({Purpose.CREDIT})
VOCABULARY = {name: Input(name, Unit.COUNT, CREDIT) for name in ("late", "age")}
CARD = read(TEXT, VOCABULARY)


def test_a_score_adds_up_bins_and_names_what_was_lost() -> None:
    assert score(CARD, [0, 30]) == (600, (), (0, 0))
    assert score(CARD, [1, 29]) == (550, ("late", "short"), (30, 20))
    assert score(CARD, [3, 29]) == (520, ("late", "short"), (60, 20))
    assert score(CARD, [None, 29]) == (560, ("short",), (0, 20))
    assert CARD.range == (520, 600)


def test_points_mean_the_published_odds() -> None:
    # 600 points at 30:1, 20 to double: factor 28.8539, offset 501.8622 (reference arithmetic).
    assert round(points_at(CARD.scaling, Decimal(1)), 4) == Decimal("501.8622")
    at_50 = Scaling(points=600, odds=50, points_to_double=20)
    assert round(points_at(at_50, Decimal(1)), 4) == Decimal("487.1229")
    # 600 at one bad in 20, 50 to double: a = 387.6037.
    shared = Scaling(points=600, odds=19, points_to_double=50)
    assert round(points_at(shared, Decimal(1)), 3) == Decimal("387.604")
    assert bad_ppm(CARD, 600) == 32_258  # 1 in 31
    assert bad_ppm(CARD, 620) == 16_393  # 1 in 61
    assert bad_ppm(CARD, 580) == 62_500  # 1 in 16


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("schema = 1", "schema = 2", "schema"),
        ("version = 3", "version = 0", "version"),
        ("base_points = 500", 'base_points = "500"', "base_points"),
        ("odds = 30", "odds = 0", "scaling.odds"),
        ("odds = 30", "odd = 30", "scaling.odds"),
        ("bounds = [1, 3]", "bounds = [3, 1]", "characteristic[1].bounds"),
        ("bounds = [1, 3]", "bounds = []", "characteristic[1].bounds"),
        ("points = [60, 30, 0]", "points = [60, 30]", "characteristic[1].points"),
        ("points = [60, 30, 0]", "points = [60, 70, 0]", "characteristic[1].points"),
        ("points = [20, 40]", "points = [40, 20]", "characteristic[2].points"),
        ("unknown = 40", "unknown = 61", "characteristic[1].unknown"),
        ("unknown = 40", "", "characteristic[1].unknown"),
        ('"rising"', '"free"', "characteristic[2].note"),
        ('"rising"', '"upwards"', "characteristic[2].direction"),
        ('input = "age"', 'input = "late"', "characteristic[2].input"),
        ('input = "age"', 'input = "aged"', "characteristic[2].input"),
        ('reason = "short"', 'reason = "shorter"', "characteristic[2].reason"),
        ('en = "short"', "", "reason.short.en"),
        ('en = "short"\n', 'en = "short"\n[reason.more]\nzh = "x"\nen = "x"\n', "reason.more"),
        ("unknown = 40", "unknown = 40\nweight = 2", "characteristic[1].weight"),
    ],
)
def test_a_fault_names_its_field_and_place(old: str, new: str, field: str) -> None:
    assert old in TEXT
    with pytest.raises(ScorecardInvalid) as refusal:
        read(TEXT.replace(old, new, 1), VOCABULARY, file="card.toml")
    assert refusal.value.fields["field"] == field
    assert refusal.value.fields["file"] == "card.toml"
    assert int(str(refusal.value.fields["line"])) >= 1


def test_a_text_that_is_no_toml_names_its_line() -> None:
    with pytest.raises(ScorecardInvalid) as refusal:
        read("schema = \n", file="card.toml")
    assert refusal.value.fields["line"] == 1


@pytest.mark.parametrize(
    "wrong",
    [
        Input("age", Unit.COUNT, frozenset({Purpose.FRAUD})),
        Input("age", Unit.COUNT, frozenset({Purpose.SERVICE})),
        Input("age", Unit.CHOICE, CREDIT, ("a", "b")),
    ],
)
def test_what_may_not_serve_credit_is_not_scored(wrong: Input) -> None:
    with pytest.raises(ScorecardInvalid, match="age"):
        read(TEXT, VOCABULARY | {"age": wrong})


def test_a_card_changed_on_its_way_is_refused() -> None:
    text = to_json(CARD)
    assert from_json(text) == CARD
    with pytest.raises(ScorecardInvalid, match="sha256"):
        from_json(text.replace('"base_points":500', '"base_points":600'))
    for wrong in ("", "[]", "{}", "7"):
        with pytest.raises(ScorecardInvalid):
            from_json(wrong)


def test_the_shipped_card_gives_the_middle_to_whom_nobody_knows() -> None:
    text = (resources.files("fenqi") / "data/scorecards/starter.toml").read_text("utf-8")
    card = read(text)
    found = score(card, [None] * len(card.inputs))
    assert (found.points, found.reasons) == (600, ())
    assert bad_ppm(card, found.points) == 32_258
    least, most = card.range
    assert least < 450
    assert most > 650
    # Nobody is scored by what they are.
    assert not {"age_years", "is_student"} & set(card.inputs)
    assert not any("failure" in name for name in card.inputs)
