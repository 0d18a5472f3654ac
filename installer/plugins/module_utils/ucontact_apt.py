"""Commands of apt, for the Ansible modules.

Runs on the target's Python, 2.7 or 3.5 and later.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import errno
import os
import time

LISTS = "/var/lib/apt/lists"
FRESH_SECONDS = 3600
# A short wait: if it takes longer, install reports who has the lock. apt before 1.9.11 never waits.
LOCK = ["-o", "DPkg::Lock::Timeout=10"]
QUIET = {
    "DEBIAN_FRONTEND": "noninteractive",
    "APT_LISTCHANGES_FRONTEND": "none",
    "NEEDRESTART_MODE": "l",
    "LC_ALL": "C",
}
MOST_SAID = 3000


class AptError(Exception):
    """An apt or dpkg command failed; the message is its output."""


def run(module, words, cwd=None):
    """Return the output. Raises AptError with output and errors."""
    status, said, complaint = module.run_command(words, environ_update=QUIET, cwd=cwd)
    if status:
        told = (complaint.strip() + "\n" + said.strip()).strip()[-MOST_SAID:]
        raise AptError("%s: %s" % (" ".join(words[:2]), told))
    return said


def read(path, mode="r"):
    """The file's content; empty if it does not exist."""
    try:
        with open(path, mode) as stream:
            return stream.read()
    except (IOError, OSError) as error:
        if error.errno != errno.ENOENT:
            raise
        return b"" if "b" in mode else ""


def are_fresh(folder):
    """Whether apt's lists exist and are younger than an hour."""
    try:
        names = [name for name in os.listdir(folder) if name not in ("lock", "partial", "auxfiles")]
        newest = max(os.stat(path).st_mtime for path in (folder, os.path.join(folder, "partial")))
    except OSError:
        return False
    return bool(names) and time.time() - newest < FRESH_SECONDS


def write(path, content):
    """Write the file in one step."""
    with open(path + ".new", "wb") as stream:
        stream.write(content)
    os.rename(path + ".new", path)


def refresh(module):
    """Update the package lists if they are old."""
    if not are_fresh(LISTS) and not module.check_mode:
        run(module, ["apt-get", "update", "--quiet"] + LOCK)
