"""A pydantic field for texts that people read."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ValidatorFunctionWrapHandler, WrapValidator

from ucontact_appliance.language.messages import Message


def _kept(value: Any, validated: ValidatorFunctionWrapHandler) -> Any:
    """Return a message unchanged: pydantic would keep only its English text."""
    return value if isinstance(value, Message) else validated(value)


Text = Annotated[str, WrapValidator(_kept)]
