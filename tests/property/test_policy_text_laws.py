"""Whatever is written in a policy's file, reading it ends with a policy or a clear refusal."""

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from fenqi.core.risk.decision import HARMFUL
from fenqi.core.risk.policy.check import check
from fenqi.core.risk.policy.expression import said
from fenqi.core.risk.policy.fault import PolicyInvalid
from fenqi.core.risk.policy.parse import parse
from fenqi.core.risk.policy.policy import STRENGTH
from fenqi.core.risk.policy.read import read
from fenqi.core.risk.policy.rows import compile_row
from fenqi.core.risk.policy.turn import turned
from fenqi.store.policies import SHIPPED
from make_policy import VOCABULARY
from random_policies import SMALL, policies, rows

TEXTS = [file.read_text("utf-8") for file in sorted(SHIPPED.glob("*.toml"))]
PIECES = st.sampled_from(
    [
        *"()[]{}\"'=,.-+*/#\n \\\x00当",
        *("and", "or", "not", "is unknown", "between", "in (", "points = -5", "1e9", "0x1F", "nan"),
        *("true", "2026-01-01", "[[rules]]", "when = 3", "effects = []", "purpose = 'service'"),
        *("reason = 'x'", "10**99", "9" * 30, "[[tables.rows]]"),
    ]
)


def refused(run: Callable[[], object]) -> dict[str, object] | None:
    """Return what a refusal says, None if there is none; anything else raised is a fault."""
    try:
        run()
    except PolicyInvalid as refusal:
        return refusal.fields
    return None


@given(st.data())
def test_a_damaged_policy_is_refused_or_read_and_never_breaks(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(TEXTS))
    lines = text.split("\n")
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(lines) - 1))
        line = lines[place]
        at = data.draw(st.integers(0, len(line)))
        until = data.draw(st.integers(at, min(len(line), at + 12)))
        lines[place] = line[:at] + data.draw(PIECES) + line[until:]
    damaged = "\n".join(lines)
    told = refused(lambda: read(damaged, VOCABULARY, file="damaged.toml"))
    if told is not None:
        assert told["file"] == "damaged.toml"
        assert told["fault"]
        return
    policy = read(damaged, VOCABULARY)
    check(policy)
    verdict = compile_row(policy)([None] * len(policy.inputs))
    assert not {act.effect for act in verdict.effects} & HARMFUL


@given(st.text(max_size=60))
def test_any_text_is_a_condition_or_refused(text: str) -> None:
    told = refused(lambda: parse(text, VOCABULARY))
    if told is not None:
        assert told["fault"]
        return
    truth = parse(text, VOCABULARY).truth
    assert parse(said(truth), VOCABULARY).truth == truth


@settings(max_examples=40)
@given(st.data())
def test_what_is_told_to_change_a_decision_does(data: st.DataObject) -> None:
    policy = data.draw(policies())
    decide = compile_row(policy)
    row = data.draw(rows(policy, numbers=SMALL))
    turn = turned(policy, decide, row)
    if turn is None:
        return
    place = [one.name for one in policy.inputs].index(turn.name)
    assert row[place] == turn.value != turn.would_be
    changed = [*row[:place], turn.would_be, *row[place + 1 :]]
    before, after = decide(row), decide(changed)
    assert after.outcome == turn.outcome
    assert harm(after.effects) < harm(before.effects)


def harm(effects: object) -> int:
    found = [STRENGTH[act.effect] for act in effects if act.effect in HARMFUL]  # type: ignore[attr-defined]
    return max(found, default=0)
