"""Where a challenger policy parts from the live one: outcomes, each rule, examples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from rich.box import SIMPLE_HEAD
from rich.console import Console

from fenqi.core.risk import application
from fenqi.core.risk.policy.conclude import Conclusion
from fenqi.core.risk.policy.policy import Policy
from fenqi.core.risk.purchase import Moved, moved, offered
from fenqi.core.risk.rulebook import JUDGE, Rulebook, policy_of, rulebook
from fenqi.core.risk.shadow import Comparison, Pair, RuleCount, compare, names_of
from fenqi.report.folding import FoldingTable
from fenqi.report.language import Speech
from fenqi.report.listing import listing
from fenqi.report.names import word
from fenqi.report.policies import show_moved
from fenqi.report.policy_difference import moved_to_json
from fenqi.store import features, policies, shadows
from fenqi.store.pool import Store
from fenqi.store.shadows import Challenger, Example

EXAMPLES = 10


@dataclass(frozen=True, slots=True)
class Shadowed:
    """A challenger's report.

    Of `lacking` decisions not all inputs it looks at were to be had; for `filled` decisions up to
    `filled_inputs_max` were not kept and were computed from the events.
    """

    challenger: Challenger
    comparison: Comparison
    examples: tuple[Example, ...]
    lacking: int
    lacking_inputs_max: int
    filled: int
    filled_inputs_max: int


def rulebook_of(file: Path) -> Rulebook:
    """Return the rulebook of a policy's file over the shipped features.

    Errors: FileUnreadable, PolicyInvalid.
    """
    declared = features.shipped()
    policy = policies.read_file(file)
    return rulebook(policy, declared.vocabulary, features=declared.text)


def every(store: Store) -> list[Challenger]:
    """Return the latest challengers."""
    with store.transaction() as session:
        return shadows.every(session)


def read(store: Store, challenger_id: UUID, *, examples: int = EXAMPLES) -> Shadowed:
    """Return where a challenger parts from live decisions. Errors: ChallengerMissing."""
    with store.transaction() as session:
        challenger = shadows.find(session, challenger_id)
        combined = shadows.combinations(session, challenger_id)
        missed = shadows.missed(session, challenger_id)
        contents = shadows.contents(session, sorted({one.rulebook_id for one in missed}))
        shown = shadows.examples(session, challenger_id, examples)
    live = {
        rulebook_id: policy
        for rulebook_id, content in contents.items()
        if (policy := _policy_in(content)) is not None
    }
    own = policy_of(challenger.content)
    concluding = {rulebook_id: Conclusion(policy) for rulebook_id, policy in live.items()}
    concluded = Conclusion(own)
    pairs = [
        Pair(
            live_rules=_names(live, one.live_rulebook, one.live_hits),
            live_outcome=one.live_outcome,
            rules=names_of(own, one.hits),
            outcome=one.outcome,
            decisions=one.count,
            moved=_moved(concluding.get(one.live_rulebook), one.live_hits, concluded, one.hits),
        )
        for one in combined
    ]
    live_rules = {line.name for policy in live.values() for line in policy.lines}
    comparison = compare(pairs, sorted(live_rules), [line.name for line in own.lines])
    kept = {one: set(content["inputs"]) for one, content in contents.items()}
    wanted = {one.name for one in own.inputs}
    filled = [(len(wanted - kept[one.rulebook_id]) - one.unknown, one.decisions) for one in missed]
    return Shadowed(
        challenger,
        comparison,
        tuple(shown),
        lacking=sum(one.decisions for one in missed if one.unknown),
        lacking_inputs_max=max((one.unknown for one in missed), default=0),
        filled=sum(decisions for inputs, decisions in filled if inputs > 0),
        filled_inputs_max=max([inputs for inputs, _ in filled], default=0),
    )


def _policy_in(content: Mapping[str, Any]) -> Policy | None:
    """Return the policy a rulebook decides by, alone or beside law and means; None without one."""
    if content.get("judge") == application.JUDGE:
        return application.policy_in(content)
    return policy_of(content) if content.get("judge") == JUDGE else None


def _moved(
    live: Conclusion | None, live_hits: Sequence[int], own: Conclusion, hits: Sequence[int]
) -> tuple[Moved, ...]:
    """Return the plans that the policies offer differently; none where no policy decided."""
    if live is None:
        return ()
    return moved(offered(live.menu_after(live_hits)), offered(own.menu_after(hits)))


def _names(live: Mapping[UUID, Policy], rulebook_id: UUID, hits: Sequence[int]) -> frozenset[str]:
    policy = live.get(rulebook_id)
    return names_of(policy, hits) if policy else frozenset()


def as_table(found: Shadowed) -> dict[str, object]:
    """Return a report for programs."""
    one, comparison = found.challenger, found.comparison
    return {
        "challenger_id": str(one.challenger_id),
        "policy": one.name,
        "version": one.version,
        "kind": one.kind,
        "ends_at": one.ends_at.isoformat(),
        "stopped_at": one.stopped_at.isoformat() if one.stopped_at else None,
        "decisions": comparison.decisions,
        "differing": comparison.differing,
        "menus": comparison.menus,
        "plans": moved_to_json(comparison.plans),
        "lacking_inputs": found.lacking,
        "filled_inputs": found.filled,
        "outcomes": [
            {"live": live, "challenger": other, "decisions": count}
            for (live, other), count in sorted(comparison.outcomes.items())
        ],
        "rules": {
            name: {
                "both": rule.both,
                "live_only": rule.live_only,
                "challenger_only": rule.challenger_only,
                "in_live": rule.in_live,
                "in_challenger": rule.in_challenger,
            }
            for name, rule in comparison.rules.items()
        },
        "examples": [
            {
                "decision_id": str(example.decision_id),
                "live": example.live_outcome,
                "challenger": example.outcome,
                "live_reasons": example.live_reasons,
                "challenger_reasons": example.reasons,
            }
            for example in found.examples
        ],
    }


def title(kind: str, name: str, version: int, speech: Speech) -> str:
    """Return a policy as it is called: what it decides about once, if that is its name."""
    about = word(kind, speech)
    return f"{about} {version}" if name == kind else f"{about} {name} {version}"


def show(found: Shadowed, console: Console, speech: Speech) -> None:
    """Print a report for a person."""
    _, one, comparison = speech.gettext, found.challenger, found.comparison
    state = _("until %(day)s") % {"day": f"{one.ends_at:%Y-%m-%d}"}
    if one.stopped_at:
        state = _("stopped by %(person)s") % {"person": one.stopped_by}
    said = _(
        "%(policy)s, %(state)s: %(decisions)s decisions, %(differing)s would have come out "
        "differently."
    )
    told = {"policy": title(one.kind, one.name, one.version, speech), "state": state}
    counts = {"decisions": comparison.decisions, "differing": comparison.differing}
    console.print(said % (told | {name: speech.count(count) for name, count in counts.items()}))
    if comparison.menus:
        menus = {"count": speech.count(comparison.menus)}
        console.print(_("%(count)s would have been offered another menu.") % menus)
    if found.filled:
        said = _(
            "For %(count)s decisions up to %(most)s inputs were not kept and were computed from "
            "the events they had seen."
        )
        console.print(said % {"count": found.filled, "most": found.filled_inputs_max})
    if found.lacking:
        said = _(
            "Of %(count)s decisions up to %(most)s inputs were not kept and count as unknown: let "
            "the live policy look at them too."
        )
        console.print(said % {"count": found.lacking, "most": found.lacking_inputs_max})
    live, other, same = _("live"), _("the challenger"), _("the same")
    outcomes = _table(live, other, _("decisions"))
    for (was, would), count in sorted(comparison.outcomes.items()):
        answer = word(would, speech) if would != was else same
        outcomes.add_row(word(was, speech), answer, f"{count:,}")
    heads = _("rule"), _("hit by both"), _("live only"), _("challenger only"), _("is in")
    rules = _table(*heads)
    for name, rule in sorted(comparison.rules.items(), key=_agreement):
        where = _("both") if rule.in_live and rule.in_challenger else other
        where = where if rule.in_challenger else live
        counted = (rule.both, rule.live_only, rule.challenger_only)
        rules.add_row(name, *(f"{count:,}" for count in counted), where)
    examples = listing(
        console,
        ((_("decision"), _("because")), (live,), (other,)),
        [
            (
                (str(one.decision_id), ", ".join(one.reasons or one.live_reasons)),
                (word(one.live_outcome, speech),),
                (word(one.outcome, speech),),
            )
            for one in found.examples
        ],
    )
    for table in (outcomes, rules, examples):
        if table.row_count:
            console.print(table)
    show_moved(comparison.plans, (live, other), console, speech)


def _agreement(rule: tuple[str, RuleCount]) -> tuple[int, int, str]:
    """Return what puts rules that part first, then those that are hit, then the others."""
    name, counted = rule
    return -(counted.live_only + counted.challenger_only), -counted.both, name


def show_all(challengers: Sequence[Challenger], console: Console, speech: Speech) -> None:
    """Print the challengers, one a line."""
    _ = speech.gettext
    rows = []
    for one in challengers:
        until = f"{one.stopped_at or one.ends_at:%Y-%m-%d}"
        policy = title(one.kind, one.name, one.version, speech)
        ends = _("%(day)s (stopped)") % {"day": until} if one.stopped_at else until
        rows.append(((str(one.challenger_id), policy), (ends, one.started_by)))
    heads = ((_("challenger"), _("policy")), (_("until"), _("started by")))
    found = listing(console, heads, rows)
    console.print(found if challengers else _("No policy runs as a challenger."))


def _table(*labels: str) -> FoldingTable:
    table = FoldingTable(box=SIMPLE_HEAD, header_style="dim")
    for label in labels:
        table.add_column(label, overflow="fold")
    return table
