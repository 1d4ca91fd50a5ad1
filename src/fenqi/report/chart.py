"""Charts as SVG text: pure functions of whole numbers, no script, readable on any width.

Across, places are per cent of the drawing's own width; up and down they are pixels. So a chart
stretches with its card while its words keep their size. Labels stand outside the drawing box, in
the padding that the style sheet gives it. Floats are pixels and per cent only, never amounts.
Every text is escaped. Kinds: `columns`, `lines`, `spark`, `bar`; `shade` grades a matrix's cells.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from fenqi.core.values.rate import PPM

HEIGHT = 208  # pixels from the bottom gridline to the top one, unless told otherwise
TICKS = 4  # gridlines above zero, about
SPARK_HEIGHT = 40
SPARK_WIDTH = 96
COLUMN_PERCENT_MAX = 7.0
COLUMN_SHARE = 0.64  # of the room a column has; the rest is air
LABELS_MAX = 13  # on the axis; beyond, every second, third, ... is left out
NAME_OFFSETS = (-8, 17, -20, 29, -32, 41)  # pixels from a line's last dot to the foot of its name
NAME_PERCENT = 22.5  # room across of a month with its year, on a page of 390 pixels
NAME_PIXELS = 13  # and up
NAME_TOP = -12  # above the top gridline a title begins, below the bottom one the axis' words
NAME_ABOVE_GROUND = 3
DIAMOND = 5  # half its height
SHADES = (750_000, 400_000, 100_000, 0)  # a cell's share in ppm from which it is that strong


@dataclass(frozen=True, slots=True)
class Series:
    """One row of numbers with its name and its style class; None is a gap."""

    style: str
    name: str
    values: Sequence[int | None]


@dataclass(frozen=True, slots=True)
class Label:
    """What stands below one place of the axis; `under` on a second line, where it changes."""

    text: str
    under: str = ""
    is_today: bool = False


@dataclass(frozen=True, slots=True)
class Scale:
    """A vertical axis: the values at its ends and at its gridlines."""

    low: int
    high: int
    ticks: tuple[int, ...]
    height: int = HEIGHT

    def y(self, value: int) -> float:
        """Return how many pixels below the top a value lies."""
        return self.height * (self.high - value) / (self.high - self.low)


def scale(values: Sequence[int], height: int = HEIGHT) -> Scale:
    """Return an axis that holds zero and all values, with round numbers at its gridlines."""
    low, high = min(0, *values, 0), max(0, *values, 0)
    if low == high:
        return Scale(0, 1, (0,), height)  # nothing but zero: one line, and nothing above it
    step = _round_step(high - low)
    first, last = low // step, -(-high // step)
    ticks = tuple(step * number for number in range(first, last + 1))
    return Scale(ticks[0], ticks[-1], ticks, height)


def _round_step(span: int) -> int:
    """Return the least of 1, 2, 5, 10, 20, ... that cuts the span into `TICKS` parts or fewer."""
    step = 1
    while True:
        for factor in (1, 2, 5):
            if span <= TICKS * step * factor:
                return step * factor
        step *= 10


def columns(
    chart_id: str,
    title: str,
    description: str,
    *,
    labels: Sequence[Label],
    series: Sequence[Series],
    tick_text: Callable[[int], str],
    tips: Sequence[str],
    net: Series | None = None,
    height: int = HEIGHT,
) -> Markup:
    """Return stacked columns, one per label; what is below zero hangs from the zero line.

    `tips` are what each column says under the pointer; `net` is drawn as a line over the columns.
    """
    count = len(labels)
    tops = [_stacked(series, place, above=True) for place in range(count)]
    bottoms = [_stacked(series, place, above=False) for place in range(count)]
    axis = scale([*tops, *bottoms, *_known(net.values if net else ())], height)
    room = 100 / max(count, 1)
    width = min(room * COLUMN_SHARE, COLUMN_PERCENT_MAX)
    parts = [_grid(axis, tick_text)]
    for place in range(count):
        left = room * (place + 0.5) - width / 2
        parts.append(_column(series, place, axis, left, width, tips[place]))
    if net is not None:
        spots = [room * (place + 0.5) for place in range(count)]
        parts.append(_polyline(net, spots, axis))
        parts += _dots(net, spots, axis)
    parts += _labels(labels, [room * (place + 0.5) for place in range(count)], height)
    return _drawing(chart_id, title, description, parts, height)


def lines(
    chart_id: str,
    title: str,
    description: str,
    *,
    labels: Sequence[Label],
    series: Sequence[Series],
    tick_text: Callable[[int], str],
    top: int = 0,
) -> Markup:
    """Return lines over common places, each named at its end.

    `top` is a value the axis must reach, so that neighbouring charts can share one scale.
    """
    axis = scale([value for one in series for value in _known(one.values)] + [top])
    steps = max(len(labels) - 1, 1)
    spots = [100 * place / steps for place in range(len(labels))]
    parts = [_grid(axis, tick_text)]
    parts += [_polyline(one, spots, axis) for one in series]
    parts += _ends(series, spots, axis)
    parts += _labels(labels, spots, axis.height)
    return _drawing(chart_id, title, description, parts, axis.height)


def spark(title: str, values: Sequence[int]) -> Markup:
    """Return a small line without axes; nothing where there is no line to draw."""
    if len(values) < 2:
        return Markup()
    low, high = min(values), max(values)
    span = max(high - low, 1)
    steps = len(values) - 1
    spots = [
        (4 + (SPARK_WIDTH - 8) * place / steps, 5 + (SPARK_HEIGHT - 10) * (high - value) / span)
        for place, value in enumerate(values)
    ]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
    x, y = spots[-1]
    return Markup(
        '<svg class="spark" role="img" viewBox="0 0 {width} {height}" width="{width}"'
        ' height="{height}"><title>{title}</title>'
        '<polygon class="ground" points="{first:.1f},{height} {path} {x:.1f},{height}"/>'
        '<polyline points="{path}"/>'
        '<circle cx="{x:.1f}" cy="{y:.1f}" r="3"/></svg>'
    ).format(
        width=SPARK_WIDTH, height=SPARK_HEIGHT, title=title, path=path, first=spots[0][0], x=x, y=y
    )


def bar(part: int, whole: int, style: str) -> Markup:
    """Return a lying bar of a part of the whole; something is never drawn as nothing."""
    percent = max(100 * part / whole, 0.6) if part > 0 and whole > 0 else 0
    return Markup(
        '<svg class="bar" aria-hidden="true"><rect class="rail" width="100%" height="100%"/>'
        '<rect class="{style}" width="{percent:.2f}%" height="100%"/></svg>'
    ).format(style=style, percent=min(percent, 100))


def shade(ppm: int) -> int:
    """Return how strong a cell with this share is: 3 the strongest, 0 the weakest."""
    ppm = max(0, min(ppm, PPM))
    return next(len(SHADES) - 1 - place for place, least in enumerate(SHADES) if ppm >= least)


def _stacked(series: Sequence[Series], place: int, *, above: bool) -> int:
    values = [one.values[place] or 0 for one in series]
    return sum(value for value in values if (value > 0) is above)


def _known(values: Sequence[int | None]) -> list[int]:
    return [value for value in values if value is not None]


def _grid(axis: Scale, tick_text: Callable[[int], str]) -> Markup:
    """Return the gridlines with their values to the left of the drawing; zero is stronger."""
    row = Markup(
        '<line class="{style}" x1="0" x2="100%" y1="{y:.1f}" y2="{y:.1f}"/>'
        '<text class="tick" x="-8" y="{text_y:.1f}" text-anchor="end">{text}</text>'
    )
    return Markup().join(
        row.format(
            style="zero" if tick == 0 else "grid",
            y=axis.y(tick),
            text_y=axis.y(tick) + 4,
            text=tick_text(tick),
        )
        for tick in axis.ticks
    )


def _column(
    series: Sequence[Series], place: int, axis: Scale, left: float, width: float, tip: str
) -> Markup:
    """Return one column, its parts stacked away from zero in their order."""
    above = below = 0
    parts = []
    for one in series:
        value = one.values[place] or 0
        if value > 0:
            start, above = above, above + value
            top, bottom = axis.y(above), axis.y(start)
        else:
            start, below = below, below + value
            top, bottom = axis.y(start), axis.y(below)
        if value:
            parts.append(
                Markup(
                    '<rect class="{style}" x="{x:.3f}%" y="{y:.2f}" width="{width:.3f}%"'
                    ' height="{height:.2f}"/>'
                ).format(
                    style=one.style, x=left, y=top, width=width, height=max(bottom - top, 0.75)
                )
            )
    return Markup("<g><title>{tip}</title>{hit}{parts}</g>").format(
        tip=tip,
        hit=Markup('<rect class="hit" x="{x:.3f}%" y="0" width="{w:.3f}%" height="{h}"/>').format(
            x=left, w=width, h=axis.height
        ),
        parts=Markup().join(parts),
    )


def _polyline(one: Series, spots: Sequence[float], axis: Scale) -> Markup:
    """Return a line; its box is stretched across the drawing, its stroke is not."""
    points = " ".join(
        f"{spot * 10:.1f},{axis.y(value):.1f}"
        for spot, value in zip(spots, one.values, strict=False)
        if value is not None
    )
    return Markup(
        '<svg class="stretch" x="0" y="0" width="100%" height="{height}"'
        ' viewBox="0 0 1000 {height}" preserveAspectRatio="none">'
        '<polyline class="{style}" points="{points}"/></svg>'
    ).format(height=axis.height, style=one.style, points=points)


def _dots(one: Series, spots: Sequence[float], axis: Scale) -> list[Markup]:
    return [
        Markup('<circle class="{style}" cx="{x:.3f}%" cy="{y:.1f}" r="3"/>').format(
            style=one.style, x=spot, y=axis.y(value)
        )
        for spot, value in zip(spots, one.values, strict=False)
        if value is not None
    ]


def _ends(series: Sequence[Series], spots: Sequence[float], axis: Scale) -> list[Markup]:
    """Return the dot and the name at each line's last point; one that never rose has no name.

    A name stands above its dot, or below it, or further away, wherever it meets no other name, and
    where the fewest lines run through it; one without room is left to the table beside the chart.
    At an edge it ends or begins at its dot.
    """
    parts, taken = [], list[tuple[float, float]]()
    paths = [_path(one, spots, axis) for one in series]
    for one in series:
        known = [pair for pair in zip(spots, one.values, strict=False) if pair[1] is not None]
        if not known:
            continue
        spot, value = known[-1]
        y = axis.y(value or 0)
        parts.append(
            Markup('<circle class="{style}" cx="{x:.3f}%" cy="{y:.1f}" r="3"/>').format(
                style=one.style, x=spot, y=y
            )
        )
        if not value:  # lines on the ground lie upon one another, and so would their names
            continue
        anchor, centre = _anchored(spot)
        tries = [y + offset for offset in NAME_OFFSETS]
        inside = [at for at in tries if NAME_TOP <= at <= axis.height - NAME_ABOVE_GROUND]
        free = [at for at in inside if not _meets((centre, at), taken)]
        if not free:
            continue
        at = min(free, key=lambda at: sum(_runs_through(path, centre, at) for path in paths))
        taken.append((centre, at))
        parts.append(
            Markup(
                '<text class="name" x="{x:.3f}%" y="{y:.1f}" text-anchor="{anchor}">{name}</text>'
            ).format(x=spot, y=at, anchor=anchor, name=one.name)
        )
    return parts


def _anchored(spot: float) -> tuple[str, float]:
    """Return how a name holds on to its dot, and where its middle then is."""
    half = NAME_PERCENT / 2
    if spot > 100 - half:
        return "end", spot - half
    return ("start", spot + half) if spot < half else ("middle", spot)


def _meets(name: tuple[float, float], taken: Sequence[tuple[float, float]]) -> bool:
    return any(abs(name[0] - x) < NAME_PERCENT and abs(name[1] - y) < NAME_PIXELS for x, y in taken)


Path = list[tuple[float, float]]  # (per cent across, pixels down) from point to point


def _path(one: Series, spots: Sequence[float], axis: Scale) -> Path:
    """Return the points of a line."""
    known = zip(spots, one.values, strict=False)
    return [(spot, axis.y(value)) for spot, value in known if value is not None]


def _runs_through(path: Path, centre: float, foot: float) -> bool:
    """Return whether a line runs through the room of a name, by its middle and its foot."""
    left, right = centre - NAME_PERCENT / 2, centre + NAME_PERCENT / 2
    for (x, y), (next_x, next_y) in pairwise(path):
        begin, end = max(x, left), min(next_x, right)
        if begin < end:
            slope = (next_y - y) / (next_x - x)
            heights = sorted((y + slope * (begin - x), y + slope * (end - x)))
            if heights[0] < foot and heights[1] > foot - NAME_PIXELS:
                return True
    return False


def _labels(labels: Sequence[Label], spots: Sequence[float], height: int) -> list[Markup]:
    """Return the words below the drawing; today has a diamond and is never left out."""
    every = max(1, -(-len(labels) // LABELS_MAX))
    todays = {place for place, label in enumerate(labels) if label.is_today}
    shown = [
        place
        for place, label in enumerate(labels)
        # One that today would run into is left out as well.
        if label.is_today
        or (place % every == 0 and not any(0 < today - place < every for today in todays))
    ]
    parts = []
    for place in shown:
        label, spot = labels[place], spots[place]
        # A narrow page leaves out every other word, and the one before today.
        is_odd = (place // every) % 2 == 1 or place + every in todays
        style = "now" if label.is_today else "odd" if is_odd else "even"
        parts.append(_word(style, spot, height + 20, label.text))
        if label.is_today:
            parts.append(_diamond(spot, height))
    for place in _turns([labels[place].under for place in shown]):
        spot = spots[shown[place]]
        parts.append(_word("year", spot, height + 35, labels[shown[place]].under))
    return parts


def _turns(years: Sequence[str]) -> list[int]:
    """Return where a year begins; of two that begin side by side the first is left out."""
    begins = [
        place for place, year in enumerate(years) if year and years[place - 1 : place] != [year]
    ]
    return [place for place in begins if place + 1 not in begins]


def _word(style: str, spot: float, y: float, text: str) -> Markup:
    return Markup(
        '<text class="tick {style}" x="{x:.3f}%" y="{y}" text-anchor="middle">{text}</text>'
    ).format(style=style, x=spot, y=y, text=text)


def _diamond(spot: float, height: int) -> Markup:
    """Return the mark of today, on the bottom line."""
    edge = DIAMOND
    points = " ".join(f"{x},{y}" for x, y in ((0, -edge), (edge, 0), (0, edge), (-edge, 0)))
    return Markup(
        '<svg class="stretch" x="{x:.3f}%" y="{y}" width="1" height="1">'
        '<polygon class="today" points="{points}"/></svg>'
    ).format(x=spot, y=height, points=points)


def _drawing(
    chart_id: str, title: str, description: str, parts: Sequence[Markup], height: int
) -> Markup:
    return Markup(
        '<svg class="canvas" role="img" aria-labelledby="{id}-title {id}-desc" width="100%"'
        ' height="{height}"><title id="{id}-title">{title}</title>'
        '<desc id="{id}-desc">{description}</desc>{parts}</svg>'
    ).format(
        id=chart_id,
        height=height,
        title=title,
        description=description,
        parts=Markup().join(parts),
    )
