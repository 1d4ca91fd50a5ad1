"""Solving: the discount factor that makes a stream of money worth nothing.

Every yearly rate of this house is found here, so every machine prints the same digits: decimal
arithmetic of a fixed precision, a search outwards from a rate of zero for a bracket, then Newton's
method kept inside it by bisection. A stream that has no rate is refused, and so is one that has
several, unless the caller asks for the one nearest to zero, as spreadsheets do.
"""

from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, localcontext
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise
from typing import Protocol

from fenqi.core.errors import Invalid

SOLVE_DIGITS = 40  # a daily rate loses up to 16 of them to 1 + rate
SOLVING = Context(prec=SOLVE_DIGITS, Emax=MAX_EMAX, Emin=MIN_EMIN)
SHOWN_DIGITS = 18
STEP_MIN = Decimal("1e-20")  # the step is applied, so the error left is about its square
STEPS_MAX = 200
BRACKETS_MAX = 24  # each is twice as wide as the one before
SCAN_DIGITS = 16  # signs only
SCAN_FINE = 32  # looks per first step of the search; a step is a factor of 2 to e over the life
SCAN_FINE_STEPS = 6  # first steps to each side of a rate of zero that are looked at so closely
SCAN_STEPS_MAX = 40  # first steps to each side in all


class RateNotFound(Invalid):
    """No yearly rate makes these payments worth what was lent."""

    code = "rate-not-found"


class RateNotUnique(Invalid):
    """More than one yearly rate makes these payments worth what was lent; none of them is meant."""

    code = "rate-not-unique"


class WhenSeveral(StrEnum):
    """What is done with money that has more than one rate."""

    REFUSE = "refuse"  # the rates of the law: a rate that is one of two says nothing
    NEAREST_TO_ZERO = "nearest-to-zero"  # what spreadsheets find from their usual first guess


class Worth(Protocol):
    """The present worth of money as a function of the discount factor of one unit of time."""

    def at(self, discount: Decimal) -> tuple[Decimal, Decimal]:
        """Return the worth and its slope."""
        ...


def root(
    worth: Worth,
    *,
    span: Fraction,
    sign_changes: int,
    when_several: WhenSeveral = WhenSeveral.REFUSE,
) -> Decimal:
    """Return the one discount factor v = 1 / (1 + rate per unit of time) at which `worth` is zero.

    Money that changes its direction once, a loan, has exactly one and it is not searched for
    others. The worth of a loan rises with v and Newton starts right of the root.

    Units: `span` is the time from the first money to the last, above zero; `sign_changes` says how
    often the money, in order of time, turns from out to in or back, at least once.
    Errors: RateNotFound, RateNotUnique.
    """
    with localcontext(SOLVING):
        step = 1 + decimal(1 / span)
        if sign_changes == 1:
            return _solve(worth, *_bracket(worth, step=step))
        brackets = _scanned(worth, step=step)
        if not brackets:
            raise RateNotFound(reason="no rate within the range searched")
        if len(brackets) > 1 and when_several is WhenSeveral.REFUSE:
            raise RateNotUnique(sign_changes=sign_changes, rates=len(brackets))
        discounts = [_solve(worth, *bracket) for bracket in brackets]
        return min(discounts, key=lambda discount: abs(1 / discount - 1))


def decimal(value: Fraction | int) -> Decimal:
    """Return a fraction as a decimal of the context's precision."""
    return Decimal(value.numerator) / Decimal(value.denominator)


def shown(rate: Decimal) -> Decimal:
    """Return a rate with the digits that are surely right, zero without a sign or a tail."""
    return Context(prec=SHOWN_DIGITS).plus(rate) if rate else Decimal(0)


def _bracket(worth: Worth, *, step: Decimal) -> tuple[Decimal, Decimal]:
    """Return two discount factors around a root, searching outwards from one, a rate of zero.

    The first step is 1 + 1/span, a factor of 2 to e over the whole life of the money; each further
    one is twice as wide.
    """
    inner_low = inner_high = Decimal(1)
    at_low = at_high = worth.at(inner_low)[0]
    if at_low == 0:
        return inner_low, inner_low
    for _ in range(BRACKETS_MAX):
        low, high = inner_low / step, inner_high * step
        at_low_next, at_high_next = worth.at(low)[0], worth.at(high)[0]
        if at_low_next * at_low <= 0:
            return low, inner_low
        if at_high_next * at_high <= 0:
            return inner_high, high
        inner_low, inner_high, at_low, at_high = low, high, at_low_next, at_high_next
        step *= step
    raise RateNotFound(reason="no rate within the range searched")


def _solve(worth: Worth, low: Decimal, high: Decimal) -> Decimal:
    """Return the root between two discount factors at which the worth differs in sign.

    A Newton step is taken if it stays inside and is at most half the last one, else the bracket is
    halved: in its ratio, since a loss within a day is a factor of many digits a year.
    """
    guess, last_step = high, high - low
    is_rising = worth.at(high)[0] >= 0
    for _ in range(STEPS_MAX):
        value, slope = worth.at(guess)
        if value == 0:
            return guess
        if (value > 0) == is_rising:
            high = guess
        else:
            low = guess
        tried = guess - value / slope if slope else low
        is_quick = low <= tried <= high and 2 * abs(tried - guess) <= last_step
        following = tried if is_quick else (low * high).sqrt()
        last_step = abs(following - guess)
        if last_step <= STEP_MIN * guess:
            return following
        guess = following
    raise RateNotFound(reason="no convergence", steps=STEPS_MAX)


def _scanned(worth: Worth, *, step: Decimal) -> list[tuple[Decimal, Decimal]]:
    """Return pairs of discount factors with a root between them, of many factors looked at.

    Two roots closer together than the looks of this search are not told apart from none.
    """
    with localcontext(SOLVING) as context:
        context.prec = SCAN_DIGITS
        fine = step ** (Decimal(1) / SCAN_FINE)
        coarse = range(SCAN_FINE_STEPS, SCAN_STEPS_MAX + 1)
        below = [1 / step**power for power in reversed(coarse)]
        near = SCAN_FINE * SCAN_FINE_STEPS - 1
        factors = below + [fine**power for power in range(-near, near + 1)]
        factors += [step**power for power in coarse]
        signs = [(factor, value > 0) for factor in factors if (value := worth.at(factor)[0])]
    return [(low, high) for (low, before), (high, after) in pairwise(signs) if before != after]
