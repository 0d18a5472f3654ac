"""What the configuration of each branch of Asterisk has, by data/asterisk_versions.yml."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment, nodes

from tests.unit.roles.rendering import ROLE, rendered
from ucontact_appliance.facts.asterisk import VENDOR_APPLICATIONS
from ucontact_appliance.planning.component_tables import package_requirements
from ucontact_appliance.planning.versions import numbers
from ucontact_appliance.resources import load_data

TABLE = load_data("asterisk_versions")
NEWEST = TABLE["branches"][-1]
# What each release says of itself, oldest first; the vendor's may say no number.
REPORTED = {
    13: "Asterisk UNKNOWN__and_probably_unsupported",
    16: "Asterisk 16.2.1~dfsg-2ubuntu1",
    18: "Asterisk 18.10.0~dfsg+~cs6.10.40431411-2",
    20: "Asterisk 20.6.0~dfsg+~cs6.13.40431414-2build5",
    22: "Asterisk 22.10.1+dfsg+~cs6.17.60671434-1",
}
# Options of our templates that a release's sources do not name, as looked up there.
LACKING: Mapping[int, set[tuple[str, str]]] = {
    13: {
        *((f"pjsip_{name}.conf", key) for name in ("extensions", "trunks")
          for key in ("bundle", "max_audio_streams", "max_video_streams")),
        ("rtp.conf", "include_local_address"),
        ("asterisk.conf", "disable_remote_console_shell"),
    },
    16: {
        ("rtp.conf", "include_local_address"),
        ("asterisk.conf", "disable_remote_console_shell"),
        ("http.conf", "enable_static"),
        ("http.conf", "enable_status"),
    },
    18: {("asterisk.conf", "disable_remote_console_shell")},
    20: {("asterisk.conf", "disable_remote_console_shell")},
    22: set(),
}  # fmt: skip


@cache
def files(branch: int) -> Mapping[str, str]:
    return rendered(REPORTED[branch])


def lines(branch: int) -> list[tuple[str, str]]:
    return [(name, line) for name, text in files(branch).items() for line in text.splitlines()]


def written(branch: int) -> set[tuple[str, str]]:
    """File and name of each option, and of each word behind a comma in a value."""
    found = set()
    for name, line in lines(branch):
        key = re.match(r"([a-z][a-z0-9_-]*) *=", line)
        words = [key[1]] if key else []
        words += re.findall(r",([a-z_]+)$", line) if name == "rtp.conf" else []
        found |= {(name, word) for word in words}
    return found


def rows_of(branch: int) -> Iterator[Mapping[str, Any]]:
    """The rows of options that this branch does not get."""
    return (row for row in TABLE["options"].values() if branch < row["since"])


def test_every_branch_of_the_table_is_looked_at() -> None:
    assert [*REPORTED] == [*LACKING] == TABLE["branches"]


@pytest.mark.parametrize("branch", REPORTED)
def test_a_branch_gets_what_the_newest_gets_but_the_tables_options(branch: int) -> None:
    without = {
        (file, key) for row in rows_of(branch) for file in row["files"] for key in row["keys"]
    }
    assert written(NEWEST) - written(branch) == without
    assert written(branch) <= written(NEWEST)
    strip = re.compile("|".join(rf"{key} = .*|,{key}$" for _, key in without) or "(?!)")
    whole = {line for row in rows_of(branch) for line in row.get("lines", ())}
    left = [
        (name, strip.sub("", line)) for name, line in lines(NEWEST) if line.strip() not in whole
    ]
    assert [row for row in left if row[1]] == [row for row in lines(branch) if row[1]]


@pytest.mark.parametrize("branch", REPORTED)
def test_a_branch_gets_no_option_that_it_lacks_but_those_of_no_effect(branch: int) -> None:
    no_effect = {
        (row["file"], key)
        for row in TABLE["passed_over"]
        if branch in row["lacking"]
        for key in row["keys"]
    }
    assert written(branch) & LACKING[branch] == no_effect


@pytest.mark.parametrize("branch", REPORTED)
def test_every_branch_gets_what_browsers_require(branch: int) -> None:
    for name in ("pjsip_extensions.conf", "pjsip_trunks.conf"):
        for option in ("rtcp_mux", "use_avpf", "ice_support", "media_encryption", "dtls_setup"):
            assert (name, option) in written(branch)
        assert (name, "webrtc") not in written(branch)
    least = next(row.least for row in package_requirements() if row.id == "asterisk")
    assert least == TABLE["required"]["rtcp_mux"]["release"]
    assert "noload => chan_sip.so" in files(branch)["modules.conf"]


@pytest.mark.parametrize("branch", REPORTED)
def test_asterisk_can_parse_every_line(branch: int, tmp_path: Path) -> None:
    program = ROLE / "files/usr/local/lib/ucontact/asterisk-syntax.awk"
    for name, text in files(branch).items():
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        done = subprocess.run(
            ["awk", "-f", program, path], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"


def test_a_release_of_an_option_is_no_later_than_its_branch() -> None:
    for name, row in TABLE["options"].items():
        assert numbers(row["release"])[0] <= row["since"], name


def test_templates_ask_the_table_alone() -> None:
    """No template compares versions itself, and each row is asked for."""
    asked: set[str] = set()
    for path in (ROLE / "templates").rglob("*.j2"):
        text = path.read_text(encoding="utf-8")
        assert "telephony_branch" not in text, path.name
        assert "telephony_asterisk_version" not in text, path.name
        for node in Environment(autoescape=True).parse(text).find_all(nodes.Getattr):
            if isinstance(node.node, nodes.Name) and node.node.name == "telephony_has":
                asked.add(node.attr)
    assert asked == set(TABLE["options"])


def test_the_vendors_build() -> None:
    assert len(VENDOR_APPLICATIONS) == 9
    table = next(row for row in load_data("database")["tables"] if row["name"] == "queue_members")
    columns = {column["name"] for column in table["columns"]}
    assert set(TABLE["vendor"]["queue_member_columns"]) <= columns
