"""Random policies and rows of inputs, for laws about every policy; drawn by hypothesis."""

from collections.abc import Sequence

from hypothesis import reject
from hypothesis import strategies as st

from fenqi.core.risk.input import Input, Purpose, Unit, Value
from fenqi.core.risk.policy.fault import PolicyInvalid
from fenqi.core.risk.policy.policy import Policy
from fenqi.core.risk.policy.read import read
from fenqi.core.risk.policy.tokens import TEXT_MAX
from make_policy import policy_text

NAMES = {
    "count_a": Unit.COUNT,
    "count_b": Unit.COUNT,
    "used_minor": Unit.MINOR,
    "limit_minor": Unit.MINOR,
    "share_ppm": Unit.PPM,
    "late_days": Unit.DAYS,
    "is_one": Unit.FLAG,
    "is_two": Unit.FLAG,
    "regime": Unit.CHOICE,
}
CHOICES = ("normal", "easing", "tight")
VOCABULARY = {
    name: Input(name, unit, frozenset(Purpose), CHOICES if unit is Unit.CHOICE else ())
    for name, unit in NAMES.items()
}
UNITS = {Unit.COUNT: "", Unit.MINOR: " minor", Unit.PPM: " ppm", Unit.DAYS: " days"}
NUMERIC = tuple(UNITS)
EDGE = 2**63 - 1
SMALL = st.integers(-6, 6)
WILD = st.one_of(SMALL, st.sampled_from([0, EDGE, -EDGE - 1, 10**12, -(10**12)]))
ORDERS = ("<", "<=", ">", ">=", "==", "!=")
HARMLESS = ('{effect="nudge"}', '{effect="step-up"}', '{effect="review", priority=2}')
EFFECTS = (
    *HARMLESS,
    '{effect="cooler-menu", counts_max=4}',
    '{effect="cooler-menu", counts_max=7}',
    '{effect="smaller-limit", limit_ppm=400000}',
    '{effect="smaller-limit", limit_ppm=700000}',
    '{effect="hold", hours=4}',
    '{effect="hold", hours=40}',
    '{effect="decline"}',
)


@st.composite
def terms(draw: st.DrawFn, unit: Unit, depth: int = 2) -> str:
    """Draw an expression of a unit."""
    shape = draw(st.integers(0, 9 if depth else 3))
    if shape <= 2:
        return draw(st.sampled_from([name for name, own in NAMES.items() if own is unit]))
    if shape == 3:
        largest = 10**9 if unit is Unit.DAYS else EDGE  # a time is read in seconds
        number = draw(st.one_of(st.integers(0, 6), st.sampled_from([0, largest])))
        return f"{number}{UNITS[unit]}"
    left = draw(terms(unit, depth - 1))
    if shape <= 5:
        return f"({left} {draw(st.sampled_from('+-'))} {draw(terms(unit, depth - 1))})"
    if shape == 6:
        name = draw(st.sampled_from(["min", "max"]))
        return f"{name}({left}, {draw(terms(unit, depth - 1))})"
    count = draw(terms(Unit.COUNT, depth - 1))
    if unit is Unit.DAYS:  # a written time times a count is in seconds
        return f"max({left}, {draw(terms(unit, depth - 1))})"
    if shape == 7:
        # A written zero is no divisor; one that turns out to be zero is.
        sign = "*" if count.isdigit() else draw(st.sampled_from(["*", "//"]))
        return f"({left} {sign} {count})"
    if unit is Unit.PPM:
        return f"share({draw(terms(Unit.MINOR, depth - 1))}, {draw(terms(Unit.MINOR, depth - 1))})"
    return f"part({left}, {draw(terms(Unit.PPM, depth - 1))})"


@st.composite
def conditions(draw: st.DrawFn, depth: int = 2, *, may_ask: bool = True) -> str:
    """Draw a condition; with `may_ask` it may ask what is known."""
    shape = draw(st.integers(0, 9 if depth else 5))
    if shape == 0 or (shape == 2 and not may_ask):
        return draw(st.sampled_from(["is_one", "is_two"]))
    if shape == 1:
        words = draw(st.lists(st.sampled_from(CHOICES), min_size=1, unique=True))
        return "regime in (" + ", ".join(f'\\"{word}\\"' for word in words) + ")"
    unit = draw(st.sampled_from(NUMERIC))
    if shape == 2:
        return f"{draw(terms(unit, 1))} is {draw(st.sampled_from(['known', 'unknown']))}"
    if shape == 3:
        low, high = draw(terms(unit, 1)), draw(terms(unit, 1))
        return f"{draw(terms(unit, 1))} between {low} and {high}"
    if shape == 4:
        numbers = draw(st.lists(st.integers(0, 6), min_size=1, max_size=3))
        listed = ", ".join(f"{one}{UNITS[unit]}" for one in numbers)
        return f"{draw(terms(unit, 1))} in ({listed})"
    if shape == 5:
        depth = 2 - depth  # the deeper the shorter
        left, right = draw(terms(unit, depth)), draw(terms(unit, 1))
        return f"{left} {draw(st.sampled_from(ORDERS))} {right}"
    inner = conditions(depth - 1, may_ask=may_ask)
    if shape == 6:
        return f"not ({draw(inner)})"
    word = draw(st.sampled_from([" and ", " or "]))
    return word.join(f"({draw(inner)})" for _ in range(draw(st.integers(2, 3))))


def _effects(draw: st.DrawFn, choices: Sequence[str]) -> str:
    chosen = draw(st.lists(st.sampled_from(choices), min_size=1, max_size=3))
    by_name = {one.split('"')[1]: one for one in chosen}
    return f"effects = [{', '.join(by_name.values())}]\n"


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Draw a policy that `read` takes: rules, perhaps a first-hit table with a menu, thresholds."""
    body = ""
    # Harm by points asks more of every line that has any.
    is_harm_by_points = draw(st.booleans())
    count = draw(st.integers(1, 6))
    for number in range(count):
        is_acting, has_points = draw(st.booleans()), draw(st.booleans())
        effects = _effects(draw, EFFECTS) if is_acting else ""
        is_touchy = effects or (has_points and is_harm_by_points)
        when = draw(conditions(may_ask=not is_touchy))
        when = when if len(when) <= TEXT_MAX else "is_one"  # a longer one is refused
        body += f'[[rules]]\nid = "r{number}"\nwhen = "{when}"\n{effects}'
        if has_points:
            body += f"points = {draw(st.integers(-30, 50))}\n"
        body += f'reason = "{draw(st.sampled_from(["busy", "late", f"own{number}"]))}"\n'
        if number and draw(st.integers(0, 4)) == 0 and not is_touchy:
            body += f'suppressed_by = ["r{draw(st.integers(0, number - 1))}"]\n'
    if draw(st.booleans()):
        body += _table(draw, is_harm_by_points=is_harm_by_points)
    for place in range(draw(st.integers(0, 2))):
        choices = EFFECTS if is_harm_by_points else HARMLESS
        body += f"[[thresholds]]\nat_least = {20 + 40 * place}\n{_effects(draw, choices)}"
    reasons = "busy late rest " + " ".join(f"own{number}" for number in range(count))
    try:
        return read(policy_text(body, reasons=reasons), VOCABULARY)
    except PolicyInvalid as refusal:
        if "nothing is known" in str(refusal.fields["fault"]):  # it holds of everyone
            reject()
        raise


def _table(draw: st.DrawFn, *, is_harm_by_points: bool) -> str:
    is_harmful = draw(st.booleans())
    hit = draw(st.sampled_from(["first", "first", "collect"]))
    text = f'[[tables]]\nid = "menu"\nhit = "{hit}"\nif_unknown = "rest"\n'
    text += 'columns = ["count_a", "used_minor + limit_minor", "is_one", "regime"]\n'
    for number in range(draw(st.integers(1, 4))):
        cells = [
            draw(st.sampled_from(["any", ">= 2", "in (1, 2, 3)", "between 0 and count_b"])),
            draw(st.sampled_from(["any", "< 3 minor", "> limit_minor"])),
            draw(st.sampled_from(["any", "yes", "no"])),
            draw(st.sampled_from(["any", "in ('tight', 'easing')", "!= 'normal'"])),
        ]
        listed = ", ".join(f'"{cell}"' for cell in cells)
        reason = draw(st.sampled_from(["late", "busy", "own0"]))
        text += f'[[tables.rows]]\nid = "row{number}"\nwhen = [{listed}]\nreason = "{reason}"\n'
        if draw(st.booleans()):
            text += _effects(draw, EFFECTS if is_harmful else HARMLESS)
        if draw(st.booleans()) and not is_harm_by_points:
            text += f"points = {draw(st.integers(-30, 50))}\n"
        price = draw(st.sampled_from([900_000, 1_000_000]))
        offer = f'product = "flat", counts = [3, {number + 4}], price_ppm = {price}'
        text += f"offers = [{{{offer}}}]\n"
    offers = 'offers = [{product = "flat", counts = [3]}]'
    if draw(st.booleans()):
        offers += '\nreason = "rest"'
    return text + f'[[tables.rows]]\nid = "rest"\notherwise = true\n{offers}\n'


@st.composite
def rows(draw: st.DrawFn, policy: Policy, *, numbers: st.SearchStrategy[int] = WILD) -> list[Value]:
    """Draw the inputs of one decision, some unknown, some at the edge of 64 bits."""
    small = {Unit.FLAG: st.integers(0, 1), Unit.CHOICE: st.integers(0, 2)}
    return [
        draw(st.one_of(st.none(), small.get(one.unit, numbers), small.get(one.unit, numbers)))
        for one in policy.inputs
    ]
