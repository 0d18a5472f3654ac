"""A vendor's packages in place of the distribution's, from files or from an apt archive.

Runs on the target's Python, 2.7 or 3.5 and later.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import base64
import collections
import hashlib
import os
import re

from ansible.module_utils.ucontact_apt import (
    LOCK,
    QUIET,
    AptError,
    are_fresh,
    read,
    refresh,
    run,
    write,
)

# A vendor's archive has lists of its own and no influence on apt's other packages. The host's
# settings must not make it trust an unsigned one.
ARCHIVE = [
    "Dir::Etc::SourceList=/dev/null",
    "Dir::Etc::SourceParts={0}/sources",
    "Dir::Etc::Preferences=/dev/null",
    "Dir::Etc::PreferencesParts=/dev/null",
    "Dir::State::Lists={0}/lists",
    "Dir::State::Status=/dev/null",
    "Dir::Cache::pkgcache=",
    "Dir::Cache::srcpkgcache=",
    "APT::Sandbox::User=root",
    "APT::Update::Error-Mode=any",
    "APT::Get::AllowUnauthenticated=false",
    "Acquire::AllowInsecureRepositories=false",
    "Acquire::AllowWeakRepositories=false",
    "Acquire::Check-Valid-Until=true",
    "Acquire::Languages=none",
]
SOURCES = "Types: deb\nURIs: %s\nSuites: %s\n%sSigned-By: %s\n"
PINNED = "# By the uContact appliance: the vendor's packages stay (telephony.source).\n"


def versions(module, names):
    """Return the versions of packages that are installed and configured, by name."""
    words = ["dpkg-query", "--show", "--showformat", "${Status} ${Package} ${Version}\n", "--"]
    said = module.run_command(words + names, environ_update=QUIET)[1] if names else ""
    rows = (line.split() for line in said.splitlines())
    return {row[3]: row[4] for row in rows if row[1:3] == ["ok", "installed"]}


def folder_of(path):
    """Return the path of this folder, which is made if it is missing."""
    if not os.path.isdir(path):
        os.makedirs(path, 0o755)
    return path


class Files(object):
    """A vendor's packages as files. Raises AptError for one that is not what site.yml says."""

    def __init__(self, module, vendor):
        self._module, self._vendor = module, vendor

    def offers(self, _names):
        """Return the packages' versions by name."""
        found = {}
        for one in self._vendor["files"]:
            path = self._path(one)
            if self._module.check_mode and not os.path.exists(path):
                found[one["file"]] = ""  # a dry run copies nothing
                continue
            demand_sum(path, one["sha256"])
            name, version = run(self._module, ["dpkg-deb", "--show", path]).split()
            found[name] = version
        if self._vendor["name"] not in found and "" not in found.values():
            raise AptError("none of the vendor's packages is %s" % self._vendor["name"])
        return found

    def paths(self, _names):
        """Return the paths of the packages."""
        return [self._path(one) for one in self._vendor["files"]]

    def _path(self, one):
        return os.path.join(self._vendor["folder"], "packages", one["file"])


def demand_sum(path, wanted):
    """Raise AptError unless the file has this SHA-256."""
    with open(path, "rb") as stream:
        found = hashlib.sha256(stream.read()).hexdigest()
    if found != wanted:
        raise AptError("%s has the SHA-256 %s; required is %s" % (path, found, wanted))


def candidates(policy):
    """Return the candidate versions in the output of apt-cache policy, by name."""
    found, name = {}, ""
    for line in policy.splitlines():
        words = line.split()
        if line[:1].strip():
            name = line.rstrip(":")
        elif words[:1] == ["Candidate:"] and words[1:] != ["(none)"]:
            found[name] = words[1]
    return found


class Archive(object):
    """A vendor's apt archive, with lists of its own."""

    def __init__(self, module, vendor):
        self._module, self._vendor = module, vendor
        self._name, self._folder = vendor["name"], vendor["folder"]
        self._lists = os.path.join(self._folder, "lists")
        self._options = [word for one in ARCHIVE for word in ("-o", one.format(self._folder))]

    def _refresh(self):
        archive = self._vendor["archive"]
        key = os.path.join(folder_of(self._folder), "archive-key.gpg")
        source = os.path.join(folder_of(os.path.join(self._folder, "sources")), "vendor.sources")
        folder_of(os.path.join(self._lists, "partial"))
        components = " ".join(archive["components"])
        text = SOURCES % (
            archive["uri"],
            archive["suite"],
            "Components: %s\n" % components if components else "",
            key,
        )
        wanted = {key: base64.b64decode(archive["key"]), source: text.encode("ascii")}
        changed = [path for path in wanted if read(path, "rb") != wanted[path]]
        for path in changed:
            write(path, wanted[path])
        if changed or not are_fresh(self._lists):
            run(self._module, ["apt-get", "update", "--quiet"] + self._options + LOCK)

    def offers(self, names):
        """Return the versions of the packages to take, by name."""
        if not self._module.check_mode:
            self._refresh()
        known = self._ask("pkgnames", self._name).split()
        if self._name not in known:
            if self._module.check_mode:
                return {}
            raise AptError("the vendor's archive has no package %s" % self._name)
        without = ["recommends", "suggests", "conflicts", "breaks", "replaces", "enhances"]
        said = self._ask("depends", "--recurse", *(["--no-" + w for w in without] + [self._name]))
        needed = {line for line in said.splitlines() if line[:1].isalpha()}
        taken = [name for name in known if name in needed or name in names]
        return candidates(self._ask("policy", *taken))

    def paths(self, names):
        """Download these packages; return their paths."""
        folder = folder_of(os.path.join(self._folder, "packages"))
        for name in os.listdir(folder):
            os.unlink(os.path.join(folder, name))
        words = ["apt-get", "download", "--quiet"] + self._options + sorted(names)
        run(self._module, words, cwd=folder)
        return [os.path.join(folder, name) for name in sorted(os.listdir(folder))]

    def _ask(self, verb, *words):
        return run(self._module, ["apt-cache", verb] + self._options + list(words))


def pin(offers):
    """The text of apt's preferences with which these versions stay (apt_preferences(5))."""
    row = "\nPackage: %s\nPin: version %s\nPin-Priority: 1001\n"
    rows = [row % (name, version) for name, version in sorted(offers.items())]
    return PINNED + "".join(rows) if rows else ""


def distribution(module, names):
    """The distribution's packages of these names, as arguments of apt-get."""
    if not names:
        return []
    refresh(module)
    said = (run(module, ["apt-cache", "madison", "--", name]) for name in names)
    rows = [line.split("|")[:2] for text in said for line in text.splitlines()[:1]]
    return ["%s=%s" % (row[0].strip(), row[1].strip()) for row in rows]


# What a vendor's packages change: `names` are theirs, `words` are for apt-get install, `lines` tell
# of it, and `text` is for the file of the pin, None if that is right.
Change = collections.namedtuple("Change", ["names", "words", "lines", "text"])
NO_CHANGE = Change(frozenset(), [], [], None)


def vendor_change(module, vendor, names):
    """Return the change, which downloads what is to be installed. Raises AptError."""
    before = read(vendor["pin"])
    pinned = re.findall(r"^Package: (\S+)$", before, re.MULTILINE)
    source = None
    if vendor["files"] or vendor["archive"]:
        source = (Archive if vendor["archive"] else Files)(module, vendor)
    offers = source.offers(names) if source else {}
    if source and not offers:  # a dry run, which fetches no lists of the archive
        return Change(frozenset([vendor["name"]]), [], ["installed " + vendor["name"]], None)
    there = versions(module, sorted(set(offers) | set(pinned)))
    new = sorted(name for name, version in offers.items() if there.get(name) != version)
    words = source.paths(new) if new and not module.check_mode else []
    lines = [("installed %s %s" % (name, offers[name])).strip() for name in new]
    back = distribution(module, [name for name in pinned if name not in offers and name in there])
    if pinned and not source and not any(one.startswith(vendor["name"] + "=") for one in back):
        raise AptError(
            "the distribution has no package %s to return to: keep the vendor's "
            "telephony.source in site.yml" % vendor["name"]
        )
    lines += ["returned " + word for word in back]
    text = pin(offers)
    if text == before and bool(text) == os.path.exists(vendor["pin"]):
        return Change(frozenset(offers), words + back, lines, None)
    lines.append("pinned " + (", ".join(sorted(offers)) or "nothing"))
    return Change(frozenset(offers), words + back, lines, text)


def settle(vendor, change):
    """Write the pin, or remove it."""
    if change.text:
        write(vendor["pin"], change.text.encode("ascii"))
    elif change.text is not None:
        os.unlink(vendor["pin"])
