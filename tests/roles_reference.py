"""A README for each role, written from its argument specs and defaults."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from ucontact_appliance.resources import ROLES

_HEAD = """\
<!-- made by `make docs` from meta/argument_specs.yml: changes here are lost -->
# Role {name}

{title}.

{about}

| parameter | type | default | meaning |
|---|---|---|---|
"""
_LONGEST = 40  # characters of a default that fit into the table


def readmes() -> dict[Path, str]:
    """Return the page of each role, by its path."""
    folders = sorted(path for path in ROLES.iterdir() if (path / "meta").is_dir())
    return {folder / "README.md": _readme(folder) for folder in folders}


def _readme(role: Path) -> str:
    specs = _loaded(role / "meta/argument_specs.yml")["argument_specs"]["main"]
    defaults = _loaded(role / "defaults/main.yml")
    head = _HEAD.format(
        name=role.name, title=specs["short_description"], about=_text(specs["description"])
    )
    return head + "".join(f"| {' | '.join(row)} |\n" for row in _rows(specs["options"], defaults))


def _rows(
    options: Mapping[str, Mapping[str, Any]], defaults: Mapping[str, Any], above: str = ""
) -> Iterator[tuple[str, str, str, str]]:
    for name, option in options.items():
        kind = option.get("type", "str")
        if "elements" in option:
            kind = f"{kind} of {option['elements']}"
        if option.get("required"):
            default = "required"
        else:
            default = _default(option.get("default", defaults.get(name) if not above else None))
        yield f"`{above}{name}`", kind, default, _text(option.get("description", ""))
        yield from _rows(option.get("options", {}), defaults, f"{above}{name}.")


def _default(value: Any) -> str:
    if value in (None, ""):
        return ""
    text = yaml.safe_dump(value, default_flow_style=True, width=1000).removesuffix("...\n").strip()
    return f"`{text}`" if len(text) <= _LONGEST else "see `defaults/main.yml`"


def _text(words: str | list[str]) -> str:
    text = " ".join(words) if isinstance(words, list) else words
    return " ".join(text.split()).replace("|", r"\|")


def _loaded(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}
