"""What is wrong with a file of the appliance's state that can't be read."""

from __future__ import annotations

from pydantic import ValidationError

_MOST_SHOWN = 300


def why(error: Exception) -> str:
    """One line for a person: where in the file, and what is wrong there."""
    if not isinstance(error, ValidationError):
        return str(error).partition("\n")[0][:_MOST_SHOWN]
    # Without the value: it may be long, or anything.
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    return f"{key}: {first['msg']}"[:_MOST_SHOWN] if key else first["msg"][:_MOST_SHOWN]
