"""Installed packages on a host: whether they are held, and which newer versions apt knows."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ucontact_appliance.facts.host import script, sections
from ucontact_appliance.facts.parsing import parsing
from ucontact_appliance.facts.source import ProbeContext
from ucontact_appliance.language.messages import _

_SECONDS = 40


@dataclass(frozen=True)
class PackageHold:
    """An installed package: its version, and whether it is held (apt-mark(8))."""

    name: str
    version: str
    held: bool


_HELD = r"""
LC_ALL=C dpkg-query -W -f '${Package} ${db:Status-Want} ${db:Status-Status} ${Version}\n' -- "$@" \
  2>/dev/null
true
"""


def held(reach: ProbeContext, names: tuple[str, ...]) -> tuple[PackageHold, ...]:
    """Those of the packages that are installed."""
    done = reach.runner.run(["sh", "-c", _HELD, "sh", *names])
    with parsing(done, _("the installed packages can't be read")):
        return parse_held(done.stdout)


def parse_held(text: str) -> tuple[PackageHold, ...]:
    """Parse lines of name, wanted state, state and version."""
    rows = (line.split(" ") for line in text.splitlines())
    return tuple(
        PackageHold(name, version, want == "hold")
        for name, want, status, version in rows
        if status == "installed"
    )


@dataclass(frozen=True)
class PackageUpdate:
    """A newer version that apt would install; `security`: it, or one before it, is a fix."""

    name: str
    installed: str
    candidate: str
    security: bool


@dataclass(frozen=True)
class PackageUpdates:
    """The updates that the host's apt knows; `listed` is when its lists were fetched, 0: never."""

    listed: int
    updates: tuple[PackageUpdate, ...]


# With apt's cache of the lists, valid since they were fetched: reading all of them anew takes half
# a second of processor. Without that of the packages' states, which apt would write anew.
_UPDATES = script(
    listed="find /var/lib/apt/lists -maxdepth 1 -name '*Packages*' -printf '%C@\\n' | sort -n | "
    "tail -n 1",
    policy='LC_ALL=C apt-cache -o Dir::Cache::pkgcache= policy -- "$@"',
)


def updates(reach: ProbeContext, names: tuple[str, ...]) -> PackageUpdates:
    """The updates of these packages, by the lists that the host has."""
    done = reach.runner.run(["sh", "-c", _UPDATES, "sh", *names], timeout=_SECONDS)
    with parsing(done, _("apt's versions of the packages can't be read")):
        part = sections(done.stdout)
        listed = int(float(part["listed"].strip() or 0))
        return PackageUpdates(listed, parse_updates(part["policy"]))


_SECURITY = re.compile(r"-security[/ ]|/debian-security[/ ]")


def parse_updates(text: str) -> tuple[PackageUpdate, ...]:
    """Parse `apt-cache policy`: the packages whose candidate is not the installed version."""
    found = []
    for block in re.split(r"^(?=\S+:$)", text, flags=re.MULTILINE):
        name, _colon, rest = block.partition(":\n")
        versions = {
            key: match[1]
            for key in ("Installed", "Candidate")
            if (match := re.search(rf"^  {key}: (\S+)$", rest, re.MULTILINE))
        }
        installed, candidate = versions.get("Installed", ""), versions.get("Candidate", "")
        if not rest or "(none)" in (installed, candidate) or installed == candidate:
            continue
        security = any(_SECURITY.search(line) for line in _newer(rest))
        found.append(PackageUpdate(name, installed, candidate, security))
    return tuple(found)


def _newer(block: str) -> list[str]:
    """Return the lines of the versions above the installed one (`***`), with their sources."""
    table = block.partition("Version table:\n")[2]
    return table.partition("\n *** ")[0].splitlines() if not table.startswith(" *** ") else []
