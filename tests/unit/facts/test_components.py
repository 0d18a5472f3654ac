"""What is installed: packages by dpkg, Java archives by the probe, Python by its metadata."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from email.message import Message
from importlib import metadata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.checks.subjects import subjects
from tests.unit.facts.outputs import recorded
from ucontact_appliance.facts import components
from ucontact_appliance.facts.components import (
    InstalledPackage,
    JavaArchive,
    installed_packages,
    java_archives,
    parse_archives,
    parse_manifest,
    parse_packages,
    parse_properties,
    python_environment,
)
from ucontact_appliance.facts.runner import Completed
from ucontact_appliance.resources import INSTALLER

PROBE = INSTALLER / "probes" / "archives.py"


def test_the_packages_of_a_real_host() -> None:
    found = parse_packages(recorded("installed_packages-sid"))
    assert (found.os_id, found.os_version, found.suite) == ("debian", "", "sid")
    assert found.unread == ()
    assert len(found.packages) == 136
    assert {one.name: one for one in found.packages}["libc6"].source == "glibc"


def test_a_released_debian_is_known_by_its_codename() -> None:
    found = parse_packages(recorded("installed_packages-bullseye"))
    assert (found.os_id, found.os_version, found.suite) == ("debian", "11", "bullseye")


def _listed(*lines: str, status: str = "0") -> str:
    body = "".join(f"{line}\n" for line in lines)
    return f"---- release\nID=debian\n---- packages\n{body}---- status\n{status}\n"


def test_what_was_removed_is_not_installed_and_what_waits_for_a_trigger_is() -> None:
    found = parse_packages(
        _listed(
            "rc \told\t1.0\tamd64\told\t1.0\tA <a@example.com>",
            "un \tnever\t\t\t\t\t",
            "iWt\twaits\t1:2-3+b1\tamd64\twaits-src\t1:2-3\tA <a@example.com>",
        )
    )
    assert found.packages == (
        InstalledPackage("waits", "1:2-3+b1", "amd64", "waits-src", "1:2-3", "A <a@example.com>"),
    )
    assert found.unread == ()


def test_a_line_that_can_not_be_read_is_said() -> None:
    found = parse_packages(_listed("dpkg-query: error: database is locked", status="2"))
    assert found.packages == ()
    assert found.unread == (
        "dpkg-query: dpkg-query: error: database is locked",
        "dpkg-query ended with status 2",
    )


def test_a_half_installed_package_without_a_version_is_said() -> None:
    found = parse_packages(_listed("iH \tbroken\t\tamd64\tbroken\t\tA <a@example.com>"))
    assert found.packages == ()
    assert found.unread == ("dpkg-query: broken has no version (iH)",)


def test_no_answer_at_all_is_said() -> None:
    assert parse_packages("").unread == ("dpkg-query ended with status unknown",)


def test_both_architectures_of_a_package_are_there() -> None:
    found = parse_packages(
        _listed(
            "ii \tlibc6\t2.36-9\ti386\tglibc\t2.36-9\tA <a@example.com>",
            "ii \tlibc6\t2.36-9\tamd64\tglibc\t2.36-9\tA <a@example.com>",
        )
    )
    assert [one.architecture for one in found.packages] == ["amd64", "i386"]


def test_the_host_is_asked_for_its_packages() -> None:
    def answer(argv: Sequence[str]) -> Completed:
        assert "dpkg-query -W" in argv[-1]
        return Completed(tuple(argv), 0, recorded("installed_packages-bullseye"), "", 0.1)

    found = subjects(answer=answer)[0].facts.get(installed_packages)
    assert found == parse_packages(recorded("installed_packages-bullseye"))


@given(st.text())
def test_no_output_breaks_the_packages_parser(text: str) -> None:
    found = parse_packages(_listed(text))
    assert all(one.name or one.version for one in found.packages)


def test_the_archives_of_a_real_release() -> None:
    found = parse_archives("/etc/IntegraServer", recorded("java_archives-sid"))
    assert found.unread == ()
    by_path = {one.path: one for one in found.archives}
    assert by_path["server/IntegraServer.jar"].title == "uContact server (evaluation)"
    assert "web/IntegraPortalWS.war" in by_path
    driver = by_path["server/jdbc/mariadb-java-client-3.5.10.jar"]
    assert (driver.group, driver.artifact, driver.maven_version) == (
        "org.mariadb.jdbc",
        "mariadb-java-client",
        "3.5.10",
    )


def _probed(root: Path) -> components.JavaArchives:
    done = subprocess.run(
        [sys.executable, "-", str(root)],
        input=PROBE.read_text(encoding="utf-8"),
        capture_output=True,
        text=True,
        check=True,
    )
    return parse_archives(str(root), done.stdout)


def _jar(path: Path, **files: str | bytes) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__", "/"), data)
    return path.read_bytes()


def test_each_archive_in_use_is_listed_once_by_the_name_that_leads_into_it(tmp_path: Path) -> None:
    data = _jar(tmp_path / "releases/new/server/a.jar", file="1")
    _jar(tmp_path / "releases/new/extra.jar", file="2")
    _jar(tmp_path / "releases/old/server/a.jar", file="3")
    (tmp_path / "current").symlink_to("releases/new")
    (tmp_path / "server").symlink_to("current/server")
    (tmp_path / "releases/new/server/around").symlink_to("..")
    found = _probed(tmp_path)
    # The same folder again under another name: its archives have been listed.
    assert sorted(Path(one.path).name for one in found.archives) == ["a.jar", "extra.jar"]
    mine = next(one for one in found.archives if one.path == "server/a.jar")
    assert mine.sha256 == hashlib.sha256(data).hexdigest()
    assert mine.size == len(data)


def test_a_library_in_a_war_is_listed_with_its_own_hash(tmp_path: Path) -> None:
    inner = _jar(
        tmp_path / "inner.zip",
        **{"META-INF__maven__g__a__pom.properties": "groupId=g\nartifactId=a\nversion=1\n"},
    )
    _jar(tmp_path / "web/app.war", **{"WEB-INF__lib__a-1.jar": inner})
    found = _probed(tmp_path)
    assert [one.path for one in found.archives] == [
        "web/app.war",
        "web/app.war!/WEB-INF/lib/a-1.jar",
    ]
    assert found.archives[1] == JavaArchive(
        "web/app.war!/WEB-INF/lib/a-1.jar",
        len(inner),
        hashlib.sha256(inner).hexdigest(),
        group="g",
        artifact="a",
        maven_version="1",
    )


def test_an_archive_that_others_were_merged_into_has_no_coordinates(tmp_path: Path) -> None:
    _jar(
        tmp_path / "fat.jar",
        **{
            "META-INF__maven__g__a__pom.properties": "groupId=g\nartifactId=a\nversion=1\n",
            "META-INF__maven__g__b__pom.properties": "groupId=g\nartifactId=b\nversion=1\n",
        },
    )
    assert _probed(tmp_path).archives[0].artifact == ""


def test_what_can_not_be_opened_is_listed_and_said(tmp_path: Path) -> None:
    (tmp_path / "broken.jar").write_bytes(b"no archive")
    (tmp_path / "gone.jar").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe.war")
    found = _probed(tmp_path)
    assert [one.path for one in found.archives] == ["broken.jar"]
    assert found.archives[0].sha256 == hashlib.sha256(b"no archive").hexdigest()
    assert found.unread == (
        "broken.jar: File is not a zip file",
        "gone.jar: No such file or directory",
        "pipe.war: not a plain file",
    )


def test_a_host_without_the_tree_has_no_archives(tmp_path: Path) -> None:
    found = _probed(tmp_path / "none")
    assert (found.archives, found.unread) == ((), ())


def test_a_host_without_python_says_so() -> None:
    def answer(argv: Sequence[str]) -> Completed:
        return Completed(tuple(argv), 127, "", "sh: 1: python3: not found\n", 0.0)

    found = subjects(answer=answer)[0].facts.get(java_archives)
    assert found.archives == ()
    assert found.unread == ("/etc/IntegraServer: sh: 1: python3: not found",)


def test_half_a_document_is_said() -> None:
    assert parse_archives("/r", '{"archi').unread == ("/r: no answer",)
    assert parse_archives("/r", "[1]").unread == ("/r: no answer",)


def test_a_greeting_before_the_document_does_no_harm() -> None:
    text = 'Welcome!\n{"archives": [], "unread": []}\n'
    assert parse_archives("/r", text).unread == ()


def test_bundles_tell_their_version_where_there_is_no_implementation() -> None:
    row = {"path": "a.jar", "size": 1, "sha256": "0", "maven": [], "problem": ""}
    row["manifest"] = "Bundle-Name: A\nBundle-Version: 1.2\nBundle-Vendor: V\n"
    found = parse_archives("/r", json.dumps({"archives": [row], "unread": []})).archives[0]
    assert (found.title, found.version, found.vendor) == ("A", "1.2", "V")


@given(st.text(st.characters(min_codepoint=0x21, exclude_categories=["Cs", "Cc", "Z", "Cn"])))
def test_a_long_entry_of_a_manifest_comes_back_whole(value: str) -> None:
    line = f"Implementation-Title: x{value}".encode()
    folded = b"\n ".join(line[at : at + 70] for at in range(0, len(line), 70))
    assert parse_manifest(folded.decode("latin-1"))["Implementation-Title"] == f"x{value}"


def test_properties_pass_comments_over() -> None:
    assert parse_properties("#Tue\n! x=1\nversion = 1.0\nnothing\n") == {"version": "1.0"}


class _Distribution(metadata.Distribution):
    def __init__(self, name: str, version: str, requires: Sequence[str], licence: str) -> None:
        self._message = Message()
        self._message["Name"], self._message["Version"] = name, version
        if licence:
            self._message["License-Expression"] = licence
        for line in requires:
            self._message["Requires-Dist"] = line

    def read_text(self, filename: str) -> str | None:
        return self._message.as_string() if filename == "METADATA" else None

    def locate_file(self, path: str | os.PathLike[str]) -> Path:
        return Path(path)


def _installed(monkeypatch: pytest.MonkeyPatch, **rows: tuple[str, ...]) -> None:
    """Rows: the distribution's version, its SPDX expression, then its requirements."""

    def distribution(name: str) -> metadata.Distribution:
        key = name.lower().replace("-", "_")
        if key not in rows:
            raise metadata.PackageNotFoundError(name)
        version, licence, *requires = rows[key]
        return _Distribution(name, version, requires, licence)

    monkeypatch.setattr(metadata, "distribution", distribution)


def test_the_appliance_and_what_it_needs_here_is_its_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _installed(
        monkeypatch,
        ucontact_appliance=("1", "Apache-2.0", "Needed>=1", "tests; extra == 'dev'"),
        needed=(
            "2",
            "",
            "extra-part; extra == 'more'",
            "win; sys_platform == 'win32'",
            "loop[more]",
        ),
        loop=("3", "MIT", "needed[more]", "deep; extra == 'more'"),
        extra_part=("4", ""),
        deep=("5", ""),
        stranger=("6", ""),
    )
    found = python_environment()
    assert {one.name: one.requires for one in found.distributions} == {
        "ucontact-appliance": ("needed",),
        "needed": ("extra-part", "loop"),
        "loop": ("deep", "needed"),
        "extra-part": (),
        "deep": (),
    }
    assert {one.name: one.licence for one in found.distributions}["loop"] == "MIT"
    assert found.unread == ()


def test_a_requirement_that_is_not_there_or_can_not_be_read_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _installed(monkeypatch, ucontact_appliance=("1", "", "missing>=1", "!!"))
    found = python_environment()
    assert [one.name for one in found.distributions] == ["ucontact-appliance"]
    assert found.distributions[0].requires == ()
    assert found.unread == (
        "missing: not installed here",
        "ucontact-appliance: its requirement '!!' can't be read",
    )


def test_this_environment_has_what_this_test_runs_on() -> None:
    found = python_environment("pydantic")
    by_name = {one.name: one for one in found.distributions}
    assert by_name["pydantic"].version == metadata.version("pydantic")
    assert "pydantic-core" in by_name["pydantic"].requires
