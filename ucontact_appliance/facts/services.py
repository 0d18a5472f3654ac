"""A host's systemd units, package archives, kernel settings and sshd settings."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from ucontact_appliance.facts.host import sections
from ucontact_appliance.facts.source import ProbeContext


def failed_units(reach: ProbeContext) -> tuple[str, ...]:
    """Names of the units in the state `failed`."""
    done = reach.runner.run(
        ["systemctl", "list-units", "--state=failed", "--plain", "--no-legend", "--no-pager"]
    )
    return parse_failed_units(done.stdout)


def parse_failed_units(text: str) -> tuple[str, ...]:
    """The first word of each line; older releases print a dot before it."""
    rows = (line.replace("●", " ").split() for line in text.splitlines())
    return tuple(words[0] for words in rows if words)


@dataclass(frozen=True)
class Archive:
    """One release of a package archive in apt's configuration, and whether it is reachable."""

    release_file: str
    reached: bool
    said: str


# `update --print-uris` changes nothing, and lists the archives even while a machine has no package
# lists yet. apt's own helper uses apt's proxy, credentials and certificates; its downloads are
# deleted at once.
_FETCH = r"""
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
number=0
apt-get update --print-uris 2>/dev/null | sed -n "s/^'\([^']*InRelease\)'.*/\1/p" | sort -u |
while read -r url; do
  number=$((number+1))
  if said=$(/usr/lib/apt/apt-helper -o Acquire::Retries=0 -o Acquire::http::Timeout=6 \
      -o Acquire::https::Timeout=6 download-file "$url" "$folder/$number" 2>&1)
  then echo "yes $url"
  else echo "no $url $(echo "$said" | tail -n 1)"
  fi
done
"""


# RFC 3986 3.2.1: userinfo, the login before the host of a mirror that requires one.
_LOGIN = re.compile(r"([a-z][a-z0-9+.-]*://)[^/\s@]*@", re.IGNORECASE)


def archives(reach: ProbeContext) -> tuple[Archive, ...]:
    """Fetch the release file of each package archive in the host's apt configuration."""
    return parse_archives(reach.runner.run(["sh", "-c", _FETCH], timeout=40).stdout)


def parse_archives(text: str) -> tuple[Archive, ...]:
    """Parse one record per line: `yes URL` or `no URL MESSAGE`; logins in URLs are removed."""
    found = []
    for line in _LOGIN.sub(r"\1", text).splitlines():
        reached, _, rest = line.partition(" ")
        url, _, said = rest.partition(" ")
        found.append(Archive(url, reached == "yes", said))
    return tuple(found)


@dataclass(frozen=True)
class Setting:
    """A kernel setting that our file requires, and the kernel's value; None: not visible here."""

    key: str
    wanted: str
    found: str | None


_SETTINGS_FILE = "/etc/sysctl.d/60-ucontact.conf"


def kernel_settings(reach: ProbeContext) -> tuple[Setting, ...] | None:
    """The settings in the baseline's file with the kernel's values; None without that file."""
    read = reach.runner.run(["cat", _SETTINGS_FILE])
    if read.status:
        return None
    wanted = parse_settings(read.stdout)
    if not wanted:
        return ()
    keys = " ".join(shlex.quote(key) for key in wanted)
    text = reach.runner.run(
        [
            "sh",
            "-c",
            f'for key in {keys}; do echo "---- $key"; sysctl -n "$key" 2>/dev/null; done; true',
        ]
    ).stdout
    found = sections(text)
    return tuple(
        Setting(key, value, " ".join(found.get(key, "").split()) or None)
        for key, value in wanted.items()
    )


def parse_settings(text: str) -> dict[str, str]:
    """Parse the assignments of a sysctl.d(5) file; blanks within values become one space."""
    pairs = (line.partition("=") for line in text.splitlines() if line.strip()[:1] not in "#;")
    return {
        key.strip().lstrip("-").replace("/", "."): " ".join(value.split())
        for key, mark, value in pairs
        if mark
    }


def sshd_settings(reach: ProbeContext) -> dict[str, str] | None:
    """sshd's effective settings in lower case; None when there is no sshd."""
    done = reach.runner.run(["sh", "-c", "PATH=$PATH:/usr/sbin:/sbin; sshd -T 2>/dev/null"])
    return None if done.status else parse_sshd_settings(done.stdout)


def parse_sshd_settings(text: str) -> dict[str, str]:
    """Parse `keyword value` lines; the first of a repeated keyword counts, as in sshd_config(5)."""
    settings: dict[str, str] = {}
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        settings.setdefault(key.lower(), value.strip().lower())
    return settings
