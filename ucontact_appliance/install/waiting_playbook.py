"""Loads Ansible, waits for a line with ansible-playbook's arguments, and runs it.

    python -m ucontact_appliance.install.waiting_playbook

The line is a JSON list of strings. Without one, the process that started this is done with it.
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module


def main() -> int:
    """The exit status of ansible-playbook."""
    # The entry point that `ansible-playbook` has in every ansible-core that we allow. The first of
    # these two takes most of the time that a playbook needs before its first task.
    playbook = import_module("ansible.cli.playbook")
    import_module("ansible.plugins.strategy.linear")
    os.write(int(os.environ["UCONTACT_EVENTS_FD"]), b'{"event": "loaded"}\n')
    line = sys.stdin.readline()
    if not line:
        return 0
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, sys.stdin.fileno())
    os.close(nothing)
    playbook.main(["ansible-playbook", *json.loads(line)])
    return 0  # it ends the process itself


if __name__ == "__main__":
    sys.exit(main())
