#!/usr/bin/python
"""Ansible module: install Debian and Ubuntu packages with apt-get, in one transaction.

Only dpkg is asked whether all are installed: loading apt's lists takes ten times as long. Runs on
the target's Python, 2.7 or 3.5 and later, and needs no python3-apt.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: apt_packages
short_description: install missing packages in one transaction, without questions
description:
  - Keeps configuration files that the customer changed. Installs no recommended packages.
  - Updates the package lists only if a package is missing and the lists are older than an hour.
  - Marks packages that were installed as dependencies as manually installed (apt-mark(8)).
  - Removes the policy-rc.d that a killed run left behind.
options:
  names:
    description: Packages.
    type: list
    elements: str
    required: true
  if_available:
    description: Packages that only some releases of the system have.
    type: list
    elements: str
    default: []
  start_only:
    description:
      - Services that may start with their package's own configuration, each with its timer. All of
        them if omitted.
    type: list
    elements: str
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
"""

RETURN = r"""
changes: {type: list, returned: always, description: A line each, such as "installed nginx".}
manages: {type: list, returned: success, description: A line each, such as "package nginx".}
"""

import contextlib  # noqa: E402
import errno  # noqa: E402
import os  # noqa: E402
import re  # noqa: E402
import time  # noqa: E402

from ansible.module_utils.basic import AnsibleModule  # noqa: E402

LISTS = "/var/lib/apt/lists"
STATES = "/var/lib/apt/extended_states"
POLICY = "/usr/sbin/policy-rc.d"  # see /usr/share/doc/init-system-helpers
POLICY_ASIDE = POLICY + ".ucontact-aside"
OURS = "# By the uContact appliance, while it installs packages"
FRESH_SECONDS = 3600
# A short wait: if it takes longer, install reports who has the lock. apt before 1.9.11 never waits.
LOCK = ["-o", "DPkg::Lock::Timeout=10"]
QUIET = {
    "DEBIAN_FRONTEND": "noninteractive",
    "APT_LISTCHANGES_FRONTEND": "none",
    "NEEDRESTART_MODE": "l",
    "LC_ALL": "C",
}
KEEP = ["-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold"]
MOST_SAID = 3000


class AptError(Exception):
    """An apt or dpkg command failed; the message is its output."""


def run(module, words):
    """Return the output. Raises AptError with output and errors."""
    status, said, complaint = module.run_command(words, environ_update=QUIET)
    if status:
        told = (complaint.strip() + "\n" + said.strip()).strip()[-MOST_SAID:]
        raise AptError("%s: %s" % (" ".join(words[:2]), told))
    return said


def installed(module, names):
    """Return the names of packages that are installed and configured."""
    words = ["dpkg-query", "--show", "--showformat", "${Package} ${Status}\n"]
    # Its status is 1 if a package is unknown to it.
    said = module.run_command(words + ["--"] + names, environ_update=QUIET)[1]
    rows = (line.split() for line in said.splitlines())
    return {row[0] for row in rows if row[2:] == ["ok", "installed"]}


def automatic(text):
    """Return the packages marked as automatically installed in apt's extended_states."""
    found = set()
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        if fields.get("Auto-Installed") == "1":
            found.add(fields.get("Package"))
    return found


def read(path):
    """The file's text; empty if it does not exist."""
    try:
        with open(path) as stream:
            return stream.read()
    except (IOError, OSError) as error:
        if error.errno != errno.ENOENT:
            raise
        return ""


def are_fresh(folder):
    """Whether apt's lists exist and are younger than an hour."""
    try:
        names = [name for name in os.listdir(folder) if name not in ("lock", "partial", "auxfiles")]
        newest = max(os.stat(path).st_mtime for path in (folder, os.path.join(folder, "partial")))
    except OSError:
        return False
    return bool(names) and time.time() - newest < FRESH_SECONDS


def policy(services):
    """The text of a policy-rc.d that allows only these services to start.

    Its first argument is the name of an init script or a unit: a service or a timer.
    """
    row = "{0} | {0}.service | {0}.timer) exit 0 ;;\n"
    allowed = "".join(row.format(name) for name in services)
    return "#!/bin/sh\n%s\ncase $1 in\n%sesac\nexit 101\n" % (OURS, allowed)


@contextlib.contextmanager
def starting_only(services):
    """Keep packages from starting other services; restore an existing policy-rc.d afterwards."""
    if os.path.exists(POLICY) and OURS not in read(POLICY):
        os.rename(POLICY, POLICY_ASIDE)
    with open(POLICY, "w") as stream:
        stream.write(policy(services))
    os.chmod(POLICY, 0o755)
    try:
        yield
    finally:
        restore_policy()


def restore_policy():
    """Remove our policy-rc.d and put back the one that was there before it."""
    os.unlink(POLICY)
    if os.path.exists(POLICY_ASIDE):
        os.rename(POLICY_ASIDE, POLICY)


def remove_leftover(module):
    """Remove the policy-rc.d of a killed run, which keeps packages from starting services."""
    if OURS not in read(POLICY):
        return []
    if not module.check_mode:
        restore_policy()
    return ["removed the leftover " + POLICY]


def refresh(module):
    """Update the package lists if they are old."""
    if not are_fresh(LISTS) and not module.check_mode:
        run(module, ["apt-get", "update", "--quiet"] + LOCK)


def is_known(module, name):
    """Whether the package has a candidate; a virtual package has none."""
    said = run(module, ["apt-cache", "policy", "--", name])
    found = re.search(r"^ *Candidate: (.*)$", said, re.MULTILINE)
    return found is not None and found.group(1) != "(none)"


def install(module, names, start_only):
    """Install them in one transaction. Raises AptError."""
    words = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends"] + LOCK + KEEP
    if module.check_mode:
        run(module, words + ["--simulate", "--"] + names)
    elif start_only is None:
        run(module, words + ["--"] + names)
    else:
        with starting_only(start_only):
            run(module, words + ["--"] + names)


def converge(module, names, if_available, start_only):
    """The changes, one line each. Raises AptError."""
    told = remove_leftover(module)
    there = installed(module, names + if_available)
    missing = [name for name in names if name not in there]
    if missing:
        refresh(module)
    missing += [name for name in if_available if name not in there and is_known(module, name)]
    if missing:
        install(module, missing, start_only)
    came_along = automatic(read(STATES))
    unmarked = [name for name in names + if_available if name in came_along]
    if unmarked and not module.check_mode:
        run(module, ["apt-mark", "manual"] + unmarked)
    told += ["installed " + name for name in missing]
    return told + ["kept " + name for name in unmarked if name not in missing]


def main():
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "names": {"type": "list", "elements": "str", "required": True},
            "if_available": {"type": "list", "elements": "str", "default": []},
            "start_only": {"type": "list", "elements": "str"},
        },
        supports_check_mode=True,
    )
    try:
        wanted = module.params
        lines = converge(module, wanted["names"], wanted["if_available"], wanted["start_only"])
    except (AptError, IOError, OSError) as error:
        module.fail_json(msg=str(error), changes=[])
    names = wanted["names"] + wanted["if_available"]
    manages = ["package " + name for name in names]
    module.exit_json(changed=bool(lines), changes=lines, manages=manages)


if __name__ == "__main__":
    main()
