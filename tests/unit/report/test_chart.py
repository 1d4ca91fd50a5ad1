"""The charts: round axes, places that keep the order of values, texts that cannot break out."""

import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest
from markupsafe import Markup

from fenqi.report import chart
from fenqi.report.chart import Label, Series


def parsed(drawing: Markup) -> ET.Element:
    return ET.fromstring(str(drawing))


def of_style(drawing: Markup, tag: str, style: str) -> list[ET.Element]:
    return [one for one in parsed(drawing).iter(tag) if style in one.get("class", "").split()]


def drawn_columns(values: list[int | None], labels: list[Label] | None = None) -> Markup:
    return chart.columns(
        "c",
        "title",
        "description",
        labels=labels or [Label(str(place)) for place in range(len(values))],
        series=[Series("in", "in", values)],
        tick_text=str,
        tips=[str(value) for value in values],
    )


def drawn_lines(*curves: list[int | None], top: int = 0) -> Markup:
    longest = max(len(curve) for curve in curves)
    return chart.lines(
        "c",
        "title",
        "description",
        labels=[Label(str(place)) for place in range(longest)],
        series=[Series(f"v{n}", f"line {n}", curve) for n, curve in enumerate(curves, start=1)],
        tick_text=str,
        top=top,
    )


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([], (0,)),
        ([0, 0], (0,)),
        ([1], (0, 1)),
        ([3], (0, 1, 2, 3)),
        ([97], (0, 50, 100)),
        ([166_000], (0, 50_000, 100_000, 150_000, 200_000)),
        ([-7, 4], (-10, -5, 0, 5)),
        ([-30], (-30, -20, -10, 0)),
        ([10**18], (0, 5 * 10**17, 10**18)),
    ],
)
def test_an_axis_has_few_round_gridlines_and_holds_zero_and_all_values(
    values: list[int], ticks: tuple[int, ...]
) -> None:
    axis = chart.scale(values)
    assert axis.ticks == ticks
    assert axis.low <= min([0, *values]) <= max([0, *values]) <= axis.high
    assert len({after - before for before, after in pairwise(axis.ticks)}) <= 1


def test_a_larger_value_lies_higher_within_the_drawing() -> None:
    axis = chart.scale([-250, 999])
    places = [axis.y(value) for value in (-250, -1, 0, 1, 500, 999)]
    assert places == sorted(places, reverse=True)
    assert all(0 <= place <= chart.HEIGHT for place in places)


def test_a_column_is_as_high_as_its_value_and_stands_on_zero() -> None:
    drawing = drawn_columns([50, 100, None, 0])
    rects = of_style(drawing, "rect", "in")
    heights = [float(rect.get("height", "0")) for rect in rects]
    assert heights == pytest.approx([chart.HEIGHT / 2, chart.HEIGHT])
    feet = [float(rect.get("y", "0")) + height for rect, height in zip(rects, heights, strict=True)]
    assert feet == pytest.approx([chart.HEIGHT, chart.HEIGHT])


def test_parts_of_a_column_are_stacked_without_a_gap_and_losses_hang_below() -> None:
    drawing = chart.columns(
        "c",
        "t",
        "d",
        labels=[Label("a")],
        series=[Series("m1", "", [30]), Series("m2", "", [20]), Series("out", "", [-50])],
        tick_text=str,
        tips=[""],
    )
    first, second, below = (of_style(drawing, "rect", style)[0] for style in ("m1", "m2", "out"))
    top = float(second.get("y", "")) + float(second.get("height", ""))
    assert float(first.get("y", "")) == pytest.approx(top, abs=0.01)
    ground = float(first.get("y", "")) + float(first.get("height", ""))
    assert float(below.get("y", "")) == pytest.approx(ground, abs=0.01)


def test_columns_follow_one_another_from_left_to_right_inside_the_drawing() -> None:
    rects = of_style(drawn_columns([5] * 24), "rect", "in")
    lefts = [float(rect.get("x", "").rstrip("%")) for rect in rects]
    assert lefts == sorted(lefts)
    assert lefts[0] >= 0
    assert lefts[-1] + float(rects[-1].get("width", "").rstrip("%")) <= 100


def test_a_drawing_has_a_title_and_a_description_for_those_who_cannot_see_it() -> None:
    root = parsed(drawn_columns([1]))
    assert root.get("role") == "img"
    ids = {one.get("id"): one.text for one in root if one.tag in ("title", "desc")}
    assert [ids[name] for name in root.get("aria-labelledby", "").split()] == [
        "title",
        "description",
    ]


def test_a_line_ends_where_it_is_no_longer_known_and_is_named_there() -> None:
    drawing = drawn_lines([0, 10, 20], [0, 5])
    first, second = (of_style(drawing, "polyline", f"v{n}")[0] for n in (1, 2))
    assert len(first.get("points", "").split()) == 3
    assert len(second.get("points", "").split()) == 2
    names = {one.text: one.get("x") for one in of_style(drawing, "text", "name")}
    assert names == {"line 1": "100.000%", "line 2": "50.000%"}


def test_a_line_that_never_rose_has_a_dot_but_no_name() -> None:
    drawing = drawn_lines([0, 0], [0, 8])
    assert [one.text for one in of_style(drawing, "text", "name")] == ["line 2"]
    assert len(of_style(drawing, "circle", "v1")) == 1


def test_names_of_lines_that_end_together_do_not_lie_upon_one_another() -> None:
    drawing = drawn_lines([0, 50], [0, 51], [0, 52], top=100)
    heights = sorted(float(one.get("y", "")) for one in of_style(drawing, "text", "name"))
    assert min(after - before for before, after in pairwise(heights)) >= chart.NAME_PIXELS


def test_a_name_stands_where_no_line_runs_through_it_if_there_is_such_a_place() -> None:
    falls, rises = [100, 60, 50], [0, 52, 61]  # the second passes above the first one's end
    (name, _) = of_style(drawn_lines(falls, rises, top=110), "text", "name")
    end = of_style(drawn_lines(falls, rises, top=110), "circle", "v1")[0]
    assert float(name.get("y", "")) > float(end.get("cy", ""))


def test_names_stay_above_the_ground_and_between_the_edges() -> None:
    room = chart.NAME_PERCENT
    drawing = drawn_lines([0, 1], [0] * 5 + [1], [0] * 11 + [2], [0] * 12 + [99], top=100)
    names = of_style(drawing, "text", "name")
    assert [one.text for one in names] == ["line 1", "line 2", "line 3", "line 4"]
    for one in names:
        left = (
            float(one.get("x", "").rstrip("%"))
            - room * ({"start": 0.0, "middle": 0.5, "end": 1.0}[one.get("text-anchor", "")])
        )
        assert 0 <= left <= 100 - room
        assert float(one.get("y", "")) < chart.HEIGHT


def test_today_is_marked_and_named_even_where_other_words_are_left_out() -> None:
    labels = [Label(f"w{place}") for place in range(29)] + [Label("today", is_today=True)]
    drawing = drawn_columns([1] * 30, labels)
    words = [one.text for one in of_style(drawing, "text", "tick") if one.get("y") == "228"]
    assert len(words) <= chart.LABELS_MAX + 1
    assert words[-1] == "today"
    assert words[-2] not in ("w28", "w27")
    assert len(of_style(drawing, "polygon", "today")) == 1


@pytest.mark.parametrize(
    ("months", "years"),
    [
        (["2026", "2026", "2027", "2027"], ["2026", "2027"]),
        (["2026", "2027", "2027"], ["2027"]),  # side by side they would run into each other
        (["2026"], ["2026"]),
        ([""], []),
    ],
)
def test_a_year_is_written_where_it_begins(months: list[str], years: list[str]) -> None:
    labels = [Label("m", year) for year in months]
    drawing = drawn_columns([1] * len(labels), labels)
    assert [one.text for one in of_style(drawing, "text", "year")] == years


def test_a_spark_needs_two_points_and_a_flat_one_is_no_fault() -> None:
    assert chart.spark("t", []) == chart.spark("t", [5]) == ""
    assert len(parsed(chart.spark("t", [5, 5, 5]))[2].get("points", "").split()) == 3


@pytest.mark.parametrize(
    ("part", "whole", "percent"),
    [(0, 0, 0), (0, 10, 0), (1, 10**9, 0.6), (5, 10, 50), (12, 10, 100), (-3, 10, 0)],
)
def test_a_bar_is_never_too_long_and_something_is_never_drawn_as_nothing(
    part: int, whole: int, percent: float
) -> None:
    assert f'width="{percent:.2f}%"' in chart.bar(part, whole, "in")


@pytest.mark.parametrize(
    ("ppm", "grade"), [(-5, 0), (0, 0), (99_999, 0), (100_000, 1), (400_000, 2), (1_000_000, 3)]
)
def test_a_stronger_share_has_a_stronger_shade(ppm: int, grade: int) -> None:
    assert chart.shade(ppm) == grade


def test_texts_cannot_break_out_of_a_drawing() -> None:
    hostile = '"><script>alert(1)</script>'
    drawing = chart.columns(
        hostile,
        hostile,
        hostile,
        labels=[Label(hostile, hostile, is_today=True)],
        series=[Series(hostile, hostile, [1])],
        tick_text=lambda _: hostile,
        tips=[hostile],
        net=Series(hostile, hostile, [1]),
    )
    lines = chart.lines(
        "c",
        hostile,
        hostile,
        labels=[Label(hostile), Label("")],
        series=[Series(hostile, hostile, [0, 1])],
        tick_text=lambda _: hostile,
    )
    for one in (drawing, lines, chart.spark(hostile, [1, 2]), chart.bar(1, 2, hostile)):
        assert "<script" not in one
        assert not list(parsed(one).iter("script"))
