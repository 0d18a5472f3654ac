"""The units of a host's services: their files, and the accounts that their processes run as."""

from __future__ import annotations

from dataclasses import dataclass

from ucontact_appliance.facts.host import script, sections
from ucontact_appliance.facts.source import ProbeContext

# User is the unit's setting: it is not judged, but is shown in the evidence.
_PROPERTIES = ("Id", "LoadState", "FragmentPath", "DropInPaths", "User", "MainPID", "NRestarts")


@dataclass(frozen=True)
class ServiceUnit:
    """A unit's properties in systemd's own words, and the account of its main process.

    `fragment` is the unit's file, empty without one; `account` is empty without a process.
    `restarts` is how often systemd has restarted it; 0 before systemd 235, which does not count.
    """

    name: str
    loaded: str
    fragment: str
    drop_ins: tuple[str, ...]
    account: str
    restarts: int = 0

    @property
    def files(self) -> tuple[str, ...]:
        """All files that define the unit."""
        return tuple(path for path in (self.fragment, *self.drop_ins) if path)


@dataclass(frozen=True)
class ServiceUnits:
    """The requested units in that order, and the whole answer."""

    units: tuple[ServiceUnit, ...]
    evidence: str


# The owner of /proc/PID is the process's effective user, whatever its other privileges (proc(5));
# ps would truncate a long name.
_ASK = script(
    units=f'shown=$(systemctl show "$@" {" ".join(f"-p {name}" for name in _PROPERTIES)} 2>&1)\n'
    r"""printf '%s\n' "$shown" """,
    accounts=r"""for pid in $(printf '%s\n' "$shown" | sed -n 's/^MainPID=\([1-9][0-9]*\)$/\1/p')
do echo "$pid $(stat -c %U "/proc/$pid" 2>/dev/null)"; done""",
)


def service_units(reach: ProbeContext, names: tuple[str, ...]) -> ServiceUnits:
    """Read these units from systemd, and their processes' accounts from the kernel."""
    return parse_units(reach.runner.run(["sh", "-c", _ASK, "sh", *names]).stdout)


def parse_units(text: str) -> ServiceUnits:
    """Parse `systemctl show`, with an empty line between units, and lines of PID and account."""
    part = sections(text)
    accounts = dict(line.partition(" ")[::2] for line in part.get("accounts", "").splitlines())
    blocks = (
        dict(line.partition("=")[::2] for line in block.splitlines())
        for block in part.get("units", "").split("\n\n")
    )
    return ServiceUnits(
        tuple(_unit(block, accounts) for block in blocks if block.get("Id")), text.strip()
    )


def _unit(shown: dict[str, str], accounts: dict[str, str]) -> ServiceUnit:
    return ServiceUnit(
        name=shown["Id"],
        loaded=shown.get("LoadState", ""),
        fragment=shown.get("FragmentPath", ""),
        drop_ins=tuple(shown.get("DropInPaths", "").split()),
        account=accounts.get(shown.get("MainPID", ""), ""),
        restarts=int(shown.get("NRestarts") or 0),
    )
