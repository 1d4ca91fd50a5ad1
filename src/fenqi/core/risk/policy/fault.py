"""Why a policy is refused: one error, which says where and what to do."""

from fenqi.core.errors import Invalid


class PolicyInvalid(Invalid):
    """A policy's text is refused.

    Fields, as far as they are known: `file`, `line`, `column`; `where`, such as rule night-buying;
    `said`, the part of a condition that is wrong, and `at`, its first character from 1 in the
    condition; `fault`, what is wrong with it.
    """

    code = "policy-invalid"

    def within(self, **places: object) -> "PolicyInvalid":
        """Return the same refusal with more of its place; what is known already stays."""
        return PolicyInvalid(**{**places, **self.fields})
