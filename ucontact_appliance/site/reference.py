"""Generate the reference of `site.yml` from the model, so that the two can't differ."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from ucontact_appliance.site.model import Site, model_in

_HEAD = """\
# site.yml

The one file that a customer keeps. `ucontact init` writes it; a misspelt key is refused with the
nearest right one. This page is made from the typed model.

(*) A path: `~` is the home of who runs the command; a relative one starts at the folder that
site.yml itself lies in.

| key | default | meaning |
|---|---|---|
"""


def reference() -> str:
    """A Markdown page: one row per key, sections before their keys."""
    rows = (f"| `{key}` | {default} | {text} |" for key, default, text in _rows(Site, ""))
    return _HEAD + "\n".join(rows) + "\n"


def _rows(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str, str]]:
    for name, field in model.model_fields.items():
        key = f"{prefix}{field.alias or name}"
        inner, many = model_in(field.annotation)
        about = (inner.__doc__ or "").splitlines()[0] if inner else ""
        yield key, _default(field, inner), field.description or about
        if inner is not None:
            yield from _rows(inner, f"{key}{'[]' if many else ''}.")


def _default(field: FieldInfo, inner: type[BaseModel] | None) -> str:
    if field.is_required():
        return "required"
    if inner is not None or field.default in (None, PydanticUndefined):
        return ""
    if isinstance(field.default, tuple):
        return f"`[{', '.join(_plain(value) for value in field.default)}]`"
    return f"`{_plain(field.default)}`"


def _plain(value: object) -> str:
    return str(value.value) if isinstance(value, Enum) else str(value)
