"""Where Asterisk comes from, in site.yml: what is refused, where, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ucontact_appliance.errors import UsageError
from ucontact_appliance.site.asterisk_source import AsteriskSource, parse_deb_name
from ucontact_appliance.site.loader import load_site, parse_site
from ucontact_appliance.site.model import Site

SITE: dict[str, Any] = {
    "site": "demo",
    "fqdn": "contact.example.com",
    "agents": 10,
    "hosts": [{"name": "one", "address": "192.0.2.10"}],
}
SUM = "0" * 64
PACKAGE = {"file": "vendor/asterisk_13.35.0-1_amd64.deb", "sha256": SUM}
MODULES = {"file": "vendor/asterisk-modules_13.35.0-1_amd64.deb", "sha256": SUM}
ARCHIVE = {"uri": "https://a.test/deb", "suite": "focal", "components": ["main"], "key": "a.asc"}


def text(telephony: dict[str, Any], **changes: Any) -> str:
    return yaml.safe_dump(SITE | changes | {"telephony": telephony}, sort_keys=False)


def parsed(telephony: dict[str, Any], **changes: Any) -> Site:
    return parse_site(text(telephony, **changes))


def refusal(telephony: dict[str, Any]) -> str:
    with pytest.raises(UsageError) as caught:
        parsed(telephony)
    return caught.value.evidence


def test_the_distributions_is_the_default() -> None:
    found = parsed({}).telephony
    assert found.source is AsteriskSource.DISTRIBUTION
    assert not found.has_vendors_asterisk


@pytest.mark.parametrize(
    "telephony",
    [
        {"source": "package", "packages": [PACKAGE]},
        {"source": "package", "packages": [PACKAGE, MODULES]},
        {"source": "package", "archive": ARCHIVE},
        {"source": "package", "archive": ARCHIVE | {"suite": "./", "components": []}},
        {"source": "package", "archive": ARCHIVE | {"uri": "file:/srv/vendor"}},
    ],
)
def test_the_vendors_is_named(telephony: dict[str, Any]) -> None:
    assert parsed(telephony).telephony.has_vendors_asterisk


def test_a_release_with_asterisk_is_the_customers() -> None:
    assert parsed({"source": "release"}, release="acme.tar.gz").telephony.has_vendors_asterisk
    told = refusal({"source": "release"})
    assert "line 8: telephony.source" in told
    assert "the evaluation release has none" in told


def test_files_lie_beside_the_site_file(tmp_path: Path) -> None:
    (tmp_path / "site.yml").write_text(text({"source": "package", "packages": [PACKAGE]}))
    (package,) = load_site(tmp_path / "site.yml").telephony.packages
    assert package.file == tmp_path / "vendor/asterisk_13.35.0-1_amd64.deb"
    (tmp_path / "site.yml").write_text(text({"source": "package", "archive": ARCHIVE}))
    archive = load_site(tmp_path / "site.yml").telephony.archive
    assert archive is not None
    assert archive.key == tmp_path / "a.asc"


NEITHER = "source 'package' needs either 'packages' or 'archive'"


@pytest.mark.parametrize(
    ("telephony", "said"),
    [
        ({"source": "package"}, f"telephony.source: {NEITHER}"),
        ({"source": "package", "packages": [PACKAGE], "archive": ARCHIVE}, NEITHER),
        (
            {"packages": [PACKAGE]},
            "only source 'package' has 'packages'; the source is 'distribution'",
        ),
        ({"source": "release", "archive": ARCHIVE}, "only source 'package' has 'archive'"),
        ({"source": "packages"}, "must be one of: 'distribution', 'package', 'release'"),
        ({"source": "package", "packages": [MODULES]}, "none of them is asterisk_VERSION"),
        ({"source": "package", "packages": [PACKAGE, PACKAGE]}, "'asterisk' occurs twice"),
        (
            {"source": "package", "packages": [PACKAGE | {"file": "asterisk.deb"}]},
            "telephony.packages[0].file: 'asterisk.deb': name the file as dpkg-deb does",
        ),
        (
            {"source": "package", "packages": [PACKAGE | {"sha256": "abc"}]},
            "telephony.packages[0].sha256: must match the pattern",
        ),
        (
            {"source": "package", "packages": [{"file": PACKAGE["file"]}]},
            "telephony.packages[0].sha256: is missing",
        ),
        (
            {"source": "package", "archive": ARCHIVE | {"components": []}},
            "telephony.archive: suite 'focal' needs 'components'",
        ),
        (
            {"source": "package", "archive": ARCHIVE | {"suite": "./"}},
            "a suite that ends in '/' has no 'components'",
        ),
        (
            {"source": "package", "archive": ARCHIVE | {"uri": "https://user:word@a.test/"}},
            "telephony.archive.uri: must match the pattern",
        ),
        ({"source": "package", "archive": ARCHIVE | {"uri": "ftp://a.test/"}}, "archive.uri"),
        ({"source": "package", "archive": ARCHIVE | {"suite": "a b"}}, "archive.suite"),
        ({"source": "package", "archiv": ARCHIVE}, "did you mean 'archive'?"),
    ],
)
def test_what_is_refused(telephony: dict[str, Any], said: str) -> None:
    assert said in refusal(telephony)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("asterisk_13.35.0-1_amd64.deb", ("asterisk", "13.35.0-1", "amd64")),
        ("asterisk-modules_22.10.1~dfsg+~cs6-1_all.deb",
         ("asterisk-modules", "22.10.1~dfsg+~cs6-1", "all")),
        ("asterisk.deb", None),
        ("nginx_1.30_amd64.deb", None),
        ("../asterisk_1_amd64.deb", None),
    ],
)  # fmt: skip
def test_names_of_packages(name: str, parts: tuple[str, str, str] | None) -> None:
    assert parse_deb_name(name) == parts
