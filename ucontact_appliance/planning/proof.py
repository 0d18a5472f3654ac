"""Decide which test calls prove that a site works after a change."""

from __future__ import annotations

from collections.abc import Collection

from ucontact_appliance.planning.component_tables import phases


def short_call_proves(phase: str, changes: Collection[str]) -> bool:
    """Whether one short call suffices after these changes of a phase, instead of all deep calls.

    `changes` are what the phase's tasks report. It is empty, and a short call does not suffice,
    if something changed that no task reports.
    """
    row = phases().get(phase)
    enough = row.playbook.short_call if row else ()
    return bool(changes) and (enough == "all" or set(changes) <= set(enough))
