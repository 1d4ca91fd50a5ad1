"""The error families; every error a person or a program meets is a leaf of this tree.

    FenqiError                code: stable text, fields: named values, retry: bool
     |- Invalid               the request makes no sense
     |- Missing               no such thing
     |- Forbidden             you may not
     |- Conflict              the state does not allow it now
     |- Unavailable           something outside failed; try again      retry = True
     `- Broken                an invariant is false; stop and page

Leaves are declared beside the code that raises them. The core knows no HTTP and no language: an
error carries a stable code and named values, and the doors turn them into a sentence.
"""

from typing import ClassVar


class FenqiError(Exception):
    """The root: a stable code, the values involved, and whether trying again can help."""

    code: ClassVar[str] = "error"
    retry: ClassVar[bool] = False

    def __init__(self, **fields: object) -> None:
        super().__init__(self.code, fields)
        self.fields = fields

    def __str__(self) -> str:
        """Return the code and the values, for logs and for people who run fenqi."""
        values = ", ".join(f"{name}={value}" for name, value in self.fields.items())
        return f"{self.code}: {values}" if values else self.code


class Invalid(FenqiError):
    """The request makes no sense; sending it again unchanged never helps."""

    code = "invalid"


class Missing(FenqiError):
    """There is no such thing."""

    code = "missing"


class Forbidden(FenqiError):
    """The caller may not do this."""

    code = "forbidden"


class Conflict(FenqiError):
    """The request makes sense, but the state does not allow it now."""

    code = "conflict"


class Unavailable(FenqiError):
    """Something outside failed; the same request may succeed later."""

    code = "unavailable"
    retry = True


class Broken(FenqiError):
    """An invariant is false: a programming fault, or rows changed behind our back."""

    code = "broken"


def ensure(condition: bool, code: str, **fields: object) -> None:  # noqa: FBT001 - reads as assert
    """Raise Broken with `code` among its fields unless `condition` holds.

    Errors: Broken, whose `invariant` field is `code`.
    """
    if not condition:
        raise Broken(invariant=code, **fields)
