"""The vendor's Asterisk on a telephony server: its apt archive, and the way back from it."""

from __future__ import annotations

import base64
import binascii
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from ucontact_appliance.errors import UsageError
from ucontact_appliance.facts.host import sections
from ucontact_appliance.facts.packages import FETCHED_LISTS, FETCHED_OPTIONS, parse_policy
from ucontact_appliance.facts.source import ProbeContext
from ucontact_appliance.language.messages import _, with_note
from ucontact_appliance.os_errors import refused
from ucontact_appliance.site.asterisk_source import ASTERISK

PIN = "/etc/apt/preferences.d/ucontact-asterisk.pref"
_SECONDS = 50.0
_MOST_KEY_BYTES = 1 << 16
_ARMOR = b"-----BEGIN PGP PUBLIC KEY BLOCK-----"
_OLD_FORMAT, _NEW_FORMAT = range(0x98, 0x9C), (0xC6,)  # first octet, RFC 9580 section 4.2: tag 6


def public_key(path: Path) -> bytes:
    """The binary OpenPGP public key in the file, which may be armored (RFC 9580, section 6).

    Raises UnreachableError for a file that can't be read, UsageError for one that has no key.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise refused(_("{path} can't be read", path=path), error, path) from error
    key = _dearmored(content) if content.lstrip().startswith(_ARMOR) else content
    if len(key) > _MOST_KEY_BYTES or not key or key[0] not in (*_OLD_FORMAT, *_NEW_FORMAT):
        raise UsageError(
            _("{path} has no OpenPGP public key", path=path),
            evidence=_("telephony.archive.key: the key that signs the vendor's archive"),
            helps=with_note(f"gpg --show-keys {path}", _("shows the keys in a file")),
        )
    return key


def _dearmored(text: bytes) -> bytes:
    """The packets between the header's empty line and the checksum; empty if they are damaged."""
    lines = [line.strip() for line in text.strip().splitlines()]
    body = lines[lines.index(b"") + 1 :] if b"" in lines else []
    data = [line for line in body if line and not line.startswith((b"=", b"-----"))]
    try:
        return base64.b64decode(b"".join(data), validate=True)
    except binascii.Error:
        return b""


@dataclass(frozen=True)
class VendorOffer:
    """The version of Asterisk in a vendor's archive, for this server's architecture.

    It is empty if there is none that apt trusts; `complaint` is apt's first warning or error, and
    `evidence` all that it says.
    """

    version: str
    architecture: str
    complaint: str
    evidence: str


# As the module apt_packages does it, in a folder of its own: apt does not get to know the archive,
# and no setting of the server makes it trust an unsigned one.
_ARCHIVE = r"""
folder=$(mktemp -d /var/tmp/ucontact-apt-XXXXXX) || exit 1
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT TERM
mkdir -p "$folder/sources" "$folder/lists/partial" || exit 1
printf %s "$4" | base64 -d > "$folder/archive-key.gpg" || exit 1
{
  printf 'Types: deb\nURIs: %s\nSuites: %s\n' "$1" "$2"
  [ -z "$3" ] || printf 'Components: %s\n' "$3"
  printf 'Signed-By: %s\n' "$folder/archive-key.gpg"
} > "$folder/sources/vendor.sources"
options="-o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts=$folder/sources
  -o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null
  -o Dir::State::Lists=$folder/lists -o Dir::State::Status=/dev/null
  -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o APT::Sandbox::User=root
  -o APT::Update::Error-Mode=any -o APT::Get::AllowUnauthenticated=false
  -o Acquire::AllowInsecureRepositories=false -o Acquire::AllowWeakRepositories=false
  -o Acquire::Check-Valid-Until=true -o Acquire::Languages=none -o Acquire::Retries=0
  -o Acquire::http::Timeout=8 -o Acquire::https::Timeout=8"
export LC_ALL=C
echo '---- update'
apt-get $options -q update 2>&1 && complete=yes
echo '---- policy'
[ -z "$complete" ] || apt-cache $options policy asterisk
echo '---- architecture'
dpkg --print-architecture
"""


def vendor_archive(
    reach: ProbeContext, uri: str, suite: str, components: tuple[str, ...], key: bytes
) -> VendorOffer:
    """Ask the server's apt what this archive has, with this key alone; changes nothing there."""
    words = [uri, suite, " ".join(components), base64.b64encode(key).decode()]
    script = f"set -- {shlex.join(words)}\n{_ARCHIVE}"
    return parse_offer(reach.runner.run(["sh", "-c", script], timeout=_SECONDS).stdout)


def parse_offer(text: str) -> VendorOffer:
    """Parse the answer to `vendor_archive`."""
    part = sections(text)
    found = parse_policy(part.get("policy", "")).get(ASTERISK)
    complaint = re.search(r"^[WE]: (.*)$", part.get("update", ""), re.MULTILINE)
    told = (part.get("update", ""), part.get("policy", ""))
    return VendorOffer(
        version=found.candidate if found else "",
        architecture=part.get("architecture", "").strip(),
        complaint=complaint[1] if complaint else "",
        evidence="\n".join(filter(None, (one.strip() for one in told))),
    )


@dataclass(frozen=True)
class WayBack:
    """Whether a server has the vendor's Asterisk of ours, and the distribution's version or ''."""

    pinned: bool
    version: str
    evidence: str


_BACK = rf"""
[ -e {PIN} ] || exit 0
{FETCHED_LISTS}
echo '---- pin'; cat {PIN}
echo '---- madison'
apt-cache {FETCHED_OPTIONS} madison asterisk
"""


def way_back(reach: ProbeContext) -> WayBack:
    """Read whether the vendor's Asterisk is installed, and what the distribution has instead."""
    return parse_way_back(reach.runner.run(["sh", "-c", _BACK], timeout=_SECONDS).stdout)


def parse_way_back(text: str) -> WayBack:
    """Parse the answer to `way_back`; the rows of `apt-cache madison` begin with the newest."""
    part = sections(text)
    rows = [line.split("|") for line in part.get("madison", "").splitlines() if "|" in line]
    return WayBack("pin" in part, rows[0][1].strip() if rows else "", text.strip())


def architecture(reach: ProbeContext) -> str:
    """Read the architecture of the server's packages, such as amd64."""
    return reach.runner.run(["dpkg", "--print-architecture"]).stdout.strip()
