"""The catalogue holds together: what prowler's duplicate ids taught."""

import re
import shlex
import subprocess
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.remedies import REMEDIES
from ucontact_appliance import checks
from ucontact_appliance.checks.model import Check, Stage
from ucontact_appliance.checks.wording import RemedyFormatter
from ucontact_appliance.findings.registry import CHECKS, REACHABLE
from ucontact_appliance.planning.component_tables import ports
from ucontact_appliance.site.model import Host

_KNOWN = {check.id: check for check in CHECKS}
# SPEC.md: R01 to R25 and C01 to C07
_REQUIREMENTS = {f"R{n:02}" for n in range(1, 26)} | {f"C{n:02}" for n in range(1, 8)}
_PLACEHOLDERS = {"{ssh}", "{install}", "{site}", "{address}"}

each = pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)


def test_ids_are_unique() -> None:
    assert [
        name for name, count in Counter(check.id for check in CHECKS).items() if count > 1
    ] == []


def test_there_are_enough() -> None:
    assert sum(Stage.DOCTOR in check.stages for check in CHECKS) >= 30
    assert sum(Stage.PREFLIGHT in check.stages for check in CHECKS) >= 10


@each
def test_a_check_is_complete(check: Check) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*(\.[a-z0-9_-]+)+", check.id)
    assert check.title.strip()
    assert not check.title.endswith(".")
    assert check.requirements
    assert set(check.requirements) <= _REQUIREMENTS
    assert check.remedy.strip()
    assert set(re.findall(r"\{(?:ssh|install|site|address)\w*\}", check.remedy)) <= _PLACEHOLDERS
    assert check.stages
    assert 1 <= check.timeout <= 120


@each
def test_needs_exist_and_run_when_their_dependants_do(check: Check) -> None:
    for need in check.needs:
        assert need in _KNOWN, f"{check.id} needs {need}"
        allowed = _KNOWN[need].stages | (
            {Stage.ECHO, Stage.DEEP} if Stage.DOCTOR in _KNOWN[need].stages else set()
        )
        assert check.stages <= allowed, f"{check.id} runs without {need}"


def test_needs_form_no_circle() -> None:
    tuple(TopologicalSorter({check.id: set(check.needs) for check in CHECKS}).static_order())


def test_reaching_the_host_is_part_of_every_stage() -> None:
    assert _KNOWN[REACHABLE].stages == frozenset(Stage)


def test_every_port_of_the_registry_that_has_a_listener_has_a_check() -> None:
    assert {f"ports.{row.id}" for row in ports() if not row.is_range} <= set(_KNOWN)


_PROGRAMS = {
    "apt-cache", "apt-get",
    "apt-mark", "asterisk", "cat", "date", "dd", "df", "dkms", "dpkg", "du", "echo",
    "fail2ban-client", "find", "findmnt", "free", "getent", "grep", "head", "ip", "journalctl",
    "ls", "mkdir", "mokutil", "mv", "mysql", "nft", "nproc",
    "ping", "ps", "python3", "runuser", "sed", "shred", "sort", "ss", "ssh", "ssh-keygen", "sysctl",
    "systemctl", "tail", "true", "ucontact", "uname",
}  # fmt: skip
_HOSTS = {
    "local": Host(name="one", address="local"),
    "root": Host(name="one", address="192.0.2.1", key=Path("/root/a key")),
    "sudo": Host(name="one", address="2001:db8::1", user="ops", port=2222),
}
_WORDING = RemedyFormatter(Path("/srv/the customer's/site.yml"), ())


@pytest.mark.parametrize("host", _HOSTS.values(), ids=_HOSTS)
@pytest.mark.parametrize("remedy", REMEDIES)
def test_a_remedy_can_be_pasted_into_a_shell(remedy: str, host: Host) -> None:
    told = _WORDING.remedy(remedy, host)
    done = subprocess.run(["bash", "-n"], input=told, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), told
    assert not re.search(r"\{(?:ssh|install|site|address)\}", told)


@pytest.mark.parametrize("remedy", REMEDIES)
def test_a_remedy_is_commands_and_a_note_at_most(remedy: str) -> None:
    told = _WORDING.remedy(remedy, _HOSTS["local"])
    words = shlex.shlex(told, posix=True, punctuation_chars="|&;<>")
    words.whitespace_split = True
    start = True
    for word in words:  # a note is left out as a comment
        if start:
            assert word in _PROGRAMS | {"X"}, f"{word!r} is no program that remedies use: {told}"
        start = set(word) <= set("|&;")


def test_remedies_that_judges_make_are_looked_at() -> None:
    assert any("sport" in remedy for remedy in REMEDIES)


def test_no_check_asks_the_clock_itself() -> None:
    """A stored run is judged by its own time: `Subject.now`."""
    asking = re.compile(r"\b(?:datetime|date)\.(?:now|today|utcnow)\(")
    folder = Path(checks.__path__[0])
    allowed = {"model.py", "run.py"}  # the subject's own beginning, and the day of the waivers
    found = [
        path.name
        for path in folder.glob("*.py")
        if path.name not in allowed and asking.search(path.read_text(encoding="utf-8"))
    ]
    assert found == []
