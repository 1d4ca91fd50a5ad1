"""A mapping says how a lender's file of invoice lines is read: MAP.toml as a checked value.

Every key is known and typed; a typo is an error that names the file, the key and what is allowed
there. `docs/reference/mapping.md` documents each key.
"""

import re
from collections.abc import Mapping as AnyMapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from zoneinfo import ZoneInfo

from fenqi.core.values.money import CURRENCIES, Currency
from fenqi.core.values.phrase import Phrase
from fenqi.core.values.place import Place, key_place
from fenqi.core.values.toml import NotToml, table_of
from fenqi.replay.keys import Keys, MappingInvalid

FORMAT = 1
SEED_MAX = 2**63 - 1
AMOUNT_MINOR_MAX = 10**15  # far above any invoice, and sums of a thousand still fit 64 bits
FILTERS_MAX = 50
VALUES_MAX = 1_000
CHOICES_MAX = 20
PARTS_MAX = 60
DAYS_AFTER_LAST_MAX = 3_660
FILE_BYTES_MAX = 1_000_000
A_TIME = datetime(2024, 1, 31, 16, 30)  # noqa: DTZ001 - tries a format, is no instant


class Column(StrEnum):
    """What a line must say, and `amount`, which follows from quantity and price."""

    INVOICE = "invoice"
    ITEM = "item"
    QUANTITY = "quantity"
    PRICE = "price"
    AT = "at"
    CUSTOMER = "customer"
    AMOUNT = "amount"


class Condition(StrEnum):
    """What a filter asks of a line."""

    MISSING = "missing"
    POSITIVE = "positive"
    NOT_POSITIVE = "not-positive"
    ONE_OF = "one-of"
    STARTS_WITH = "starts-with"
    REPEATED = "repeated"


class Lines(StrEnum):
    """Which lines a filter looks at."""

    ALL = "all"
    PURCHASES = "purchases"
    CANCELLATIONS = "cancellations"


class LimitRule(StrEnum):
    """How a person's credit limit is found."""

    FIXED = "fixed"
    FIRST_PURCHASE = "first-purchase"


@dataclass(frozen=True, slots=True)
class Filter:
    """Lines that meet `condition` are left out and reported under `reason`."""

    reason: str
    condition: Condition
    lines: Lines
    column: Column | None
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Limit:
    """The credit-limit rule.

    FIXED gives everyone `amount_minor`. FIRST_PURCHASE gives `times` the first purchase, rounded
    up to `step_minor`, but at least `floor_minor` and at most `cap_minor`.
    """

    rule: LimitRule
    amount_minor: int
    times: int
    step_minor: int
    floor_minor: int
    cap_minor: int

    def of(self, first_purchase_minor: int) -> int:
        """Return the limit of a person whose first purchase is this large, in minor units."""
        if self.rule is LimitRule.FIXED:
            return self.amount_minor
        steps = -(-first_purchase_minor * self.times // self.step_minor)
        return min(max(steps * self.step_minor, self.floor_minor), self.cap_minor)


@dataclass(frozen=True, slots=True)
class PlanChoice:
    """One way to repay a purchase, and how often it is chosen relative to the others."""

    product: str
    count: int
    weight: int


@dataclass(frozen=True, slots=True)
class Mapping:
    """Everything MAP.toml says; see `docs/reference/mapping.md`."""

    currency: Currency
    zone: ZoneInfo
    merchant: str
    columns: AnyMapping[Column, str]
    time_format: str
    delimiter: str
    encoding: str
    cancellation_prefix: str
    filters: tuple[Filter, ...]
    limit: Limit
    accounts_seed: int
    statement_days: tuple[int, ...]
    plans_seed: int
    plans: tuple[PlanChoice, ...]
    payments_seed: int
    days_after_last: int

    @classmethod
    def read(cls, table: AnyMapping[str, object], file: str) -> "Mapping":
        """Return the mapping in a parsed TOML `table`; `file` is named in errors.

        Errors: MappingInvalid with file, key, value and what is allowed.
        """
        top = Keys(
            table,
            file,
            "",
            "format book file columns cancellations filters limit accounts plans payments",
        )
        top.number("format", least=FORMAT, most=FORMAT)
        book = top.table("book", "currency zone merchant")
        layout = top.table("file", "time_format delimiter encoding", optional=True)
        accounts = top.table("accounts", "seed statement_days")
        plans = top.table("plans", "seed choices")
        payments = top.table("payments", "seed days_after_last")
        cancellations = top.table("cancellations", "prefix")
        return cls(
            currency=CURRENCIES[book.one_of("currency", sorted(CURRENCIES))],
            zone=_zone(book),
            merchant=book.text("merchant"),
            columns=_columns(top),
            time_format=_time_format(layout),
            delimiter=_delimiter(layout),
            encoding=_encoding(layout),
            cancellation_prefix=cancellations.text("prefix"),
            filters=tuple(_filter(keys) for keys in top.tables("filters", _FILTER, FILTERS_MAX)),
            limit=_limit(top),
            accounts_seed=accounts.number("seed", least=0, most=SEED_MAX),
            statement_days=_statement_days(accounts),
            plans_seed=plans.number("seed", least=0, most=SEED_MAX),
            plans=_choices(plans),
            payments_seed=payments.number("seed", least=0, most=SEED_MAX),
            days_after_last=payments.number("days_after_last", least=0, most=DAYS_AFTER_LAST_MAX),
        )


_OURS = ("refund-", "bad-line", "purchase-declined")  # reasons that fenqi itself gives
_FILTER = "reason is lines column values"
_TEXT_COLUMNS = (Column.INVOICE, Column.ITEM, Column.CUSTOMER)
_NUMBER_COLUMNS = (Column.QUANTITY, Column.PRICE, Column.AMOUNT)
_FILE_COLUMNS = tuple(column for column in Column if column is not Column.AMOUNT)
_COLUMNS_OF = {
    Condition.MISSING: _FILE_COLUMNS,
    Condition.POSITIVE: _NUMBER_COLUMNS,
    Condition.NOT_POSITIVE: _NUMBER_COLUMNS,
    Condition.ONE_OF: _TEXT_COLUMNS,
    Condition.STARTS_WITH: _TEXT_COLUMNS,
}


def read_mapping(path: Path) -> Mapping:
    """Return the mapping in the TOML file at `path`.

    Errors: MappingInvalid, naming line and column.
    """
    text = _text_of(path)
    try:
        table = table_of(text)
    except NotToml as error:
        raise MappingInvalid(file=str(path), **error.place, problem=error.said) from error
    try:
        return Mapping.read(table, str(path))
    except MappingInvalid as refusal:
        place = key_place(text, str(refusal.fields["key"]))
        raise MappingInvalid(**place, **refusal.fields) from refusal


def place_of(path: Path, key: str) -> Place:
    """Return where the mapping at `path` sets `key`; nothing if it cannot be read again."""
    with suppress(MappingInvalid):
        return key_place(_text_of(path), key)
    return {}


def _text_of(path: Path) -> str:
    """Return the text of a mapping file. Errors: MappingInvalid."""
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
        text = content.decode("utf-8-sig").replace("\r\n", "\n")
    except OSError as error:
        raise MappingInvalid(file=str(path), problem=error.strerror) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        column = error.start - (error.object.rfind(b"\n", 0, error.start) + 1) + 1
        raise MappingInvalid(
            file=str(path), line=line, column=column, problem="it is not written in UTF-8"
        ) from error
    if len(content) > FILE_BYTES_MAX:
        problem = Phrase("it is larger than {most} bytes", most=FILE_BYTES_MAX)
        raise MappingInvalid(file=str(path), problem=problem)
    return text


def _zone(book: Keys) -> ZoneInfo:
    name = book.text("zone")
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, not a plain name, or a folder of zones
        book.refuse("zone", "the name of a time zone, such as Europe/London")


def _columns(top: Keys) -> dict[Column, str]:
    keys = top.table("columns", " ".join(_FILE_COLUMNS))
    columns: dict[Column, str] = {column: keys.text(column.value) for column in _FILE_COLUMNS}
    names = list(columns.values())
    for column in (Column.QUANTITY, Column.PRICE, Column.AT):
        # A text may serve twice; a price that is also a time, or the quantity, is a slip.
        if names.count(columns[column]) > 1:
            keys.refuse(column.value, "a column that no other key names")
    return columns


def _time_format(layout: Keys) -> str:
    form = layout.text("time_format", default="iso")
    if form == "iso":
        return form
    read = None
    with suppress(ValueError):
        read = datetime.strptime(A_TIME.strftime(form), form).date()  # noqa: DTZ007 - as A_TIME
    if read != A_TIME.date():
        layout.refuse("time_format", "iso, or a format of a whole day such as %d/%m/%Y %H:%M")
    return form


def _delimiter(layout: Keys) -> str:
    delimiter = layout.text("delimiter", default=",")
    if len(delimiter) != 1 or delimiter in '"\r\n':
        layout.refuse("delimiter", "one character that is neither a quote nor a line end")
    return delimiter


def _encoding(layout: Keys) -> str:
    encoding = layout.text("encoding", default="utf-8")
    try:
        b"".decode(encoding)
        " ".encode(encoding)
    except (LookupError, UnicodeError):
        layout.refuse("encoding", "a text encoding, such as utf-8 or latin-1")
    # A byte order mark is no part of the first column's name.
    return "utf-8-sig" if encoding.lower() in ("utf-8", "utf8") else encoding


def _filter(keys: Keys) -> Filter:
    reason = keys.text("reason")
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,39}", reason) or reason.startswith(_OURS):
        keys.refuse(
            "reason",
            "a code such as no-customer; refund-... belongs to the matching, bad-line to us",
        )
    condition = keys.choice("is", Condition)
    lines = keys.choice("lines", Lines, default=Lines.ALL)
    if condition is Condition.REPEATED:
        keys.absent("column", "nothing: a line is repeated if all its columns are")
        keys.absent("values", "nothing: only one-of and starts-with compare")
        return Filter(reason, condition, lines, None, ())
    column = Column(keys.one_of("column", [c.value for c in _COLUMNS_OF[condition]]))
    if condition in (Condition.ONE_OF, Condition.STARTS_WITH):
        return Filter(reason, condition, lines, column, keys.texts("values", VALUES_MAX))
    keys.absent("values", "nothing: only one-of and starts-with compare")
    return Filter(reason, condition, lines, column, ())


def _limit(top: Keys) -> Limit:
    keys = top.table("limit", "rule amount_minor times step_minor floor_minor cap_minor")
    rule = keys.choice("rule", LimitRule)

    def amount(key: str, least: int = 1) -> int:
        return keys.number(key, least=least, most=AMOUNT_MINOR_MAX)

    if rule is LimitRule.FIXED:
        for key in ("times", "step_minor", "floor_minor", "cap_minor"):
            keys.absent(key, "nothing: the rule fixed has amount_minor only")
        return Limit(rule, amount("amount_minor"), 0, 1, 0, 0)
    keys.absent("amount_minor", "nothing: it belongs to the rule fixed")
    floor = amount("floor_minor")
    return Limit(
        rule=rule,
        amount_minor=0,
        times=keys.number("times", least=1, most=100),
        step_minor=amount("step_minor"),
        floor_minor=floor,
        cap_minor=amount("cap_minor", least=floor),
    )


def _statement_days(accounts: Keys) -> tuple[int, ...]:
    days = accounts.numbers("statement_days", 31)
    if any(day not in (*range(1, 29), 31) for day in days):
        accounts.refuse("statement_days", "days from 1 to 28, or 31 for the month's last day")
    return days


def _choices(plans: Keys) -> tuple[PlanChoice, ...]:
    choices = plans.tables("choices", "product count weight", CHOICES_MAX)
    if not choices:
        plans.refuse("choices", "at least one [[plans.choices]]")
    return tuple(
        PlanChoice(
            product=keys.text("product"),
            count=keys.number("count", least=1, most=PARTS_MAX),
            weight=keys.number("weight", least=1, most=1_000_000),
        )
        for keys in choices
    )
