"""Every code a list may show has a name in Chinese."""

from enum import StrEnum

import pytest

from fenqi.core.risk.case import CaseKind
from fenqi.core.risk.decision import DecisionKind, Effect
from fenqi.core.risk.response import Finding
from fenqi.report.language import Language, Speech
from fenqi.report.names import word


@pytest.mark.parametrize("codes", [Effect, DecisionKind, Finding, CaseKind])
def test_a_code_has_its_chinese_name_before_it(codes: type[StrEnum]) -> None:
    speech = Speech(Language.CHINESE)
    unnamed = [one.value for one in codes if word(one.value, speech) == one.value]
    assert unnamed == []
