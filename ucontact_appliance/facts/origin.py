"""The origin of a running program: a distribution's package, or its maker."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ucontact_appliance.facts.source import ProbeContext

_DISTRIBUTIONS = re.compile(r"@(?:[\w-]+\.)*(debian\.(org|net)|ubuntu\.com)\b")


@dataclass(frozen=True)
class Origin:
    """The package that owns a running program's file; empty: none.

    `maintainer` is the package's own field. `distribution`: Debian or Ubuntu maintains it.
    """

    package: str
    version: str
    maintainer: str
    evidence: str

    @property
    def distribution(self) -> bool:
        """Whether the system's security updates cover it."""
        return bool(_DISTRIBUTIONS.search(self.maintainer))


# The file of a running program may have been replaced by an update: the kernel then appends
# "(deleted)". /usr is merged, but packages still list /bin and /lib.
_ABOUT = r"""
exe=$(readlink "/proc/$(systemctl show "$1" -p MainPID | cut -d= -f2)/exe") || exit 0
exe=${exe%' (deleted)'}
owner=$({ dpkg -S "$exe" || dpkg -S "${exe#/usr}"; } 2>/dev/null | head -1 | cut -d: -f1)
[ -z "$owner" ] || dpkg-query -W -f '${Package}\t${Version}\t${Maintainer}\n' "$owner" | head -1
"""


def origin(reach: ProbeContext, unit: str) -> Origin:
    """The origin of the program that the unit runs now."""
    return parse_origin(reach.runner.run(["sh", "-c", _ABOUT, "sh", unit]).stdout)


def parse_origin(text: str) -> Origin:
    """Parse dpkg-query's line: package, version and maintainer, separated by tabs."""
    package, version, maintainer = (*text.strip().split("\t"), "", "", "")[:3]
    return Origin(package, version, maintainer, text.strip())
