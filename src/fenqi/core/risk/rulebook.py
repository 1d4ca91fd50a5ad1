"""What decisions are made by: a policy with all it looks at, kept once under a hash of itself.

The text holds the policy as it was written, what its inputs are, the feature declarations they are
computed by and the scorecard that gave the points. So a decision is made again on another machine
from its record alone: the inputs are declared in the rulebook, nothing else is looked up.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from fenqi.core.errors import Invalid
from fenqi.core.risk.decision import DecisionKind
from fenqi.core.risk.input import Input, Purpose, Unit, Vocabulary
from fenqi.core.risk.policy.policy import Policy
from fenqi.core.risk.policy.read import read
from fenqi.core.risk.policy.rows import Decide, compile_row

JUDGE = "policy"  # who decides by such a rulebook; others have a judge of their own


class RulebookInvalid(Invalid):
    """A rulebook's content is not what this module wrote."""

    code = "rulebook-invalid"


@dataclass(frozen=True, slots=True, eq=False)
class Rulebook:
    """A policy ready to decide. `text` is its content as JSON, of which the id is a hash.

    `scorecard` is the text of the card that gives the points it looks at, None if it names none.
    """

    rulebook_id: UUID
    text: str
    policy: Policy
    decide: Decide
    scorecard: str | None = None

    @property
    def kind(self) -> DecisionKind:
        """What is decided by it."""
        return self.policy.kind

    @property
    def name(self) -> str:
        """The name of its policy."""
        return self.policy.name

    @property
    def version(self) -> int:
        """The version of its policy."""
        return self.policy.version


def rulebook(
    policy: Policy, vocabulary: Vocabulary, *, features: str = "", scorecard: str | None = None
) -> Rulebook:
    """Return the rulebook of a policy.

    `vocabulary` is what the policy was read with; `features` and `scorecard` are the texts by which
    the inputs were computed, kept for whoever asks.
    """
    named = {one.name for one in policy.inputs}
    named |= {name for example in policy.examples for name in example.given}
    named |= {name for table in policy.tables for name in table.named}
    declared = {name: _declaration(vocabulary[name]) for name in sorted(named)}
    content = {
        "judge": JUDGE,
        "inputs": [one.name for one in policy.inputs],
        "choices": {name: one["choices"] for name, one in declared.items() if one["choices"]},
        "declared": declared,
        "policy": policy.text,
        "features": features,
        "scorecard": scorecard,
    }
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return Rulebook(rulebook_id_of(text), text, policy, compile_row(policy), scorecard)


def rulebook_id_of(text: str) -> UUID:
    """Return the first half of the sha256 of a rulebook's text."""
    return UUID(bytes=hashlib.sha256(text.encode()).digest()[:16])


def policy_of(content: Mapping[str, Any], *, file: str = "") -> Policy:
    """Return the policy of a rulebook's content.

    Errors: RulebookInvalid, PolicyInvalid.
    """
    policy = read(str(content.get("policy", "")), vocabulary_of(content), file=file)
    if [one.name for one in policy.inputs] != content.get("inputs"):
        raise RulebookInvalid(what="inputs")
    return policy


def restored(content: Mapping[str, Any]) -> Rulebook:
    """Return the rulebook of a content as the database gives it.

    Errors: RulebookInvalid, PolicyInvalid.
    """
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    policy = policy_of(content)
    card = content.get("scorecard")
    return Rulebook(rulebook_id_of(text), text, policy, compile_row(policy), card)


def vocabulary_of(content: Mapping[str, Any]) -> dict[str, Input]:
    """Return what a rulebook says of its inputs. Errors: RulebookInvalid."""
    try:
        return {
            name: Input(
                name=name,
                unit=Unit(one["unit"]),
                purposes=frozenset(Purpose(purpose) for purpose in one["purposes"]),
                choices=_texts(one["choices"]),
                title=dict(one["title"]),
                is_weak=bool(one["is_weak"]),
            )
            for name, one in content["declared"].items()
        }
    except (KeyError, TypeError, ValueError, AttributeError) as fault:
        raise RulebookInvalid(what="declared") from fault


def _texts(values: Iterable[object]) -> tuple[str, ...]:
    found = tuple(values)
    texts = tuple(one for one in found if isinstance(one, str))
    if texts != found:
        raise TypeError(found)
    return texts


def _declaration(known: Input) -> dict[str, Any]:
    return {
        "unit": known.unit.value,
        "purposes": sorted(purpose.value for purpose in known.purposes),
        "choices": list(known.choices),
        "title": dict(known.title),
        "is_weak": known.is_weak,
    }
