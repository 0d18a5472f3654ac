"""Packages that apt has installed, or would install, on a host; changes nothing there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ucontact_appliance.facts.host import sections
from ucontact_appliance.facts.source import ProbeContext

Lists = Literal["own", "fetched", "none"]
_SECONDS = 100


@dataclass(frozen=True)
class Package:
    """A package's installed version and apt's candidate version; empty: none."""

    name: str
    installed: str
    candidate: str
    evidence: str

    @property
    def version(self) -> str:
        """The version after a role's task: an installed package keeps its version."""
        return self.installed or self.candidate


@dataclass(frozen=True)
class AptPackages:
    """Package versions by name, and which package lists they come from.

    `own`: the host's lists; `fetched`: lists downloaded for this probe only; `none`: no lists were
    available.
    """

    lists: Lists
    known: Mapping[str, Package]

    def get(self, name: str) -> Package:
        """The package of that name; without any version if apt does not know it."""
        return self.known.get(name, Package(name, "", "", f"{name}: unknown to apt"))


# Lists older than their sources lack an archive that was just added. The folder's time is compared:
# the files in it have the times of the servers.
_OWN = r"""
lists=/var/lib/apt/lists
state=current
[ -n "$(find /etc/apt/sources.list /etc/apt/sources.list.d -newer $lists 2>/dev/null)" ] &&
  state=older
ls $lists/*Packages* >/dev/null 2>&1 || state=missing
echo '---- lists'; echo $state
"""
# apt with its own folders, and without the hooks that a distribution adds to updates.
FETCHED_LISTS = r"""
folder=$(mktemp -d /var/tmp/ucontact-apt-XXXXXX) || exit 1
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT TERM
mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial" || exit 1
cat > "$folder/apt.conf" <<END
Dir::State::Lists "$folder/lists";
Dir::Cache "$folder/cache";
Acquire::Languages "none";
Acquire::GzipIndexes "true";
Acquire::Retries "0";
Acquire::http::Timeout "8";
Acquire::https::Timeout "8";
APT::Sandbox::User "root";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
END
apt-get -c "$folder/apt.conf" -qq update >/dev/null 2>&1
state=current
ls "$folder"/lists/*Packages* >/dev/null 2>&1 || state=missing
echo '---- lists'; echo $state
"""


@dataclass(frozen=True)
class PackageSet:
    """Packages that a role installs in one go; none if one of the units in `unless` is active."""

    packages: tuple[str, ...]
    unless: tuple[str, ...] = ()


@dataclass(frozen=True)
class Removals:
    """Packages that apt would remove per set, as `NAME (VERSION)`, and the lists it used."""

    lists: Lists
    removed: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Apt:
    """The known packages, and what apt would remove for sets of them."""

    packages: AptPackages
    removals: Removals


_POLICY = r"""
echo '---- policy'
count=$(dpkg-query -W -f '${db:Status-Status}\n' -- "$@" 2>/dev/null | grep -c '^installed')
if [ "$count" = $# ]; then  # then apt, which takes fifty times as long, has nothing to add
  dpkg-query -W -f '${Package}:\n  Installed: ${Version}\n' -- "$@"
else
  LC_ALL=C apt-cache $options policy "$@" 2>/dev/null
fi
"""

# The same call as the roles'. Installed packages stay as they are, so apt is not called for them.
_SIMULATE = r"""
wanted() {
  for unit in $unless; do ! systemctl is-active --quiet "$unit" || return 1; done
  for package in "$@"; do
    case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) in
      *' installed') ;;
      *) return 0 ;;
    esac
  done
  return 1
}
simulate() {
  LC_ALL=C apt-get $options -s -q --no-install-recommends install "$@" 2>&1
}
# Simulating takes seconds. Where all sets together remove nothing, apt says so at once: it refuses
# a removal before it prints what it would download. Elsewhere each set is simulated.
together=
gather() {
  ! wanted "$@" || together="$together $*"
}
each() {
  echo "---- removes $number"
  ! wanted "$@" || simulate "$@" | grep '^Remv '
}
judge() {
  [ -n "$together" ] || return 1
  ! LC_ALL=C apt-get $options -qq --no-install-recommends --no-remove --print-uris \
    install $together >/dev/null 2>&1
}
"""

# Without apt's cache files: a probe writes nothing.
_OWN_OPTIONS = "-o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache="
FETCHED_OPTIONS = "-c $folder/apt.conf"


def apt(reach: ProbeContext, names: tuple[str, ...], sets: tuple[PackageSet, ...]) -> Apt:
    """Query apt for these packages, and for what it would remove to install each of these sets.

    If the host's lists are missing or old, uses freshly fetched lists, unless everything is already
    installed. If no lists are available, `lists` is `none` and nothing is known.
    """
    own = _asked(reach, _OWN, _OWN_OPTIONS, names, sets)
    there = all(name in own.known and own.known[name].installed for name in names)
    if own.state == "current" or (there and not own.wanted):
        return Apt(AptPackages("own", own.known), Removals("own", own.removed))
    fetched = _asked(reach, FETCHED_LISTS, FETCHED_OPTIONS, names, sets)
    if fetched.state == "current":
        known = AptPackages("own", own.known) if there else AptPackages("fetched", fetched.known)
        return Apt(known, Removals("fetched", fetched.removed))
    lists: Lists = "own" if there or own.state == "older" else "none"
    return Apt(AptPackages(lists, own.known), Removals("none", own.removed))


@dataclass(frozen=True)
class _Answer:
    """The state of the lists, packages by name, removals, and whether any set must be installed."""

    state: str
    known: Mapping[str, Package]
    removed: tuple[tuple[str, ...], ...]
    wanted: bool


def _asked(
    reach: ProbeContext,
    lists: str,
    options: str,
    names: tuple[str, ...],
    sets: tuple[PackageSet, ...],
) -> _Answer:
    def each(verb: str) -> str:
        return "".join(
            f"number={number} unless={shlex.quote(' '.join(one.unless))}; "
            f"{verb} {shlex.join(one.packages)}\n"
            for number, one in enumerate(sets)
        )

    script = (
        f'{lists}options="{options}"\n{_POLICY}{_SIMULATE}{each("gather")}'
        "echo '---- wanted'; echo $together\n"
        f"if [ $state = current ] && judge; then\n{each('each')}fi"
    )
    text = _ask(reach, script, names, _SECONDS)
    state, known = parse_answer(text)
    _, removed = parse_removals(text, len(sets))
    return _Answer(state, known, removed, bool(sections(text).get("wanted", "").strip()))


def parse_removals(text: str, count: int) -> tuple[str, tuple[tuple[str, ...], ...]]:
    """Parse the state of the lists, and the packages that apt would remove for each set."""
    part = sections(text)
    found = (
        re.findall(r"^Remv (\S+)(?: \[([^\]]+)\])?", part.get(f"removes {number}", ""), re.M)
        for number in range(count)
    )
    removed = tuple(tuple(f"{name} ({version})" for name, version in one) for one in found)
    return part.get("lists", "missing").strip(), removed


# dpkg records the path inside the package, which can differ from the real one in a merged folder.
_UNOWNED = r"""
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
path=$(command -v "$1") || exit 0
dpkg-query -S "$path" >/dev/null 2>&1 || dpkg-query -S "$(readlink -f "$path")" >/dev/null 2>&1 ||
  echo "$path"
"""


def unowned(reach: ProbeContext, program: str) -> str:
    """The program's path if no package owns it; empty if one does, or it is absent."""
    return reach.runner.run(["sh", "-c", _UNOWNED, "sh", program]).stdout.strip()


def _ask(reach: ProbeContext, script: str, names: tuple[str, ...], seconds: float) -> str:
    command = f"set -- {shlex.join(names)}\n{script}"
    return reach.runner.run(["sh", "-c", command], timeout=seconds).stdout


def parse_answer(text: str) -> tuple[str, dict[str, Package]]:
    """Parse the state of the lists (current, older, missing), and the packages by name."""
    part = sections(text)
    return part.get("lists", "missing").strip(), parse_policy(part.get("policy", ""))


def parse_policy(text: str) -> dict[str, Package]:
    """Parse `apt-cache policy`: a block per package, name unindented; `(none)` is no version."""
    blocks = re.split(r"^(?=\S+:$)", text, flags=re.MULTILINE)
    found = {}
    for block in blocks:
        name, _, rest = block.partition(":\n")
        if rest:
            found[name] = Package(
                name, _value(rest, "Installed"), _value(rest, "Candidate"), block.rstrip()
            )
    return found


def _value(block: str, key: str) -> str:
    found = re.search(rf"^\s+{key}: (\S+)$", block, re.MULTILINE)
    return "" if found is None or found[1] == "(none)" else found[1]
