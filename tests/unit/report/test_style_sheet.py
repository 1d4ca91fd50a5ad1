"""The page's colours: text can be read on its ground in both themes, and no name is left open."""

import re
from collections.abc import Mapping

import pytest

from fenqi.report.page import read_template

CONTRAST_MIN = 4.5  # WCAG 2.2, 1.4.3, for text of any size
CSS = read_template("book.css")
DARK_AT = CSS.index("@media (prefers-color-scheme: dark)")
TOKEN = re.compile(r"(--[a-z0-9-]+):\s*([^;]+);")

TEXTS = [
    *((ink, ground) for ink in ("ink", "ink-2", "ink-3") for ground in ("paper", "card")),
    ("brand", "card"),
    ("bad-ink", "card"),
    ("gold-ink", "card"),
    ("gold-ink", "gold-soft"),
    *((f"{side}{grade}-ink", f"{side}{grade}") for side in "sw" for grade in range(4)),
]


def tokens(text: str) -> dict[str, str]:
    return {name.removeprefix("--"): value.strip() for name, value in TOKEN.findall(text)}


LIGHT = tokens(CSS[:DARK_AT])
DARK = LIGHT | tokens(CSS[DARK_AT : CSS.index("* { box-sizing")])


def luminance(colour: str) -> float:
    """Return relative luminance. Source: WCAG 2.2, definition of relative luminance."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_contrast_is_counted_as_published() -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.005)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("ink", "ground"), TEXTS)
def test_text_can_be_read_on_its_ground(theme: Mapping[str, str], ink: str, ground: str) -> None:
    assert contrast(theme[ink], theme[ground]) >= CONTRAST_MIN


def test_every_text_colour_is_among_those_tried() -> None:
    # `color:` of rules, without `border-color` and the like; `--ink` of `--s0-ink` has its pair.
    used = set(re.findall(r"(?<![-\w])color: var\(--([a-z0-9-]+)\)", CSS))
    used |= set(re.findall(r"text \{[^}]*fill: var\(--([a-z0-9-]+)\)", CSS))
    assert used - {ink for ink, _ in TEXTS} == set()
    assert len(used) > 8


def test_both_themes_have_the_same_names_and_every_name_used_is_there() -> None:
    own = tokens(CSS[DARK_AT : CSS.index("* { box-sizing")])
    assert set(own) == set(LIGHT)
    assert set(re.findall(r"var\(--([a-z0-9-]+)\)", CSS)) <= set(LIGHT)


def test_neighbours_in_a_pile_can_be_told_apart() -> None:
    for theme in (LIGHT, DARK):
        for place in range(1, 7):
            assert theme[f"m{place}"] != theme[f"m{place + 1}"]
        for place in range(8):
            assert contrast(theme[f"m{place}"], theme["card"]) > 1.7
