"""Solving: the discount factor that makes a stream of money worth nothing.

Every yearly rate of this house is found here, so every machine prints the same digits: decimal
arithmetic of a fixed precision, a search outwards from a rate of zero for a bracket, then Newton's
method kept inside it by bisection. A stream that has no rate, or more than one, is refused with
its values.
"""

from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, localcontext
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
SCAN_STEPS_MAX = 80  # to each side of a rate of zero, half a factor of e over the whole life each


class RateNotFound(Invalid):
    """No yearly rate makes these payments worth what was lent."""

    code = "rate-not-found"


class RateNotUnique(Invalid):
    """More than one yearly rate makes these payments worth what was lent; none of them is meant."""

    code = "rate-not-unique"


class Worth(Protocol):
    """The present worth of money as a function of the discount factor of one unit of time."""

    def at(self, discount: Decimal) -> tuple[Decimal, Decimal]:
        """Return the worth and its slope."""
        ...


def root(worth: Worth, *, span: Fraction, sign_changes: int) -> Decimal:
    """Return the one discount factor v = 1 / (1 + rate per unit of time) at which `worth` is zero.

    Money that changes its direction once, a loan, has exactly one and it is not searched for
    others. The worth of a loan rises with v and Newton starts right of the root.

    Units: `span` is the time from the first money to the last, above zero; `sign_changes` says how
    often the money, in order of time, turns from out to in or back, at least once.
    Errors: RateNotFound, RateNotUnique.
    """
    with localcontext(SOLVING):
        step = 1 + decimal(1 / span)
        if sign_changes > 1:
            _refuse_second_root(worth, step=step, sign_changes=sign_changes)
        return _solve(worth, *_bracket(worth, step=step))


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

    A Newton step is taken if it stays inside and is at most half the last one, else a bisection.
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
        following = tried if is_quick else (low + high) / 2
        last_step = abs(following - guess)
        if last_step <= STEP_MIN * guess:
            return following
        guess = following
    raise RateNotFound(reason="no convergence", steps=STEPS_MAX)


def _refuse_second_root(worth: Worth, *, step: Decimal, sign_changes: int) -> None:
    """Refuse money that is worth nothing at more than one of many discount factors looked at.

    Two roots closer together than the steps of this search are not told apart from none.
    Errors: RateNotUnique.
    """
    with localcontext(SOLVING) as context:
        context.prec = SCAN_DIGITS
        half = step.sqrt()
        factors = [half**power for power in range(-SCAN_STEPS_MAX, SCAN_STEPS_MAX + 1)]
        signs = [value > 0 for value in (worth.at(one)[0] for one in factors) if value]
        roots = sum(before != after for before, after in pairwise(signs))
    if roots > 1:
        raise RateNotUnique(sign_changes=sign_changes, rates=roots)
