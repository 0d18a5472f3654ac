"""Find the Debian package mirror in the host's apt configuration."""

from __future__ import annotations

import re
from pathlib import Path

from ucontact_appliance.errors import UsageError
from ucontact_appliance.lab.commands import run
from ucontact_appliance.language.messages import _

_LIST = "mirror+file:"
_ARCHIVE = "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] MIRROR sid main"


def debian_mirror() -> str:
    """The URI of the Debian archive that the host's apt uses."""
    listed = run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(ORIGIN) $(LABEL)"])
    uri = choose_mirror(listed)
    if uri.startswith(_LIST):  # as in Debian's cloud images
        path = Path(uri.removeprefix(_LIST).rstrip("/"))
        return first_of_list(path.read_text(encoding="utf-8"))
    return uri


def first_of_list(text: str) -> str:
    """The first mirror of apt's mirror list: one URI per line, options after a tab, `#` comments.

    Raises UsageError if it has none.
    """
    found = re.search(r"^\s*([a-z+]+://\S+)", text, re.MULTILINE)
    if found is None:
        raise UsageError(_("the host's mirror list contains no mirror"), evidence=text.strip())
    return found[1].rstrip("/") + "/"


def choose_mirror(listed: str) -> str:
    """The first repository whose origin and label are Debian's main archive.

    `listed` has one line per target: URI, origin, label. Raises UsageError if there is none.
    """
    for line in listed.splitlines():
        uri, __, names = line.partition(" ")
        if names == "Debian Debian":
            return uri.rstrip("/") + "/"
    raise UsageError(
        _("the host's apt configuration has no Debian archive to build machines from"),
        evidence=listed.strip() or _("no package lists"),
        helps="apt-get update   (on Debian, where the package lists are missing)\n"
        "else, as on Ubuntu: add a Debian archive, then apt-get update\n"
        f"  in /etc/apt/sources.list.d/debian-for-rehearsals.list:  {_ARCHIVE}\n"
        "  (any mirror of it will do; its keys are in the package debian-archive-keyring)\n"
        "  in /etc/apt/preferences.d/debian-for-rehearsals, so that the host takes nothing of it:\n"
        "  Package: *\n  Pin: release o=Debian\n  Pin-Priority: -1",
    )
