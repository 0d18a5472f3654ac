"""Who mends a program: the distribution whose package it comes from, or its maker alone."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ucontact_appliance.facts.source import Reach

_DISTRIBUTIONS = re.compile(r"@(?:[\w-]+\.)*(debian\.(org|net)|ubuntu\.com)\b")


@dataclass(frozen=True)
class Origin:
    """The package that a running program's file belongs to; empty: to none.

    `maintainer` is the package's own word. `distribution`: Debian or Ubuntu made it.
    """

    package: str
    version: str
    maintainer: str
    evidence: str

    @property
    def distribution(self) -> bool:
        """Whether security updates of the system reach it."""
        return bool(_DISTRIBUTIONS.search(self.maintainer))


# A running program's file may have been replaced by an update: the kernel says "(deleted)" then.
# /usr is merged, and packages still name /bin and /lib.
_ABOUT = r"""
exe=$(readlink "/proc/$(systemctl show "$1" -p MainPID | cut -d= -f2)/exe") || exit 0
exe=${exe%' (deleted)'}
owner=$({ dpkg -S "$exe" || dpkg -S "${exe#/usr}"; } 2>/dev/null | head -1 | cut -d: -f1)
[ -z "$owner" ] || dpkg-query -W -f '${Package}\t${Version}\t${Maintainer}\n' "$owner" | head -1
"""


def origin(reach: Reach, unit: str) -> Origin:
    """Of the program that the unit runs now."""
    return parse_origin(reach.runner.run(["sh", "-c", _ABOUT, "sh", unit]).stdout)


def parse_origin(text: str) -> Origin:
    """From dpkg-query's line: package, version and maintainer, tabs between."""
    package, version, maintainer = (*text.strip().split("\t"), "", "", "")[:3]
    return Origin(package, version, maintainer, text.strip())
