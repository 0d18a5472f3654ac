"""Check ids for commands that run no checks: the registry is loaded on first use."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from importlib import import_module
from typing import Final


class _Ids(Collection[str]):
    """`findings.registry.IDS`, loaded on first use."""

    @property
    def _all(self) -> Collection[str]:
        ids: Collection[str] = import_module("ucontact_appliance.findings.registry").IDS
        return ids

    def __contains__(self, name: object) -> bool:
        """Whether that is a check's id."""
        return name in self._all

    def __iter__(self) -> Iterator[str]:
        """All ids."""
        return iter(self._all)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._all)


CHECK_IDS: Final[Collection[str]] = _Ids()
