"""Why an operation is refused; the life is then as if it had never been offered."""

from fenqi.core.errors import Conflict, Invalid


class OperationSenseless(Invalid):
    """An operation makes no sense for this plan, whatever its state; `reason` says why."""

    code = "operation-senseless"


class OperationUntimely(Conflict):
    """An operation that the plan's state does not allow now; `reason` says why."""

    code = "operation-untimely"
