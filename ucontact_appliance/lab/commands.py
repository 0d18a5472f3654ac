"""Run the host's tools, and report which ones are missing."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence

from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.language.messages import _

# command: the package that contains it
TOOLS = {
    "systemd-nspawn": "systemd-container",
    "mmdebstrap": "mmdebstrap",
    "nft": "nftables",
    "ip": "iproute2",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "mount": "mount",
    "unshare": "util-linux",
}


def require_root() -> None:
    """Raise UsageError unless run as root, who owns the lab's folder."""
    if os.geteuid() != 0:
        raise UsageError(_("rehearsal machines need root"), helps=_("run it again with sudo"))


def require_tools() -> None:
    """Raise UsageError with the missing packages and the command that installs them."""
    require_root()
    missing = sorted({package for tool, package in TOOLS.items() if shutil.which(tool) is None})
    if missing:
        raise UsageError(
            _("the lab needs {missing}", missing=", ".join(missing)),
            helps=f"apt-get install --no-install-recommends {' '.join(missing)}",
        )


def run(argv: Sequence[str], *, timeout: float = 60, stdin: str = "") -> str:
    """The output of a command. Raises UnreachableError with its messages if it fails."""
    try:
        done = subprocess.run(
            argv, input=stdin, capture_output=True, text=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise UnreachableError(
            _("{argv} did not finish within {timeout:g} s", argv=argv[0], timeout=timeout)
        ) from error
    if done.returncode:
        raise UnreachableError(
            _(
                "{argv} failed with exit status {returncode}",
                argv=argv[0],
                returncode=done.returncode,
            ),
            evidence=f"$ {' '.join(argv)}\n{done.stderr.strip() or done.stdout.strip()}",
        )
    return done.stdout


def succeeds(argv: Sequence[str]) -> bool:
    """Whether the command ends with 0; for questions, not for acts."""
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0
