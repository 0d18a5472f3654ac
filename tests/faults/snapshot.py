"""One small site, installed once; every fault gets it back as it was installed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ucontact_appliance.lab import layout, machines
from ucontact_appliance.lab.machines import Machine, Spec
from ucontact_appliance.resources import ROLES

Findings = dict[str, dict[str, Any]]

_STATE = ("site.yml", "etc", "var")
_SERVICES = "integraserver nginx asterisk coturn mysql fail2ban"
_READY_SECONDS = 120.0
# A service is up when it answers, not when its unit says active.
_READY = (
    "asterisk -rx 'core waitfullybooted' >/dev/null && "
    "curl -fsko /dev/null https://127.0.0.1/IntegraChannels/health && "
    f"systemctl is-active --quiet {_SERVICES} && fail2ban-client status >/dev/null"
)


@dataclass(frozen=True)
class Snapshot:
    """The site's machine, and the folder of the machine that installs: site.yml, etc and var."""

    machine: Machine
    folder: Path

    @property
    def site_file(self) -> Path:
        """The site's site.yml."""
        return self.folder / "site.yml"

    @property
    def environment(self) -> dict[str, str]:
        """What a shell on the installing machine has: `ucontact`, and this site's state."""
        return {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROLES.parent),
            "UCONTACT_ETC": str(self.folder / "etc"),
            "UCONTACT_VAR": str(self.folder / "var"),
            "SITE": str(self.site_file),
            "NAME": self.machine.name,
        }

    def here(self, script: str, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        """Run lines for bash on the machine that installs."""
        return subprocess.run(
            ["bash", "-c", script],
            env=self.environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def there(self, script: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run lines for bash on the site's machine, as root."""
        return self.machine.ssh(["bash", "-ec", f"'{_quoted(script)}'"], timeout=timeout)

    def doctor(self, *words: str) -> Findings:
        """The findings by id. Raises RuntimeError when the doctor itself breaks."""
        command = f'ucontact doctor --json --site "$SITE" {" ".join(words)}'
        done = self.here(command, timeout=180)
        if not done.stdout.strip():
            raise RuntimeError(f"doctor gave no findings: {done.stderr[-2000:]}")
        return {finding["id"]: finding for finding in json.loads(done.stdout)["findings"]}

    def restore(self) -> None:
        """The site as it was installed: its machine freshly booted, its state put back."""
        for part in _STATE:
            _copied(self.folder / "kept" / part, self.folder / part)
        machines.reset(self.machine.name, _quiet)
        self.wait()

    def wait(self) -> None:
        """Until every service answers. Raises TimeoutError with the last word of the machine."""
        deadline = time.monotonic() + _READY_SECONDS
        while True:
            done = self.there(_READY)
            if done.returncode == 0:
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"the site does not come up: {done.stdout}{done.stderr}")
            time.sleep(0.3)


@contextmanager
def snapshot(name: str, folder: Path) -> Iterator[Snapshot]:
    """A small site on a machine of that name, settled on a layer; both are gone afterwards."""
    layer = f"{name}-site"
    try:
        machine = machines.up(Spec(name), _quiet)
        made = Snapshot(machine, folder)
        made.site_file.write_text(
            f"site: {name}\nfqdn: demo.ucontact.test\nagents: 10\nhosts:\n"
            f"  - {{name: {name}, address: {machine.address}, key: {layout.ssh_key()}}}\n",
            encoding="utf-8",
        )
        done = made.here('ucontact install --yes --site "$SITE"', timeout=900)
        if done.returncode != 0:
            raise RuntimeError(f"the site can't be installed: {done.stderr[-4000:]}")
        made.wait()
        stopped = made.there(f"systemctl stop {_SERVICES}")
        if stopped.returncode != 0:
            raise RuntimeError(f"the services do not stop: {stopped.stderr}")
        machines.settle(name, layer, _quiet)
        for part in _STATE:
            _copied(folder / part, folder / "kept" / part)
        yield made
    finally:
        if name in {machine.name for machine in machines.listed()}:
            machines.down([name], _quiet)
        machines.drop_layer(layer, _quiet)


def _copied(source: Path, target: Path) -> None:
    if target.is_dir():
        shutil.rmtree(target)
    target.parent.mkdir(exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True)
    else:
        shutil.copy2(source, target)


def _quoted(script: str) -> str:
    return script.replace("'", "'\\''")


def _quiet(_text: str) -> None:
    """Nobody watches the lab."""
