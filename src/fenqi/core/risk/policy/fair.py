"""What no policy may do to a customer, refused before anyone can decide with it.

- An unknown input never leads to an effect that harms: conditions that could become true by not
  knowing are refused where harm follows from them, see `expression.blinded`; so is what holds of
  everyone, whatever is known.
- Every effect that harms has a reason (P3).
- An input serves only the purposes it lists (P7), and an effect only the purposes that justify it.
- A weak input never leads to more than a check, a review or hours of a hold (P6).
"""

from collections.abc import Iterable, Sequence

from fenqi.core.errors import Invalid
from fenqi.core.risk.decision import HARMFUL, Effect
from fenqi.core.risk.input import Input, Purpose, Vocabulary
from fenqi.core.risk.policy.expression import Known, Not, Truth, blinded, names, said
from fenqi.core.risk.policy.fault import PolicyInvalid
from fenqi.core.risk.policy.form import Form
from fenqi.core.risk.policy.policy import Act, Line, Policy
from fenqi.core.risk.policy.trace import trace
from fenqi.core.terms.pack import Pack
from fenqi.core.values.phrase import Phrase


class InputForbidden(Invalid):
    """A policy looks at an input that a pack forbids for what the rule serves."""

    code = "policy-input-forbidden"


WEAK_HOLD_HOURS_MAX = 24
WEAK_EFFECTS = frozenset({Effect.NUDGE, Effect.RELIEF, Effect.STEP_UP, Effect.REVIEW, Effect.HOLD})
# Fraud gives no reason to make credit smaller or dearer, the need of credit none to freeze, and
# what serves the service only harms nobody.
UNJUSTIFIED: dict[Purpose, frozenset[Effect]] = {
    Purpose.CREDIT: frozenset({Effect.FREEZE}),
    Purpose.FRAUD: frozenset({Effect.SMALLER_LIMIT, Effect.DEARER_PRICE}),
    Purpose.SERVICE: HARMFUL | {Effect.COOLER_MENU},
}


def refuse_unfair(policy: Policy, vocabulary: Vocabulary, forms: Sequence[Form]) -> None:
    """Refuse a policy that breaks one of the rules above. Errors: PolicyInvalid.

    `forms` are where the lines stand in the file.
    """
    threshold_acts = [act for threshold in policy.thresholds for act in threshold.acts]
    above = _looked_at_above(policy)
    for line, form in zip(policy.lines, forms, strict=True):
        acts = [*line.acts, *(threshold_acts if line.points > 0 else [])]
        looked_at = sorted(names(line.when) | above.get(line.number, frozenset()))
        _refuse_silence(line, form)
        _refuse_purpose(line, acts, [vocabulary[name] for name in looked_at], form)
        _refuse_weak(acts, [name for name in looked_at if vocabulary[name].is_weak], form)
    is_harm_by_points = any(act.effect in HARMFUL for act in threshold_acts)
    for line, form in zip(policy.lines, forms, strict=True):
        if line.is_harmful or (is_harm_by_points and line.points):
            _refuse_blinded(policy, line, form, is_denied=line.points < 0 and not line.is_harmful)
            if line.is_harmful and line.points < 0 and is_harm_by_points:
                _refuse_blinded(policy, line, form, is_denied=True)
    _refuse_blinded_tables(policy, forms, is_harm_by_points=is_harm_by_points)
    _refuse_harm_to_strangers(policy, forms)


def refuse_forbidden(policy: Policy, pack: Pack) -> None:
    """Refuse a policy that looks at what a pack forbids for its purpose (P7).

    Errors: InputForbidden.
    """
    for line in policy.lines:
        for purpose in ("all", line.purpose.value):
            for name in pack.forbidden_inputs.get(purpose, ()):
                if name in names(policy.condition(line)):
                    raise InputForbidden(
                        policy=policy.name,
                        line=line.name,
                        input=name,
                        purpose=line.purpose.value,
                        pack=f"{pack.pack_id} {pack.version}",
                    )


def _looked_at_above(policy: Policy) -> dict[int, frozenset[str]]:
    """Return, for each row of a first-hit table, the inputs that the rows above it look at.

    They too decide whether the row is hit. What suppresses a line is not among them: it only takes
    effects away.
    """
    found: dict[int, frozenset[str]] = {}
    for table in policy.tables:
        seen: frozenset[str] = frozenset()
        for number in table.lines if table.is_first else ():
            found[number] = seen
            seen |= names(policy.lines[number].when)
    return found


def _refuse_silence(line: Line, form: Form) -> None:
    if line.is_harmful and line.reason is None:
        effect = next(act.effect for act in line.acts if act.effect in HARMFUL)
        fault = Phrase(
            "{effect} harms the customer, who is told a reason: give the line one",
            effect=effect.value,
        )
        raise form.refusal("effects", fault)


def _refuse_purpose(
    line: Line, acts: Iterable[Act], looked_at: Iterable[Input], form: Form
) -> None:
    for one in looked_at:
        if line.purpose not in one.purposes:
            told = ", ".join(sorted(purpose.value for purpose in one.purposes)) or "-"
            fault = Phrase(
                "{input} serves {purposes}; this line serves {purpose}",
                input=one.name,
                purposes=told,
                purpose=line.purpose.value,
            )
            raise form.refusal("when", fault, said=one.name)
    for act in acts:
        if act.effect in UNJUSTIFIED[line.purpose]:
            fault = Phrase(
                "a line that serves {purpose} cannot lead to {effect}",
                purpose=line.purpose.value,
                effect=act.effect.value,
            )
            raise form.refusal("effects" if act in line.acts else "points", fault)


def _refuse_weak(acts: Iterable[Act], weak: Sequence[str], form: Form) -> None:
    for act in acts if weak else ():
        is_long = act.effect is Effect.HOLD and act.amount > WEAK_HOLD_HOURS_MAX
        if act.effect not in WEAK_EFFECTS or is_long:
            fault = Phrase(
                "{input} says too little of one person for {effect}; it may lead to a check, a "
                "review or a hold of {hours} hours",
                input=weak[0],
                effect=act.word.replace(":", " "),
                hours=WEAK_HOLD_HOURS_MAX,
            )
            raise form.refusal("when", fault, said=weak[0])


def _refuse_blinded(policy: Policy, line: Line, form: Form, *, is_denied: bool) -> None:
    test = blinded(policy.condition(line), is_denied=is_denied)
    if test is not None:
        raise _blind(form, test, is_denied=is_denied)


def _refuse_blinded_tables(
    policy: Policy, forms: Sequence[Form], *, is_harm_by_points: bool
) -> None:
    """Refuse a test of knowing in a first-hit table that harms: each row decides of the next."""
    for table in policy.tables:
        rows = [policy.lines[one] for one in table.lines]
        is_harmful = any(row.is_harmful or (is_harm_by_points and row.points) for row in rows)
        for row in rows if table.is_first and is_harmful else ():
            for is_denied in (False, True):
                _refuse_blinded(policy, row, forms[row.number], is_denied=is_denied)


def _refuse_harm_to_strangers(policy: Policy, forms: Sequence[Form]) -> None:
    """Refuse what harms somebody of whom nothing is known: a condition that holds of everyone."""
    verdict, _ = trace(policy, [None] * len(policy.inputs))
    if not any(act.effect in HARMFUL for act in verdict.effects):
        return
    lines = [policy.lines[one] for one in verdict.hits]
    line = next(line for line in lines if line.is_harmful or line.points > 0)
    fault = Phrase("it holds of somebody of whom nothing is known, and harm follows from it")
    raise forms[line.number].refusal("when", fault, said=line.text)


def _blind(form: Form, test: Known, *, is_denied: bool) -> PolicyInvalid:
    shown: Truth = test if is_denied else Not(test)
    fault = Phrase(
        "harm follows from this line, so it must not turn true by not knowing; write the condition "
        "without this test, or give the line no effect that harms"
    )
    return form.refusal("when", fault, said=said(shown))
