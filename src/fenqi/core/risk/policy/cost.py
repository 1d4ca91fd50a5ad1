"""What a decision may cost at most: computed from the text, bounded, told by the check.

A policy has no loops, so the worst case is every part of every condition once.
"""

from fenqi.core.risk.policy.expression import walk
from fenqi.core.risk.policy.form import Form
from fenqi.core.risk.policy.policy import Policy
from fenqi.core.values.phrase import Phrase

LINES_MAX = 1_000  # rules and rows of tables
CELLS_MAX = 10_000  # of all tables
STEPS_MAX = 20_000  # parts of conditions, each looked at once


def steps(policy: Policy) -> int:
    """Return how many parts of conditions a decision looks at in the worst case."""
    return sum(sum(1 for _ in walk(policy.condition(line))) for line in policy.lines)


def refuse_cost(policy: Policy, top: Form) -> None:
    """Refuse a policy whose worst case is beyond the bound. Errors: PolicyInvalid."""
    found = 0
    for line in policy.lines:
        for _ in walk(policy.condition(line)):
            found += 1
            if found > STEPS_MAX:
                fault = Phrase(
                    "a decision would take more than {most} steps, reached at {line}; take rules "
                    "away, or suppress fewer of them",
                    most=STEPS_MAX,
                    line=line.name,
                )
                raise top.refusal("rules", fault)
