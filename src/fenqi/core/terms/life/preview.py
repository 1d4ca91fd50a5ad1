"""Preview: the plan before and after operations that are not recorded.

It records them on a copy, so what was shown is what will be.
"""

from dataclasses import dataclass

from fenqi.core.terms.life.life import Life
from fenqi.core.terms.life.operations import Operation
from fenqi.core.terms.life.view import View


@dataclass(frozen=True, slots=True)
class Preview:
    """A plan before and after. Units: minor units."""

    before: View
    after: View

    @property
    def cost_minor(self) -> int:
        """What the customer pays more in all, or less if below zero."""
        return _asked(self.after) - _asked(self.before)


def preview(life: Life, *operations: Operation) -> Preview:
    """Return what operations would make of a plan; the life is unchanged.

    Errors: those of recording them.
    """
    twin = life.copy()
    for operation in operations:
        twin.record(operation)
    after = twin.view()
    return Preview(before=life.view(twin.recognition.counted_on), after=after)


def _asked(view: View) -> int:
    """Return what is asked for in all; what another plan took over is asked for there."""
    return sum(sum(row.due) - sum(row.relieved) for row in view.rows)
