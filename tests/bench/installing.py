"""`make bench`, its part about installing: each figure beside a floor or a rival, in one run.

The floor of a first installation is apt-get installing the same packages on an equal machine. The
rivals of a run that changes nothing are ansible-playbook with the same playbooks, and pyinfra with
as many files, units and packages. The floor of a command is Python doing nothing. Alone:
`python -m tests.bench.installing`.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import yaml

from tests.bench.measure import Row, Sample, command, elsewhere, table, typical
from tests.e2e.packages import base_packages, role_packages
from ucontact_appliance import __version__
from ucontact_appliance.facts.runner import SshSettings
from ucontact_appliance.install.events import nobody
from ucontact_appliance.install.job import Job
from ucontact_appliance.install.surveying import look
from ucontact_appliance.install.unchanged import load_states
from ucontact_appliance.install.unsafe import as_data
from ucontact_appliance.lab import layout, machines
from ucontact_appliance.lab.records import Machine, MachineSpec
from ucontact_appliance.planning.component_tables import phases
from ucontact_appliance.release.store import resolve_release
from ucontact_appliance.resources import INSTALLER
from ucontact_appliance.site.loader import load_site
from ucontact_appliance.site.secrets import Secrets, load_secrets, playbook_secrets
from ucontact_appliance.state import StatePaths, var_root

_PAGE = Path("docs/bench.md")
_NOTHING = "python -c pass"
_RUNS = int(os.environ.get("BENCH_RUNS", "5"))
_FIRST_RUNS = int(os.environ.get("BENCH_FIRST_RUNS", "3"))
_UCONTACT = (sys.executable, "-m", "ucontact_appliance")


@dataclass(frozen=True)
class Bench:
    """A site on fresh machines, and the environment in which commands find it."""

    folder: Path
    machines: tuple[Machine, ...]
    agents: int

    @property
    def site_file(self) -> Path:
        """site.yml."""
        return self.folder / "site.yml"

    @property
    def name(self) -> str:
        """The site's, which is its first machine's."""
        return self.machines[0].name

    @property
    def environment(self) -> dict[str, str]:
        """A shell's."""
        return {**os.environ, "UCONTACT_ETC": str(self.folder / "etc")}

    @property
    def paths(self) -> StatePaths:
        """What the appliance keeps of the site."""
        return StatePaths(self.folder / "etc" / self.name, var_root() / self.name)

    def write(self, extensions: Sequence[str] = ("6001", "6002")) -> None:
        """site.yml with these extensions."""
        document = {
            "site": self.name,
            "fqdn": "bench.ucontact.test",
            "agents": self.agents,
            "hosts": [
                {"name": machine.name, "address": machine.address, "key": str(layout.ssh_key())}
                for machine in self.machines
            ],
            "telephony": {"extensions": list(extensions)},
            "recordings": {"retention_days": 1},
        }
        self.site_file.write_text(yaml.safe_dump(document), encoding="utf-8")

    def ucontact(self, *words: str) -> Sample:
        """Run a command on the site."""
        return command([*_UCONTACT, *words, "--site", self.site_file], self.environment)

    def install(self, *words: str) -> Sample:
        """Install it."""
        return self.ucontact("install", "--yes", *words)


@contextmanager
def bench(count: int = 1, agents: int = 10) -> Iterator[Bench]:
    """A site on so many fresh machines; nothing is left of either."""
    with tempfile.TemporaryDirectory() as name:
        names = [f"b-{os.getpid()}-{number}" for number in range(count)]
        try:
            made = tuple(machines.up(MachineSpec(one), _quiet) for one in names)
            site = Bench(Path(name), made, agents)
            site.write()
            yield site
        finally:
            shutil.rmtree(var_root() / names[0], ignore_errors=True)
            here = {machine.name for machine in machines.listed()}
            machines.down([one for one in names if one in here], _quiet)


def first_installation() -> tuple[Row, Row]:
    """Fresh machines by apt alone and by the appliance, in turns; up to its closing calls."""
    floor, whole, healthy = [], [], []
    for _ in range(_FIRST_RUNS):
        with bench() as plain:
            floor.append(elsewhere(lambda: _by_apt(plain.machines[0])))
        with bench() as site:
            sample = site.install()
            journal = json.loads(site.paths.journal.read_text(encoding="utf-8"))
            verify = next(row["seconds"] for row in journal["phases"] if row["id"] == "verify")
            whole.append(sample)
            healthy.append(Sample(sample.seconds - verify, sample.processor, sample.everywhere, 0))
    name = "apt-get installing the same packages"
    return (
        Row("first installation, without its closing checks and calls", healthy, name, floor),
        Row("first installation, with them", whole, name, floor),
    )


def unchanged(site: Bench) -> list[Row]:
    """Runs that change nothing on the installed site, beside the rivals."""
    own = [site.install() for _ in range(_RUNS)]
    full = [site.install("--full") for _ in range(_FIRST_RUNS)]
    ansible, pyinfra = _by_ansible(site), _by_pyinfra(site)
    return [
        Row("installation that changes nothing, with its call", own, "ansible-playbook", ansible),
        Row("the same with --full", full, "ansible-playbook", ansible),
        Row("ansible-playbook, the same playbooks, no checks and no call", ansible),
        Row(
            "pyinfra, as many files, units and packages, no checks and no call",
            pyinfra,
            "ansible-playbook",
            ansible,
        ),
    ]


def one_change(site: Bench, nothing: Sequence[Sample]) -> Row:
    """An extension that is added, and one that is taken away, in turns."""
    samples = []
    for turn in range(_FIRST_RUNS):
        site.write(("6001", "6002", "6003") if turn % 2 == 0 else ("6001", "6002"))
        samples.append(site.install())
    site.write()
    site.install()
    return Row("one extension added or removed, with its call", samples, "no change", nothing)


def commands(site: Bench) -> list[Row]:
    """The other commands, beside a Python that does nothing."""
    floor = [command([sys.executable, "-c", "pass"]) for _ in range(_RUNS)]
    report = ("report", "--out", str(site.folder / "report"))

    def reported() -> Sample:
        shutil.rmtree(site.folder / "report", ignore_errors=True)
        return site.ucontact(*report)

    name = _NOTHING
    return [
        Row(
            "ucontact --help", [command([*_UCONTACT, "--help"]) for _ in range(_RUNS)], name, floor
        ),
        Row("ucontact plan", [site.ucontact("plan") for _ in range(_RUNS)], name, floor),
        Row("ucontact doctor", [site.ucontact("doctor") for _ in range(_RUNS)], name, floor),
        Row("ucontact doctor --deep", [_deep(site) for _ in range(_FIRST_RUNS)], name, floor),
        Row("ucontact report", [reported() for _ in range(_FIRST_RUNS)], name, floor),
    ]


def _deep(site: Bench) -> Sample:
    return site.ucontact("doctor", "--deep")


def bigger(nothing: Sequence[Sample]) -> Row:
    """A site on three servers, beside the small one."""
    with bench(3, 500) as site:
        site.install()
        samples = [site.install() for _ in range(_RUNS)]
    return Row("installation that changes nothing, three servers", samples, "one server", nothing)


def _by_apt(machine: Machine) -> None:
    names = (*role_packages(), *base_packages())
    line = (
        "printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d && "
        "chmod 755 /usr/sbin/policy-rc.d && apt-get update -qq && "
        "DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "
        f"{' '.join(names)}"
    )
    done = machine.ssh([line], timeout=900)
    if done.returncode:
        raise RuntimeError(done.stderr)


def _by_ansible(site: Bench) -> list[Sample]:
    """One process for all playbooks, with the inventory that the appliance makes."""
    loaded = load_site(site.site_file)
    job = Job(
        seen=look(loaded, site.paths),
        site_file=site.site_file,
        release=resolve_release(loaded.release, _quiet),
        secrets=Secrets(load_secrets(site.paths.secrets)),
        paths=site.paths,
        ssh=SshSettings(site.paths.known_hosts),
        observer=nobody,
        log=_quiet,
    )
    inventory, secrets = site.folder / "inventory.json", site.folder / "secrets.json"
    inventory.write_text(json.dumps(as_data(job.inventory())), encoding="utf-8")
    known = {"secrets": playbook_secrets(job.site, job.secrets)}
    secrets.write_text(json.dumps(as_data(known)), encoding="utf-8")
    words: list[str | Path]
    words = [sys.executable, "-m", "ansible", "playbook", "-i", inventory, "-e", f"@{secrets}"]
    playbooks = [INSTALLER / "playbooks" / f"{phase}.yml" for phase in phases()]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(INSTALLER / "ansible.cfg")}
    return [command([*words, *playbooks], environment) for _ in range(_FIRST_RUNS)]


_DEPLOY = """
from pathlib import Path
from pyinfra.operations import apt, files, systemd

apt.packages(packages={packages!r}, no_recommends=True)
for path, mode in {files!r}:
    files.put(src=str(Path({root!r}) / path.lstrip("/")), dest=path, mode=mode)
for unit in {units!r}:
    systemd.service(service=unit, running=True, enabled=True)
"""


def _by_pyinfra(site: Bench) -> list[Sample]:
    """The files, units and packages on record, each by an operation of pyinfra's."""
    machine = site.machines[0]
    states = load_states(site.paths).phases.values()
    items = {item: state for phase in states for item, state in phase.hosts[site.name].items()}

    def names(kind: str, word: str) -> list[tuple[str, str]]:
        chosen = [(item.partition(" "), state) for item, state in items.items()]
        return [
            (name, state) for (what, _, name), state in chosen if what == kind and word in state
        ]

    deploy = site.folder / "deploy.py"
    deploy.write_text(
        _DEPLOY.format(
            packages=[name for name, _ in names("package", "ok installed")],
            files=[(name, state.split()[2]) for name, state in names("path", "regular file")],
            units=[name for name, _ in names("unit", "ActiveState=active")],
            root=str(machine.root),
        ),
        encoding="utf-8",
    )
    tools = site.folder / "pyinfra"
    venv.create(tools, with_pip=True)
    command([tools / "bin/python", "-m", "pip", "install", "--quiet", "pyinfra"])
    words: list[str | Path]
    words = [tools / "bin/pyinfra", "-y", "--user", "root", "--key", layout.ssh_key()]
    # It wants a file of known hosts in the home folder, and adds to it.
    (site.folder / ".ssh").mkdir(mode=0o700)
    (site.folder / ".ssh/known_hosts").touch()
    environment = {**os.environ, "HOME": str(site.folder)}
    return [command([*words, machine.address, deploy], environment) for _ in range(_FIRST_RUNS)]


def main() -> None:
    """Measure, and write the page; also in between, so that a failure loses nothing."""
    rows = list(first_installation())
    with bench() as site:
        site.install()
        rows += unchanged(site)
        nothing = rows[2].samples
        rows.append(one_change(site, nothing))
        rows += commands(site)
    _write(rows)
    rows.append(bigger(nothing))
    print(_write(rows))


def _write(rows: Sequence[Row]) -> str:
    template = Path(__file__).with_name("page.md").read_text(encoding="utf-8")
    floor = next(typical(row.other) for row in rows if row.beside == _NOTHING)
    page = template.format(
        version=__version__,
        day=datetime.now(timezone.utc).date(),
        cores=os.cpu_count(),
        table=table(rows),
        floor=floor,
    )
    _PAGE.write_text(page, encoding="utf-8")
    return page


def _quiet(_text: str) -> None:
    """Nobody watches the lab."""


if __name__ == "__main__":
    main()
