"""Why a policy is refused: one error, which says where and what to do."""

from collections.abc import Sequence
from typing import Any

from fenqi.core.errors import Invalid
from fenqi.core.values.phrase import Phrase, lines

FAULTS_MAX = 20  # told of one text


class PolicyInvalid(Invalid):
    """A policy's text is refused.

    Fields, as far as they are known: `file`, `line`, `column`; `where`, such as rule night-buying;
    `said`, the part of a condition that is wrong, and `at`, its first character from 1 in the
    condition; `fault`, what is wrong with it; `more`, other conditions of the text that are wrong.
    """

    code = "policy-invalid"

    def within(self, **places: object) -> "PolicyInvalid":
        """Return the same refusal with more of its place; what is known already stays."""
        return PolicyInvalid(**{**places, **self.fields})

    @property
    def sentence(self) -> Phrase:
        """Return what is wrong and where, as far as it is known."""
        fields = self.fields
        if "said" in fields:
            told = Phrase("{where}: in `{said}`: {told}", **_said(fields))
        elif "where" in fields:
            told = Phrase("{where}: {told}", **_said(fields))
        else:
            told = Phrase("{told}", **_said(fields))
        if "file" not in fields or "line" not in fields:
            return told
        return Phrase("{file}, line {line}: {found}", **_placed(fields), found=told)


def _said(fields: dict[str, Any]) -> dict[str, Any]:
    known = {name: fields[name] for name in ("where", "said") if name in fields}
    return known | {"told": fields["fault"]}


def _placed(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: fields[name] for name in ("file", "line")}


def joined(refusals: Sequence[PolicyInvalid]) -> PolicyInvalid:
    """Return refusals of one text as one, the first of the file with the others below it."""
    first, *more = sorted(refusals, key=lambda one: int(str(one.fields.get("line", 0))))
    if not more:
        return first
    return first.within(more=lines([one.sentence for one in more[: FAULTS_MAX - 1]]))
