"""How a command line sends a command about an account, and takes its answer."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from fenqi.core.errors import FenqiError
from fenqi.runtime import Runtime


def send(runtime: Runtime, flow: Callable[..., Sequence[Any]], command: object) -> Any:
    """Run one command and return its answer. Errors: what refuses it."""
    (answer,) = flow(runtime.ground, [command])
    if isinstance(answer, FenqiError):
        raise answer
    return answer


def about(runtime: Runtime, account_id: UUID) -> dict[str, Any]:
    """Return the scope and key of a command about an account: each call is a new one."""
    return {"scope_id": str(account_id), "key": f"cli-{runtime.ids.new()}"}
