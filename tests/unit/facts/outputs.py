"""Outputs of real probes, recorded on rehearsal machines (file names: probe, suite)."""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).with_name("recorded")


def recorded(name: str) -> str:
    return (_FOLDER / f"{name}.txt").read_text(encoding="utf-8")
