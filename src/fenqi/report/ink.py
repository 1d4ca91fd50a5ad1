"""What all that is printed on a terminal shares: colours, how amounts and shares look."""

from fenqi.core.values.money import Currency

BRAND = "#2a9d83"
GOLD = "#c98f2b"
BAD = "#cf5146"  # harm only


def money_text(minor: int, unit: Currency) -> str:
    """Return an amount with grouped thousands, its sign before it: -1,234.50."""
    whole, part = divmod(abs(minor), 10**unit.digits)
    sign = "-" if minor < 0 else ""
    return f"{sign}{whole:,}.{part:0{unit.digits}d}" if unit.digits else f"{sign}{whole:,}"


def percent_text(ppm: int, digits: int = 1) -> str:
    """Return a share in per cent."""
    return f"{ppm / 10_000:.{digits}f}%"


def exact_text(ppm: int) -> str:
    """Return a share in per cent to its last millionth, which two digits would round away."""
    text = percent_text(ppm, 4)
    return f"{text[:-3]}%" if text.endswith("00%") else text
