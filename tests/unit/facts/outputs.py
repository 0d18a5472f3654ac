"""Outputs of real probes, recorded on rehearsal machines (file names: probe, suite)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_FOLDER = Path(__file__).with_name("recorded")


def recorded(name: str) -> str:
    return (_FOLDER / f"{name}.txt").read_text(encoding="utf-8")


# No Ubuntu archive was reachable to record from: these are the upstream versions that
# packages.ubuntu.com lists for each release, their revisions left out; what is not listed there is
# not here either.
DOCUMENTED = {
    "16.04": {
        "nginx": "1.10.3",
        "openjdk-8-jre-headless": "8u292-b10",
        "mysql-server-5.7": "5.7.33",
        "asterisk": "1:13.1.0~dfsg",
        "coturn": "4.5.0.3",
    },
    "18.04": {
        "nginx": "1.14.0",
        "openjdk-8-jre-headless": "8u372-ga~us1",
        "mysql-server-5.7": "5.7.42",
        "asterisk": "1:13.18.3~dfsg",
        "coturn": "4.5.0.7",
    },
    "20.04": {
        "nginx": "1.18.0",
        "openjdk-8-jre-headless": "8u452-ga~us1",
        "mysql-server-8.0": "8.0.42",
        "asterisk": "1:16.2.1~dfsg",
        "odbc-mariadb": "3.1.4",
        "coturn": "4.5.1.1",
    },
    "22.04": {
        "nginx": "1.18.0",
        "openjdk-8-jre-headless": "8u504-ga",
        "mysql-server-8.0": "8.0.44",
        "asterisk": "1:18.10.0~dfsg+~cs6.10.40431411",
        "odbc-mariadb": "3.1.15",
        "coturn": "4.5.2",
    },
    "24.04": {
        "nginx": "1.24.0",
        "openjdk-8-jre-headless": "8u504-ga",
        "mysql-server-8.0": "8.0.44",
        "asterisk": "1:20.6.0~dfsg+~cs6.13.40431414",
        "odbc-mariadb": "3.1.15",
        "coturn": "4.6.1",
    },
}


def policy(versions: Mapping[str, str], lists: str = "current") -> str:
    """The answer of the packages' probe on a host whose apt offers these versions."""
    blocks = (
        f"{name}:\n  Installed: (none)\n  Candidate: {version}-1\n  Version table:\n"
        f"     {version}-1 500\n        500 http://archive.example/ubuntu main amd64 Packages\n"
        for name, version in versions.items()
    )
    return f"---- lists\n{lists}\n---- policy\n{''.join(blocks)}"
