"""One small site, installed once; every fault gets it back as it was installed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e import sshd
from tests.recorded_states import different_now, record_anew
from ucontact_appliance.lab import layout, machines, processes
from ucontact_appliance.lab.records import Machine, MachineSpec
from ucontact_appliance.resources import ROLES
from ucontact_appliance.state import StatePaths, var_root

Findings = dict[str, dict[str, Any]]

_SERVICES = "integraserver nginx asterisk coturn mysql fail2ban"
_READY_SECONDS = 120.0
# A service is up when it answers, not when its unit says active.
_READY = (
    "asterisk -rx 'core waitfullybooted' >/dev/null && "
    "curl -fsko /dev/null https://127.0.0.1/Integra/resources/health && "
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
    def sshd_log(self) -> Path:
        """What its strict ssh server said during the installation."""
        return self.folder / "sshd.log"

    @property
    def state(self) -> tuple[Path, ...]:
        """What the machine that installs keeps of the site: a file and two folders.

        The lab lies below /var/lib/ucontact too, so that root is not moved.
        """
        return self.site_file, self.folder / "etc", self.paths.var

    @property
    def paths(self) -> StatePaths:
        """Where the machine that installs keeps the state of the site."""
        name = self.machine.name
        return StatePaths(self.folder / "etc" / name, var_root() / name)

    @property
    def environment(self) -> dict[str, str]:
        """What a shell on the installing machine has: `ucontact`, and this site's state."""
        return {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROLES.parent),
            "UCONTACT_ETC": str(self.folder / "etc"),
            "SITE": str(self.site_file),
            "ETC": str(self.folder / "etc" / self.machine.name),
            "ROOT": str(self.machine.root),
            "LEADER": str(processes.leader(self.machine.root) or ""),
        }

    def here(self, script: str, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        """Run lines for bash on the machine that installs; what they started ends with us."""
        process = subprocess.Popen(
            ["bash", "-c", script],
            env=self.environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            said, complained = process.communicate(timeout=timeout)
        except BaseException:  # an interruption too: an installation would go on by itself
            os.killpg(process.pid, signal.SIGTERM)
            process.communicate()
            raise
        return subprocess.CompletedProcess(process.args, process.returncode, said, complained)

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

    def differs(self) -> bool:
        """Whether anything that an installation looks at is not as it was installed."""
        return any(different_now(self.site_file, self.paths).values())

    def clean(self, usual: frozenset[str]) -> Findings:
        """The findings of the site as it was installed; all but `usual` must be well.

        Raises RuntimeError with what complains.
        """
        self.restore()
        found = self.doctor()
        told = {
            check_id: finding["observed"]
            for check_id, finding in found.items()
            if finding["verdict"] in ("fail", "error", "warn") and check_id not in usual
        }
        if told:
            raise RuntimeError(f"the clean site has findings: {told}")
        return found

    def restore(self) -> None:
        """The site as it was installed: its machine freshly booted, its state put back."""
        for number, path in enumerate(self.state):
            _copied(self.folder / f"kept-{number}", path)
        machines.reset(self.machine.name, _quiet)
        self.wait()
        record_anew(self.site_file, self.paths)

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
def snapshot(
    name: str, folder: Path, *, layers: tuple[str, ...] = (), keep: bool = False
) -> Iterator[Snapshot]:
    """A small site on a machine of that name and with these layers, settled on a layer.

    Both are gone afterwards; with `keep` they stay, and the next caller with the same name and
    folder finds the site installed.
    """
    layer = f"{name}-site"
    try:
        machine = (
            machines.up(MachineSpec(name, layers=layers), _quiet)
            if not _is_kept(folder)
            else machines.find(name)
        )
        made = Snapshot(machine, folder)
        if not _is_kept(folder):
            _install(made, layer)
        yield made
    finally:
        if not keep:
            if name in {machine.name for machine in machines.listed()}:
                machines.down([name], _quiet)
            machines.drop_layer(layer, _quiet)
            shutil.rmtree(var_root() / name, ignore_errors=True)
            for kept in folder.glob("kept-*"):
                shutil.rmtree(kept) if kept.is_dir() else kept.unlink()


def _is_kept(folder: Path) -> bool:
    return (folder / "kept-2").is_dir()


def _install(made: Snapshot, layer: str) -> None:
    name, address = made.machine.name, made.machine.address
    made.site_file.write_text(
        f"site: {name}\nfqdn: demo.ucontact.test\nagents: 10\nhosts:\n"
        f"  - {{name: {name}, address: {address}, key: {layout.ssh_key()}}}\n",
        encoding="utf-8",
    )
    since = sshd.make_strict(made.machine)
    done = made.here('ucontact install --yes --site "$SITE"', timeout=900)
    if done.returncode != 0:
        raise RuntimeError(f"the site can't be installed: {done.stderr[-4000:]}")
    made.sshd_log.write_text(sshd.journal(made.machine, since), encoding="utf-8")
    sshd.make_usual(made.machine)
    made.wait()
    stopped = made.there(f"systemctl stop {_SERVICES}")
    if stopped.returncode != 0:
        raise RuntimeError(f"the services do not stop: {stopped.stderr}")
    machines.settle(name, layer, _quiet)
    for number, path in enumerate(made.state):
        _copied(path, made.folder / f"kept-{number}")


def _copied(source: Path, target: Path) -> None:
    if target.is_dir():
        shutil.rmtree(target)
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True)
    else:
        shutil.copy2(source, target)


def _quoted(script: str) -> str:
    return script.replace("'", "'\\''")


def _quiet(_text: str) -> None:
    """Nobody watches the lab."""
