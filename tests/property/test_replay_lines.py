"""Whatever a file holds: every line is accounted for, refunds stay inside what was paid."""

import csv
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fenqi.replay.facts import Opening, Purchase, Refund
from fenqi.replay.lines import Entry, times
from fenqi.replay.mapping import read_mapping
from fenqi.replay.matching import Shortfall, match
from fenqi.replay.source import LineUnreadable, Stream, load

MAPPING = read_mapping(Path(__file__).parents[2] / "examples" / "online_retail.toml")
HEADING = ("InvoiceNo", "StockCode", "Quantity", "UnitPrice", "InvoiceDate", "CustomerID")
Row = tuple[str, str, int, str, str, str]

START = datetime(2011, 3, 1, tzinfo=UTC)

prices = st.decimals("0.001", "30", places=3, allow_nan=False)
cells = st.tuples(
    st.sampled_from(["1", "2", "3", "C4", "C5", "C6"]),
    st.sampled_from(["CUP", "TEA", "D"]),
    st.integers(-4, 6),
    st.sampled_from(["0.10", "1.005", "2.55", "0.00"]),
    st.sampled_from(["2011-03-01 10:00", "2011-03-02 10:00", "2011-03-03 10:00"]),
    st.sampled_from(["ann", "ann", "ann", ""]),
)
sound = cells.filter(lambda row: not makes_no_sense(row))


@st.composite
def entries(draw: st.DrawFn, prefix: str) -> list[Entry]:
    found = []
    for number in range(draw(st.integers(0, 8))):
        quantity, price = draw(st.integers(1, 9)), draw(prices)
        entry = Entry(
            number=number + (100 if prefix else 0),
            invoice=f"{prefix}{number}",
            item=draw(st.sampled_from(["CUP", "TEA"])),
            quantity=quantity,
            price=price,
            at=START + timedelta(days=draw(st.integers(0, 5))),
            customer=draw(st.sampled_from(["ann", "bob"])),
            amount_minor=times(price, quantity, digits=2),
        )
        if entry.amount_minor:
            found.append(entry)
    return found


@given(purchases=entries(""), cancellations=entries("C"))
def test_refunds_take_latest_first_what_is_left_and_paid(
    purchases: list[Entry], cancellations: list[Entry]
) -> None:
    takes, shorts = match(purchases, cancellations, digits=2)

    left = {entry.number: entry.quantity for entry in purchases}
    paid = {entry.number: entry.amount_minor for entry in purchases}
    asked = {entry.number: entry.amount_minor for entry in cancellations}
    for take in takes:
        bought, taken = take.purchase, take.cancellation
        assert (bought.customer, bought.item) == (taken.customer, taken.item)
        assert bought.at <= taken.at
        left[bought.number] -= take.quantity
        paid[bought.number] -= take.amount_minor
        asked[taken.number] -= take.amount_minor
    assert min(left.values(), default=0) >= 0
    assert min(paid.values(), default=0) >= 0
    assert min(asked.values(), default=0) >= 0
    why = {short.cancellation.number: short.why for short in shorts}
    assert why.keys() >= {number for number, rest in asked.items() if rest}
    # Units without money: the money of a line can be used up by a part of its cheapest units.
    assert {why[number] for number in why if not asked[number]} <= {Shortfall.PARTLY_UNMATCHED}


@given(purchases=entries(""), cancellations=entries("C"))
def test_a_purchase_is_touched_only_when_every_later_one_is_used_up(
    purchases: list[Entry], cancellations: list[Entry]
) -> None:
    dear = [
        entry._replace(price=Decimal(99), amount_minor=9900 * entry.quantity)
        for entry in cancellations
    ]

    takes, _ = match(purchases, dear, digits=2)

    left = {entry.number: entry.quantity for entry in purchases}
    for take in takes:
        bought, taken = take.purchase, take.cancellation
        later = [
            other
            for other in purchases
            if (other.customer, other.item) == (bought.customer, bought.item)
            and (bought.at, bought.number) < (other.at, other.number)
            and other.at <= taken.at
        ]
        # Units worth less than a penny can be used up without money, unseen here.
        cheap = {other.number for other in later if other.amount_minor < other.quantity}
        assert all(left[other.number] == 0 or other.number in cheap for other in later)
        left[bought.number] -= take.quantity


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), prices)
def test_a_purchase_returned_in_any_parts_gives_back_all_that_was_paid(
    parts: list[int], price: Decimal
) -> None:
    quantity = sum(parts)
    bought = Entry(1, "1", "CUP", quantity, price, START, "ann", times(price, quantity, digits=2))
    back = [
        Entry(number + 2, f"C{number}", "CUP", part, Decimal(99), START, "ann", 9900 * part)
        for number, part in enumerate(parts)
    ]

    takes, _ = match([bought], back, digits=2)

    assert sum(take.amount_minor for take in takes) == bought.amount_minor


def loaded(rows: list[Row]) -> Stream:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "lines.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([HEADING, *rows])
        return load(path, MAPPING)


def makes_no_sense(row: Row) -> bool:
    """Return whether no filter names the row and its sign is wrong; nothing else can be here."""
    invoice, item, quantity, price, _, customer = row
    is_filtered = customer == "" or item == "D" or price == "0.00"
    return invoice.startswith("C") and quantity >= 0 and not is_filtered


@settings(deadline=None)
@given(st.lists(cells, min_size=1, max_size=25).filter(lambda rows: any(map(makes_no_sense, rows))))
def test_a_senseless_line_stops_the_load_at_the_first_such_line(rows: list[Row]) -> None:
    first = next(number for number, row in enumerate(rows, start=2) if makes_no_sense(row))

    with pytest.raises(LineUnreadable) as caught:
        loaded(rows)

    assert caught.value.fields["line"] == first


@settings(deadline=None)
@given(st.lists(sound, min_size=1, max_size=25))
def test_every_line_is_booked_or_excepted(rows: list[Row]) -> None:
    stream = loaded(rows)

    booked = Counter(
        line for fact in stream.facts if isinstance(fact, Purchase) for line in fact.lines
    )
    returned = {line for fact in stream.facts if isinstance(fact, Refund) for line in fact.lines}
    excepted = Counter(row.line for row in stream.exceptions)
    assert booked.keys() | returned | excepted.keys() == set(range(2, len(rows) + 2))
    assert max([*booked.values(), *excepted.values()], default=1) == 1
    assert not booked.keys() & (returned | excepted.keys())
    tally = stream.tally
    assert tally.total == len(rows)
    assert tally.booked + sum(tally.partly.values()) + sum(tally.left_out.values()) == tally.total
    assert sum(tally.partly.values()) == len(returned & excepted.keys())


@settings(deadline=None, max_examples=50)
@given(st.lists(sound, min_size=1, max_size=25))
def test_no_purchase_is_refunded_above_its_amount_or_before_it(rows: list[Row]) -> None:
    stream = loaded(rows)

    open_minor: defaultdict[str, int] = defaultdict(int)
    opened: set[str] = set()
    for fact in stream.facts:
        match fact:
            case Opening():
                opened.add(fact.person)
            case Purchase():
                assert fact.person in opened
                open_minor[fact.key] = fact.amount_minor
            case Refund():
                open_minor[fact.purchase_key] -= fact.amount_minor
                assert fact.amount_minor > 0
                assert open_minor[fact.purchase_key] >= 0


@given(
    price=st.decimals("0", "99999", allow_nan=False, places=7),
    quantity=st.integers(0, 10**6),
    digits=st.integers(0, 3),
)
def test_an_amount_is_the_exact_product_rounded_half_up(
    price: Decimal, quantity: int, digits: int
) -> None:
    wide = Context(prec=60, rounding=ROUND_HALF_UP)
    exact = wide.multiply(price, Decimal(quantity).scaleb(digits, wide))

    assert times(price, quantity, digits=digits) == int(exact.to_integral_value(context=wide))
