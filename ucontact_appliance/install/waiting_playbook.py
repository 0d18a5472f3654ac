"""Load Ansible, wait for a line with ansible-playbook's arguments, and run it.

    python -m ucontact_appliance.install.waiting_playbook

The line is a JSON list of strings. At end of file without a line, nothing runs (exit status 0).
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module


def main() -> int:
    """Run ansible-playbook, which exits with its own status; return 0 without a line."""
    # The entry point of `ansible-playbook` in every supported ansible-core. This first import takes
    # most of the time that a playbook needs before its first task.
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
    return 0  # not reached: playbook.main() calls sys.exit()


if __name__ == "__main__":
    sys.exit(main())
