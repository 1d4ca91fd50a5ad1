"""Why an operation is refused; the life is then as if it had never been offered."""

from typing import NoReturn

from fenqi.core.errors import Conflict, Invalid
from fenqi.core.terms.life.operations import Operation


class OperationSenseless(Invalid):
    """An operation makes no sense for this plan, whatever its state; `reason` says why."""

    code = "operation-senseless"


class OperationUntimely(Conflict):
    """An operation that the plan's state does not allow now; `reason` says why."""

    code = "operation-untimely"


def refuse(operation: Operation, reason: str, **fields: object) -> NoReturn:
    """Refuse an operation that never makes sense. Errors: OperationSenseless."""
    raise OperationSenseless(operation=operation.number, reason=reason, **fields)


def not_now(operation: Operation, reason: str, **fields: object) -> NoReturn:
    """Refuse an operation for now. Errors: OperationUntimely."""
    raise OperationUntimely(operation=operation.number, reason=reason, **fields)


def of_offered(
    operation: Operation, refused: OperationSenseless | OperationUntimely
) -> OperationSenseless | OperationUntimely:
    """Return a refusal met in a replay as one of the operation that was offered.

    A rule names the operation it stands before; if that is a later one, which the offered one would
    have left without its ground, the refusal says so.
    """
    later = refused.fields.get("operation", operation.number)
    if later == operation.number:
        fields = {"operation": operation.number} | refused.fields
        return type(refused)(**fields)
    because = refused.fields.get("reason")
    reason = "a later operation would be refused"
    return OperationUntimely(
        operation=operation.number, reason=reason, later=later, because=because
    )
