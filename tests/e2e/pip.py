"""This machine's pip configuration, as far as a rehearsal machine can use it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

from ucontact_appliance.lab.records import Machine

_INDEXES = ("index-url", "extra-index-url", "find-links")
_PASSED_ON = (*_INDEXES, "proxy", "trusted-host", "cert", "timeout", "default-timeout")
_CA = "etc/ssl/pip-ca.pem"


def configure_pip(machine: Machine) -> None:
    """Let pip on the machine ask whom pip here asks; folders of this machine are left out."""
    lines = ["[global]", "disable-pip-version-check = true"]
    for key, value in settings(_listed()).items():
        if key == "cert":
            (machine.root / _CA).write_bytes(Path(value).read_bytes())
            lines.append(f"cert = /{_CA}")
        else:
            lines.append(f"{key} = {value}")
    target = machine.root / "etc/pip.conf"
    target.touch(mode=0o600)  # the address of an index can hold a password
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")


def settings(listed: str) -> dict[str, str]:
    """`pip config list`, by key: what is passed on, without addresses of folders."""
    found: dict[str, str] = {}
    for line in listed.splitlines():
        name, mark, quoted = line.partition("=")
        key = name.rpartition(".")[2]
        if not mark or key not in _PASSED_ON:
            continue
        value = str(ast.literal_eval(quoted))
        if key in _INDEXES:
            value = " ".join(word for word in value.split() if urlsplit(word).netloc)
        if value:
            found.setdefault(key, value)
    return found


def _listed() -> str:
    command = [sys.executable, "-m", "pip", "config", "list"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
