"""The files of somebody else are kept once, and every file that a role writes is among them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml

from tests.unit.checks.subjects import FakeRunner
from tests.unit.sites import small_site
from ucontact_appliance.errors import PhaseFailedError
from ucontact_appliance.facts.runner import Completed, SshSettings
from ucontact_appliance.install import originals
from ucontact_appliance.install.originals import keep_originals, written_paths
from ucontact_appliance.planning.topology import make_plan
from ucontact_appliance.resources import ROLES

SITE = small_site()
PLAN = make_plan(SITE, {})
WRITING = ("template", "copy", "blockinfile", "lineinfile", "replace")
# Scratch files, and folders and files whose very names are ours.
OURS = re.compile(
    r"^(/run/|/etc/ssl/ucontact/|/usr/local/lib/ucontact/|/usr/share/ucontact/"
    "|/var/cache/integraserver-release|/var/lib/ucontact-)"
)


def run(root: Path, *paths: str) -> list[str]:
    """The script on a folder that stands for the server's root; what it says that it kept."""
    script = originals._SCRIPT.replace("/etc/ssl", f"{root}/etc/ssl")
    words = ["sh", "-c", script, "sh", str(root / "kept"), *(f"{root}{path}" for path in paths)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return [line.removeprefix(str(root)) for line in done.stdout.splitlines()]


def test_what_is_there_is_kept_with_mode_and_link_and_only_once(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    hosts, link = tmp_path / "etc/hosts", tmp_path / "etc/link"
    hosts.write_text("theirs")
    hosts.chmod(0o640)
    link.symlink_to("hosts")
    assert run(tmp_path, "/etc/hosts", "/etc/link", "/etc/none") == ["/etc/hosts", "/etc/link"]
    hosts.write_text("ours")
    (tmp_path / "etc/none").write_text("ours")
    assert run(tmp_path, "/etc/hosts", "/etc/link", "/etc/none") == []
    kept = tmp_path / "kept" / "originals" / str(tmp_path)[1:] / "etc"
    assert (kept / "hosts").read_text() == "theirs"
    assert (kept / "hosts").stat().st_mode & 0o777 == 0o640
    assert (kept / "link").readlink() == Path("hosts")
    assert not (kept / "none").exists()
    assert (tmp_path / "kept").stat().st_mode & 0o777 == 0o700


def test_a_role_that_comes_later_has_its_originals_kept_then(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_text(name)
    assert run(tmp_path, "/one") == ["/one"]
    assert run(tmp_path, "/one", "/two") == ["/two"]


def test_files_of_an_installation_that_kept_nothing_are_no_originals(tmp_path: Path) -> None:
    (tmp_path / "etc/ssl/ucontact").mkdir(parents=True)
    (tmp_path / "etc/ssl/ucontact/ca.pem").touch()
    (tmp_path / "one").touch()
    assert run(tmp_path, "/one") == []
    assert not (tmp_path / "kept" / "originals").exists()


@pytest.mark.parametrize("status", [0, 1])
def test_a_server_that_cant_keep_them_stops_the_install(
    monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    asked: list[Sequence[str]] = []

    def answer(argv: Sequence[str]) -> Completed:
        asked.append(argv)
        return Completed(tuple(argv), status, "/etc/\x1bhosts\n", "No space left on device", 0.0)

    @contextmanager
    def reached(host: object, ssh: object) -> Iterator[FakeRunner]:
        yield FakeRunner(answer)

    monkeypatch.setattr(originals, "runner_for", reached)
    ssh = SshSettings(Path("/nonexistent"))
    if status:
        with pytest.raises(
            PhaseFailedError, match="existing files on one can't be backed up"
        ) as caught:
            keep_originals(SITE, PLAN, ssh)
        assert "No space left" in caught.value.evidence
    else:
        assert keep_originals(SITE, PLAN, ssh) == {"one": ("/etc/\\x1bhosts",)}
    assert "/etc/nginx/nginx.conf" in asked[0]


def tasks(node: Any) -> Iterator[dict[str, Any]]:
    for task in node or []:
        yield from tasks([*task.get("block", []), *task.get("rescue", [])])
        yield task


class Element:
    """An item of a loop whose list only an installation knows."""

    def __getattr__(self, name: str) -> str:
        return name

    def __str__(self) -> str:
        return "item"


def destinations(role: Path) -> Iterator[str]:
    """Where the role's tasks write, with its own defaults and variables filled in."""
    values: dict[str, Any] = {}
    for folder in ("defaults", "vars"):
        path = role / folder / "main.yml"
        values |= (yaml.safe_load(path.read_text()) if path.exists() else None) or {}
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    environment.filters["regex_replace"] = lambda text, old, new: re.sub(old, new, text)
    for path in sorted((role / "tasks").glob("*.yml")):
        for task in tasks(yaml.safe_load(path.read_text())):
            for name, arguments in task.items():
                module = name.removeprefix("ansible.builtin.")
                changes = module in WRITING or (
                    module == "file" and arguments.get("state") in ("absent", "link")
                )
                if not changes or not isinstance(arguments, dict):
                    continue
                place = arguments.get("dest") or arguments.get("path") or ""
                loop = task.get("loop", [None])
                for item in [Element()] if isinstance(loop, str) else loop:
                    while "{{" in place:  # a variable may be made of others
                        place = environment.from_string(place).render(**values, item=item)
                    yield place
                    place = arguments.get("dest") or arguments.get("path") or ""


@pytest.mark.filterwarnings("ignore:invalid escape sequence")  # Ansible's own kind of text
@pytest.mark.parametrize("role", sorted(path.name for path in ROLES.iterdir() if path.is_dir()))
def test_every_file_that_a_role_writes_is_kept_before(role: str) -> None:
    known = {*written_paths(PLAN.hosts[0])}
    missing = [
        place
        for place in destinations(ROLES / role)
        if place not in known and not OURS.match(place)
    ]
    assert missing == []
