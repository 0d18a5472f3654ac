"""What CONTRIBUTING.md says of adding things is true: done in a copy of the project."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ucontact_appliance.resources import ROOT

_PARTS = ("ucontact_appliance", "tests", "roles", "installer", "templates", "inventory", "docs")
_CHECK = '''
def judge_swap(used: int) -> Judgement:
    """A server of calls does not swap."""
    required = _("no page in swap")
    return passed(_("nothing swapped"), required) if used == 0 else failed(_("it swaps"), required)


@check(
    id="pressure.swap",
    title=_("Nothing is swapped out"),
    severity=Severity.LOW,
    requirements=("R12",),
    remedy="{ssh} free -m",
)
def _swap(subject: Subject) -> Judgement:
    return judge_swap(0)


'''
_SPANISH = {
    "no page in swap": "ninguna página en swap",
    "nothing swapped": "nada en swap",
    "it swaps": "usa swap",
    "Nothing is swapped out": "No hay nada en swap",
}
_FAULT = """
FAULTS = (
    *FAULTS,
    Fault("host-swaps", "the server swaps", Kind.HOST, ids("pressure.swap"), inject="swapon /x"),
)
"""

# A component that the backend could use: a package, a port, a unit, a file, and one check.
_COMPONENT = """\
title: memcached
role: backend
order: 150
requirements: [R21]
phase: cache
playbook: {title: Cache, after: [firewall, certificates], short_call: all}
packages:
  names: [memcached]
units:
  memcached.service: memcache
listener: {processes: [memcached], unit: memcached.service, check: memcached.service}
ports:
  - id: memcached
    protocol: tcp
    port: 11211
    from: [site]
    peers: [telephony]
    for: object cache
    requirements: [R21]
managed:
  - /etc/memcached.conf
state:
  - account memcache
"""
_PLAYBOOK = """\
---
- name: Cache
  hosts: backend
  gather_facts: false
  become: true
  roles:
    - role: memcached
      memcached_port: "{{ (ports | selectattr('id', 'equalto', 'memcached') | first).port | int }}"
"""
_ROLE = {
    "defaults/main.yml": "---\n# As its package has it.\nmemcached_port: 11211\n",
    "meta/argument_specs.yml": """\
---
argument_specs:
  main:
    short_description: Object cache
    description: [Runs memcached.]
    options:
      memcached_port:
        type: int
        default: 11211
        description: Port that it listens on.
""",
    "tasks/main.yml": """\
---
- name: Configure the cache
  etc_tree:
    entries: [{path: /etc/memcached.conf}]

- name: Run the cache
  systemd_units:
    units: [memcached.service]
""",
    "templates/etc/memcached.conf.j2": "-p {{ memcached_port }}\n-u memcache\n",
}
_RUNS = """
def judge_cache(found: Unit) -> Judgement:
    required = _("the cache runs")
    told = _("its unit is {state}", state=found.active)
    judge = passed if found.active == "active" else failed
    return judge(told, required, found.evidence)


@check(
    id="memcached.service",
    title=_("The cache runs"),
    severity=Severity.HIGH,
    requirements=("C06",),
    remedy="{ssh} systemctl restart memcached",
    role=Role.BACKEND,
)
def _cache(subject: Subject) -> Judgement:
    return judge_cache(subject.facts.get(unit, "memcached.service"))


"""
_RUNS_IMPORT = "from ucontact_appliance.facts.unit import Unit, unit\n"
_CACHE_SPANISH = {
    "the cache runs": "la caché funciona",
    "its unit is {state}": "su unidad está {state}",
    "The cache runs": "La caché funciona",
    "object cache": "caché de objetos",
    "Cache": "Caché",
}
_CACHE_FAULTS = """
FAULTS = (
    *FAULTS,
    _stopped("memcached", "memcached", "memcached.service"),
    Fault(
        "memcached-moved",
        "memcached listens on another port",
        Kind.SERVICE,
        ids("ports.memcached"),
        inject="sed -i s/11211/11212/ /etc/memcached.conf && systemctl restart memcached",
    ),
)
"""
# What derives from the component, on the servers of a medium site.
_DERIVED = """
import json
from tests.unit.planning.test_ports import medium_site
from ucontact_appliance.findings.registry import CHECKS
from ucontact_appliance.install.phases import INSTALL
from ucontact_appliance.moving.stores import store_of
from ucontact_appliance.planning import component_tables as tables
from ucontact_appliance.planning.model import Role
from ucontact_appliance.planning.ports import ports_for
from ucontact_appliance.planning.systems import packages_at_once, packages_of_phase, systems
from ucontact_appliance.planning.topology import make_plan

site = medium_site()
plan = make_plan(site, {})
host = plan.host("back")
print(json.dumps({
    "firewall": [port.document() for port in ports_for(site, plan, host)],
    "elsewhere": [port.id for port in ports_for(site, plan, plan.host("tel"))],
    "units": tables.unit_accounts(host),
    "checks": {check.id: [check.role, check.needs, check.remedy] for check in CHECKS},
    "packages": packages_at_once(systems()[-1], [Role.BACKEND]),
    "configured": packages_of_phase("cache", systems()[-1]),
    "managed": tables.managed_paths(host),
    "state": tables.state_of_phase("cache"),
    "phases": [phase.id for phase in INSTALL],
    "retired": store_of(Role.BACKEND).units,
}))
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The project, with what Python has compiled: a file that changes is compiled anew."""
    ignored = shutil.ignore_patterns("node_modules", "recorded_calls")
    for part in _PARTS:
        shutil.copytree(ROOT / part, tmp_path / part, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "CHANGELOG.md"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def insert(path: Path, before: str, text: str) -> None:
    there = path.read_text(encoding="utf-8")
    assert there.count(before) == 1
    path.write_text(there.replace(before, text.lstrip("\n") + before), encoding="utf-8")


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


def translate(catalogue: Path, texts: dict[str, str]) -> None:
    written = catalogue.read_text(encoding="utf-8")
    for text, spanish in texts.items():
        empty = f'msgid "{text}"\nmsgstr ""\n'
        assert written.count(empty) == 1
        written = written.replace(empty, f'msgid "{text}"\nmsgstr "{spanish}"\n')
    catalogue.write_text(written, encoding="utf-8")


def python(copy: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the copy's code, not the installed one's."""
    return subprocess.run(
        [sys.executable, *words],
        cwd=copy,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH": str(copy), "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )


def run_pytest(copy: Path, *files: str) -> subprocess.CompletedProcess[str]:
    return python(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *files)


def test_a_check_takes_these_files(copy: Path) -> None:
    package = copy / "ucontact_appliance"
    insert(package / "checks/pressure.py", "CHECKS = checks_of(globals())\n", _CHECK)
    assert run_pytest(copy, "tests/unit/language/test_complete.py").returncode == 1
    assert python(copy, "-m", "tests.messages").returncode == 1
    translate(package / "language/locale/es/LC_MESSAGES/ucontact.po", _SPANISH)
    assert python(copy, "-m", "tests.messages").returncode == 0
    append(copy / "tests/faults/catalogue/host.py", _FAULT)
    assert python(copy, "-m", "tests.pages").returncode == 0
    done = run_pytest(
        copy,
        "tests/unit/language/test_complete.py",
        "tests/unit/findings/test_registry.py",
        "tests/unit/faults/test_catalogue.py",
        "tests/unit/test_pages.py",
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "`pressure.swap`" in (copy / "docs/checks.md").read_text(encoding="utf-8")


def test_a_roles_parameter_takes_these_files(copy: Path) -> None:
    role = copy / "roles/stun"
    append(role / "defaults/main.yml", "\n# One relay more.\nstun_extra: 7\n")
    append(
        role / "meta/argument_specs.yml",
        "      stun_extra:\n        type: int\n        description: One relay more.\n",
    )
    assert run_pytest(copy, "tests/unit/test_pages.py").returncode == 1
    assert python(copy, "-m", "tests.pages").returncode == 0
    assert run_pytest(copy, "tests/unit/test_pages.py").returncode == 0
    page = (role / "README.md").read_text(encoding="utf-8")
    assert "| `stun_extra` | int | `7` | One relay more. |" in page


def digests(copy: Path) -> dict[Path, bytes]:
    """What is in the copy, without what was compiled there."""
    built = (".pyc", ".mo")
    files = (path for path in copy.rglob("*") if path.is_file() and path.suffix not in built)
    return {path.relative_to(copy): path.read_bytes() for path in files}


def test_a_component_takes_six_files_and_the_tables_have_it(copy: Path) -> None:
    before, package = digests(copy), copy / "ucontact_appliance"
    (package / "data/components/memcached.yml").write_text(_COMPONENT, encoding="utf-8")
    for name, text in _ROLE.items():
        path = copy / "roles/memcached" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (copy / "installer/playbooks/cache.yml").write_text(_PLAYBOOK, encoding="utf-8")
    judges = package / "checks/system.py"
    insert(judges, "CHECKS = checks_of(globals())\n", _RUNS)
    insert(judges, "from ucontact_appliance.planning.model import Role\n", _RUNS_IMPORT)
    assert python(copy, "-m", "tests.messages").returncode == 1
    translate(package / "language/locale/es/LC_MESSAGES/ucontact.po", _CACHE_SPANISH)
    assert python(copy, "-m", "tests.messages").returncode == 0
    append(copy / "tests/faults/catalogue/services.py", _CACHE_FAULTS)
    after = digests(copy)
    touched = {path for path in after if after[path] != before.get(path)}
    ours = {Path("roles/memcached") if "roles" in path.parts else path for path in touched}
    assert len(ours) <= 6

    shown = python(copy, "-c", _DERIVED)
    assert shown.returncode == 0, shown.stderr
    tables = json.loads(shown.stdout)
    (port,) = (port for port in tables["firewall"] if port["id"] == "memcached")
    assert (port["port"], port["sources"]) == ("11211", ["192.0.2.1/32"])
    assert "memcached" not in tables["elsewhere"]
    assert tables["units"]["memcached.service"] == "memcache"
    role, needs, remedy = tables["checks"]["ports.memcached"]
    assert (role, needs) == ("backend", ["memcached.service"])
    assert remedy.startswith("{ssh} systemctl restart memcached.service")
    assert "memcached" in tables["packages"]
    assert tables["configured"] == ["memcached"]
    assert "/etc/memcached.conf" in tables["managed"]
    assert tables["state"] == ["account memcache"]
    assert tables["phases"].index("cache") > tables["phases"].index("certificates")
    assert "memcached.service" in tables["retired"]

    assert python(copy, "-m", "tests.pages").returncode == 0
    page = (copy / "docs/components.md").read_text(encoding="utf-8")
    assert "| tcp/11211 | `memcached` | object cache | backend | site (telephony) |" in page
    done = run_pytest(
        copy,
        "-k",
        "not remedy",
        "tests/unit/checks/test_drift.py",
        "tests/unit/checks/test_units.py",
        "tests/unit/facts/test_state.py",
        "tests/unit/faults/test_catalogue.py",
        "tests/unit/findings/test_registry.py",
        "tests/unit/install/test_inputs.py",
        "tests/unit/language/test_complete.py",
        "tests/unit/planning/test_components.py",
        "tests/unit/planning/test_ports.py",
        "tests/unit/test_pages.py",
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


def test_a_language_takes_these_files(copy: Path) -> None:
    package = copy / "ucontact_appliance"
    insert(package / "language/choice.py", "\n\n_CONTRACTIONS", '\n    PT = "pt"')
    catalogue = package / "language/locale/pt/LC_MESSAGES/ucontact.po"
    catalogue.parent.mkdir(parents=True)
    catalogue.touch()
    shutil.copytree(package / "data/es", package / "data/pt")
    assert python(copy, "-m", "tests.messages").returncode == 1  # all of it is untranslated
    translate(catalogue, {"MySQL runs": "MySQL em execução"})
    python(copy, "-m", "tests.messages")
    asked = (
        "from ucontact_appliance.language.choice import language_of, translation\n"
        "from ucontact_appliance.language.messages import _\n"
        "translate = translation(language_of({'LANG': 'pt_BR.UTF-8'}))\n"
        "print(translate(_('MySQL runs')), '|', translate(_('never translated')))\n"
    )
    done = python(copy, "-c", asked)
    assert done.stdout == "MySQL em execução | never translated\n", done.stdout + done.stderr
    assert "<en|es|pt>" in python(copy, "-m", "ucontact_appliance", "doctor", "--help").stdout
