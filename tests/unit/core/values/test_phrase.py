"""A sentence in another language: its values are said in it too, and its blanks are set anew."""

import pytest

from fenqi.core.values.phrase import Phrase, closed_up

CHINESE = {
    "{field} must be {expected}. {hint}": "{field} 应为 {expected}。 {hint}",
    "a name": "名称",
    "see --help": "请看 --help",
}


def test_a_phrase_is_english_until_it_is_told_in_another_language() -> None:
    phrase = Phrase(
        "{field} must be {expected}. {hint}",
        field="by",
        expected=Phrase("a name"),
        hint=Phrase("see --help"),
    )
    assert phrase == "by must be a name. see --help"
    assert phrase.told(lambda one: CHINESE.get(one, one)) == "by 应为名称。请看 --help"
    assert phrase.told(lambda one: one) == phrase


@pytest.mark.parametrize(
    ("template", "values", "said"),
    [
        ("应为 {one}。", {"one": "名称"}, "应为{one}。"),
        ("应为 {one}。", {"one": "name"}, "应为 {one}。"),
        ("应为 {one} 之一", {"one": "a 或 乙"}, "应为 {one}之一"),
        ("应为 {one} 之一", {"one": "甲 or b"}, "应为{one} 之一"),
        ("{one} {two}", {"one": "甲。", "two": "乙"}, "{one}{two}"),
        ("{one} {two}", {"one": "甲。", "two": "b"}, "{one} {two}"),
        ("经办人 %(one)s\uff0c期限", {"one": "无人"}, "经办人%(one)s\uff0c期限"),
        ("{one}\n  {two}", {"one": "甲", "two": "乙"}, "{one}\n  {two}"),
        ("It is {one}.", {"one": "名称"}, "It is {one}."),
        ("没有账户 {one}", {}, "没有账户 {one}"),
    ],
)
def test_no_blank_is_left_where_chinese_meets_chinese(
    template: str, values: dict[str, object], said: str
) -> None:
    assert closed_up(template, values) == said
