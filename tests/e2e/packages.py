"""A layer with the packages of every role, for machines that are not about installing them.

One run of tests makes it once, when the first test asks for it, and drops it at its end.
"""

from __future__ import annotations

import fcntl
import os
import shlex
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from ucontact_appliance.lab import layout, machines
from ucontact_appliance.lab.records import MachineSpec
from ucontact_appliance.planning.model import Role
from ucontact_appliance.planning.systems import optional_packages, packages_at_once, system_row
from ucontact_appliance.resources import ROLES

_RUN = "UCONTACT_TESTS_RUN"  # the same for all workers of a run
_SUITE = "sid"
# Services that the packages bring neither start here nor when another machine boots: none runs
# before its role is applied.
_INSTALL = """
set -e
export DEBIAN_FRONTEND=noninteractive
install() { apt-get install --yes --quiet --quiet --no-install-recommends "$@" >/dev/null; }
enabled() { systemctl list-unit-files --state=enabled --no-legend | cut -d ' ' -f 1 | sort; }
apt-get update --quiet --quiet
install {base}
enabled >/tmp/before
printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d
chmod 0755 /usr/sbin/policy-rc.d
install {roles}
rm /usr/sbin/policy-rc.d
enabled | comm -13 /tmp/before - | xargs --no-run-if-empty systemctl --quiet disable
rm /tmp/before
"""


def name_run() -> None:
    """Let the processes of this run of tests share the layer."""
    os.environ[_RUN] = uuid.uuid4().hex[:8]


def packages_layer(suite: str = _SUITE) -> tuple[str, ...]:
    """Return the layers of a machine that has the packages; none but on Debian sid."""
    if suite != _SUITE:
        return ()
    layer = _layer()
    with _alone():
        if not any(layout.images().glob(f"*+{layer}")):
            machine = machines.up(MachineSpec(layer, _SUITE), _quiet)
            done = machine.ssh(["bash", "-c", shlex.quote(_script())], timeout=600)
            assert done.returncode == 0, done.stdout + done.stderr
            machines.freeze(layer, layer, _quiet)
    return (layer,)


def drop_packages_layer() -> None:
    """Drop the layer of this run, if it was made."""
    if not _lock_file().exists():  # nobody asked for it
        return
    layer = _layer()
    if {machine.name for machine in machines.listed()} & {layer}:  # its making was interrupted
        machines.down([layer], _quiet)
    machines.drop_layer(layer, _quiet)
    _lock_file().unlink()


def _layer() -> str:
    return f"t-{os.environ[_RUN]}-packages"


def base_packages() -> list[str]:
    """Return what every server has."""
    defaults = yaml.safe_load((ROLES / "packages/defaults/main.yml").read_text(encoding="utf-8"))
    return [*defaults["packages_base"], "chrony"]


def role_packages() -> list[str]:
    """Return what the roles need."""
    system = system_row("debian", _SUITE)
    assert system is not None
    return list(packages_at_once(system, Role))


def telephony_packages(suite: str = _SUITE) -> dict[str, list[str]]:
    """Return the parameters of the role packages with which the role telephony finds its own."""
    system = system_row("debian", "11" if suite == "bullseye" else suite)
    assert system is not None
    roles = [Role.TELEPHONY]
    return {
        "packages_of_roles": list(packages_at_once(system, roles)),
        "packages_if_available": list(optional_packages(roles)),
    }


def _script() -> str:
    base, roles = shlex.join(base_packages()), shlex.join(role_packages())
    return _INSTALL.replace("{base}", base).replace("{roles}", roles)


def _lock_file() -> Path:
    return Path(tempfile.gettempdir()) / f"{_layer()}.lock"


@contextmanager
def _alone() -> Iterator[None]:
    with _lock_file().open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _quiet(_text: str) -> None:
    """Nobody watches the lab."""
