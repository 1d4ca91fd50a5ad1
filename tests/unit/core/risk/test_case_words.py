"""What people may write in a case."""

import pytest

from fenqi.core.risk.case import CaseInvalid, check_text


def test_words_keep_their_lines_and_tabs() -> None:
    assert check_text("  called:\tnobody\nagain 明天 \n") == "called:\tnobody\nagain 明天"


@pytest.mark.parametrize("text", ["a\x1b[31mred", "a\0b", "a\u202eb", "a\rb"])
def test_a_character_that_a_terminal_would_obey_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(CaseInvalid) as refusal:
        check_text(text)
    assert str(refusal.value.fields["value"]).isprintable()
