"""A decision as it leaves the house: everything it was made by, so that anyone makes it again.

A record holds its inputs as integers and the whole rulebook, and a digest over all of it. `replay`
computes it from the record alone, years later and on another machine, and names the first thing
that differs. Nothing here asks a database, a clock or a file.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from fenqi.core.account import AccountStatus, Standing, judge
from fenqi.core.errors import Invalid
from fenqi.core.risk import application, crowd
from fenqi.core.risk.breaker import held_in, outcome_of, soften
from fenqi.core.risk.consequence import Telling, outcome_reasons
from fenqi.core.risk.decision import Effect
from fenqi.core.risk.input import Value
from fenqi.core.risk.policy.rows import compile_row
from fenqi.core.risk.purchase import Plan, offered
from fenqi.core.risk.rulebook import JUDGE, policy_of
from fenqi.core.values.phrase import Phrase
from fenqi.core.values.rate import PPM

SCHEMA = 3
SCHEMAS = (1, 2, 3)  # those that can be read: the first knew one way of telling, the second two
APPROVE = "approve"
STARTER = "starter"  # the built-in judge of the first books
STATUSES = tuple(AccountStatus)


class RecordUnreadable(Invalid):
    """A file is no record of a decision, or of a form this version does not know."""

    code = "record-unreadable"


class RecordAltered(Invalid):
    """A record is not what it was when it was written: a digest does not fit its content."""

    code = "record-altered"


class RulebookUnknown(Invalid):
    """A record names a way of deciding that this version does not know."""

    code = "rulebook-unknown"


@dataclass(frozen=True, slots=True)
class Rulebook:
    """What a decision was made by; `content` is JSON, and its digest is the id."""

    rulebook_id: UUID
    kind: str
    name: str
    version: int
    content: Mapping[str, Any]

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the inputs, in the order of the decision's values."""
        return tuple(self.content["inputs"])

    def check(self) -> None:
        """Refuse a content that is not the one the id was made of. Errors: RecordAltered."""
        text = canonical(self.content)
        if UUID(bytes=hashlib.sha256(text.encode()).digest()[:16]) != self.rulebook_id:
            raise RecordAltered(what="rulebook", rulebook=self.rulebook_id)


@dataclass(frozen=True, slots=True)
class Record:
    """One decision with its rulebook. `decided_at` and `booked_on` are ISO texts.

    Units: those of the inputs; `latency_us` microseconds.
    """

    decision_id: UUID
    account_id: UUID
    currency: str  # of the account, by its ISO 4217 code
    kind: str
    outcome: str
    effects: tuple[str, ...]
    reasons: tuple[str, ...]
    points: int | None
    hits: tuple[int, ...]
    inputs: tuple[Value, ...]
    offers: tuple[Mapping[str, Any], ...]
    would_change: Any
    as_of_number: int | None
    regime: str
    decided_at: str
    booked_on: str
    latency_us: int | None
    rulebook: Rulebook
    telling: Telling = Telling.FULL

    @property
    def given(self) -> dict[str, Value]:
        """The inputs by name; a value that is unknown is None."""
        return dict(zip(self.rulebook.inputs, self.inputs, strict=True))


class Made(NamedTuple):
    """What a rulebook decides about a row of inputs, in the words of a record.

    `offers` are the plans its policy offers, none where it leaves the menu alone.
    """

    outcome: str
    effects: tuple[str, ...]
    reasons: tuple[str, ...]
    points: int | None
    hits: tuple[int, ...]
    offers: frozenset[Plan] = frozenset()


class Difference(NamedTuple):
    """The first thing in which a record and its computation differ."""

    what: str
    recorded: object
    computed: object


def replay(record: Record) -> Difference | None:
    """Return the first difference between a record and what its rulebook decides, if there is one.

    What the circuit breaker held back is told by the record and taken away here too.

    Errors: RecordAltered, RulebookUnknown; those of reading the rulebook's policy.
    """
    held = held_in(record.effects)
    made = decide(record.rulebook, record.inputs, held, record.telling)
    computed = {
        "outcome": made.outcome,
        "effects": made.effects,
        "reasons": made.reasons,
        "hits": made.hits,
        "points": made.points,
    }
    for what, value in computed.items():
        recorded = getattr(record, what)
        if recorded != value:
            return Difference(what, recorded, value)
    return _menu_difference(record, made)


def _menu_difference(record: Record, made: Made) -> Difference | None:
    """Return the first plan of a recorded menu that the policy does not offer at that price.

    Which of the offered plans were left out is the catalogue's and the account's grade of price,
    which no record holds.
    """
    offered = sorted(made.offers)
    for one in record.offers:
        price = one.get("price_ppm", PPM)
        plan = (one.get("product"), one.get("count"), price)
        # Who leaves the menu alone offers what is sold, at no price of its own.
        if plan not in made.offers if offered else price != PPM:
            return Difference("menu", plan, offered)
    return None


def decide(
    rulebook: Rulebook,
    inputs: Sequence[Value],
    held: frozenset[Effect] = frozenset(),
    telling: Telling = Telling.FULL,
) -> Made:
    """Return what a rulebook decides about values in the order of its inputs.

    `held` is what the circuit breaker held back of it, `telling` which reasons it keeps.

    Errors: RecordAltered, RulebookUnknown; those of reading the rulebook's policy.
    """
    rulebook.check()
    if len(inputs) != len(rulebook.inputs):
        raise RecordAltered(what="inputs", rulebook=rulebook.rulebook_id)
    judging = str(rulebook.content.get("judge"))
    if judging == application.JUDGE:
        # A limit depends on what is held back.
        return _application(rulebook, inputs, held, telling)
    if judging == JUDGE:
        return _policy(rulebook, inputs, held, telling)
    judges: dict[str, Callable[[Rulebook, Sequence[Value]], Made]] = {
        STARTER: _starter,
        crowd.JUDGE: _crowd,
    }
    judged = judges.get(judging)
    if judged is None:
        raise RulebookUnknown(rulebook=rulebook.rulebook_id, name=rulebook.name)
    return _softened(judged(rulebook, inputs), held)


def _softened(made: Made, held: frozenset[Effect]) -> Made:
    effects = soften(made.effects, held)
    if effects == made.effects:
        return made
    return made._replace(effects=effects, outcome=outcome_of(effects, otherwise=APPROVE))


def _starter(rulebook: Rulebook, inputs: Sequence[Value]) -> Made:
    """Return what the built-in judge decides; it has no rules with numbers and no points."""
    known = {
        name: value
        for name, value in zip(rulebook.inputs, inputs, strict=True)
        if value is not None
    }
    try:
        standing = Standing(
            status=STATUSES[known["account_status"]],
            limit_minor=known["limit_minor"],
            used_minor=known["used_minor"],
            overdue_days=known["overdue_days"],
            is_held=bool(known.get("is_held", 0)),  # the first version knew no holds
        )
        verdict = judge(standing, known["amount_minor"])
    except (KeyError, IndexError) as fault:
        raise RecordAltered(what="inputs", rulebook=rulebook.rulebook_id) from fault
    reasons = tuple(one.value for one in verdict.reasons)
    return Made(verdict.outcome.value, (), reasons, None, ())


def _application(
    rulebook: Rulebook, inputs: Sequence[Value], held: frozenset[Effect], telling: Telling
) -> Made:
    """Return what law, affordability and the policy in a rulebook decide about who applies."""
    ruling = application.rule_again(rulebook.content, inputs, held, telling)
    return Made(ruling.outcome, ruling.effects, ruling.reasons, ruling.points, ruling.hits)


def _crowd(rulebook: Rulebook, inputs: Sequence[Value]) -> Made:
    """Return what the rule of the crowds decides about one account; it has no lines."""
    try:
        found = crowd.rule_again(rulebook.content, inputs)
    except crowd.CrowdRuleInvalid as fault:
        raise RecordAltered(what="inputs", rulebook=rulebook.rulebook_id) from fault
    outcome = APPROVE if found.effect is None else found.effect.value
    return Made(outcome, found.words, found.reasons, None, ())


def _policy(
    rulebook: Rulebook, inputs: Sequence[Value], held: frozenset[Effect], telling: Telling
) -> Made:
    """Return what the policy in a rulebook decides."""
    policy = policy_of(rulebook.content)
    verdict = compile_row(policy)(inputs)
    effects = tuple(act.word for act in verdict.effects)
    said = (verdict.outcome, effects, verdict.reasons, verdict.points, verdict.hits)
    made = _softened(Made(*said, offered(verdict.offers)), held)
    if telling is Telling.ALL:
        return made
    reasons = outcome_reasons(policy, verdict, made.outcome, held, telling)
    return made._replace(reasons=reasons)


def to_json(record: Record) -> str:
    """Return a record as it is handed out: one line a field, the same text for the same record."""
    rulebook = record.rulebook
    body = {
        "schema": SCHEMA,
        "decision": {
            "decision_id": str(record.decision_id),
            "account_id": str(record.account_id),
            "currency": record.currency,
            "kind": record.kind,
            "outcome": record.outcome,
            "effects": list(record.effects),
            "reasons": list(record.reasons),
            "points": record.points,
            "hits": list(record.hits),
            "inputs": record.given,
            "offers": list(record.offers),
            "would_change": record.would_change,
            "as_of_number": record.as_of_number,
            "regime": record.regime,
            "decided_at": record.decided_at,
            "booked_on": record.booked_on,
            "latency_us": record.latency_us,
            "telling": record.telling.value,
        },
        "rulebook": {
            "rulebook_id": str(rulebook.rulebook_id),
            "kind": rulebook.kind,
            "name": rulebook.name,
            "version": rulebook.version,
            "content": rulebook.content,
        },
    }
    body["sha256"] = _digest(body)
    return json.dumps(body, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def from_json(text: str, *, file: str) -> Record:
    """Return the record of a text that `to_json` wrote.

    Errors: RecordUnreadable, RecordAltered.
    """
    try:
        body = json.loads(text)
    except json.JSONDecodeError as fault:
        strange = Phrase("what stands here is no JSON")
        raise RecordUnreadable(
            file=file, line=fault.lineno, column=fault.colno, fault=strange
        ) from fault
    except (ValueError, RecursionError):  # a number of thousands of digits, lists within lists
        told = Phrase("it is deeper, or its numbers are longer, than any record")
        raise RecordUnreadable(file=file, line=1, column=1, fault=told) from None
    if not isinstance(body, dict) or body.get("schema") not in SCHEMAS:
        strange = Phrase("no record of schema {schema}", schema=SCHEMA)
        raise RecordUnreadable(file=file, line=1, column=1, fault=strange)
    told = body.pop("sha256", None)
    if told != _digest(body):
        raise RecordAltered(what="record", file=file)
    try:
        return _record(body["decision"], body["rulebook"])
    except (KeyError, TypeError, ValueError, AttributeError) as fault:
        strange = Phrase("no record of schema {schema}", schema=SCHEMA)
        raise RecordUnreadable(file=file, line=1, column=1, fault=strange) from fault


def _record(decision: Mapping[str, Any], rulebook: Mapping[str, Any]) -> Record:
    book = Rulebook(
        rulebook_id=UUID(rulebook["rulebook_id"]),
        kind=rulebook["kind"],
        name=rulebook["name"],
        version=rulebook["version"],
        content=rulebook["content"],
    )
    return Record(
        decision_id=UUID(decision["decision_id"]),
        account_id=UUID(decision["account_id"]),
        currency=decision["currency"],
        kind=decision["kind"],
        outcome=decision["outcome"],
        effects=tuple(decision["effects"]),
        reasons=tuple(decision["reasons"]),
        points=decision["points"],
        hits=tuple(decision["hits"]),
        inputs=tuple(_value(decision["inputs"][name]) for name in book.inputs),
        offers=tuple(map(_offer, decision["offers"])),
        would_change=decision["would_change"],
        as_of_number=decision["as_of_number"],
        regime=decision["regime"],
        decided_at=decision["decided_at"],
        booked_on=decision["booked_on"],
        latency_us=decision["latency_us"],
        rulebook=book,
        telling=Telling(decision.get("telling", Telling.ALL)),
    )


def _offer(offer: object) -> Mapping[str, Any]:
    if isinstance(offer, dict) and all(isinstance(one, str | int) for one in offer.values()):
        return offer
    raise TypeError(offer)


def _value(value: object) -> Value:
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise TypeError(value)


def canonical(content: object) -> str:
    """Return JSON of which equal contents have the same text: sorted keys, no spaces."""
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _digest(body: object) -> str:
    return hashlib.sha256(canonical(body).encode()).hexdigest()
