"""What a decision is about, what it may lead to, and what is kept of it."""

from enum import StrEnum


class DecisionKind(StrEnum):
    """What is decided."""

    APPLICATION = "application"
    PURCHASE = "purchase"
    LIMIT = "limit"
    PRICE = "price"
    ACCESS = "access"  # a login; a device, phone, card or address change
    REPAYMENT = "repayment"  # a change in how the customer pays


class Effect(StrEnum):
    """What a rule may lead to, mildest first; a call for early repayment is never one of them."""

    NUDGE = "nudge"
    RELIEF = "relief"  # told what may be asked for where paying is hard
    STEP_UP = "step-up"
    COOLER_MENU = "cooler-menu"
    SMALLER_LIMIT = "smaller-limit"
    DEARER_PRICE = "dearer-price"
    REVIEW = "review"
    HOLD = "hold"
    FREEZE = "freeze"
    DECLINE = "decline"


LADDER = tuple(Effect)
# What a customer is told of with reasons (P3), and what an unknown input never leads to.
HARMFUL = frozenset(
    {
        Effect.SMALLER_LIMIT,
        Effect.DEARER_PRICE,
        Effect.HOLD,
        Effect.FREEZE,
        Effect.DECLINE,
    }
)
