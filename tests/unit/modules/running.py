"""Run an Ansible module as Ansible does: a script with JSON on its standard input."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def run_module(
    module: Path, arguments: Mapping[str, Any], environment: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return its result. Its exit status has to agree, and standard error has to be empty."""
    done = subprocess.run(
        [sys.executable, module],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    assert bool(result.get("failed")) == bool(done.returncode), done.stderr
    assert done.stderr == ""
    return result
