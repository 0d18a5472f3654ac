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
  - Installs a vendor's packages in place of the distribution's, in the same transaction, and pins
    their versions, so that no upgrade puts the distribution's back. Without them, packages that are
    still pinned return to the distribution's version.
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
  held:
    description: Packages that are marked as held if they are installed (apt-mark(8)).
    type: list
    elements: str
    default: []
  start_only:
    description:
      - Services that may start with their package's own configuration, each with its timer. All of
        them if omitted.
    type: list
    elements: str
  vendor:
    description: Packages of a vendor; none if omitted.
    type: dict
    suboptions:
      name: {type: str, required: true, description: Package that they have to contain.}
      pin: {type: path, required: true, description: File below /etc/apt/preferences.d.}
      folder: {type: path, required: true, description: Folder of the module and of its files.}
      files:
        description: Packages on this host, in C(FOLDER/packages).
        type: list
        elements: dict
        default: []
        suboptions:
          file: {type: str, required: true, description: Name of the file.}
          sha256: {type: str, required: true, description: SHA-256 that it has to have.}
      archive:
        description:
          - An apt archive, which apt itself does not get to know. Packages whose name begins with
            O(vendor.name) are taken from it, if they are in O(names) or needed by O(vendor.name).
        type: dict
        suboptions:
          uri: {type: str, required: true, description: URI.}
          suite: {type: str, required: true, description: Suite.}
          components: {type: list, elements: str, required: true, description: Components.}
          key: {type: str, required: true, description: Binary OpenPGP key in base64.}
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
"""

RETURN = r"""
changes: {type: list, returned: always, description: A line each, such as "installed nginx".}
manages: {type: list, returned: success, description: A line each, such as "package nginx".}
"""

import contextlib  # noqa: E402
import os  # noqa: E402
import re  # noqa: E402

from ansible.module_utils.basic import AnsibleModule  # noqa: E402
from ansible.module_utils.ucontact_apt import (  # noqa: E402
    LOCK,
    QUIET,
    AptError,
    read,
    refresh,
    run,
)
from ansible.module_utils.ucontact_vendor import NO_CHANGE, settle, vendor_change  # noqa: E402

STATES = "/var/lib/apt/extended_states"
POLICY = "/usr/sbin/policy-rc.d"  # see /usr/share/doc/init-system-helpers
POLICY_ASIDE = POLICY + ".ucontact-aside"
OURS = "# By the uContact appliance, while it installs packages"
KEEP = ["-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold"]
# Held packages change only when this module is told to install another version.
CHANGE = ["--allow-change-held-packages"]
DOWNGRADE = ["--allow-downgrades"]
TEXT = {"type": "str", "required": True}
VENDOR = {
    "name": TEXT,
    "pin": {"type": "path", "required": True},
    "folder": {"type": "path", "required": True},
    "files": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {"file": TEXT, "sha256": TEXT},
    },
    "archive": {
        "type": "dict",
        "options": {
            "uri": TEXT,
            "suite": TEXT,
            "components": {"type": "list", "elements": "str", "required": True},
            "key": dict(TEXT, no_log=False),
        },
    },
}


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


def is_known(module, name):
    """Whether the package has a candidate; a virtual package has none."""
    said = run(module, ["apt-cache", "policy", "--", name])
    found = re.search(r"^ *Candidate: (.*)$", said, re.MULTILINE)
    return found is not None and found.group(1) != "(none)"


def install(module, names, start_only, options):
    """Install them in one transaction. Raises AptError."""
    words = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends"]
    words += LOCK + KEEP + CHANGE + options
    if module.check_mode:
        run(module, words + ["--simulate", "--"] + names)
    elif start_only is None:
        run(module, words + ["--"] + names)
    else:
        with starting_only(start_only):
            run(module, words + ["--"] + names)


def hold(module, names):
    """Mark those of the packages that are installed as held; a line per change."""
    if not names:
        return []
    words = ["dpkg-query", "--show", "--showformat", "${Package} ${Status}\n", "--"]
    said = module.run_command(words + names, environ_update=QUIET)[1]
    rows = [line.split() for line in said.splitlines()]
    loose = [row[0] for row in rows if row[2:] == ["ok", "installed"] and row[1] != "hold"]
    if loose and not module.check_mode:
        run(module, ["apt-mark", "hold"] + loose)
    return ["held " + name for name in loose]


def converge(module, names, if_available, start_only, vendor=None):
    """The changes, one line each. Raises AptError."""
    told = remove_leftover(module)
    theirs = vendor_change(module, vendor, names + if_available) if vendor else NO_CHANGE
    there = installed(module, names + if_available) | theirs.names
    missing = [name for name in names if name not in there]
    if missing:
        refresh(module)
    missing += [name for name in if_available if name not in there and is_known(module, name)]
    if missing or theirs.words:
        # Going back may be to an older version.
        install(module, theirs.words + missing, start_only, DOWNGRADE if theirs.words else [])
    if not module.check_mode:
        settle(vendor, theirs)
    came_along = automatic(read(STATES))
    unmarked = [name for name in names + if_available if name in came_along]
    if unmarked and not module.check_mode:
        run(module, ["apt-mark", "manual"] + unmarked)
    told += theirs.lines + ["installed " + name for name in missing]
    return told + ["kept " + name for name in unmarked if name not in missing]


def main():
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "names": {"type": "list", "elements": "str", "required": True},
            "if_available": {"type": "list", "elements": "str", "default": []},
            "held": {"type": "list", "elements": "str", "default": []},
            "start_only": {"type": "list", "elements": "str"},
            "vendor": {"type": "dict", "options": VENDOR},
        },
        supports_check_mode=True,
    )
    try:
        wanted = module.params
        lines = converge(
            module,
            wanted["names"],
            wanted["if_available"],
            wanted["start_only"],
            wanted["vendor"],
        )
        lines += hold(module, wanted["held"])
    except (AptError, IOError, OSError) as error:
        module.fail_json(msg=str(error), changes=[])
    names = wanted["names"] + wanted["if_available"]
    manages = ["package " + name for name in names]
    if wanted["vendor"]:
        manages.append("path " + wanted["vendor"]["pin"])
    module.exit_json(changed=bool(lines), changes=lines, manages=manages)


if __name__ == "__main__":
    main()
