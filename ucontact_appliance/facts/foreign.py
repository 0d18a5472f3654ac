"""A component's files on a host that neither a package nor an installation of ours put there.

Reads only. Lists of names are bounded: further files count, but are not listed.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from ucontact_appliance.facts.host import sections
from ucontact_appliance.facts.source import ProbeContext
from ucontact_appliance.planning.component_tables import ForeignRow
from ucontact_appliance.printable import printable

KEPT = "/var/backups/ucontact"
_MOST_FILES = 5000
_SECONDS = 30.0
# Schemas that a server creates for itself; the claim distinguishes ours from others'.
_SYSTEM_SCHEMAS = frozenset(("mysql", "performance_schema", "sys", "lost+found"))
# dpkg(1) and ucf(1) leave these beside a changed file; the changed file itself is reported.
_LEFT = re.compile(r"\.(dpkg|ucf)-(old|new|dist|tmp|bak)$")
_CONFFILE = re.compile(r"^ (?P<path>/.+?) (?P<sum>[0-9a-f]{32})(?: obsolete)?$")
_SUM = re.compile(r"^\\?(?P<sum>[0-9a-f]{32})  (?P<path>/.+)$")
_OWNED = re.compile(r"^[^/]+: (?P<path>/.+)$")


class Claim(Enum):
    """Who owns the component's files: nobody yet, us, or somebody whose files we took over."""

    NONE = "none"
    OURS = "ours"
    TAKEN_OVER = "taken-over"


@dataclass(frozen=True)
class ForeignInstallation:
    """Another party's files and data of a component; all empty if there are none, or they are ours.

    `changed` are configuration files of packages with modified content, `added` files that no
    package owns, `databases` schemas in the data folder, `data` sentences about other data.
    """

    claim: Claim
    changed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    databases: tuple[str, ...] = ()
    data: tuple[str, ...] = ()


def foreign(reach: ProbeContext, row: ForeignRow) -> ForeignInstallation:
    """Read one component's files on the host."""
    done = reach.runner.run(["sh", "-c", _script(row)], timeout=_SECONDS)
    return parse_foreign(done.stdout, row)


def _script(row: ForeignRow) -> str:
    places = shlex.join(row.configuration)
    here = f"find {places} -xdev"
    found = rf"{here} \( -type f -o -type l \) -print0 2>/dev/null | head -z -n {_MOST_FILES}"
    targets = f"{here} -type l -exec readlink -zm {{}} + 2>/dev/null"
    known = " ".join(f"-e {shlex.quote(f' {place}')}" for place in row.configuration)
    return f"""
claim={Claim.NONE.value}
if grep -qsF -e {shlex.quote(row.ours.text)} {shlex.quote(row.ours.file)}; then
  claim={Claim.OURS.value}
elif [ -e {KEPT}/taken-over/{row.id} ]; then
  claim={Claim.TAKEN_OVER.value}
fi
echo '---- claim'; echo $claim
[ $claim = {Claim.NONE.value} ] || exit 0
echo '---- sums'; {found} | xargs -0r md5sum 2>/dev/null
echo '---- links'; {here} -type l -exec sh -c \
'for f; do printf "%s\\t%s\\n" "$f" "$(readlink -m "$f")"; done' sh {{}} + 2>/dev/null
echo '---- conffiles'; dpkg-query -W -f='${{Conffiles}}\\n' 2>/dev/null | grep -F {known}
echo '---- ucf'; grep -F {known} /var/lib/ucf/hashfile 2>/dev/null
echo '---- owned'; {{ {found}; {targets}; }} | xargs -0r dpkg-query -S 2>/dev/null
{_data(row)}
"""


def _data(row: ForeignRow) -> str:
    parts = []
    if row.databases:
        parts += [
            f"echo '---- schemas'; find {shlex.join(row.databases)} -mindepth 1 -maxdepth 1 "
            f"-type d -printf '%f\\n' 2>/dev/null | head -n {_MOST_FILES}",
            # MariaDB's data, in the folder that our MySQL would start on.
            f"echo '---- aria'; ls {shlex.quote(row.databases[0])}/aria_log_control 2>/dev/null",
        ]
    if row.files:
        parts.append(
            f"echo '---- files'; find {shlex.quote(row.files)} -xdev -type f 2>/dev/null | wc -l"
        )
    return "\n".join(parts)


def parse_foreign(text: str, row: ForeignRow) -> ForeignInstallation:
    """Parse that script's output. Raises ValueError if it is not that."""
    part = sections(text)
    claim = Claim(part["claim"].strip()) if "claim" in part else None
    if claim is None:
        raise ValueError("the host does not say whose its files are")
    if claim is not Claim.NONE:
        return ForeignInstallation(claim)
    links = dict(line.split("\t", 1) for line in part.get("links", "").splitlines() if "\t" in line)
    files = {found["path"]: found["sum"] for found in _matches(_SUM, part.get("sums", ""))}
    # A dangling link has no checksum.
    found = {**dict.fromkeys(links, ""), **files}
    known = {one["path"]: one["sum"] for one in _matches(_CONFFILE, part.get("conffiles", ""))}
    known |= {one["path"]: one["sum"] for one in _matches(_SUM, part.get("ucf", ""))}
    owned = {one["path"] for one in _matches(_OWNED, part.get("owned", ""))}
    changed, added = [], []
    for path, digest in sorted(found.items()):
        if path in known:
            if known[path] != digest:
                changed.append(path)
        elif not (_is_a_packages(path, links, known, owned, row) or _LEFT.search(path)):
            added.append(path)
    return ForeignInstallation(
        claim,
        tuple(map(printable, changed)),
        tuple(map(printable, added)),
        tuple(_schemas(part.get("schemas", ""))),
        tuple(_told(part, row)),
    )


def _is_a_packages(
    path: str,
    links: Mapping[str, str],
    known: Mapping[str, str],
    owned: set[str],
    row: ForeignRow,
) -> bool:
    """Whether a package or its scripts created it, judged by its own path or the link's target."""
    target = links.get(path, path)
    return path in owned or path in row.generated or target in known or target in owned


def _schemas(text: str) -> Iterator[str]:
    for name in sorted(text.splitlines()):
        if name not in _SYSTEM_SCHEMAS and not name.startswith(("#", ".")):
            yield printable(name)


def _told(part: Mapping[str, str], row: ForeignRow) -> Iterator[str]:
    if part.get("aria", "").strip():
        yield f"{row.databases[0]} is a data folder of MariaDB's"
    count = part.get("files", "").strip()
    if count.isdigit() and int(count):
        yield f"{row.files} holds {int(count)} files"


def _matches(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    return (found for line in text.splitlines() if (found := pattern.match(line)) is not None)
