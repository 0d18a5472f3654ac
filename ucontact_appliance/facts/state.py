"""The state of what an installation manages on a server: one command, one line per item."""

from __future__ import annotations

from collections.abc import Collection

from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.facts.runner import Runner
from ucontact_appliance.language.messages import _
from ucontact_appliance.resources import INSTALLER

ABSENT = "absent"
_PROBE = INSTALLER / "probes" / "state.sh"
_SECONDS = 60.0


def look_at_state(runner: Runner, items: Collection[str]) -> dict[str, str]:
    """The state of each item ("KIND NAME") on a server; ABSENT if it does not exist.

    Raises UnreachableError when the command fails, and TimeoutError.
    """
    script = _PROBE.read_text(encoding="utf-8")
    asked = "".join(f"{item}\n" for item in sorted(items))
    done = runner.run(["sh", "-c", script], stdin=asked, timeout=_SECONDS)
    if done.status:
        raise UnreachableError(_("the server's state can't be read"), evidence=done.stderr)
    return dict.fromkeys(items, ABSENT) | parse_state(done.stdout)


def parse_state(text: str) -> dict[str, str]:
    """Parse lines of item, tab and state."""
    lines = (line.partition("\t") for line in text.splitlines())
    return {item: state for item, tab, state in lines if tab}
