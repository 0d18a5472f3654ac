"""The tree /etc/IntegraServer on a host (R22), and the hashes of its release."""

from __future__ import annotations

from dataclasses import dataclass

from ucontact_appliance.facts.host import script, sections
from ucontact_appliance.facts.source import ProbeContext
from ucontact_appliance.resources import load_data

_TIMEOUT = 60.0  # hashing a large release from a slow disk
_FIELDS = 6
_HASH_LENGTH = 64


@dataclass(frozen=True)
class TreeEntry:
    """A file, folder or link: `kind` is find(1)'s letter, `mode` octal, `sha256` of plain files."""

    kind: str
    mode: str
    owner: str
    group: str
    target: str = ""
    sha256: str = ""


@dataclass(frozen=True)
class InstalledTree:
    """The tree of a host.

    `places` are the paths in data/tree.yml and the folders around them; links are not followed
    beyond the release in use (which itself is `current/`, with the slash).
    `files` is everything in that release, by its path in it; `manifest` is the text of its
    manifest.json, empty if there is none; `current` is the target of the link `current`.
    """

    current: str
    manifest: str
    places: dict[str, TreeEntry]
    files: dict[str, TreeEntry]


def installed_tree(reach: ProbeContext) -> InstalledTree:
    """List and hash the tree in one command; empty records if nothing is installed."""
    return parse_tree(reach.runner.run(["sh", "-c", _command()], timeout=_TIMEOUT).stdout)


def _command() -> str:
    tree = load_data("tree")
    root, state = tree["root"], tree["state"]
    # %P of a start point is empty, so places are listed by their full paths. \037 can't occur in a
    # release's path, and keeps names with spaces intact.
    shape = r"%y\037%m\037%u\037%g\037%l\037"
    places = " ".join(f"{root}/{row['path']}" for row in tree["paths"])
    outside = " ".join(
        f"{state}/{row['path'].rsplit('/', 1)[-1]}"
        for row in tree["paths"]
        if row["kind"] == "writable"
    )
    home = f"{root}/current/"
    around = f"{root} {root}/releases {root}/current {home} {state}"
    return script(
        current=f"readlink {root}/current",
        places=f"find {around} {places} {outside} -maxdepth 0 -printf '{shape}%p\\n' 2>/dev/null",
        files=f"find {home} -mindepth 1 -printf '{shape}%P\\n' 2>/dev/null",
        hashes=f"cd {home} 2>/dev/null && find . -type f -exec sha256sum -- {{}} +",
        manifest=f"cat {root}/current/manifest.json 2>/dev/null; echo",
    )


def parse_tree(text: str) -> InstalledTree:
    """Parse that command's output."""
    parts = sections(text)
    hashes = dict(_hash(line) for line in parts.get("hashes", "").splitlines())
    return InstalledTree(
        current=parts.get("current", "").strip(),
        manifest=parts.get("manifest", "").strip(),
        places=_entries(parts.get("places", ""), {}),
        files=_entries(parts.get("files", ""), hashes),
    )


def _hash(line: str) -> tuple[str, str]:
    """Path and hash from a line of sha256sum(1), whose paths begin with './'."""
    return line[_HASH_LENGTH + 2 :].removeprefix("./"), line[:_HASH_LENGTH]


def _entries(text: str, hashes: dict[str, str]) -> dict[str, TreeEntry]:
    found = {}
    for line in text.splitlines():
        fields = line.split("\037")
        if len(fields) != _FIELDS:
            continue
        kind, mode, owner, group, target, path = fields
        found[path] = TreeEntry(kind, mode.zfill(4), owner, group, target, hashes.get(path, ""))
    return found
