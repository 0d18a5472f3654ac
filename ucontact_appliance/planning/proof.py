"""Which calls prove that a site works after something was changed."""

from __future__ import annotations

from collections.abc import Collection

from ucontact_appliance.planning.component_tables import phases


def short_call_proves(phase: str, changes: Collection[str]) -> bool:
    """Whether one short call is enough after these changes of a phase, and not all deep ones.

    `changes` are what its tasks report; where something was changed that none reports, there are
    none, and it is not.
    """
    row = phases().get(phase)
    enough = row.playbook.short_call if row else ()
    return bool(changes) and (enough == "all" or set(changes) <= set(enough))
