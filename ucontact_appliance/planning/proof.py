"""Which calls prove that a site works after something was changed."""

from __future__ import annotations

from collections.abc import Collection

from ucontact_appliance.resources import load_data


def short_call_proves(phase: str, changes: Collection[str]) -> bool:
    """Whether one short call is enough after these changes of a phase (data/proof.yml).

    `changes` are what its tasks report; where something was changed that none reports, there are
    none, and it is not.
    """
    enough = load_data("proof")["short"].get(phase, [])
    return bool(changes) and (enough == "all" or set(changes) <= set(enough))
