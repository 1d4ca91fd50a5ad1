"""A policy compiled to one Python function that decides about one row of inputs.

The function is generated from the checked tree: no text of a policy enters its source, inputs are
variables by number, and what a number is was parsed. It has two halves of one meaning. If every
input and every computed value is known, which is usual, conditions are plain comparisons; else each
is asked in two ways, whether it is surely true and whether it is surely false.

The whole is written again for columns in `columns`; that both agree is a property test.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import assert_never

from fenqi.core.risk.input import Value
from fenqi.core.risk.policy.conclude import Conclusion
from fenqi.core.risk.policy.expression import (
    LEAST,
    MOST,
    OPPOSITE,
    PPM_OF_ONE,
    All,
    Always,
    Among,
    Any,
    Compared,
    Computed,
    Flag,
    Known,
    Named,
    Not,
    Number,
    Sum,
    Term,
    Truth,
    walk,
)
from fenqi.core.risk.policy.policy import REASONS_MAX, WEIGHT, Line, Policy, Table, Verdict

Decide = Callable[[Sequence[Value]], Verdict]
STEP = "    "


def compile_row(policy: Policy) -> Decide:
    """Return the function that decides about one row of values, in the order of `policy.inputs`.

    Units: as the inputs declare; None is unknown. Values beyond 64 bits are the caller's fault.
    """
    conclusion = Conclusion(policy)
    names: dict[str, object] = {
        "Verdict": Verdict,
        "followed": conclusion.followed,
        "reasons_of": conclusion.reasons,
        "menu": conclusion.menu,
        "rank": conclusion.rank.__getitem__,
        "code": tuple(line.reason for line in policy.lines).__getitem__,
    }
    source = "\n".join(_Source(policy, conclusion).lines())
    program = compile(source, f"<policy {policy.name} {policy.version}>", "exec")
    exec(program, names)  # noqa: S102 - made from the checked tree alone, see above
    decide: Decide = names["decide"]  # type: ignore[assignment]
    return decide


class _Source:
    """The source of one policy's function.

    a0, a1 ... are inputs, t0, t1 ... computed values; h the lines hit, u the unknown ones, p the
    points and d how far unknown lines may lower them; of h the first n have effects, those up to k
    points; x0 ... are the rows that count, w0 ... whether nobody can say which row is the first.
    """

    def __init__(self, policy: Policy, conclusion: Conclusion) -> None:
        self._policy, self._conclusion = policy, conclusion
        self._slots: dict[Term, str] = {
            Named(one.name): f"a{place}" for place, one in enumerate(policy.inputs)
        }
        self._conditions = [policy.condition(line) for line in policy.lines]
        self._computed: list[Computed] = []
        for condition in self._conditions:
            for node in walk(condition):
                if isinstance(node, Computed) and node not in self._slots:
                    self._slots[node] = f"t{len(self._computed)}"
                    self._computed.append(node)
        self._tables = [table for table in policy.tables if table.is_first]
        in_tables = policy.in_tables
        alone = [policy.lines[one] for one in conclusion.order if one not in in_tables]
        self._acting = [line for line in alone if line.acts]
        self._adding = [line for line in alone if not line.acts and line.points > 0]
        self._rest = [line for line in alone if not line.acts and line.points <= 0]
        # Rows that only offer follow those with effects or points; others find their place later.
        rows = [policy.lines[one] for one in in_tables]
        is_mixed = bool(self._rest) or any(row.acts or row.points for row in rows)
        self._is_sorted_after = bool(rows) and is_mixed

    def lines(self) -> Iterator[str]:
        """Yield the source: `decide` for what is all known, `decide_unknown` for the rest."""
        yield from self._function("decide_unknown", is_known=False)
        yield from self._function("decide", is_known=True)

    def _function(self, name: str, *, is_known: bool) -> Iterator[str]:
        yield f"def {name}(v):"
        count = len(self._policy.inputs)
        if count:
            yield f"{STEP}{''.join(f'a{place}, ' for place in range(count))}= v"
        if is_known and count:
            unknown = " or ".join(f"a{place} is None" for place in range(count))
            yield f"{STEP}if {unknown}: return decide_unknown(v)"
        for node in self._computed:
            yield from (STEP + one for one in self._value(node, is_known=is_known))
        yield f"{STEP}h = []; add = h.append; p = 0"
        if not is_known:
            yield f"{STEP}u = []; d = 0"
        for reached, lines in (("n", self._acting), ("k", self._adding), ("", self._rest)):
            for line in lines:
                yield from self._line(line, is_known=is_known)
            if reached:
                yield f"{STEP}{reached} = len(h)"
        for place, table in enumerate(self._tables):
            yield from (STEP + one for one in self._table(place, table, is_known=is_known))
        yield from (STEP + one for one in self._end(is_known=is_known))

    def _value(self, node: Computed, *, is_known: bool) -> Iterator[str]:
        """Yield the statements that compute a value, None where it is unknown."""
        slot = self._slots[node]
        parts = [self._term(node.left), self._term(node.right)]
        bounds = f"{LEAST} <= {slot} <= {MOST}"
        give_up = "return decide_unknown(v)"
        formula, divisor = _formula(node.sum, *parts)
        if node.sum is Sum.PART or node.sum is Sum.SHARE:
            product = f"{parts[0]} * {parts[1] if node.sum is Sum.PART else PPM_OF_ONE}"
            checked = f"{LEAST} <= {product} <= {MOST}"
        else:
            checked = ""
        if is_known:
            if divisor:
                yield f"if {divisor} == 0: {give_up}"
            if checked:
                yield f"if not {checked}: {give_up}"
            yield f"{slot} = {formula}"
            yield f"if not {bounds}: {give_up}"
            return
        needed = [f"{part} is not None" for part in parts if part[0] in "at"]
        needed += [f"{divisor} != 0"] if divisor else []
        needed += [checked] if checked else []
        yield f"{slot} = {formula} if {' and '.join(needed) or True} else None"
        yield f"if {slot} is not None and not {bounds}: {slot} = None"

    def _term(self, term: Term) -> str:
        if isinstance(term, Number):
            return f"({term.value})" if term.value < 0 else str(term.value)
        return self._slots[term]

    def _line(self, line: Line, *, is_known: bool) -> Iterator[str]:
        condition = self._conditions[line.number]
        points = f"; p += {line.points}" if line.points else ""
        yield f"{STEP}if {self._asked(condition, is_known=is_known)}: add({line.number}){points}"
        if not is_known:
            least = f"; d += {line.points}" if line.points < 0 else ""
            surely_not = self._asked(condition, is_known=False, is_denied=True)
            yield f"{STEP}elif not ({surely_not}): u.append({line.number}){least}"

    def _table(self, place: int, table: Table, *, is_known: bool) -> Iterator[str]:
        """Yield the statements that find the first row that holds."""
        row = f"x{place}"
        yield f"{row} = -1"
        if not is_known:
            yield f"w{place} = False"
        yield "while True:"
        for number in table.lines:
            condition = self._conditions[number]
            yield f"{STEP}if {self._asked(condition, is_known=is_known)}: {row} = {number}; break"
            if not is_known:
                surely_not = self._asked(condition, is_known=False, is_denied=True)
                yield f"{STEP}if not ({surely_not}): w{place} = True; u.append({number})"
        yield f"{STEP}break"
        lines = [self._policy.lines[number] for number in table.lines]
        if not is_known:
            fallback = -1 if table.if_unknown is None else table.if_unknown
            least = min(0, *(line.points for line in lines))
            yield f"if w{place}: {row} = {fallback}" + (f"; d += {least}" if least else "")
        yield f"if {row} >= 0: add({row})"
        for line in lines:
            if line.points:
                yield f"if {row} == {line.number}: p += {line.points}"

    def _end(self, *, is_known: bool) -> Iterator[str]:
        """Yield the statements from the lines that were hit to the verdict."""
        if self._is_sorted_after:
            yield "h.sort(key=rank)"
            acting = "tuple([one for one in h if one in ACTING])"
        else:
            acting = "tuple(h[:n])"
        yield f"e = {acting}".replace("ACTING", _numbers(self._conclusion.acting))
        bounds = [threshold.at_least for threshold in self._conclusion.thresholds]
        reached = " + ".join(f"(p >= {bound})" for bound in bounds) or "0"
        yield f"r = {reached}"
        if is_known or not bounds:
            yield "f = followed(e, r, r)"
        else:
            surely = " + ".join(f"(p + d >= {bound})" for bound in bounds)
            yield f"f = followed(e, r, {surely})"
        yield "o, effects, threshold, counts = f"
        yield from self._reasons()
        yield f"m = {self._menu()}"
        unknown = "()" if is_known else "tuple(u)"
        if not is_known:
            yield "u.sort(key=rank)"
        yield f"return Verdict(o, effects, r, p, tuple(h), {unknown}, m)"

    def _reasons(self) -> Iterator[str]:
        """Yield how reasons are picked: without asking, where the order of hits is theirs."""
        codes = [line.reason for line in self._policy.lines if line.acts or line.points > 0]
        thresholds = self._policy.thresholds
        weights = {WEIGHT[act.effect] for threshold in thresholds for act in threshold.acts}
        is_plain = (
            not self._is_sorted_after
            and None not in codes
            and len(set(codes)) == len(codes)
            and all(map(self._conclusion.is_order_kept, weights))
        )
        if is_plain:
            yield f"r = tuple(map(code, h[: min({REASONS_MAX}, k if threshold else n)]))"
        else:
            yield "r = reasons_of(h, threshold) if e or threshold else ()"

    def _menu(self) -> str:
        offering = [line for line in self._policy.lines if line.offers]
        if not offering:
            return "()"
        for place, table in enumerate(self._tables):
            if offering[0].number in table.lines:
                return f"menu((x{place},) if x{place} >= 0 else (), counts)"
        numbers = _numbers(frozenset(line.number for line in offering))
        return f"menu(tuple([one for one in h if one in {numbers}]), counts)"

    def _asked(self, truth: Truth, *, is_known: bool, is_denied: bool = False) -> str:
        """Return a Python condition: `truth` is surely true, or with `is_denied` surely false."""
        match truth:
            case Always():
                return str(not is_denied)
            case Flag():
                slot = self._slots[truth.term]
                return slot if not is_denied else f"{slot} == 0"
            case Compared():
                left, right = self._term(truth.left), self._term(truth.right)
                order = OPPOSITE[truth.order] if is_denied else truth.order
                guards = [] if is_known else [f"{one} is not None" for one in (left, right)]
                guards = [one for one in guards if one[0] in "at"]
                return " and ".join([*guards, f"{left} {order.value} {right}"])
            case Among():
                slot = self._term(truth.term)
                options = "".join(f"{one.value}, " for one in truth.options)
                if not is_denied:
                    return f"{slot} in ({options})"
                guard = "" if is_known or slot[0] not in "at" else f"{slot} is not None and "
                return f"{guard}{slot} not in ({options})"
            case Known():
                slot = self._term(truth.term)
                if is_known or slot[0] not in "at":
                    return str(not is_denied)
                return f"{slot} is {'' if is_denied else 'not '}None"
            case Not():
                return self._asked(truth.part, is_known=is_known, is_denied=not is_denied)
            case All() | Any():
                is_all = isinstance(truth, All) is not is_denied
                parts = [
                    self._asked(part, is_known=is_known, is_denied=is_denied)
                    for part in truth.parts
                ]
                return (" and " if is_all else " or ").join(f"({part})" for part in parts)
        assert_never(truth)


def _formula(sign: Sum, left: str, right: str) -> tuple[str, str]:
    """Return how two values are made into one, and what must not be zero."""
    match sign:
        case Sum.LEAST:
            return f"({left} if {left} <= {right} else {right})", ""
        case Sum.MOST:
            return f"({left} if {left} >= {right} else {right})", ""
        case Sum.DIVIDED:
            return f"{left} // {right}", right
        case Sum.PART:
            return f"{left} * {right} // {PPM_OF_ONE}", ""
        case Sum.SHARE:
            return f"{left} * {PPM_OF_ONE} // {right}", right
        case Sum.PLUS | Sum.MINUS | Sum.TIMES:
            return f"{left} {sign.value} {right}", ""
    assert_never(sign)


def _numbers(numbers: frozenset[int]) -> str:
    return f"{{{', '.join(map(str, sorted(numbers)))}}}" if numbers else "()"
