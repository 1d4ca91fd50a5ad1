"""A challenger reads choices by their words, not by their places."""

from fenqi.core.risk.input import Input, Purpose, Unit, Vocabulary
from fenqi.core.risk.policy.read import read
from fenqi.core.risk.rulebook import rulebook
from fenqi.core.risk.shadow import Live, challenge
from make_policy import one_rule

TEXT = one_rule("tight", "regime == 'tight'", "nudge", reason="tight")


def regime(*choices: str) -> Vocabulary:
    title = {"zh": "市场", "en": "market"}
    return {"regime": Input("regime", Unit.CHOICE, frozenset({Purpose.CREDIT}), choices, title)}


def test_a_choice_is_the_word_it_was_kept_as() -> None:
    vocabulary = regime("normal", "tight")
    challenger = rulebook(read(TEXT, vocabulary), vocabulary)

    def outcome(place: int, *choices: str) -> str:
        live = Live("approve", (), {"judge": "policy", "choices": {"regime": list(choices)}})
        return challenge(challenger, {"regime": place}, live).outcome

    assert outcome(1, "normal", "tight") == "nudge"
    assert outcome(2, "normal", "easing", "tight") == "nudge"
    assert outcome(1, "normal", "easing", "tight") == "approve"  # a word it does not know
