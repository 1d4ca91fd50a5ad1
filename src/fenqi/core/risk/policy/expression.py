"""What a condition is made of: a small checked tree of values and truths.

A value is a whole number of one unit, or unknown; a truth is true, false or unknown. Equal trees
are equal values, so a part that stands in many rules is computed once. Only `parse` makes trees,
so every tree that exists has agreeing units.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

LEAST, MOST = -(2**63), 2**63 - 1  # beyond them a result is unknown: both compilations agree
PPM_OF_ONE = 1_000_000


class Sum(StrEnum):
    """What is done to two values."""

    PLUS = "+"
    MINUS = "-"
    TIMES = "*"
    DIVIDED = "//"  # rounded down; by zero it is unknown
    LEAST = "min"
    MOST = "max"
    PART = "part"  # part(amount, share): the share of an amount, rounded down
    SHARE = "share"  # share(part, whole): the part as a share, rounded down


class Order(StrEnum):
    """How two values are compared."""

    EQUAL = "=="
    UNEQUAL = "!="
    LESS = "<"
    LESS_OR_EQUAL = "<="
    MORE = ">"
    MORE_OR_EQUAL = ">="


OPPOSITE = {
    Order.EQUAL: Order.UNEQUAL,
    Order.UNEQUAL: Order.EQUAL,
    Order.LESS: Order.MORE_OR_EQUAL,
    Order.LESS_OR_EQUAL: Order.MORE,
    Order.MORE: Order.LESS_OR_EQUAL,
    Order.MORE_OR_EQUAL: Order.LESS,
}


@dataclass(frozen=True, slots=True)
class Named:
    """The value of an input."""

    name: str


@dataclass(frozen=True, slots=True)
class Number:
    """A whole number; `said` is how the policy writes it."""

    value: int
    said: str = ""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Number) and self.value == other.value

    def __hash__(self) -> int:
        return hash(self.value)


@dataclass(frozen=True, slots=True)
class Computed:
    """Two values made into one."""

    sum: Sum
    left: "Term"
    right: "Term"


Term = Named | Number | Computed


@dataclass(frozen=True, slots=True)
class Always:
    """What is true of everyone: the condition of an otherwise row."""


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag, or a choice of yes and no, taken as a truth: anything but 0 is true."""

    term: Named


@dataclass(frozen=True, slots=True)
class Compared:
    """Two values compared."""

    order: Order
    left: Term
    right: Term


@dataclass(frozen=True, slots=True)
class Among:
    """A value is one of several."""

    term: Term
    options: tuple[Number, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """A value is known. Never itself unknown."""

    term: Term


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite; of an unknown, unknown."""

    part: "Truth"


@dataclass(frozen=True, slots=True)
class All:
    """Every part is true; false as soon as one is."""

    parts: tuple["Truth", ...]


@dataclass(frozen=True, slots=True)
class Any:
    """One of the parts is true; true as soon as one is."""

    parts: tuple["Truth", ...]


Truth = Always | Flag | Compared | Among | Known | Not | All | Any
Node = Truth | Term


def walk(node: Node) -> Iterator[Node]:
    """Yield a tree's nodes, each after its parts."""
    match node:
        case Computed() | Compared():
            yield from walk(node.left)
            yield from walk(node.right)
        case Flag() | Among() | Known():
            yield from walk(node.term)
        case Not():
            yield from walk(node.part)
        case All() | Any():
            for part in node.parts:
                yield from walk(part)
        case Named() | Number() | Always():
            pass
    yield node


def names(node: Node) -> set[str]:
    """Return the names of the inputs a tree looks at."""
    return {one.name for one in walk(node) if isinstance(one, Named)}


def blinded(truth: Truth, *, is_denied: bool = False) -> Known | None:
    """Return a test by which not knowing could make `truth` true, or None if nothing does.

    With `is_denied` the same is asked of its opposite. Who relies on the answer None may hide any
    input from a condition and never turns it true; that is why unknown harms nobody.
    """
    match truth:
        case Known():
            return truth if is_denied else None
        case Not():
            return blinded(truth.part, is_denied=not is_denied)
        case All() | Any():
            found = (blinded(part, is_denied=is_denied) for part in truth.parts)
            return next((one for one in found if one is not None), None)
    return None


def computed(sign: Sum, left: int, right: int) -> int | None:
    """Return two values made into one, None by zero or beyond 64 bits."""
    match sign:
        case Sum.PLUS:
            result = left + right
        case Sum.MINUS:
            result = left - right
        case Sum.TIMES:
            result = left * right
        case Sum.LEAST:
            result = min(left, right)
        case Sum.MOST:
            result = max(left, right)
        case Sum.DIVIDED:
            if right == 0:
                return None
            result = left // right
        case Sum.PART | Sum.SHARE:
            result = left * (right if sign is Sum.PART else PPM_OF_ONE)
            divisor = PPM_OF_ONE if sign is Sum.PART else right
            if divisor == 0 or not LEAST <= result <= MOST:
                return None
            result //= divisor
        case _:
            assert_never(sign)
    return result if LEAST <= result <= MOST else None


def both(left: Truth, right: Truth) -> Truth:
    """Return that both hold, without the part that always does."""
    if isinstance(left, Always):
        return right
    return left if isinstance(right, Always) else All((left, right))


def said(node: Node) -> str:
    """Return a tree as a policy would write it."""
    match node:
        case Named() | Number() | Computed():
            return _term_said(node)
        case Always():
            return "otherwise"
        case Flag():
            return node.term.name
        case Compared():
            return f"{said(node.left)} {node.order.value} {said(node.right)}"
        case Among():
            return f"{said(node.term)} in ({', '.join(said(one) for one in node.options)})"
        case Known():
            return f"{said(node.term)} is known"
        case Not(Known() as known):
            return f"{said(known.term)} is unknown"
        case Not():
            return f"not {_enclosed(node.part)}"
        case All() | Any():
            word = " and " if isinstance(node, All) else " or "
            return word.join(_enclosed(part) for part in node.parts)
    assert_never(node)


def _term_said(term: Term) -> str:
    match term:
        case Named():
            return term.name
        case Number():
            return term.said or str(term.value)
        case Computed(Sum.LEAST | Sum.MOST | Sum.PART | Sum.SHARE):
            return f"{term.sum.value}({said(term.left)}, {said(term.right)})"
        case Computed():
            return f"({said(term.left)} {term.sum.value} {said(term.right)})"
    assert_never(term)


def _enclosed(part: Truth) -> str:
    return f"({said(part)})" if isinstance(part, All | Any) else said(part)
