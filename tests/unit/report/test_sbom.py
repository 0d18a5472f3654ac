"""The bill of materials: valid by CycloneDX's own schema, complete, and the same every time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from hypothesis import given, settings
from hypothesis import strategies as st
from packageurl import PackageURL

from tests.unit.facts.outputs import recorded
from ucontact_appliance.facts.components import (
    HostContents,
    InstalledPackage,
    InstalledPackages,
    JavaArchive,
    JavaArchives,
    PythonDistribution,
    PythonEnvironment,
    parse_archives,
    parse_packages,
)
from ucontact_appliance.report.sbom import archive_url, package_url, to_cyclonedx

VALIDATOR = JsonStrictValidator(SchemaVersion.V1_6)
TIME = "2026-11-23T10:00:00+00:00"
ROOT = "/etc/IntegraServer"
PYTHON = PythonEnvironment(
    "3.11.7",
    (
        PythonDistribution("rich", "13.0", licence="MIT"),
        PythonDistribution("ucontact-appliance", "0.1.0", ("rich",), "Apache-2.0"),
    ),
)
NO_PYTHON = PythonEnvironment("3.11.7", ())
NO_ARCHIVES = JavaArchives(ROOT, ())
BULLSEYE = parse_packages(recorded("installed_packages-bullseye"))


def _hosts() -> tuple[HostContents, ...]:
    archives = parse_archives(ROOT, recorded("java_archives-sid"))
    return (
        HostContents("app", parse_packages(recorded("installed_packages-sid")), archives),
        HostContents("db", BULLSEYE, NO_ARCHIVES),
        # The same system twice: every reference must tell the hosts apart.
        HostContents("tel", BULLSEYE, NO_ARCHIVES),
    )


def _valid(document: bytes) -> dict[str, Any]:
    problem = VALIDATOR.validate_str(document.decode())
    assert problem is None, problem
    read: dict[str, Any] = json.loads(document)
    return read


def _all(component: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield component
    for part in component.get("components", ()):
        yield from _all(part)


def _components(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for top in document["components"] for one in _all(top)]


def _named(document: dict[str, Any], ref: str) -> dict[str, Any]:
    return next(one for one in _components(document) if one["bom-ref"] == ref)


def _on(ref: str, document: dict[str, Any]) -> list[str]:
    row = next(one for one in document["dependencies"] if one["ref"] == ref)
    return sorted(row.get("dependsOn", ()))


def test_a_site_is_valid_by_the_strict_schema_and_no_reference_is_there_twice() -> None:
    document = _valid(to_cyclonedx("acme", TIME, _hosts(), PYTHON))
    refs = [one["bom-ref"] for one in _components(document)]
    refs += [document["metadata"]["component"]["bom-ref"]]
    assert len(refs) == len(set(refs))
    known = set(refs)
    for row in document["dependencies"]:
        assert {row["ref"], *row.get("dependsOn", ())} <= known | {"tool"}


def test_every_package_of_every_host_is_there() -> None:
    hosts = _hosts()
    document = _valid(to_cyclonedx("acme", TIME, hosts, PYTHON))
    for host in hosts:
        parts = _named(document, f"host/{host.name}")["components"]
        found = {(one["name"], one.get("version")) for one in parts}
        assert {(one.name, one.version) for one in host.packages.packages} <= found
        assert len(parts) == 1 + len(host.packages.packages) + len(host.archives.archives)


def test_the_same_input_gives_the_same_octets() -> None:
    assert to_cyclonedx("acme", TIME, _hosts(), PYTHON) == to_cyclonedx(
        "acme", TIME, _hosts(), PYTHON
    )


def test_the_order_of_the_hosts_does_not_count() -> None:
    turned = tuple(reversed(_hosts()))
    assert to_cyclonedx("acme", TIME, turned, PYTHON) == to_cyclonedx(
        "acme", TIME, _hosts(), PYTHON
    )


def test_another_content_has_another_serial_number() -> None:
    one = _valid(to_cyclonedx("acme", TIME, (), PYTHON))
    other = _valid(to_cyclonedx("acme", TIME, (), NO_PYTHON))
    assert one["serialNumber"].startswith("urn:uuid:")
    assert one["serialNumber"] != other["serialNumber"]
    assert "00000000-0000" not in one["serialNumber"]


def test_the_document_says_who_made_it_when_and_of_what() -> None:
    metadata = _valid(to_cyclonedx("acme", TIME, (), PYTHON))["metadata"]
    assert metadata["timestamp"] == TIME
    assert metadata["tools"]["components"][0]["name"] == "ucontact-appliance"
    assert metadata["component"]["name"] == "acme"
    assert metadata["lifecycles"] == [{"phase": "operations"}]


def test_a_host_stands_on_its_system_and_the_system_on_its_packages() -> None:
    document = _valid(to_cyclonedx("acme", TIME, _hosts(), PYTHON))
    assert _on("site", document) == ["controller", "host/app", "host/db", "host/tel"]
    assert _on("host/db", document) == ["host/db/system"]
    assert "host/app/server/IntegraServer.jar" in _on("host/app", document)
    assert len(_on("host/db/system", document)) == len(BULLSEYE.packages)
    system = _named(document, "host/db/system")
    assert (system["type"], system["name"], system["version"]) == (
        "operating-system",
        "debian",
        "11",
    )


def test_the_appliance_stands_on_what_it_requires() -> None:
    document = _valid(to_cyclonedx("acme", TIME, (), PYTHON))
    assert _on("controller", document) == ["controller/python", "controller/ucontact-appliance"]
    assert _on("controller/ucontact-appliance", document) == ["controller/rich"]
    rich = _named(document, "controller/rich")
    assert rich["purl"] == "pkg:pypi/rich@13.0"
    assert rich["licenses"] == [{"expression": "MIT"}]


@pytest.mark.parametrize("licence", ["", "see the file", "UNKNOWN AND"])
def test_a_licence_that_is_no_expression_is_left_out(licence: str) -> None:
    found = PythonEnvironment("3.11", (PythonDistribution("a", "1", licence=licence),))
    document = _valid(to_cyclonedx("acme", TIME, (), found))
    assert "licenses" not in _named(document, "controller/a")


def test_what_could_not_be_read_is_said() -> None:
    host = HostContents(
        "app", replace(BULLSEYE, unread=("one",)), replace(NO_ARCHIVES, unread=("two",))
    )
    document = _valid(to_cyclonedx("acme", TIME, (host,), replace(PYTHON, unread=("three",))))

    def unread(ref: str) -> list[str]:
        rows = _named(document, ref).get("properties", ())
        return [row["value"] for row in rows if row["name"] == "ucontact:unread"]

    assert unread("host/app") == ["one", "two"]
    assert unread("controller") == ["three"]


def test_a_host_of_which_nothing_is_known_is_there_all_the_same() -> None:
    document = _valid(
        to_cyclonedx("acme", TIME, (HostContents("x", parse_packages(""), NO_ARCHIVES),), NO_PYTHON)
    )
    assert _named(document, "host/x/system")["name"] == "unknown"
    assert "dpkg-query ended" in _named(document, "host/x")["properties"][0]["value"]


def test_a_time_without_an_offset_and_two_hosts_of_a_name_are_refused() -> None:
    with pytest.raises(ValueError, match="offset"):
        to_cyclonedx("acme", "2026-11-23T10:00:00", (), PYTHON)
    host = HostContents("x", BULLSEYE, NO_ARCHIVES)
    with pytest.raises(ValueError, match="same name"):
        to_cyclonedx("acme", TIME, (host, host), PYTHON)


def _system(os_id: str, version: str, codename: str) -> InstalledPackages:
    return InstalledPackages(os_id, version, "", codename, ())


@pytest.mark.parametrize(
    ("package", "system", "url"),
    [
        (
            InstalledPackage("curl", "7.88.1-10+deb12u8", "amd64", "curl", "7.88.1-10+deb12u8"),
            _system("debian", "12", "bookworm"),
            "pkg:deb/debian/curl@7.88.1-10%2Bdeb12u8?arch=amd64&distro=debian-12",
        ),
        (
            InstalledPackage("asterisk", "1:22.1~dfsg-1+b1", "amd64", "asterisk", "1:22.1~dfsg-1"),
            _system("debian", "", "forky"),
            "pkg:deb/debian/asterisk@1:22.1~dfsg-1%2Bb1"
            "?arch=amd64&distro=debian-sid&upstream=asterisk%401:22.1~dfsg-1",
        ),
        (
            InstalledPackage("libssl3", "3.0.2-0ubuntu1", "amd64", "openssl", "3.0.2-0ubuntu1"),
            _system("ubuntu", "22.04", "jammy"),
            "pkg:deb/ubuntu/libssl3@3.0.2-0ubuntu1?arch=amd64&distro=ubuntu-22.04&upstream=openssl",
        ),
        (
            InstalledPackage("a", "1", "amd64", "a", "1"),
            _system("other", "7", ""),
            "pkg:generic/a@1?arch=amd64&distro=other-7",
        ),
    ],
)
def test_a_package_has_the_url_that_scanners_read(
    package: InstalledPackage, system: InstalledPackages, url: str
) -> None:
    assert package_url(package, system) == PackageURL.from_string(url)


def test_an_archive_that_names_its_artifact_is_it_and_another_is_its_hash() -> None:
    told = JavaArchive("x.jar", 1, "ab" * 32, group="org.g", artifact="a", maven_version="1.0")
    assert str(archive_url(told)) == "pkg:maven/org.g/a@1.0"
    silent = JavaArchive("web/a.war!/WEB-INF/lib/x.jar", 1, "ab" * 32, version="2")
    assert archive_url(silent).name == "x.jar"
    assert archive_url(silent).qualifiers == {"checksum": f"sha256:{'ab' * 32}"}


def test_an_archive_has_its_hash_and_its_place() -> None:
    archive = JavaArchive("server/x.jar", 12, "ab" * 32, "The title", "1.0", "Its maker")
    host = HostContents("app", BULLSEYE, JavaArchives(ROOT, (archive,)))
    found = _named(_valid(to_cyclonedx("acme", TIME, (host,), PYTHON)), "host/app/server/x.jar")
    assert found["hashes"] == [{"alg": "SHA-256", "content": "ab" * 32}]
    assert {"name": "ucontact:path", "value": f"{ROOT}/server/x.jar"} in found["properties"]
    assert (found["name"], found["version"], found["publisher"]) == (
        "The title",
        "1.0",
        "Its maker",
    )


# Debian Policy 5.6.7 and 5.6.12: what names and versions may be made of.
_NAMES = st.from_regex(r"[a-z0-9][a-z0-9+.-]{1,20}", fullmatch=True)
_VERSIONS = st.from_regex(r"([0-9]:)?[0-9][A-Za-z0-9.+~-]{0,15}", fullmatch=True)
_PACKAGES = st.builds(
    InstalledPackage,
    name=_NAMES,
    version=_VERSIONS,
    architecture=st.sampled_from(["amd64", "all", "i386"]),
    source=_NAMES,
    source_version=_VERSIONS,
    maintainer=st.text(st.characters(exclude_categories=["Cs", "Cc"])),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(_PACKAGES, max_size=4, unique_by=lambda one: (one.name, one.architecture)))
def test_any_packages_make_a_valid_document_and_come_back_from_their_urls(
    packages: list[InstalledPackage],
) -> None:
    system = replace(_system("debian", "12", "bookworm"), packages=tuple(packages))
    host = HostContents("h", system, NO_ARCHIVES)
    document = _valid(to_cyclonedx("acme", TIME, (host,), NO_PYTHON))
    parts = [one for one in _named(document, "host/h")["components"] if one["type"] == "library"]
    urls = [PackageURL.from_string(one["purl"]) for one in parts]
    assert sorted((url.name, url.version, url.qualifiers["arch"]) for url in urls) == sorted(
        (one.name, one.version, one.architecture) for one in packages
    )


@settings(max_examples=30, deadline=None)
@given(st.text(), st.text(), st.text())
def test_no_manifest_makes_an_invalid_document(path: str, title: str, version: str) -> None:
    row = {"path": f"{path}.jar", "size": 1, "sha256": "0" * 64, "maven": [], "problem": title}
    row["manifest"] = f"Implementation-Title: {title}\nImplementation-Version: {version}\n"
    text = json.dumps({"archives": [row], "unread": []})
    host = HostContents("h", _system("debian", "12", "bookworm"), parse_archives(ROOT, text))
    document = _valid(to_cyclonedx("acme", TIME, (host,), NO_PYTHON))
    assert len(_named(document, "host/h")["components"]) == 2
