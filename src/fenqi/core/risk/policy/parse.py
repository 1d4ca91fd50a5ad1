"""A condition's text becomes a checked tree: units agree, names are known, words are choices.

    truth  = join { "or" join }            join = not { "and" not }       not = "not" not | test
    test   = sum [ order sum | "between" sum "and" sum | "in" "(" item { "," item } ")"
                 | "is" ("known" | "unknown") ]
    sum    = product { ("+" | "-") product }      product = sign { ("*" | "//") sign }
    sign   = "-" sign | number [unit] | name | word in quotes | call | "(" truth ")"
    call   = ("min" | "max" | "part" | "share") "(" truth "," truth { "," truth } ")"

A cell of a table is the second half of a test, about the expression of its column.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from difflib import get_close_matches
from typing import NamedTuple

from fenqi.core.risk.input import Input, Vocabulary
from fenqi.core.risk.policy.expression import (
    LEAST,
    MOST,
    All,
    Always,
    Among,
    Any,
    Compared,
    Computed,
    Flag,
    Known,
    Named,
    Node,
    Not,
    Number,
    Order,
    Sum,
    Term,
    Truth,
    computed,
)
from fenqi.core.risk.policy.fault import PolicyInvalid
from fenqi.core.risk.policy.kinds import (
    ANY,
    CALLS,
    LITERALS,
    NO,
    NUMERIC,
    RESERVED,
    SECONDS_PER_DAY,
    YES,
    Kind,
    kind_of,
)
from fenqi.core.risk.policy.tokens import Sort, Token, tokens
from fenqi.core.values.money import CURRENCIES
from fenqi.core.values.phrase import Phrase

DEPTH_MAX = 24  # of parentheses, calls and nots inside one another


class Piece(NamedTuple):
    """A parsed part of a condition and where it stands."""

    node: Node
    kind: Kind
    start: int
    end: int
    word: str = ""


class Parsed(NamedTuple):
    """A condition and the currencies its amounts are written in."""

    truth: Truth
    currencies: frozenset[str]


class Column(NamedTuple):
    """The expression every cell of a column is about."""

    text: str
    piece: Piece
    currencies: frozenset[str]


def parse(text: str, vocabulary: Vocabulary) -> Parsed:
    """Return the condition a text says.

    Errors: PolicyInvalid with `said` and `fault`.
    """
    parser = _Parser(text, vocabulary)
    truth = parser.truth_of(parser.expression())
    parser.done()
    return Parsed(truth, frozenset(parser.currencies))


def parse_column(text: str, vocabulary: Vocabulary) -> Column:
    """Return the expression of a table's column. Errors: PolicyInvalid."""
    parser = _Parser(text, vocabulary)
    piece = parser.sum()
    parser.done()
    if piece.kind in (Kind.TRUTH, Kind.WORD):
        raise parser.refusal(
            piece, Phrase("a column is a value; this is {kind}", kind=Phrase(piece.kind.value))
        )
    # In the text of a cell the column's expression has no place.
    return Column(text, piece._replace(start=0, end=0), frozenset(parser.currencies))


def parse_cell(text: str, column: Column, vocabulary: Vocabulary) -> Parsed:
    """Return the condition a cell says of its column. Errors: PolicyInvalid."""
    parser = _Parser(text, vocabulary)
    first = parser.token
    if first.text in ANY or first.sort is Sort.END:
        parser.take()
        truth: Truth = Always()
    elif column.piece.kind is Kind.FLAG and first.text in YES + NO:
        parser.take()
        flag = parser.truth_of(column.piece)
        truth = flag if first.text in YES else Not(flag)
    else:
        tested = parser.tail(column.piece)
        if tested is column.piece:
            fault = Phrase("a cell is a comparison such as >= 3, a list, yes, no or any")
            raise parser.refusal_here(fault)
        truth = parser.truth_of(tested)
    if first.sort is not Sort.END:
        parser.done()
    return Parsed(truth, frozenset(parser.currencies))


class _Parser:
    """Reads one text from left to right."""

    def __init__(self, text: str, vocabulary: Vocabulary) -> None:
        self._text = text
        self._vocabulary = vocabulary
        self._tokens = list(tokens(text))
        self._place = 0
        self._depth = 0
        self.currencies: set[str] = set()

    @property
    def token(self) -> Token:
        return self._tokens[self._place]

    def take(self) -> Token:
        token = self.token
        self._place = min(self._place + 1, len(self._tokens) - 1)
        return token

    def done(self) -> None:
        if self.token.sort is not Sort.END:
            raise self.refusal_here(
                Phrase("nothing may follow here, but {text} does", text=self.token.text)
            )

    def refusal(self, piece: Piece, fault: str) -> PolicyInvalid:
        said = self._text[piece.start : piece.end]
        return PolicyInvalid(said=said, at=piece.start + 1, fault=fault)

    def refusal_here(self, fault: str) -> PolicyInvalid:
        said = self._text.strip() or Phrase("(nothing)")
        return PolicyInvalid(said=said, at=self.token.start + 1, fault=fault)

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            fault = Phrase(
                "more than {most} parentheses, calls, nots and signs in one another", most=DEPTH_MAX
            )
            raise self.refusal_here(fault)

    def truth_of(self, piece: Piece) -> Truth:
        """Return a piece where yes or no is needed."""
        if piece.kind is Kind.FLAG and isinstance(piece.node, Named):
            return Flag(piece.node)
        if piece.kind is not Kind.TRUTH or isinstance(piece.node, Named | Number | Computed):
            kind = Phrase(piece.kind.value)
            fault = Phrase("yes or no is needed here; this is {kind}: compare it", kind=kind)
            raise self.refusal(piece, fault)
        return piece.node

    def expression(self) -> Piece:
        self._deeper()
        piece = self._joined("or", Any, lambda: self._joined("and", All, self._negated))
        self._depth -= 1
        return piece

    def _joined(
        self, word: str, join: Callable[[tuple[Truth, ...]], Truth], inner: Callable[[], Piece]
    ) -> Piece:
        first = inner()
        if not self._is_word(word):
            return first
        parts = [self.truth_of(first)]
        last = first
        while self._is_word(word):
            self.take()
            last = inner()
            parts.append(self.truth_of(last))
        return Piece(join(tuple(parts)), Kind.TRUTH, first.start, last.end)

    def _negated(self) -> Piece:
        if not self._is_word("not"):
            return self.tail(self.sum())
        start = self.take().start
        self._deeper()
        inner = self._negated()
        self._depth -= 1
        return Piece(Not(self.truth_of(inner)), Kind.TRUTH, start, inner.end)

    def tail(self, left: Piece) -> Piece:
        """Return the test that follows a value, or the value if none does."""
        token = self.token
        if token.sort is Sort.SIGN and token.text in {one.value for one in Order}:
            self.take()
            truth, last = self._compared(left, Order(token.text), self.sum())
        elif self._is_word("between"):
            self.take()
            low = self.sum()
            if not self._is_word("and"):
                raise self.refusal_here(Phrase("between needs two ends: between 3 and 5"))
            self.take()
            high = self.sum()
            first, _ = self._compared(left, Order.MORE_OR_EQUAL, _in_unit_of(high, low))
            second, last = self._compared(left, Order.LESS_OR_EQUAL, high)
            truth = All((first, second))
        elif self._is_word("in"):
            truth, last = self._among(left)
        elif self._is_word("is"):
            truth, last = self._known(left)
        else:
            return left
        after = self.token
        if after.sort is Sort.SIGN and after.text in {one.value for one in Order}:
            raise self.refusal_here(Phrase("comparisons are not chained; write: x between 3 and 5"))
        return Piece(truth, Kind.TRUTH, left.start, last)

    def _compared(self, left: Piece, order: Order, right: Piece) -> tuple[Truth, int]:
        whole = Piece(right.node, Kind.TRUTH, min(left.start, right.start), right.end)
        is_equality = order in (Order.EQUAL, Order.UNEQUAL)
        first, second = left, right
        if Kind.FLAG in (left.kind, right.kind):
            flag = left if left.kind is Kind.FLAG else right
            name = flag.node.name if isinstance(flag.node, Named) else "it"
            raise self.refusal(
                whole, Phrase("{name} is yes or no already: write {name} or not {name}", name=name)
            )
        if Kind.CHOICE in (left.kind, right.kind):
            if not is_equality:
                fault = Phrase("a choice has no order; compare it with == or !=, or use in")
                raise self.refusal(whole, fault)
            if left.kind is Kind.WORD:
                first, second = right, left
            second = self._choice(first, second)
        else:
            first, second, _ = self._agreed(first, second, whole)
        return Compared(order, _term(first), _term(second)), right.end

    def _choice(self, choice: Piece, word: Piece) -> Piece:
        """Return a word as the number of a choice."""
        if word.kind is not Kind.WORD or not isinstance(choice.node, Named):
            other = word if choice.kind is Kind.CHOICE else choice
            fault = Phrase(
                "a choice is compared with a word in quotes, not {kind}",
                kind=Phrase(other.kind.value),
            )
            raise self.refusal(other, fault)
        choices = self._vocabulary[choice.node.name].choices
        if word.word not in choices:
            raise self.refusal(word, _never(choice.node.name, word.word, choices))
        number = Number(choices.index(word.word), f'"{word.word}"')
        return Piece(number, Kind.CHOICE, word.start, word.end)

    def _agreed(self, left: Piece, right: Piece, whole: Piece) -> tuple[Piece, Piece, Kind]:
        """Return two pieces in one unit, or refuse them with both units named."""
        for piece in (left, right):
            if piece.kind not in NUMERIC:
                raise self.refusal(
                    piece,
                    Phrase(
                        "a number is needed here; this is {kind}", kind=Phrase(piece.kind.value)
                    ),
                )
        if left.kind is right.kind:
            return left, right, left.kind
        if right.kind is Kind.TIME and left.kind in (Kind.DAYS, Kind.SECONDS):
            return left, self._in_days(right, left.kind), left.kind
        if left.kind is Kind.TIME and right.kind in (Kind.DAYS, Kind.SECONDS):
            return self._in_days(left, right.kind), right, right.kind
        plain = (Kind.COUNT, Kind.POINTS)
        if right.kind is Kind.NUMBER and left.kind in plain:
            return left, right, left.kind
        if left.kind is Kind.NUMBER and right.kind in plain:
            return left, right, right.kind
        if _is_nothing(right):  # nothing is nothing in every unit
            return left, right, left.kind
        if _is_nothing(left):
            return left, right, right.kind
        units = Phrase(
            "the units differ: {left}, {right}", left=self._told(left), right=self._told(right)
        )
        raise self.refusal(whole, _with_hint(units, left.kind, right.kind))

    def _in_days(self, time: Piece, kind: Kind) -> Piece:
        seconds = _number_of(time)
        if kind is Kind.SECONDS:
            return time
        if seconds % SECONDS_PER_DAY:
            raise self.refusal(time, Phrase("this counts whole days; write such as 3 days"))
        said = time.node.said if isinstance(time.node, Number) else ""
        number = Number(seconds // SECONDS_PER_DAY, said)
        return time._replace(node=number)

    def _told(self, piece: Piece) -> Phrase:
        part = self._text[piece.start : piece.end] or Phrase("the column")
        return Phrase("{part} is {kind}", part=part, kind=Phrase(piece.kind.value))

    def _among(self, left: Piece) -> tuple[Truth, int]:
        self.take()
        self._sign("(", Phrase("a list stands in parentheses: in (1, 2)"))
        options: list[Number] = []
        while True:
            item = self.sum()
            if left.kind is Kind.CHOICE:
                item = self._choice(left, item)
            else:
                _, item, _ = self._agreed(left, item, item)
            if not isinstance(item.node, Number):
                fault = Phrase("a list holds numbers or words as they stand, nothing computed")
                raise self.refusal(item, fault)
            options.append(item.node)
            if not self._is_sign(","):
                break
            self.take()
        end = self._sign(")", Phrase("the list is not closed by )")).end
        return Among(_term(left), tuple(options)), end

    def _known(self, left: Piece) -> tuple[Truth, int]:
        self.take()
        token = self.take()
        if left.kind in (Kind.TRUTH, Kind.WORD):
            fault = Phrase(
                "only a value is known or unknown; this is {kind}", kind=Phrase(left.kind.value)
            )
            raise self.refusal(left, fault)
        known = Known(_term(left))
        if token.text == "known":
            return known, token.end
        if token.text != "unknown":
            self._place -= 1
            fault = Phrase("after is stands known or unknown; values are compared with ==")
            raise self.refusal_here(fault)
        return Not(known), token.end

    def sum(self) -> Piece:
        left = self._product()
        while self._is_sign("+", "-"):
            sign = Sum(self.take().text)
            right = self._product()
            whole = Piece(left.node, left.kind, left.start, right.end)
            first, second, kind = self._agreed(left, right, whole)
            left = self._computed(sign, first, second, kind)
        return left

    def _product(self) -> Piece:
        left = self._sign_or_atom()
        while self._is_sign("*", "//"):
            sign = Sum(self.take().text)
            right = self._sign_or_atom()
            left = self._times(left, right) if sign is Sum.TIMES else self._divided(left, right)
        return left

    def _times(self, left: Piece, right: Piece) -> Piece:
        for one, other in ((left, right), (right, left)):
            if one.kind in (Kind.COUNT, Kind.NUMBER) and other.kind in NUMERIC:
                kind = one.kind if other.kind is Kind.NUMBER else other.kind
                return self._computed(Sum.TIMES, left, right, kind)
        whole = Piece(left.node, left.kind, left.start, right.end)
        told = Phrase(
            "these are not multiplied: {left}, {right}",
            left=self._told(left),
            right=self._told(right),
        )
        if Kind.PPM in (left.kind, right.kind):
            told = Phrase("{fault}; a share of an amount is part(amount, share)", fault=told)
        raise self.refusal(whole, told)

    def _divided(self, left: Piece, right: Piece) -> Piece:
        whole = Piece(left.node, left.kind, left.start, right.end)
        if left.kind in NUMERIC and right.kind in (Kind.COUNT, Kind.NUMBER):
            if isinstance(right.node, Number) and right.node.value == 0:
                raise self.refusal(whole, Phrase("this divides by zero"))
            return self._computed(Sum.DIVIDED, left, right, left.kind)
        first, second, _ = self._agreed(left, right, whole)
        return self._computed(Sum.DIVIDED, first, second, Kind.COUNT)

    def _computed(self, sign: Sum, left: Piece, right: Piece, kind: Kind) -> Piece:
        node: Term = Computed(sign, _term(left), _term(right))
        is_written = isinstance(left.node, Number) and isinstance(right.node, Number)
        if kind is Kind.TIME and not is_written:
            kind = Kind.SECONDS
        whole = Piece(node, kind, left.start, right.end)
        if kind is Kind.TIME:  # which of days and seconds it is, is told of one number only
            value = computed(sign, _number_of(left), _number_of(right))
            if value is None:
                raise self.refusal(whole, Phrase("this time does not fit into 64 bits"))
            node = Number(value, self._text[left.start : right.end])
        return whole._replace(node=node)

    def _sign_or_atom(self) -> Piece:
        token = self.token
        if self._is_sign("-"):
            self.take()
            self._deeper()
            piece = self._sign_or_atom()
            self._depth -= 1
            if piece.kind not in NUMERIC:
                raise self.refusal(
                    piece,
                    Phrase(
                        "a number is needed here; this is {kind}", kind=Phrase(piece.kind.value)
                    ),
                )
            if isinstance(piece.node, Number):
                number = Number(-piece.node.value, f"-{piece.node.said}" if piece.node.said else "")
                return piece._replace(node=number, start=token.start)
            zero = Piece(Number(0), piece.kind, token.start, token.end)
            return self._computed(Sum.MINUS, zero, piece, piece.kind)
        self.take()
        if token.sort is Sort.NUMBER:
            return self._number(token)
        if token.sort is Sort.QUOTED:
            return Piece(Number(0), Kind.WORD, token.start, token.end, token.text)
        if token.sort is Sort.SIGN and token.text == "(":
            inner = self.expression()
            end = self._sign(")", Phrase("this parenthesis is not closed")).end
            return inner._replace(start=token.start, end=end)
        if token.sort is Sort.WORD and token.text in CALLS and self._is_sign("("):
            return self._call(token)
        if token.sort is Sort.WORD and token.text not in RESERVED:
            return self._named(token)
        self._place -= token.sort is not Sort.END
        raise self.refusal_here(Phrase("a value is missing here, before {text}", text=token.text))

    def _number(self, token: Token) -> Piece:
        unit = self.token
        digits = Decimal(token.text.replace("_", ""))
        if unit.text in CURRENCIES and unit.sort is Sort.WORD:
            self.currencies.add(unit.text)
            kind, factor = Kind.MINOR, 10 ** CURRENCIES[unit.text].digits
        elif unit.text in LITERALS:
            kind, factor = LITERALS[unit.text]
        else:
            kind, factor = Kind.NUMBER, 1
        end = token.end if kind is Kind.NUMBER else self.take().end
        value = digits * factor
        piece = Piece(Number(0), kind, token.start, end)
        if value != int(value):
            raise self.refusal(piece, Phrase("this is no whole number of the smallest unit"))
        if not LEAST <= int(value) <= MOST:
            raise self.refusal(piece, Phrase("this number does not fit into 64 bits"))
        said = self._text[token.start : end] if kind is not Kind.NUMBER else ""
        word = "" if kind is Kind.NUMBER else unit.text
        return piece._replace(node=Number(int(value), said), word=word)

    def _call(self, name: Token) -> Piece:
        self.take()
        parts = [self.expression()]
        while self._is_sign(","):
            self.take()
            parts.append(self.expression())
        closed = Phrase("the call of {name} is not closed by )", name=name.text)
        end = self._sign(")", closed).end
        whole = Piece(Number(0), Kind.NUMBER, name.start, end)
        is_bound = name.text in (Sum.LEAST, Sum.MOST)
        if len(parts) < 2 or (len(parts) > 2 and not is_bound):
            least = Phrase("{name} takes at least two values", name=name.text)
            exact = Phrase("{name} takes two values", name=name.text)
            raise self.refusal(whole, least if is_bound else exact)
        result = self._applied(Sum(name.text), parts, whole)
        return result._replace(start=name.start, end=end)

    def _applied(self, sign: Sum, parts: Sequence[Piece], whole: Piece) -> Piece:
        left, right = parts[0], parts[1]
        if sign is Sum.PART:
            if left.kind not in NUMERIC or right.kind is not Kind.PPM:
                fault = Phrase(
                    "part takes a value and a share in ppm or {percent}: {left}, {right}",
                    percent="%",
                    left=self._told(left),
                    right=self._told(right),
                )
                raise self.refusal(whole, fault)
            return self._computed(sign, left, right, left.kind)
        if sign is Sum.SHARE:
            first, second, _ = self._agreed(left, right, whole)
            return self._computed(sign, first, second, Kind.PPM)
        for other in parts[1:]:
            first, second, kind = self._agreed(left, other, whole)
            left = self._computed(sign, first, second, kind)
        return left

    def _named(self, token: Token) -> Piece:
        known: Input | None = self._vocabulary.get(token.text)
        piece = Piece(Named(token.text), Kind.NUMBER, token.start, token.end)
        if known is None:
            fault = Phrase("there is no input {name}", name=token.text)
            near = get_close_matches(token.text, tuple(self._vocabulary), n=1)
            if near:
                fault = Phrase("{fault} (is {meant} meant?)", fault=fault, meant=near[0])
            raise self.refusal(piece, fault)
        return piece._replace(kind=kind_of(known.unit))

    def _is_word(self, word: str) -> bool:
        return self.token.sort is Sort.WORD and self.token.text == word

    def _is_sign(self, *signs: str) -> bool:
        return self.token.sort is Sort.SIGN and self.token.text in signs

    def _sign(self, sign: str, fault: str) -> Token:
        if not self._is_sign(sign):
            raise self.refusal_here(fault)
        return self.take()


def _term(piece: Piece) -> Term:
    if isinstance(piece.node, Named | Number | Computed):
        return piece.node
    raise PolicyInvalid(at=piece.start + 1, fault=Phrase("a value is needed here, no condition"))


def _in_unit_of(high: Piece, low: Piece) -> Piece:
    """Return the lower end of `between 3 and 5 days` in the unit written behind the upper end."""
    if low.kind is not Kind.NUMBER or not isinstance(low.node, Number) or not high.word:
        return low
    currency = CURRENCIES.get(high.word)
    factor = 10**currency.digits if currency else LITERALS[high.word][1]
    value = low.node.value * factor
    if not LEAST <= value <= MOST:
        return low  # refused as a plain number where it is compared
    return low._replace(kind=high.kind, node=Number(value, f"{low.node.value} {high.word}"))


def _number_of(piece: Piece) -> int:
    if isinstance(piece.node, Number):
        return piece.node.value
    raise PolicyInvalid(at=piece.start + 1, fault=Phrase("a time is written as a number here"))


def _is_nothing(piece: Piece) -> bool:
    return piece.kind is Kind.NUMBER and piece.node == Number(0)


def _never(name: str, word: str, choices: Sequence[str]) -> Phrase:
    """Return that a choice is never a word, with the one that was probably meant."""
    never = Phrase("{name} is never {word}", name=name, word=word)
    close = get_close_matches(word, choices, n=1)
    if close:
        never = Phrase("{fault} (is {meant} meant?)", fault=never, meant=close[0])
    return Phrase("{fault}; it is one of {choices}", fault=never, choices=", ".join(choices))


def _with_hint(fault: Phrase, left: Kind, right: Kind) -> Phrase:
    """Return a fault with how a plain number is written in the other's unit."""
    if Kind.NUMBER not in (left, right):
        return fault
    example = {
        Kind.MINOR: "500.00 CNY or 50000 minor",
        Kind.PPM: "20 % or 200000 ppm",
        Kind.DAYS: "3 days",
        Kind.SECONDS: "24 hours",
    }.get(left if right is Kind.NUMBER else right)
    if not example:
        return fault
    return Phrase("{fault}; write such as {example}", fault=fault, example=example)
