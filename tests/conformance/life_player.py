"""How the published steps of a loan's life become our operations."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from conformance.life_charges import CHARGES
from conformance.life_settings import terms_of
from fenqi.core.terms.amortise.settings import Unit
from fenqi.core.terms.life.life import Life, planned
from fenqi.core.terms.life.operations import (
    AddCharge,
    AddPeriods,
    ChangeRate,
    Chargeback,
    ChargeOff,
    Disburse,
    MoveDueDay,
    NightlyRun,
    Operation,
    PauseInterest,
    ReAge,
    ReAgeInterest,
    ReAmortise,
    ReAmortiseInterest,
    Receipt,
    Receive,
    RefundCash,
    RefundCredit,
    Terminate,
    Undo,
    WaiveCharge,
    WriteOff,
)
from fenqi.core.terms.life.payoff import payoff_minor
from fenqi.core.terms.life.state import Kind, Transaction
from fenqi.core.terms.life.terms import LifeTerms
from fenqi.core.terms.life.view import View

Step = Mapping[str, Any]

UNITS = {
    "DAYS": (1, Unit.DAYS),
    "WEEKS": (1, Unit.WEEKS),
    "MONTHS": (1, Unit.MONTHS),
    "YEARS": (12, Unit.MONTHS),
}
ONE_DAY = timedelta(days=1)
RECEIPTS = {
    "repayment": Receipt.REPAYMENT,
    "down_payment": Receipt.DOWN_PAYMENT,
    "goodwill_credit": Receipt.GOODWILL,
    "merchant_issued_refund": Receipt.MERCHANT_REFUND,
    "payout_refund": Receipt.PAYOUT_REFUND,
    "interest_payment_waiver": Receipt.INTEREST_WAIVER,
    "merchant issued refund": Receipt.MERCHANT_REFUND,
    "down payment": Receipt.DOWN_PAYMENT,
}
RE_AGE_INTEREST = {
    "DEFAULT": ReAgeInterest.DEFAULT,
    "EQUAL_AMORTIZATION_PAYABLE_INTEREST": ReAgeInterest.EQUAL_PAYABLE,
    "EQUAL_AMORTIZATION_FULL_INTEREST": ReAgeInterest.EQUAL_FULL,
}
RE_AMORTISE_INTEREST = {
    "DEFAULT": ReAmortiseInterest.DEFAULT,
    "EQUAL_AMORTIZATION_INTEREST_SPLIT": ReAmortiseInterest.EQUAL_SPLIT,
}


class NotPlayed(Exception):
    """A step that this player does not know."""


class Player:
    """Plays the steps of one life. `today` is the platform's business date."""

    def __init__(self, products: Mapping[str, Step]) -> None:
        self.products = products
        self.today = date.min
        self.loan: Step = {}
        self.futures: dict[tuple[str, str], str] = {}
        self.terms: LifeTerms | None = None
        self.life: Life | None = None
        self.processed: date | None = None  # the last day whose night was processed
        self.receipts: list[tuple[int, Receipt]] = []  # in the order they were made

    def play(self, step: Step) -> None:
        """Let one step happen. Errors: NotPlayed, or what the engine refuses."""
        act = ACTS.get(step["op"])
        if act is None:
            raise NotPlayed(step["op"])
        act(self, step)

    def view(self) -> View:
        """Return what stands, or what is planned before anything was lent."""
        if self.terms is None or self.life is None:
            raise NotPlayed("there is no loan yet")
        if self.is_lent:
            return self.life.view()
        principal = self.minor(self.loan["principal"])
        return planned(self.terms, principal, self.loan["submitted"])

    @property
    def is_lent(self) -> bool:
        """Whether anything has happened but the agreement."""
        return bool(self.life and self.life.walk.rows)

    @property
    def digits(self) -> int:
        """The decimal digits of the loan's currency."""
        return self.terms.interest.digits if self.terms else 2

    def minor(self, text: str) -> int:
        """Return an amount in minor units. Errors: NotPlayed if it is finer than those."""
        amount = Decimal(text).scaleb(self.digits)
        if amount != amount.to_integral_value():
            raise NotPlayed(f"{text} has more than {self.digits} decimals")
        return int(amount)

    def record(self, make: Callable[..., Operation], on: date | None = None, **more: Any) -> int:
        """Record an operation of today and return its number. Errors: NotPlayed, FenqiError."""
        if self.life is None:
            raise NotPlayed("there is no loan yet")
        number = len(self.life.recorded) + 1
        when = on or self.today
        self.life.record(make(number=number, on=when, booked_on=self.today, **more))
        return number


def _business_date(player: Player, step: Step) -> None:
    player.today = step["date"]


def _set_rule(player: Player, step: Step) -> None:
    player.futures[step["product"], step["transaction_type"]] = step["future_installments"]


def _create(player: Player, step: Step) -> None:
    product = player.products[step["product"]]
    futures = {
        kind: future for (name, kind), future in player.futures.items() if name == step["product"]
    }
    player.loan = step
    player.terms = terms_of(product, step, futures)
    player.life = Life(player.terms)


def _approve(player: Player, step: Step) -> None:
    if step["amount"] is not None:
        player.loan = {**player.loan, "principal": step["amount"]}


def _disburse(player: Player, step: Step) -> None:
    player.record(Disburse, step["date"], amount_minor=player.minor(step["amount"]))


def _receive(player: Player, step: Step) -> None:
    number = player.record(
        Receive,
        step["date"],
        receipt=RECEIPTS[step["op"]],
        amount_minor=player.minor(step["amount"]),
        refunds_interest=step.get("interest_refund_calculation"),
    )
    player.receipts.append((number, RECEIPTS[step["op"]]))


def _pay_off(player: Player, step: Step) -> None:
    assert player.life
    amount = payoff_minor(player.life, step["date"])
    number = player.record(Receive, step["date"], receipt=Receipt.REPAYMENT, amount_minor=amount)
    player.receipts.append((number, Receipt.REPAYMENT))


def _charge(player: Player, step: Step) -> None:
    percent = step.get("pct_of_principal_plus_interest")
    player.record(
        AddCharge,
        name=step["charge"],
        is_penalty=CHARGES[step["charge"]].is_penalty,
        due_on=step["due"],
        amount_minor=player.minor(step["amount"]) if percent is None else None,
        percent=None if percent is None else Decimal(percent),
    )


def _charge_number(player: Player, step: Step) -> int:
    assert player.life
    for operation in reversed(player.life.recorded):
        if isinstance(operation, AddCharge) and (
            "charge" not in step
            or (operation.name == step["charge"] and operation.due_on == step["due"])
        ):
            return operation.number
    raise NotPlayed("no such charge")


def _adjust(player: Player, step: Step) -> None:
    player.record(
        Receive,
        receipt=Receipt.CHARGE_ADJUSTMENT,
        amount_minor=player.minor(step["amount"]),
        charge=_charge_number(player, step),
    )


def _waive(player: Player, _: Step) -> None:
    """Let off the charge that the step's list ends with, on its due day if that is past.

    Only two lives have this. In one the charge was added first, in the other last; both times it is
    the first by due day, then by adding, so their list seems to run backwards by due day.
    """
    assert player.life
    charges = [one for one in player.life.recorded if isinstance(one, AddCharge)]
    charge = min(charges, key=lambda one: (one.due_on, one.number))
    player.record(WaiveCharge, min(charge.due_on, player.today), charge=charge.number)


def _chargeback(player: Player, step: Step) -> None:
    of, receipt = _receipt(player, step["of"], step.get("of_nth"))
    amount = player.minor(step["amount"])
    player.record(Chargeback, of=of, of_receipt=receipt, amount_minor=amount)


def _receipt(player: Player, which: str, nth: int | None) -> tuple[int, Receipt]:
    """Return a receipt by its kind and its place in the order of recording."""
    if which == "last_repayment_call":
        if not player.receipts:
            raise NotPlayed("nothing was received yet")
        return player.receipts[-1]
    receipt = RECEIPTS.get(which)
    if receipt is None:
        raise NotPlayed(f"no transactions are called {which!r}")
    assert player.life
    view = player.life.view()
    found = sorted(one.number for one in view.transactions if one.kind == receipt.value)
    if (nth or 1) > len(found):
        raise NotPlayed(f"no transaction {nth} of kind {which}")
    return found[(nth or 1) - 1], receipt


def _refund_credit(player: Player, step: Step) -> None:
    player.record(RefundCredit, step["date"], amount_minor=player.minor(step["amount"]))


def _refund_cash(player: Player, step: Step) -> None:
    player.record(RefundCash, step["date"], amount_minor=player.minor(step["amount"]))


def _undo(player: Player, step: Step) -> None:
    which = step["which"].lower()
    if "date" in step:
        found = _transaction_on(player, which, step["date"], step["nth"])
        _undo_transaction(player, found)
        return
    number, _ = _receipt(player, which, step["nth"])
    on = step.get("undo_date")
    if on is not None and on != _day_of(player, number):
        raise NotPlayed(f"{which} {step['nth']} is not of {on}")
    player.record(Undo, of=number)


def _day_of(player: Player, number: int) -> date:
    assert player.life
    return next(one.on for one in player.life.recorded if one.number == number)


def _transaction_on(player: Player, which: str, on: date, nth: int) -> Transaction:
    assert player.life
    there = [one for one in player.life.view().transactions if one.on == on]
    if which != "any_on_date":
        if which not in RECEIPTS:
            raise NotPlayed(f"no transactions are called {which!r}")
        there = [one for one in there if one.kind == RECEIPTS[which].value]
    if nth > len(there):
        raise NotPlayed(f"no transaction {nth} of kind {which} on {on}")
    return there[nth - 1]


def _undo_transaction(player: Player, transaction: Transaction) -> None:
    is_derived = transaction.kind in (Kind.DOWN_PAYMENT, Kind.INTEREST_REFUND)
    assert player.life
    cause = player.life.recorded[transaction.number - 1]
    if is_derived and not isinstance(cause, Receive):
        player.record(Undo, of=transaction.number, of_receipt=Receipt(transaction.kind.value))
    else:
        player.record(Undo, of=transaction.number)


def _undo_last(make: type[Operation]) -> Callable[[Player, Step], None]:
    """Return an act that takes back the last operation of a type."""

    def act(player: Player, step: Step) -> None:
        assert player.life
        undone = {one.of for one in player.life.recorded if isinstance(one, Undo)}
        for operation in reversed(player.life.recorded):
            if isinstance(operation, make) and operation.number not in undone:
                player.record(Undo, of=operation.number)
                return
        raise NotPlayed(step["op"])

    return act


def _undo_all(player: Player, _: Step) -> None:
    """Take back what was lent and, before it, all that came in since."""
    assert player.life
    undone = {one.of for one in player.life.recorded if isinstance(one, Undo)}
    for operation in reversed(list(player.life.recorded)):
        if isinstance(operation, Disburse | Receive) and operation.number not in undone:
            player.record(Undo, of=operation.number)


def _reschedule(player: Player, step: Step) -> None:
    on = step["from"]
    if step.get("grace_principal"):
        raise NotPlayed("grace on principal by reschedule")
    if not step.keys() & {"new_due_date", "new_annual_rate_pct", "extra_terms"}:
        raise NotPlayed("a reschedule of nothing")
    if step.get("new_due_date"):
        player.record(MoveDueDay, on, to=step["new_due_date"])
    if step.get("new_annual_rate_pct"):
        player.record(ChangeRate, on, rate=Decimal(step["new_annual_rate_pct"]) / 100)
    if step.get("extra_terms"):
        player.record(AddPeriods, on, count=step["extra_terms"])


def _pause(player: Player, step: Step) -> None:
    player.record(PauseInterest, step["from"], through=step["to"])


def _re_age(player: Player, step: Step) -> None:
    player.record(
        ReAge,
        every=step["every"] * UNITS[step["unit"]][0],
        unit=UNITS[step["unit"]][1],
        starts_on=step["start"],
        count=step["installments"],
        interest=RE_AGE_INTEREST[step.get("interest_handling") or "DEFAULT"],
    )


def _re_amortise(player: Player, step: Step) -> None:
    interest = RE_AMORTISE_INTEREST[step.get("interest_handling") or "DEFAULT"]
    player.record(ReAmortise, interest=interest)


def _charge_off(player: Player, step: Step) -> None:
    player.record(ChargeOff, step["date"])


def _write_off(player: Player, step: Step) -> None:
    player.record(WriteOff, step["date"])


def _terminate(player: Player, step: Step) -> None:
    player.record(Terminate, step.get("date"))


def _close(player: Player, _: Step) -> None:
    """The nightly processing catches up to the day before the business date, day by day.

    The first time there is nothing to catch up from. A loan that is closed has no nights.
    """
    assert player.life
    if not player.is_lent or player.life.walk.is_closed:
        return
    last = player.today - ONE_DAY
    night = last if player.processed is None else player.processed + ONE_DAY
    while night <= last:
        player.record(NightlyRun, night)
        night += ONE_DAY
    player.processed = last


ACTS: dict[str, Callable[[Player, Step], None]] = {
    "business_date": _business_date,
    "set_allocation_rule": _set_rule,
    "create_loan": _create,
    "approve": _approve,
    "disburse": _disburse,
    "repayment": _receive,
    "goodwill_credit": _receive,
    "merchant_issued_refund": _receive,
    "payout_refund": _receive,
    "interest_payment_waiver": _receive,
    "pay_off": _pay_off,
    "add_charge": _charge,
    "add_charge_pct": _charge,
    "charge_adjustment": _adjust,
    "waive_last_charge": _waive,
    "chargeback": _chargeback,
    "credit_balance_refund": _refund_credit,
    "refund_by_cash": _refund_cash,
    "undo": _undo,
    "undo_last_disbursal": _undo_last(Disburse),
    "undo_disbursal": _undo_all,
    "undo_charge_off": _undo_last(ChargeOff),
    "undo_re_age": _undo_last(ReAge),
    "undo_re_amortize": _undo_last(ReAmortise),
    "reschedule": _reschedule,
    "interest_pause": _pause,
    "re_age": _re_age,
    "re_amortize": _re_amortise,
    "charge_off": _charge_off,
    "write_off": _write_off,
    "terminate_contract": _terminate,
    "close_of_business": _close,
}
