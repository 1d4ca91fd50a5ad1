"""A policy's text becomes a checked policy, or is refused with file, line and what to do.

What is read here can be decided with: names, units and purposes agree, every effect that harms has
a reason, and no unknown input can lead to one. What can be decided with and is still unwise
(a row nobody reaches, an example that fails) is `check`'s.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from fenqi.core.risk.decision import HARMFUL, DecisionKind, Effect
from fenqi.core.risk.input import Purpose, Unit, Value, Vocabulary
from fenqi.core.risk.policy.cost import CELLS_MAX, LINES_MAX, refuse_cost
from fenqi.core.risk.policy.expression import LEAST, MOST, Always, Truth, both, names
from fenqi.core.risk.policy.fair import refuse_unfair
from fenqi.core.risk.policy.fault import PolicyInvalid, joined
from fenqi.core.risk.policy.form import Form, opened, written
from fenqi.core.risk.policy.parse import Column, Parsed, parse, parse_cell, parse_column
from fenqi.core.risk.policy.policy import (
    APPROVE,
    PARAMETERS,
    Act,
    Example,
    Line,
    Offer,
    Policy,
    Table,
    Threshold,
)
from fenqi.core.values.name import NAME_CHARS_MAX, is_name
from fenqi.core.values.phrase import Phrase

POINTS_MAX = 1000  # of one line, up or down
COLUMNS_MAX = 20
SUPPRESSION_DEPTH_MAX = 4
LANGUAGES = ("zh", "en")
OUTCOMES = (APPROVE, *(effect.value for effect in Effect))


def read(text: str, vocabulary: Vocabulary, *, file: str = "") -> Policy:
    """Return the policy a TOML text describes.

    Errors: PolicyInvalid with file, line, and of a condition its part, both units and a name that
    was probably meant. Of conditions it tells all that cannot be read; of anything else the first.
    """
    faults: list[PolicyInvalid] = []
    try:
        return _Reading(text, vocabulary, file, faults).policy()
    except PolicyInvalid as refusal:
        found = [one for one in faults if one is not refusal] + [refusal]
        raise joined([one.within(file=file) if file else one for one in found]) from refusal


class _Reading:
    """One text being read; the forms of its lines are kept to tell where a refusal belongs."""

    def __init__(
        self, text: str, vocabulary: Vocabulary, file: str, faults: list[PolicyInvalid]
    ) -> None:
        self._faults = faults  # of conditions, after which reading went on
        self._text, self._vocabulary, self._file = text, vocabulary, file
        self._top = opened(text)
        self._lines: list[Line] = []
        self._forms: list[Form] = []  # of the lines
        self._numbers: dict[str, int] = {}
        self._currencies: set[str] = set()
        self._reasons: dict[str, dict[str, str]] = {}
        self._depths: dict[int, int] = {}  # of lines, how many suppress one another above them
        self._cells = 0
        self._keys: dict[str, tuple[str, ...]] = {"": ("",)}  # of parts, "" is the whole

    def policy(self) -> Policy:
        top = self._top
        name, version = top.identity("id"), top.integer("version", least=1, most=1_000_000)
        kind = top.choice("kind", DecisionKind)
        self._purpose = top.choice("purpose", Purpose)
        valid_from = top.day("valid_from")
        valid_until = top.day("valid_until") if top.has("valid_until") else None
        if valid_until is not None and valid_until < valid_from:
            raise top.wrong("valid_until", Phrase("a day after {day}", day=valid_from))
        owner, author = top.text("owner"), top.text("author")
        if not is_name(author):  # who adopts it must be seen to be somebody else
            named = Phrase("the name of a person, 1 to {most} characters", most=NAME_CHARS_MAX)
            raise top.wrong("author", named)
        self._reasons = dict(self._read_reasons())
        for form in top.tables("rules", LINES_MAX):
            self._rule(form)
        tables = tuple(self._tables())
        thresholds = tuple(self._thresholds())
        if self._faults:
            raise self._faults[0]
        if not self._lines:
            raise top.refusal("rules", Phrase("a policy has at least one rule or table"))
        policy = Policy(
            name=name,
            version=version,
            kind=kind,
            owner=owner,
            author=author,
            purpose=self._purpose,
            valid_from=valid_from,
            valid_until=valid_until,
            inputs=tuple(self._vocabulary[one] for one in sorted(self._used())),
            lines=tuple(self._lines),
            tables=tables,
            thresholds=thresholds,
            reasons=self._reasons,
            examples=tuple(self._examples()),
            text=self._text,
            file=self._file,
            currency=next(iter(self._currencies), None),
            keys=self._keys,
        )
        top.done()
        refuse_unfair(policy, self._vocabulary, self._forms)
        refuse_cost(policy, top)
        return policy

    def _used(self) -> set[str]:
        return set().union(*(names(line.when) for line in self._lines))

    def _read_reasons(self) -> Iterator[tuple[str, dict[str, str]]]:
        known: set[str] = set()
        for form in self._top.tables("reasons", LINES_MAX):
            code = form.identity("code")
            form.where = Phrase("reason {code}", code=code)
            if code in known:
                raise form.refusal("code", Phrase("there are two reasons {code}", code=code))
            known.add(code)
            self._keys[f"reason {code}"] = form.keys
            yield code, {language: form.text(language) for language in LANGUAGES}
            form.done()

    def _rule(self, form: Form) -> None:
        name = form.identity("id")
        form.where = Phrase("rule {name}", name=name)
        text = form.text("when")
        truth = self._parsed(form, "when", lambda: parse(text, self._vocabulary))
        self._line(form, name, truth, text, self._purpose)
        form.done()

    def _line(self, form: Form, name: str, when: Truth, text: str, purpose: Purpose) -> None:
        """Add a line whose condition is read already."""
        if name in self._numbers:
            fault = Phrase("there are two lines {name}; give one another id", name=name)
            raise form.refusal("id", fault)
        has_points = form.has("points")
        line = Line(
            number=len(self._lines),
            name=name,
            purpose=form.choice("purpose", Purpose) if form.has("purpose") else purpose,
            when=when,
            text=text,
            acts=self._acts(form) if form.has("effects") else (),
            points=form.integer("points", least=-POINTS_MAX, most=POINTS_MAX) if has_points else 0,
            reason=self._reason(form) if form.has("reason") else None,
            offers=tuple(self._offers(form)),
            suppressed_by=self._suppressors(form) if form.has("suppressed_by") else (),
        )
        if len(self._lines) >= LINES_MAX:
            fault = Phrase("a policy has at most {most} rules and rows", most=LINES_MAX)
            raise form.refusal("id", fault)
        self._numbers[name] = line.number
        self._lines.append(line)
        self._keys[line.part] = form.keys
        self._forms.append(form)

    def _reason(self, form: Form) -> str:
        code = form.identity("reason")
        if code not in self._reasons:
            known = ", ".join(self._reasons) or Phrase("none")
            fault = Phrase("there is no reason {code}; there are: {known}", code=code, known=known)
            raise form.refusal("reason", fault)
        return code

    def _suppressors(self, form: Form) -> tuple[int, ...]:
        found = []
        for name in form.texts("suppressed_by", most=20):
            if name not in self._numbers:
                fault = Phrase(
                    "{name} is no rule above this one; only those can suppress it", name=name
                )
                raise form.refusal("suppressed_by", fault)
            found.append(self._numbers[name])
        depth = 1 + max((self._depths.get(one, 0) for one in found), default=0)
        if depth > SUPPRESSION_DEPTH_MAX:
            fault = Phrase(
                "more than {most} rules suppress one another in a row", most=SUPPRESSION_DEPTH_MAX
            )
            raise form.refusal("suppressed_by", fault)
        self._depths[len(self._lines)] = depth
        return tuple(found)

    def _acts(self, form: Form) -> tuple[Act, ...]:
        acts: list[Act] = []
        for inner in form.tables("effects", len(Effect)):
            effect = inner.choice("effect", Effect)
            if any(act.effect is effect for act in acts):
                fault = Phrase("the effect {effect} stands here twice", effect=effect.value)
                raise form.refusal("effects", fault)
            acts.append(Act(effect, _amount(inner, effect)))
            inner.done()
        if not acts:
            raise form.refusal("effects", Phrase("effects is empty; take it away"))
        return tuple(acts)

    def _offers(self, form: Form) -> Iterator[Offer]:
        for inner in form.tables("offers", 50):
            yield Offer(
                product=inner.identity("product"),
                counts=inner.integers("counts", least=1, most=60),
                price_ppm=(
                    inner.integer("price_ppm", least=0, most=1_000_000)
                    if inner.has("price_ppm")
                    else 1_000_000
                ),
            )
            inner.done()

    def _tables(self) -> Iterator[Table]:
        rows = 0
        for form in self._top.tables("tables", 100):
            table, count = self._table(form, rows)
            rows += count
            yield table

    def _table(self, form: Form, rows: int) -> tuple[Table, int]:
        name = form.identity("id")
        form.where = Phrase("table {name}", name=name)
        hit = form.text("hit")
        if hit not in ("first", "collect"):
            raise form.wrong("hit", Phrase("first or collect"))
        purpose = form.choice("purpose", Purpose) if form.has("purpose") else self._purpose
        columns: list[Column] = []
        for text in form.texts("columns", most=COLUMNS_MAX):
            try:
                columns.append(parse_column(text, self._vocabulary))
            except PolicyInvalid as refusal:
                raise form.within("columns", refusal) from refusal
            self._currencies |= columns[-1].currencies
        first = len(self._lines)
        for row in form.tables("rows", LINES_MAX, counted_from=rows):
            own = row.identity("id")
            row.where = Phrase("table {name}, row {row}", name=name, row=own)
            if row.flag("otherwise"):
                truth: Truth = Always()
                text = "otherwise"
            else:
                truth, text = self._cells_of(row, columns)
            self._line(row, f"{name}.{own}", truth, text, purpose)
            row.done()
        numbers = tuple(range(first, len(self._lines)))
        if not numbers:
            raise form.refusal("rows", Phrase("a table has at least one row"))
        self._keys[f"table {name}"] = form.keys
        named = frozenset[str]().union(*(names(one.piece.node) for one in columns))
        table = Table(name, hit == "first", numbers, self._if_unknown(form, name, numbers), named)
        form.done()
        self._refuse_menu(form, table)
        return table, len(numbers)

    def _cells_of(self, row: Form, columns: Sequence[Column]) -> tuple[Truth, str]:
        cells = row.texts("when", most=COLUMNS_MAX)
        if len(cells) != len(columns):
            fault = Phrase(
                "when has {cells} cells, the table {columns} columns",
                cells=len(cells),
                columns=len(columns),
            )
            raise row.refusal("when", fault)
        self._cells += len(cells)
        if self._cells > CELLS_MAX:
            fault = Phrase("the tables of a policy have at most {most} cells", most=CELLS_MAX)
            raise row.refusal("when", fault)
        truth: Truth = Always()
        for cell, column in zip(cells, columns, strict=True):
            one = self._parsed(row, "when", lambda: parse_cell(cell, column, self._vocabulary))  # noqa: B023 - called at once
            truth = both(truth, one)
        told = (f"{one.text} {cell}" for cell, one in zip(cells, columns, strict=True))
        return truth, "; ".join(told)

    def _if_unknown(self, form: Form, name: str, numbers: tuple[int, ...]) -> int | None:
        if not form.has("if_unknown"):
            return None
        own = form.identity("if_unknown")
        number = self._numbers.get(f"{name}.{own}")
        if number not in numbers:
            raise form.refusal("if_unknown", Phrase("the table has no row {row}", row=own))
        line = self._lines[number]
        if line.is_harmful or line.points:
            fault = Phrase(
                "row {row} harms or has points; what is unknown may lead to neither", row=own
            )
            raise form.refusal("if_unknown", fault)
        return number

    def _refuse_menu(self, form: Form, table: Table) -> None:
        """Refuse a menu that could be missing, or be made in two places."""
        if not any(self._lines[one].offers for one in table.lines):
            return
        if any(line.offers for line in self._lines[: table.lines[0]]):
            fault = Phrase("a second table has offers; a policy has one menu")
            raise form.refusal("rows", fault)
        if not table.is_first:
            return
        if table.if_unknown is None:
            fault = Phrase(
                "a table with offers says by if_unknown which row counts if an input is unknown"
            )
            raise form.refusal("if_unknown", fault)

    def _thresholds(self) -> Iterator[Threshold]:
        reached: set[int] = set()
        for form in self._top.tables("thresholds", 20):
            at_least = form.integer("at_least", least=1, most=POINTS_MAX * LINES_MAX)
            form.where = Phrase("threshold {points}", points=at_least)
            if at_least in reached:
                fault = Phrase("there are two thresholds at {points}", points=at_least)
                raise form.refusal("at_least", fault)
            reached.add(at_least)
            self._keys[f"threshold {at_least}"] = form.keys
            if not form.has("effects"):
                raise form.wrong("effects", Phrase("a list of effects"))
            acts = self._acts(form)
            form.done()
            if any(act.effect in HARMFUL for act in acts):
                self._refuse_silent_points(form)
            yield Threshold(at_least, acts)

    def _refuse_silent_points(self, form: Form) -> None:
        for line, own in zip(self._lines, self._forms, strict=True):
            if line.points > 0 and line.reason is None:
                fault = Phrase(
                    "its points may lead to {where}, which harms; give it a reason",
                    where=form.where,
                )
                raise own.refusal("points", fault)

    def _examples(self) -> Iterator[Example]:
        for place, form in enumerate(self._top.tables("examples", 500)):
            self._keys[f"example {place}"] = form.keys
            says = form.text("says")
            form.where = Phrase("example {says}", says=says)
            given = {
                name: self._given(form, name, value) for name, value in form.named("given").items()
            }
            outcome = form.text("outcome")
            if outcome not in OUTCOMES:
                raise form.wrong("outcome", Phrase("one of {choices}", choices=", ".join(OUTCOMES)))
            yield Example(
                says=says,
                given=given,
                outcome=outcome,
                reasons=self._listed(form, "reasons"),
                hits=self._listed(form, "hits"),
                effects=self._listed(form, "effects"),
            )
            form.done()

    def _listed(self, form: Form, field: str) -> tuple[str, ...] | None:
        return tuple(form.texts(field, most=LINES_MAX)) if form.has(field) else None

    def _given(self, form: Form, name: str, value: object) -> Value:
        """Return what an example gives an input: a number, a word or a flag."""
        known = self._vocabulary.get(name)
        if known is None:
            raise form.refusal("given", Phrase("there is no input {name}", name=name))
        if known.unit is Unit.FLAG and isinstance(value, bool):
            return int(value)
        if known.unit is Unit.CHOICE and value in known.choices:
            return known.choices.index(str(value))
        is_number = known.unit not in (Unit.FLAG, Unit.CHOICE)
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        if is_number and is_whole and LEAST <= int(str(value)) <= MOST:
            return int(str(value))
        wanted = {
            Unit.FLAG: Phrase("true or false"),
            Unit.CHOICE: Phrase("one of {choices}", choices=", ".join(known.choices)),
        }
        number = Phrase("a whole number of 64 bits ({unit})", unit=known.unit.value)
        fault = Phrase(
            "{field} is {value}; it must be {expected}",
            field=name,
            value=written(value),
            expected=wanted.get(known.unit, number),
        )
        raise form.refusal("given", fault)

    def _parsed(self, form: Form, field: str, parsing: Callable[[], Parsed]) -> Truth:
        try:
            parsed = parsing()
        except PolicyInvalid as refusal:
            # Nothing that is read further down depends on what a condition says.
            self._faults.append(form.within(field, refusal))
            return Always()
        self._currencies |= parsed.currencies
        if len(self._currencies) > 1:
            fault = Phrase(
                "the amounts of one policy are in one currency; here are {currencies}",
                currencies=", ".join(sorted(self._currencies)),
            )
            raise form.refusal(field, fault)
        return parsed.truth


def _amount(form: Form, effect: Effect) -> int:
    parameter = PARAMETERS.get(effect)
    if parameter is None:
        return 0
    return form.integer(parameter.name, least=parameter.least, most=parameter.most)


def texts_of(policy: Policy, language: str) -> Mapping[str, str]:
    """Return what customers are told for each reason code, in "zh" or "en"."""
    return {code: texts[language] for code, texts in policy.reasons.items()}
