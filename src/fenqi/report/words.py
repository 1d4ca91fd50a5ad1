"""Words for codes of figures, buckets, reasons, costs and requests, in the language of a reader.

The page and the terminal say the same ones. A code without a word is shown as it is.
"""

from collections.abc import Mapping

from fenqi.report.language import Speech


class Words:
    """The words of one language, by code."""

    def __init__(self, speech: Speech) -> None:
        self.bucket_words = _bucket_words(speech)
        self.bucket_days = _bucket_days(speech)
        self.left_out_words = _left_out_words(speech)
        self.request_words = _request_words(speech)
        self.paying_words = _paying_words(speech)
        self.figure_words = _figure_words(speech)
        self.cost_words = _cost_words(speech)
        self.asked_words = _asked_words(speech)


def _bucket_words(speech: Speech) -> tuple[str, ...]:
    _ = speech.gettext
    return (
        _("on time"),
        _("1\u201330 days"),
        _("31\u201360 days"),
        _("61\u201390 days"),
        _("91\u2013120 days"),
        _("121\u2013150 days"),
        _("151\u2013180 days"),
        _("over 180 days"),
    )


def _bucket_days(speech: Speech) -> tuple[str, ...]:
    """Return the days past due of each bucket, where a head says already that they are days."""
    bounds = ((1, 30), (31, 60), (61, 90), (91, 120), (121, 150), (151, 180))
    days = (f"{first}\u2013{last}" for first, last in bounds)
    return ("0", *days, speech.gettext("over 180"))


def _request_words(speech: Speech) -> Mapping[str, str]:
    """Return what customers ask for, by the event that grants it."""
    _ = speech.gettext
    return {
        "instalment-deferred": _("pay an instalment later"),
        "due-day-changed": _("pay on another day of the month"),
        "plan-extended": _("pay in more instalments"),
        "bill-split": _("pay a bill in instalments"),
        "plan-settled": _("pay everything early"),
        "contract-withdrawn": _("withdraw from a purchase"),
        "plan-contested": _("contest a purchase"),
    }


def _paying_words(speech: Speech) -> Mapping[str, str]:
    """Return what becomes of somebody who begins to pay differently."""
    _ = speech.gettext
    return {
        "asked-about": _("looked at"),
        "nudge": _("told a friendly word"),
        "relief": _("told what they may ask for"),
        "review": _("somebody asks how to help"),
        "smaller-limit": _("a smaller limit for a while"),
        "hold": _("purchases wait for hours"),
        "held-back": _("harm that was held back"),
        "cured": _("paid, and free again"),
    }


def _left_out_words(speech: Speech) -> Mapping[str, str]:
    _ = speech.gettext
    return {
        "no-customer": _("nobody is named as the customer"),
        "not-goods": _("a charge, not goods"),
        "price-not-positive": _("the price is not above zero"),
        "quantity-not-positive": _("the quantity is not above zero"),
        "amount-below-a-penny": _("worth less than a penny"),
        "duplicate": _("the same line a second time"),
        "bad-line": _("the line makes no sense"),
        "purchase-declined": _("the purchase was declined"),
        "refund-of-declined": _("return of a declined purchase"),
        "refund-unmatched": _("return of something never bought here"),
        "refund-worth-nothing": _("return that is worth nothing"),
        "refund-partly-unmatched": _("more units returned than bought; the rest is booked"),
        "refund-above-paid": _("returned above its price; what was paid is booked"),
    }


def _figure_words(speech: Speech) -> Mapping[str, str]:
    _ = speech.gettext
    return {
        "receivables": _("what customers owe"),
        "deferred_income_minor": _("income not yet earned"),
        "buckets": _("days past due"),
        "overdue": _("overdue shares"),
        "roll_rates": _("roll rates"),
        "bad_debt": _("bad debt"),
        "cash": _("cash"),
        "income": _("income"),
        "refunds": _("refunds"),
        "write_offs": _("write-offs"),
        "recoveries": _("recoveries"),
        "purchases": _("purchase decisions"),
        "requests": _("what customers asked for"),
        "paying": _("customers who began to pay differently"),
        "liabilities": _("what we owe"),
        "statements": _("statements"),
        "plans": _("plans"),
        "months": _("months"),
        "vintages": _("vintage curves"),
        "largest_past_due": _("largest accounts past due"),
        "exceptions": _("lines of declined purchases"),
    }


def _cost_words(speech: Speech) -> Mapping[str, str]:
    """Return what kinds of cost, what they are taken of, and for what time, are called."""
    _ = speech.gettext
    return {
        "flat-fee": _("flat fee"),
        "interest": _("interest"),
        "late-charge": _("late charge"),
        "deferral-fee": _("fee of a deferral"),
        "extension-fee": _("fee of an extension"),
        "original-principal": _("original principal"),
        "remaining-principal": _("remaining principal"),
        "overdue-amount": _("overdue amount"),
        "deferred-instalment": _("deferred instalment"),
        "principal-to-come": _("principal to come"),
        "instalment": _("instalment"),
        "year": _("year"),
        "day": _("day"),
        "deferral": _("deferral"),
    }


def _asked_words(speech: Speech) -> Mapping[str, str]:
    """Return what is asked for of a plan, by the operation that would be booked."""
    _ = speech.gettext
    return {
        "settle": _("early settlement"),
        "defer": _("deferral"),
        "change-due-day": _("another due day"),
        "extend": _("extension"),
        "bill-instalment": _("bill instalment"),
        "withdraw": _("withdrawal"),
        "refund": _("refund"),
    }
