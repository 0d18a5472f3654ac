#!/usr/bin/python
"""Ansible module: enable and start several systemd units in one call.

Runs on the target's Python, 2.7 or 3.5 and later, with systemd 229 or later.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: systemd_units
short_description: unmask, enable and start units together
description:
  - Asks systemd about all units at once. Where a unit's file is newer than what systemd has loaded,
    systemd reads all of them again first.
  - Units are started together, so that those which take long do so side by side.
options:
  units:
    description: Full names, such as nginx.service.
    type: list
    elements: str
    required: true
  restarted:
    description: Those of them that are restarted where they run.
    type: list
    elements: str
    default: []
  started:
    description: Whether units that do not run are started.
    type: bool
    default: true
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
"""

RETURN = r"""
changes: {type: list, returned: always, description: A line each, such as "started nginx.service".}
manages: {type: list, returned: success, description: A line each, such as "unit nginx.service".}
"""

from ansible.module_utils.basic import AnsibleModule  # noqa: E402

PROPERTIES = ("Id", "LoadState", "ActiveState", "UnitFileState", "NeedDaemonReload", "FragmentPath")
RUNNING = ("active", "reloading", "activating")
# There is nothing to enable for a unit that another one starts, or without an [Install] section.
ENABLED = ("enabled", "static", "alias", "indirect")
FROM_INIT_SCRIPT = ("", "generated", "bad")
MOST_LINES = 12


class UnitError(Exception):
    """systemd refused an operation: the unit and systemd's message."""


def parsed(text):
    """The properties of each unit in the output of `systemctl show`, in its order."""
    return [
        dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        for block in text.strip().split("\n\n")
        if block.strip()
    ]


class Systemd(object):
    """systemctl on this host."""

    def __init__(self, module):
        self.module = module

    def run(self, words):
        """The output. Raises UnitError."""
        status, said, complaint = self.call(words)
        if status:
            raise UnitError("systemctl %s: %s" % (" ".join(words), (complaint + said).strip()))
        return said

    def call(self, words):
        """Run systemctl; return status, stdout and stderr."""
        return self.module.run_command(["systemctl", "--no-pager"] + words)

    def states(self, units):
        """The properties of each unit, by the requested name."""
        said = self.run(["show", "--property=" + ",".join(PROPERTIES), "--"] + units)
        found = parsed(said)
        if len(found) != len(units):
            raise UnitError("systemctl show told of %d units, not %d" % (len(found), len(units)))
        return dict(zip(units, found))

    def is_enabled(self, unit, state):
        """Whether it starts at boot; units generated from init scripts need a separate query."""
        if state.get("UnitFileState", "") in FROM_INIT_SCRIPT:
            return self.call(["is-enabled", "--quiet", unit])[0] == 0
        return state["UnitFileState"] in ENABLED

    def trouble(self, units):
        """The last log lines of each unit that does not run."""
        lines = []
        for unit, state in sorted(self.states(units).items()):
            if state.get("ActiveState") not in RUNNING:
                said = self.call(["status", "--full", "--lines=5", unit])[1]
                lines += ["%s does not run:" % unit] + said.strip().splitlines()[-MOST_LINES:]
        return "\n".join(lines)


def is_missing(state):
    """Whether there is no such unit; a masked one exists."""
    return state.get("LoadState") == "not-found"


def is_unread(state):
    """Whether systemd must read its unit file: it is new or was changed."""
    return is_missing(state) or state.get("NeedDaemonReload") == "yes"


def is_masked(state):
    """Whether the unit is masked."""
    return state.get("LoadState") == "masked" or state.get("UnitFileState") == "masked"


def loaded(module, systemd, units):
    """The units' states, reloaded if their files changed. Raises UnitError if one is missing."""
    states = systemd.states(units)
    if not module.check_mode and any(is_unread(state) for state in states.values()):
        systemd.run(["daemon-reload"])
        states = systemd.states(units)
    missing = [unit for unit in units if is_missing(states[unit])]
    if missing and not module.check_mode:
        raise UnitError("there is no unit %s on this host" % ", ".join(missing))
    return states


def converge(module, systemd, units, restarted, started):
    """The changes, one line each. Raises UnitError."""
    states = loaded(module, systemd, units)
    masked = [unit for unit in units if is_masked(states[unit])]
    if masked and not module.check_mode:
        systemd.run(["unmask", "--"] + masked)
        states = systemd.states(units)
    disabled = [unit for unit in units if not systemd.is_enabled(unit, states[unit])]
    idle = [u for u in units if states[u].get("ActiveState") not in RUNNING] if started else []
    stale = [unit for unit in restarted if unit in units and unit not in idle]
    if not module.check_mode:
        if disabled:
            systemd.run(["enable", "--"] + disabled)
        begin(systemd, "start", idle)
        begin(systemd, "restart", stale)
    steps = (("unmasked", masked), ("enabled", disabled), ("started", idle), ("restarted", stale))
    return ["%s %s" % (verb, unit) for verb, names in steps for unit in names]


def begin(systemd, verb, units):
    """Start or restart all units at once, and wait until systemd reports the results."""
    if not units:
        return
    status, said, complaint = systemd.call([verb, "--"] + units)
    if status:
        told = (complaint + said).strip()
        raise UnitError("\n".join([told, systemd.trouble(units)]).strip())


def main():
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "units": {"type": "list", "elements": "str", "required": True},
            "restarted": {"type": "list", "elements": "str", "default": []},
            "started": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    wanted = module.params
    try:
        lines = converge(
            module, Systemd(module), wanted["units"], wanted["restarted"], wanted["started"]
        )
    except UnitError as error:
        module.fail_json(msg=str(error), changes=[])
    manages = ["unit " + unit for unit in wanted["units"]]
    module.exit_json(changed=bool(lines), changes=lines, manages=manages)


if __name__ == "__main__":
    main()
