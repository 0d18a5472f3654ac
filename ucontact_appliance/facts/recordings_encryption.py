"""Encryption of recordings on the telephony server: its unit, its key, and what is still plain."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ucontact_appliance.facts.call import RECORDINGS
from ucontact_appliance.facts.host import script, sections
from ucontact_appliance.facts.source import ProbeContext

ENCRYPTION_UNIT = "ucontact-encryption.service"
ENDING = ".p7m"
LATE_MINUTES = 15
_KEY = "/etc/ucontact-recordings/key.pem"
_SECONDS = 60.0
# Asterisk's own account must not read the key: it would read every recording.
_LOOK = script(
    active=f"systemctl is-active {ENCRYPTION_UNIT}",
    enabled=f"systemctl is-enabled {ENCRYPTION_UNIT} 2>/dev/null || true",
    key=f"test -s {_KEY} && echo yes || echo no",
    readable=f"runuser -u asterisk -- test -r {_KEY} && echo yes || echo no",
    plain=f"timeout 50 nice -n 19 find {RECORDINGS} -type f ! -name '*{ENDING}' ! -name '.*' "
    f"-mmin +{LATE_MINUTES} -printf '%P\\0' 2>/dev/null | tr '\\n\\0' '?\\n' | "
    "awk 'n++ < 5 { print } END { print n + 0 }'",
    recent=f"find {RECORDINGS} -type d -mmin -{LATE_MINUTES} -exec find '{{}}' -maxdepth 1 "
    f"-name '*{ENDING}' -cmin -{LATE_MINUTES} -print -quit \\; 2>/dev/null | head -n 1",
    log=f"journalctl -u {ENCRYPTION_UNIT} -n 5 --no-pager -o cat 2>&1 || true",
)


@dataclass(frozen=True)
class RecordingsEncryption:
    """The unit's states, the key, and recordings that are plain 15 minutes after their last write.

    `recent`: something was encrypted in the last 15 minutes, as while an old spool is worked off.
    """

    active: str
    enabled: str
    has_key: bool
    exposed: bool
    plain: int
    shown: tuple[str, ...]
    recent: bool
    evidence: str


def recordings_encryption(reach: ProbeContext) -> RecordingsEncryption:
    """Read unit and key, and search the spool with low priority."""
    done = reach.runner.run(["sh", "-c", _LOOK], timeout=_SECONDS)
    return parse_encryption(done.stdout)


def parse_encryption(text: str) -> RecordingsEncryption:
    """Parse the probe's output. Raises ValueError when the spool was not counted."""
    part = {name: value.strip() for name, value in sections(text).items()}
    *shown, count = part.get("plain", "").splitlines() or [""]
    if not re.fullmatch(r"\d{1,12}", count):
        raise ValueError(f"not a number of files: {count[:40]!r}")
    return RecordingsEncryption(
        active=part.get("active", ""),
        enabled=part.get("enabled", ""),
        has_key=part.get("key") == "yes",
        exposed=part.get("readable") == "yes",
        plain=int(count),
        shown=tuple(shown),
        recent=bool(part.get("recent")),
        evidence="\n".join(filter(None, (*shown, part.get("log")))),
    )
