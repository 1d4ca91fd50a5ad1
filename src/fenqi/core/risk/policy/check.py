"""What is unwise in a policy that can be read: found before anyone adopts it.

A fault keeps a policy from being adopted: an example that fails, a row no customer ever reaches, a
table that leaves some customers without a row. A note is only told: a reason nobody uses, a line
that no example shows.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from fenqi.core.risk.decision import DecisionKind, Effect
from fenqi.core.risk.input import Input, Unit, Value
from fenqi.core.risk.policy.conclude import cooled
from fenqi.core.risk.policy.cost import STEPS_MAX, steps
from fenqi.core.risk.policy.expression import (
    All,
    Always,
    Among,
    Compared,
    Flag,
    Known,
    Named,
    Not,
    Number,
    Term,
    Truth,
    names,
    said,
    walk,
)
from fenqi.core.risk.policy.fair import UNJUSTIFIED, WEAK_HOLD_HOURS_MAX
from fenqi.core.risk.policy.handed_in import is_handed_in
from fenqi.core.risk.policy.policy import Act, Example, Line, Offer, Policy, Table, Verdict
from fenqi.core.risk.policy.rows import compile_row
from fenqi.core.risk.policy.trace import Status, trace, truth_of
from fenqi.core.values.phrase import Phrase
from fenqi.core.values.rate import PPM

IT = Named("it")
# What each kind of decision carries out; anything else would be told and kept, but not done.
PROTECTING = frozenset(
    {Effect.NUDGE, Effect.STEP_UP, Effect.SMALLER_LIMIT, Effect.REVIEW, Effect.HOLD, Effect.FREEZE}
)
DONE = {
    DecisionKind.APPLICATION: frozenset(Effect)
    - {Effect.NUDGE, Effect.RELIEF, Effect.HOLD, Effect.FREEZE},
    DecisionKind.PURCHASE: frozenset(Effect) - {Effect.DEARER_PRICE, Effect.RELIEF},
    DecisionKind.LIMIT: frozenset({Effect.NUDGE, Effect.SMALLER_LIMIT, Effect.REVIEW}),
    DecisionKind.PRICE: frozenset({Effect.NUDGE, Effect.DEARER_PRICE, Effect.REVIEW}),
    DecisionKind.ACCESS: PROTECTING,
    # How somebody pays is no suspicion: no check is asked for, and nothing is frozen.
    DecisionKind.REPAYMENT: frozenset(
        {Effect.NUDGE, Effect.RELIEF, Effect.SMALLER_LIMIT, Effect.REVIEW, Effect.HOLD}
    ),
}
CASES_MAX = 200_000  # sets of rows that are told apart while a table is walked


@dataclass(frozen=True, slots=True)
class Finding:
    """Something unwise, of which `where` names the place. A fault keeps from adopting.

    `said` is the part of a condition it is about, empty if it is about none; `line` and `column`
    count from 1 in `file`, 0 if nobody knows.
    """

    where: str
    told: str
    is_fault: bool = True
    said: str = ""
    file: str = ""
    line: int = 0
    column: int = 0

    def sentence(self) -> Phrase:
        """Return it with its place in the file."""
        found = Phrase("{where}: {told}", where=self.where, told=self.told)
        if self.said:
            told = {"where": self.where, "said": self.said, "told": self.told}
            found = Phrase("{where}: in `{said}`: {told}", **told)
        if not self.line:
            return found
        return Phrase("{file}, line {line}: {found}", file=self.file, line=self.line, found=found)


class _At(NamedTuple):
    """A part of a policy: how people call it, how the policy does, and the field in question."""

    where: Phrase
    part: str
    field: str


def _found(policy: Policy, at: _At, told: str, *, said: str = "", is_fault: bool = True) -> Finding:
    place = policy.place(at.part, at.field)
    return Finding(
        where=at.where,
        told=told,
        is_fault=is_fault,
        said=said,
        file=policy.file,
        line=place.get("line", 0),
        column=place.get("column", 0),
    )


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found, and how much of the policy its examples show.

    Units: `steps` parts of conditions in the worst case, at most `steps_max`.
    """

    findings: tuple[Finding, ...]
    examples: int
    shown: frozenset[int]  # numbers of the lines that an example hits
    steps: int
    steps_max: int = STEPS_MAX

    @property
    def is_sound(self) -> bool:
        """Whether nothing keeps the policy from being adopted."""
        return not any(one.is_fault for one in self.findings)


def check(
    policy: Policy,
    *,
    today: date | None = None,
    sold: Mapping[str, Sequence[int]] | None = None,
    graded: Sequence[frozenset[str]] = (),
    hold_hours_max: int | None = None,
) -> Checked:
    """Return what is unwise in a policy.

    `today` is when it would be adopted; `sold` the products there are then, with the numbers of
    instalments each is sold in; `graded` the products that each grade of price is offered, from
    grade 0 on; `hold_hours_max` how long a pack lets a hold last. Without one nothing is said of
    it.
    """
    decide = compile_row(policy)
    shown: set[int] = set()
    findings: list[Finding] = []
    for number, example in enumerate(policy.examples):
        verdict = decide(policy.row(example.given))
        shown |= set(verdict.hits)
        findings += _failed(policy, number, verdict)
    for table in policy.tables:
        findings += _table(policy, table)
    for line in policy.lines:
        findings += _line(policy, line, is_shown=line.number in shown)
        findings += _unheard(policy, line)
        findings += _idle(policy, _at(line, "effects"), line.acts)
        findings += _held_long(policy, _at(line, "effects"), line.acts, hold_hours_max)
        findings += _priced(policy, _at(line, "offers"), line.offers)
        if sold is not None:
            findings += _unsold(policy, _at(line, "offers"), line.offers, sold)
        findings += _unserved(policy, line, graded)
        findings += _untold(policy, line)
    for threshold in policy.thresholds:
        where = Phrase("threshold {points}", points=threshold.at_least)
        at = _At(where, f"threshold {threshold.at_least}", "effects")
        findings += _idle(policy, at, threshold.acts)
        findings += _held_long(policy, at, threshold.acts, hold_hours_max)
    findings += _unfounded(policy)
    findings += _reasons(policy)
    if today is not None and policy.valid_until is not None and policy.valid_until < today:
        at = _At(Phrase("the policy"), "", "valid_until")
        findings.append(_found(policy, at, Phrase("it ended on {day}", day=policy.valid_until)))
    return Checked(tuple(findings), len(policy.examples), frozenset(shown), steps(policy))


def _at(line: Line, name: str) -> _At:
    """Return a field of a rule or row as a place."""
    is_row = "." in line.name
    where = (
        Phrase("row {name}", name=line.name) if is_row else Phrase("rule {name}", name=line.name)
    )
    return _At(where, line.part, name)


def _failed(policy: Policy, number: int, verdict: Verdict) -> Iterator[Finding]:
    example = policy.examples[number]
    at = Phrase("example {says}", says=example.says), f"example {number}"
    found = {
        "outcome": (example.outcome, verdict.outcome),
        "reasons": (example.reasons, verdict.reasons),
        "hits": (example.hits, tuple(policy.lines[one].name for one in verdict.hits)),
        "effects": (example.effects, tuple(act.word for act in verdict.effects)),
    }
    for what, (wanted, given) in found.items():
        if wanted is not None and wanted != given:
            told = Phrase(
                "{what} should be {wanted}, decided was {given}",
                what=what,
                wanted=_listed(wanted),
                given=_listed(given),
            )
            said, left_open = _left_open(policy, example, told)
            yield _found(policy, _At(*at, what), left_open, said=said)


def _left_open(policy: Policy, example: Example, told: Phrase) -> tuple[str, Phrase]:
    """Return which condition counts for nothing because an input is not given, and that told."""
    _, lines = trace(policy, policy.row(example.given))
    for one in lines:
        if one.status is Status.UNKNOWN:
            missing = names(policy.condition(one.line)) - set(example.given)
            return one.line.text, Phrase(
                "{told} ({where} is unknown without {missing})",
                told=told,
                where=_at(one.line, "when").where,
                missing=", ".join(sorted(missing)),
            )
    return "", told


def _listed(words: Sequence[str]) -> str:
    return words if isinstance(words, str) else ", ".join(words) or Phrase("none")


def _line(policy: Policy, line: Line, *, is_shown: bool) -> Iterator[Finding]:
    if not is_shown and (line.is_harmful or line.points > 0):
        told = Phrase("no example shows when it is hit; what may harm needs one")
        yield _found(policy, _at(line, "when"), told, is_fault=line.is_harmful)
    excluded = exclusive(line.when)
    if excluded:
        told = Phrase("it can never be hit: its comparisons exclude one another")
        shown = " and ".join(said(part) for part in excluded)
        yield _found(policy, _at(line, "when"), told, said=shown)
    is_menu = bool(line.offers) and policy.kind is DecisionKind.PURCHASE
    if not line.acts and not line.points and not is_menu and line.reason:
        told = Phrase("nothing follows from it but a reason")
        yield _found(policy, _at(line, "reason"), told, is_fault=False)


def _held_long(
    policy: Policy, at: _At, acts: Sequence[Act], hours_max: int | None
) -> Iterator[Finding]:
    """Yield holds that would be told and kept as longer than they are."""
    for act in acts:
        if hours_max is not None and act.effect is Effect.HOLD and act.amount > hours_max:
            told = Phrase(
                "a hold of {hours} hours is longer than a pack allows: at most {most}",
                hours=act.amount,
                most=hours_max,
            )
            yield _found(policy, at, told)


def _unheard(policy: Policy, line: Line) -> Iterator[Finding]:
    """Yield the inputs of a line that its decisions never know: it would never be hit for them."""
    for name in sorted(names(line.when)):
        if not is_handed_in(policy.kind, name):
            told = Phrase(
                "{name} is never known to a decision of kind {kind}",
                name=name,
                kind=policy.kind.value,
            )
            yield _found(policy, _at(line, "when"), told, said=line.text)


def _idle(policy: Policy, at: _At, acts: Sequence[Act]) -> Iterator[Finding]:
    """Yield what would be decided, told and kept, but not done."""
    for act in acts:
        if act.effect not in DONE[policy.kind]:
            told = Phrase(
                "{effect} does nothing in a policy of kind {kind}",
                effect=act.effect.value,
                kind=policy.kind.value,
            )
            if act.effect is Effect.DEARER_PRICE:
                told = Phrase("{told}; prices move by policies of kind price", told=told)
            yield _found(policy, at, told)


def _priced(policy: Policy, at: _At, offers: Sequence[Offer]) -> Iterator[Finding]:
    """Yield prices that nothing is ever sold at."""
    prices: dict[tuple[str, int], int] = {}
    for offer in offers:
        if offer.price_ppm != PPM and policy.kind is not DecisionKind.PURCHASE:
            told = Phrase(
                "{product} at {price_ppm} ppm of its price: only a purchase is made at a price of "
                "its menu; leave price_ppm out here",
                product=offer.product,
                price_ppm=offer.price_ppm,
            )
            yield _found(policy, at, told)
        for count in offer.counts:
            known = prices.setdefault((offer.product, count), offer.price_ppm)
            if known != offer.price_ppm:
                low, high = sorted((known, offer.price_ppm))
                told = Phrase(
                    "{product} x {count} is offered at {low} and at {high} ppm of its price; only "
                    "the lower one is ever on a menu",
                    product=offer.product,
                    count=count,
                    low=low,
                    high=high,
                )
                yield _found(policy, at, told)


def _unsold(
    policy: Policy, at: _At, offers: Sequence[Offer], sold: Mapping[str, Sequence[int]]
) -> Iterator[Finding]:
    """Yield plans that nobody could choose: a menu of such would turn every customer away."""
    for offer in offers:
        counts = sold.get(offer.product)
        if counts is None:
            told = Phrase(
                "there is no product {product}; there are: {known}",
                product=offer.product,
                known=", ".join(sorted(sold)),
            )
            yield _found(policy, at, told)
            continue
        strange = [count for count in offer.counts if count not in counts]
        if strange:
            told = Phrase(
                "{product} is not sold in {count} instalments; it is in {counts}",
                product=offer.product,
                count=", ".join(map(str, strange)),
                counts=", ".join(map(str, counts)),
            )
            yield _found(policy, at, told)


def _unserved(policy: Policy, line: Line, graded: Sequence[frozenset[str]]) -> Iterator[Finding]:
    """Yield the grades of price that a line of a purchase's menu leaves without any plan.

    Their customers would be told to choose another plan where there is none. A policy has one menu,
    and any of its lines may be the only one that is hit.
    """
    if policy.kind is not DecisionKind.PURCHASE or not line.offers:
        return
    for grade, products in enumerate(graded):
        told = {"grade": grade, "products": ", ".join(sorted(products))}
        if not _serves(line.offers, products):
            nothing = Phrase(
                "customers of price grade {grade} could choose nothing: that grade is offered "
                "{products}; offer one of these too",
                **told,
            )
            yield _found(policy, _at(line, "offers"), nothing)
            continue
        for most in _coolers(policy):
            if not _serves(cooled(line.offers, most), products):
                nothing = Phrase(
                    "cooled to {count} instalments, customers of price grade {grade} could choose "
                    "nothing: that grade is offered {products}; offer one of these as short",
                    count=most,
                    **told,
                )
                yield _found(policy, _at(line, "offers"), nothing)
                break


def _untold(policy: Policy, line: Line) -> Iterator[Finding]:
    """Yield what a row of a menu tells to nobody, or leaves out without a reason."""
    if policy.kind is not DecisionKind.PURCHASE or not line.offers:
        return
    others = [one for other in policy.lines if other is not line for one in other.offers]
    own, elsewhere = _prices(line.offers), _prices(others)
    left = sorted(plan for plan, price in elsewhere.items() if own.get(plan, PPM + 1) > price)
    if line.reason and not left and not line.acts and not line.points:
        told = Phrase("its reason is never told: it leaves out no plan that another line offers")
        yield _found(policy, _at(line, "reason"), told, is_fault=False)
    if left and not line.reason:
        told = Phrase(
            "it does not offer {plans} as another line does, and gives no reason: whoever asks for "
            "one is told only that it is not on offer",
            plans=", ".join(f"{product} x {count}" for product, count in left),
        )
        yield _found(policy, _at(line, "offers"), told, is_fault=False)


def _prices(offers: Sequence[Offer]) -> dict[tuple[str, int], int]:
    """Return each plan of offers, a product in a number of instalments, at its lowest price."""
    found: dict[tuple[str, int], int] = {}
    for one in offers:
        for count in one.counts:
            found[one.product, count] = min(one.price_ppm, found.get((one.product, count), PPM))
    return found


def _unfounded(policy: Policy) -> Iterator[Finding]:
    """Yield lines that move the menu on what justifies no such thing (P6, P7).

    To offer less is to cool a menu, to offer dearer to raise a price, whatever it is called. It is
    found here and not when a policy is read, so that what was adopted once can be read for ever.
    """
    moved = _moved_by_menu(policy)
    weak = {one.name for one in policy.inputs if one.is_weak}
    tables = [table for table in policy.tables if any(policy.lines[n].offers for n in table.lines)]
    rows = {one for table in tables for one in table.lines}
    for line in policy.lines:
        if moved is None or not (line.offers or line.number in rows):
            continue
        for name in sorted(weak & names(line.when))[:1]:
            told = Phrase(
                "{input} says too little of one person for {effect}; it may lead to a check, a "
                "review or a hold of {hours} hours",
                input=name,
                effect=moved.value,
                hours=WEAK_HOLD_HOURS_MAX,
            )
            yield _found(policy, _at(line, "when"), told, said=line.text)
        if moved in UNJUSTIFIED[line.purpose]:
            told = Phrase(
                "a line that serves {purpose} cannot lead to {effect}",
                purpose=line.purpose.value,
                effect=moved.value,
            )
            yield _found(policy, _at(line, "offers"), told)


def _moved_by_menu(policy: Policy) -> Effect | None:
    """Return what it comes to which lines of a menu are hit, None if all offer the same."""
    offering = [line for line in policy.lines if line.offers]
    in_tables = policy.in_tables
    if policy.kind is not DecisionKind.PURCHASE or not offering:
        return None
    menus = [_prices(line.offers) for line in offering]
    if any(line.number not in in_tables for line in offering):
        menus.append({})  # where none is hit, the menu is left alone
    if all(one == menus[0] for one in menus):
        return None
    lowest = _prices([one for line in offering for one in line.offers])
    is_priced = any(lowest[plan] != price for one in menus for plan, price in one.items())
    return Effect.DEARER_PRICE if is_priced else Effect.COOLER_MENU


def _serves(offers: Sequence[Offer], products: frozenset[str]) -> bool:
    return any(one.product in products for one in offers)


def _coolers(policy: Policy) -> list[int]:
    """Return the numbers of instalments that a menu may be cooled to, the fewest first."""
    acts = [act for line in policy.lines for act in line.acts]
    acts += [act for threshold in policy.thresholds for act in threshold.acts]
    return sorted({act.amount for act in acts if act.effect is Effect.COOLER_MENU})


def _reasons(policy: Policy) -> Iterator[Finding]:
    used = {line.reason for line in policy.lines}
    for code in policy.reasons:
        if code not in used:
            at = _At(Phrase("reason {code}", code=code), f"reason {code}", "code")
            yield _found(policy, at, Phrase("no line gives it"), is_fault=False)


def exclusive(truth: Truth) -> list[Truth]:
    """Return comparisons of one input with numbers that exclude one another, of the first input.

    Only what stands between "and" is looked at; an empty list says nothing.
    """
    parts = truth.parts if isinstance(truth, All) else (truth,)
    flat = [inner for part in parts for inner in (part.parts if isinstance(part, All) else (part,))]
    by_input: dict[Named, list[Truth]] = {}
    for part in flat:
        if isinstance(part, Compared | Among):
            term = part.left if isinstance(part, Compared) else part.term
            if isinstance(term, Named) and len(names(part)) == 1:
                by_input.setdefault(term, []).append(part)
    for term, tests in by_input.items():
        values = _near(tests)
        if not any(all(truth_of(one, {term.name: value}) for one in tests) for value in values):
            return tests
    return []


def _near(truths: Sequence[Truth]) -> list[int]:
    """Return the numbers in conditions with their neighbours: between them nothing turns."""
    numbers = {one.value for truth in truths for one in walk(truth) if isinstance(one, Number)}
    for truth in truths:
        for one in walk(truth):
            if isinstance(one, Among):
                numbers |= {option.value for option in one.options}
    return sorted({near for one in numbers for near in (one - 1, one, one + 1)} | {0})


def _table(policy: Policy, table: Table) -> Iterator[Finding]:
    """Yield the rows of a first-hit table that nobody reaches, and whether somebody has none."""
    if not table.is_first:
        return
    rows = [policy.lines[one] for one in table.lines]
    reached, is_covered = reach(rows, {one.name: one for one in policy.inputs})
    for place, row in enumerate(rows):
        if place not in reached:
            told = Phrase("no customer reaches it: rows above it take everyone")
            yield _found(policy, _at(row, "when"), told, said=row.text)
    if not is_covered and not isinstance(rows[-1].when, Always):
        told = Phrase("some customers have no row; end it with a row that has otherwise = true")
        where = Phrase("table {name}", name=table.name)
        yield _found(policy, _At(where, f"table {table.name}", "columns"), told)


def reach(rows: Sequence[Line], inputs: dict[str, Input]) -> tuple[set[int], bool]:
    """Return the places of rows that someone reaches, and whether everyone reaches one.

    Each term is taken at every number its cells name and beside it, which tells all cases apart;
    terms are taken as independent, so a row said to be out of reach is. A cell that compares with
    another input may go either way. If there are too many cases, all rows count as reached.
    """
    cells = [_parts(row.when) for row in rows]
    terms = list(dict.fromkeys(_subject(part) for row in cells for part in row))
    everyone = (1 << len(rows)) - 1
    seen = {everyone}
    for term in terms:
        masks = set(_masks(term, cells, inputs))
        seen = {one & mask for one in seen for mask in masks}
        if len(seen) * len(masks) > CASES_MAX:
            return set(range(len(rows))), False
    reached = {(one & -one).bit_length() - 1 for one in seen if one}
    return reached, 0 not in seen


def _parts(truth: Truth) -> list[Truth]:
    if isinstance(truth, Always):
        return []
    return (
        [one for part in truth.parts for one in _parts(part)] if isinstance(truth, All) else [truth]
    )


def _subject(part: Truth) -> Term | Truth:
    """Return the term that a cell is about; the cell itself where that is not one term."""
    for node in walk(part):
        if isinstance(node, Compared) and isinstance(node.right, Number):
            return node.left
        if isinstance(node, Among | Known):
            return node.term
    found = [node for node in walk(part) if isinstance(node, Named)]
    return found[0] if len(found) == 1 else part


def _masks(
    subject: Term | Truth, cells: Sequence[Sequence[Truth]], inputs: dict[str, Input]
) -> Iterator[int]:
    """Yield, for each case of one term, the rows whose cells about it hold, as bits."""
    own = [[_about(subject, part) for part in row if _subject(part) == subject] for row in cells]
    tests = [part for row in own for part in row]
    everyone = (1 << len(cells)) - 1
    if any(names(part) != {IT.name} for part in tests):
        # Nobody knows how its cells go together: each may hold alone, all or none may.
        holding = sum(1 << place for place, row in enumerate(own) if row)
        yield from (everyone, everyone & ~holding)
        for place, row in enumerate(own):
            if row:
                yield everyone & ~holding | 1 << place
        return
    known = inputs.get(subject.name) if isinstance(subject, Named) else None
    for value in _cases(known, tests):
        yield sum(
            1 << place
            for place, row in enumerate(own)
            if all(truth_of(part, {IT.name: value}) for part in row)
        )


def _about(subject: Term | Truth, part: Truth) -> Truth:
    """Return a cell with its subject as one thing, whatever it is computed from."""
    match part:
        case Compared(left=left) if left == subject:
            return Compared(part.order, IT, part.right)
        case Among(term=term) if term == subject:
            return Among(IT, part.options)
        case Known(term=term) if term == subject:
            return Known(IT)
        case Flag(term=term) if term == subject:
            return Flag(IT)
        case Not():
            return Not(_about(subject, part.part))
    return part


def _cases(known: Input | None, tests: Sequence[Truth]) -> list[Value]:
    cases: list[Value] = list(_near(tests))
    if known is not None and known.unit is Unit.FLAG:
        cases = [0, 1]
    if known is not None and known.unit is Unit.CHOICE:
        cases = list(range(len(known.choices)))
    if any(isinstance(node, Known) for test in tests for node in walk(test)):
        cases.append(None)
    return cases
