"""The package mirror is the host's affair: it is read from the host's apt configuration."""

from __future__ import annotations

from ucontact_appliance.errors import UsageError
from ucontact_appliance.lab.commands import run


def debian_mirror() -> str:
    """The URI of the Debian archive that the host itself uses."""
    listed = run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(ORIGIN) $(LABEL)"])
    return choose_mirror(listed)


def choose_mirror(listed: str) -> str:
    """The first repository whose origin and label are Debian's main archive.

    `listed` has a line a target: URI, origin, label. Raises UsageError when there is none.
    """
    for line in listed.splitlines():
        uri, _, names = line.partition(" ")
        if names == "Debian Debian":
            return uri.rstrip("/") + "/"
    raise UsageError(
        "the host's apt configuration names no Debian archive to make machines from",
        evidence=listed.strip() or "no package lists",
        helps="apt-get update",
    )
