"""The units of a host's services: the files that each is read from, and whose its process is."""

from __future__ import annotations

from dataclasses import dataclass

from ucontact_appliance.facts.host import script, sections
from ucontact_appliance.facts.source import Reach

# User is what the unit asks for: not judged, and there for whoever reads the evidence.
_PROPERTIES = ("Id", "LoadState", "FragmentPath", "DropInPaths", "User", "MainPID", "NRestarts")


@dataclass(frozen=True)
class ServiceUnit:
    """A unit in systemd's own words, and the account of its main process.

    `fragment` is the unit's file, empty without one; `account` is empty without a process.
    `restarts` is how often systemd had to start it again; 0 before systemd 235, which tells nobody.
    """

    name: str
    loaded: str
    fragment: str
    drop_ins: tuple[str, ...]
    account: str
    restarts: int = 0

    @property
    def files(self) -> tuple[str, ...]:
        """All that the unit is read from."""
        return tuple(path for path in (self.fragment, *self.drop_ins) if path)


@dataclass(frozen=True)
class ServiceUnits:
    """The units that were asked for, in that order, and the whole answer."""

    units: tuple[ServiceUnit, ...]
    evidence: str


# A process's folder is its effective account's, whatever became of its other rights (proc(5)); ps
# would cut a long name.
_ASK = script(
    units=f'shown=$(systemctl show "$@" {" ".join(f"-p {name}" for name in _PROPERTIES)} 2>&1)\n'
    r"""printf '%s\n' "$shown" """,
    accounts=r"""for pid in $(printf '%s\n' "$shown" | sed -n 's/^MainPID=\([1-9][0-9]*\)$/\1/p')
do echo "$pid $(stat -c %U "/proc/$pid" 2>/dev/null)"; done""",
)


def service_units(reach: Reach, names: tuple[str, ...]) -> ServiceUnits:
    """Ask systemd for these units, and the kernel for their processes."""
    return parse_units(reach.runner.run(["sh", "-c", _ASK, "sh", *names]).stdout)


def parse_units(text: str) -> ServiceUnits:
    """From `systemctl show`, an empty line between units, and lines of process and account."""
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
