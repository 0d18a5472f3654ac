"""What apt has installed, or would install, on a host; nothing there is changed to find out."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ucontact_appliance.facts.host import sections
from ucontact_appliance.facts.source import Reach

Lists = Literal["own", "fetched", "none"]
_FETCH_SECONDS = 75
_SIMULATE_SECONDS = 100


@dataclass(frozen=True)
class Package:
    """A package's installed version and the one that apt would install; empty: there is none."""

    name: str
    installed: str
    candidate: str
    evidence: str

    @property
    def version(self) -> str:
        """The version that a role finds after its task: what is installed is left as it is."""
        return self.installed or self.candidate


@dataclass(frozen=True)
class Packages:
    """What apt knows of packages (by name), and from which lists.

    `own` are the host's, `fetched` were fetched for this look alone, `none` says that there were
    none to be had.
    """

    lists: Lists
    known: Mapping[str, Package]

    def get(self, name: str) -> Package:
        """The package of that name; one without any version where apt knows none."""
        return self.known.get(name, Package(name, "", "", f"{name}: unknown to apt"))


# Lists that are older than the sources they come from say nothing of an archive just added. Only
# their folder has a time of its own: the files in it have their servers'.
_OWN = r"""
lists=/var/lib/apt/lists
state=current
[ -n "$(find /etc/apt/sources.list /etc/apt/sources.list.d -newer $lists 2>/dev/null)" ] &&
  state=older
ls $lists/*Packages* >/dev/null 2>&1 || state=missing
echo '---- lists'; echo $state
"""
_OWN_POLICY = r"""
echo '---- policy'
count=$(dpkg-query -W -f '${db:Status-Status}\n' -- "$@" 2>/dev/null | grep -c '^installed')
if [ "$count" = $# ]; then  # then apt, which takes fifty times as long, has nothing to add
  exec dpkg-query -W -f '${Package}:\n  Installed: ${Version}\n' -- "$@"
fi
# Without its cache files: a look writes nothing.
LC_ALL=C apt-cache -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= policy "$@" 2>/dev/null
"""

# apt with folders of its own, and without the hooks that a distribution hangs on its updates.
_FETCHED = r"""
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
_FETCHED_POLICY = r"""
echo '---- policy'; LC_ALL=C apt-cache -c "$folder/apt.conf" policy "$@" 2>/dev/null
"""


def packages(reach: Reach, names: tuple[str, ...]) -> Packages:
    """Ask apt for these packages; where its lists are missing or old, on lists fetched anew."""
    state, known = parse_answer(_ask(reach, _OWN + _OWN_POLICY, names, 20))
    if state == "current" or all(name in known and known[name].installed for name in names):
        return Packages("own", known)
    fetched, known_anew = parse_answer(
        _ask(reach, _FETCHED + _FETCHED_POLICY, names, _FETCH_SECONDS)
    )
    if fetched == "current":
        return Packages("fetched", known_anew)
    return Packages("own" if state == "older" else "none", known)


@dataclass(frozen=True)
class Wanted:
    """Packages that a role installs in one go; nothing where one of the units is at work."""

    packages: tuple[str, ...]
    unless: tuple[str, ...] = ()


@dataclass(frozen=True)
class Removals:
    """What apt would remove for each set of packages, as `NAME (VERSION)`, and by which lists."""

    lists: Lists
    removed: tuple[tuple[str, ...], ...]


# As the roles call it. What is installed already is left as it is, and asks apt for nothing.
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
# A simulation takes seconds: one for all, and where that one removes something, one for each set.
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
  said=$(simulate $together) || return 0
  echo "$said" | grep -q '^Remv '
}
"""

_OWN_OPTIONS = "options='-o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache='"


def removals(reach: Reach, sets: tuple[Wanted, ...]) -> Removals:
    """Ask apt what it would remove for each set; on lists fetched anew where its own are old.

    Nothing is known, and `lists` is `none`, where they can't be fetched.
    """

    def asked(verb: str) -> str:
        return "".join(
            f"number={number} unless={shlex.quote(' '.join(one.unless))}; "
            f"{verb} {shlex.join(one.packages)}\n"
            for number, one in enumerate(sets)
        )

    def answer(lists: str, options: str, seconds: float) -> tuple[str, tuple[tuple[str, ...], ...]]:
        look = (
            f"{_SIMULATE}{options}\n{asked('gather')}"
            f"if [ $state = current ] && judge; then\n{asked('each')}fi"
        )
        return parse_removals(_ask(reach, f"{lists}{look}", (), seconds), len(sets))

    state, removed = answer(_OWN, _OWN_OPTIONS, _SIMULATE_SECONDS)
    if state == "current":
        return Removals("own", removed)
    state_anew, anew = answer(_FETCHED, 'options="-c $folder/apt.conf"', _FETCH_SECONDS)
    if state_anew == "current":
        return Removals("fetched", anew)
    return Removals("none", removed)


def parse_removals(text: str, count: int) -> tuple[str, tuple[tuple[str, ...], ...]]:
    """The state of the lists, and the packages that apt would remove for each of the sets."""
    part = sections(text)
    found = (
        re.findall(r"^Remv (\S+)(?: \[([^\]]+)\])?", part.get(f"removes {number}", ""), re.M)
        for number in range(count)
    )
    removed = tuple(tuple(f"{name} ({version})" for name, version in one) for one in found)
    return part.get("lists", "missing").strip(), removed


# A package's file is known by the path that the package has, which a merged folder can differ from.
_UNOWNED = r"""
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
path=$(command -v "$1") || exit 0
dpkg-query -S "$path" >/dev/null 2>&1 || dpkg-query -S "$(readlink -f "$path")" >/dev/null 2>&1 ||
  echo "$path"
"""


def unowned(reach: Reach, program: str) -> str:
    """Where the program lies, when no package put it there; empty when one did, or it is absent."""
    return reach.runner.run(["sh", "-c", _UNOWNED, "sh", program]).stdout.strip()


def _ask(reach: Reach, script: str, names: tuple[str, ...], seconds: float) -> str:
    command = f"set -- {shlex.join(names)}\n{script}"
    return reach.runner.run(["sh", "-c", command], timeout=seconds).stdout


def parse_answer(text: str) -> tuple[str, dict[str, Package]]:
    """The state of the lists (current, older, missing), and the packages by name."""
    part = sections(text)
    return part.get("lists", "missing").strip(), parse_policy(part.get("policy", ""))


def parse_policy(text: str) -> dict[str, Package]:
    """`apt-cache policy`: a block a package, its name at the margin; `(none)` is no version."""
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
