#!/usr/bin/python
"""Ansible module: converge the tree of a release under /etc/IntegraServer (R22) atomically.

Runs on the target's Python, 2.7 or 3.6 and later.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: release_tree
short_description: lay down a verified release, keep it as it was signed, switch to it in one step
description:
  - Compares C(ROOT/releases/VERSION) with the manifest, file by file (SHA-256, kind, owner, mode),
    and puts right what is missing, changed or foreign.
  - A new version is laid down beside the old one under a name ending in C(.partial), renamed when
    it is complete, and taken into use by one rename of the link C(ROOT/current).
  - Folders that the site writes to are links out of the release; a release only seeds them.
options:
  root:
    description: The folder of the tree.
    type: path
    required: true
  state:
    description: The folder of what outlives releases. The last name of each writable path is below.
    type: path
    required: true
  archive:
    description: The release on this host, .tar.gz.
    type: path
    required: true
  manifest:
    description: Its manifest.json on this host.
    type: path
    required: true
  owner:
    description: Owner of what a release brings.
    type: str
    default: root
  group:
    description: Group of what a release brings.
    type: str
    default: root
  links:
    description: Folders of a release that ROOT leads to.
    type: list
    elements: str
    default: [web, server, reports]
  writable:
    description: Paths in a release that are the site's own, with the owner, group and mode.
    type: list
    elements: dict
    default: []
    suboptions:
      path: {type: str, required: true, description: Path in the release.}
      owner: {type: str, required: true, description: Owner.}
      group: {type: str, required: true, description: Group.}
      mode: {type: str, required: true, description: Octal mode.}
  folders:
    description: Further folders of ROOT that the site fills, with the owner, group and mode.
    type: list
    elements: dict
    default: []
    suboptions:
      path: {type: str, required: true, description: Path under ROOT.}
      owner: {type: str, required: true, description: Owner.}
      group: {type: str, required: true, description: Group.}
      mode: {type: str, required: true, description: Octal mode.}
  keep:
    description: How many earlier releases stay for a way back.
    type: int
    default: 1
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
"""

RETURN = r"""
release: {type: dict, returned: when it is known, description: Name, version, health path.}
differences: {type: list, returned: always, description: What was put right; or would be.}
switched: {type: bool, returned: always, description: Whether another release came into use.}
manages: {type: list, returned: success, description: A line each, such as "tree /etc/x".}
"""

import contextlib  # noqa: E402
import errno  # noqa: E402
import grp  # noqa: E402
import hashlib  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import pwd  # noqa: E402
import shutil  # noqa: E402
import stat  # noqa: E402
import tarfile  # noqa: E402
import tempfile  # noqa: E402
import zlib  # noqa: E402

from ansible.module_utils.basic import AnsibleModule  # noqa: E402

FILE_MODE = 0o644
FOLDER_MODE = 0o755
MANIFEST = "manifest.json"
CURRENT = "current"
RELEASES = "releases"
PARTIAL = ".partial"
REPLACED = ".replaced"
CHUNK = 1024 * 1024
MOST_LINES = 200


# B904: Python 2 has no `raise … from`.
class TreeError(Exception):
    """A problem that needs a person, in one sentence."""


class Item(object):
    """What is, or should be, at a path: its kind ('file', 'folder', 'link', 'other') and traits."""

    def __init__(self, kind, uid, gid, mode=None, **traits):
        self.kind = kind
        self.uid = uid
        self.gid = gid
        self.mode = mode
        self.sha256 = traits.get("sha256")
        self.target = traits.get("target")


def account(name):
    """The uid of a user name. Raises TreeError."""
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        raise TreeError("there is no user %s on this host" % name)  # noqa: B904


def group_of(name):
    """The gid of a group name. Raises TreeError."""
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise TreeError("there is no group %s on this host" % name)  # noqa: B904


def read_manifest(path):
    """The manifest as a dictionary; None if there is none. Raises TreeError."""
    try:
        with open(path, "rb") as stream:
            document = json.loads(stream.read().decode("utf-8"))
    except (IOError, OSError) as error:
        if error.errno == errno.ENOENT:
            return None
        raise TreeError("%s can't be read: %s" % (path, error.strerror))  # noqa: B904
    except ValueError:
        raise TreeError("%s is no JSON document" % path)  # noqa: B904
    try:
        names = sorted(document["files"])
        names += [document["name"], document["version"]]
    except (KeyError, TypeError):
        raise TreeError("%s is no manifest of a release" % path)  # noqa: B904
    for name in names:
        if name.startswith("/") or any(part in ("", ".", "..") for part in name.split("/")):
            raise TreeError("%s: %r leads out of the release" % (path, name))
    if "/" in document["version"] or document["version"].endswith((PARTIAL, REPLACED)):
        raise TreeError("%s: %r is no version" % (path, document["version"]))
    return document


def below(path, folders):
    """The folder of `folders` that contains `path`, or None."""
    for folder in folders:
        if path.startswith(folder + "/"):
            return folder
    return None


def parents(path):
    """The folders above a relative path, outermost first."""
    parts = path.split("/")[:-1]
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]


def wanted_items(manifest, document, links, uid, gid):
    """Path to Item of everything in a release folder. `links`: writable path to its target."""
    items = {
        MANIFEST: Item("file", uid, gid, FILE_MODE, sha256=hashlib.sha256(document).hexdigest()),
    }
    for path, target in links.items():
        items[path] = Item("link", uid, gid, target=target)
    for path, entry in manifest["files"].items():
        if not below(path, links):
            items[path] = Item("file", uid, gid, FILE_MODE, sha256=entry["sha256"])
    for path in list(items):
        for folder in parents(path):
            items[folder] = Item("folder", uid, gid, FOLDER_MODE)
    return items


def sha256_of(path):
    """The SHA-256 of a file's content, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for chunk in iter(lambda: stream.read(CHUNK), b""):
            digest.update(chunk)
    return digest.hexdigest()


def look(path):
    """The Item at `path`, without its content; None if there is nothing."""
    try:
        seen = os.lstat(path)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return None
        raise
    mode = stat.S_IMODE(seen.st_mode)
    if stat.S_ISLNK(seen.st_mode):
        return Item("link", seen.st_uid, seen.st_gid, target=os.readlink(path))
    if stat.S_ISREG(seen.st_mode):
        return Item("file", seen.st_uid, seen.st_gid, mode)
    if stat.S_ISDIR(seen.st_mode):
        return Item("folder", seen.st_uid, seen.st_gid, mode)
    return Item("other", seen.st_uid, seen.st_gid, mode)


def walk(folder):
    """Every relative path below `folder`; links are not followed."""
    found = []
    for at, folders, files in os.walk(folder):
        for name in folders + files:
            found.append(os.path.relpath(os.path.join(at, name), folder))
    return found


def compare(folder, wanted):
    """The differences of `folder`: a sorted list of (path, what), with what one of missing,
    changed, foreign, owner.

    Everything below a path that is not a folder as it should be is missing: the target of a link
    in its place does not belong to the release.
    """
    differences = []
    home = look(folder)
    replaced = {""} if home is None or home.kind != "folder" else set()
    for path, item in sorted(wanted.items()):  # folders before their content
        full = os.path.join(folder, path)
        lost = replaced.intersection([""] + parents(path))
        seen = None if lost else look(full)
        if seen is not None and seen.kind != item.kind:
            replaced.add(path)
        if seen is None:
            differences.append((path, "missing"))
        elif (
            seen.kind != item.kind
            or seen.target != item.target
            or (item.sha256 and sha256_of(full) != item.sha256)
        ):
            differences.append((path, "changed"))
        elif (seen.uid, seen.gid, seen.mode) != (item.uid, item.gid, item.mode):
            differences.append((path, "owner"))
    for path in walk(folder) if "" not in replaced else []:
        if path not in wanted and not any(
            above in wanted and wanted[above].kind == "link" for above in parents(path)
        ):
            differences.append((path, "foreign"))
    return sorted(differences)


def remove(path):
    """Remove whatever is at `path`; of a link, not its target."""
    seen = look(path)
    if seen is None:
        return
    if seen.kind == "folder":
        shutil.rmtree(path)
    else:
        os.unlink(path)


def own(path, item):
    """Set owner, group and mode; a link's mode can't be set."""
    os.lchown(path, item.uid, item.gid)
    if item.mode is not None:
        os.chmod(path, item.mode)


def put_content(path, stream, sha256, item):
    """Write next to `path`, check the SHA-256, then rename. Raises TreeError on a mismatch."""
    digest = hashlib.sha256()
    descriptor, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".release-")
    try:
        with os.fdopen(descriptor, "wb") as out:
            for chunk in iter(lambda: stream.read(CHUNK), b""):
                digest.update(chunk)
                out.write(chunk)
        if digest.hexdigest() != sha256:
            raise TreeError(
                "the archive on this host holds another %s than the manifest says" % path
            )
        own(temporary, item)
        os.rename(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def put_link(path, target, uid, gid):
    """Create or replace a link atomically."""
    temporary = path + ".new"
    remove(temporary)
    os.symlink(target, temporary)
    os.lchown(temporary, uid, gid)
    os.rename(temporary, path)


def members(archive, names):
    """Yield (name, content) of the archive's files among `names`. Raises TreeError."""
    left = set(names)
    if not left:
        return
    try:
        with contextlib.closing(tarfile.open(archive, "r|gz")) as tar:
            for member in tar:
                if member.isreg() and member.name in left:
                    left.remove(member.name)
                    yield member.name, tar.extractfile(member)
    except (tarfile.TarError, zlib.error, EOFError, IOError, OSError) as error:
        raise TreeError("the archive %s can't be read: %s" % (archive, error))  # noqa: B904
    if left:
        raise TreeError("the archive %s has no %s" % (archive, sorted(left)[0]))


def converge(folder, wanted, differences, archive, document):
    """Resolve every difference in `folder`."""
    # Innermost first: the content of a foreign folder is removed before the folder itself.
    for path, what in sorted(differences, reverse=True):
        full = os.path.join(folder, path)
        # A file stays in place until its replacement is renamed over it.
        in_the_way = what == "changed" and {wanted[path].kind, look(full).kind} != {"file"}
        if what == "foreign" or in_the_way:
            remove(full)
    files = []
    for path, what in differences:
        if what == "foreign":
            continue
        item, full = wanted[path], os.path.join(folder, path)
        if item.kind == "folder":
            if look(full) is None:
                os.mkdir(full, FOLDER_MODE)
            own(full, item)
        elif item.kind == "link" and what != "owner":
            put_link(full, item.target, item.uid, item.gid)
        elif what == "owner":
            own(full, item)
        else:
            files.append(path)
    if MANIFEST in files:
        files.remove(MANIFEST)
        put_bytes(os.path.join(folder, MANIFEST), document, wanted[MANIFEST])
    for path, stream in members(archive, files):
        put_content(os.path.join(folder, path), stream, wanted[path].sha256, wanted[path])


def put_bytes(path, content, item):
    """Replace a small file atomically."""
    descriptor, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".release-")
    with os.fdopen(descriptor, "wb") as out:
        out.write(content)
    own(temporary, item)
    os.rename(temporary, path)


@contextlib.contextmanager
def acting_as(uid, gid):
    """Access files with only this account's permissions.

    The site's folders belong to the service's account: root would follow any link that the service
    put there.
    """
    if os.geteuid() != 0:
        yield
        return
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(gid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


def seed(path, stream, row):
    """Write a file of a writable folder, unless something of this name exists."""
    content = stream.read()
    with acting_as(row["uid"], row["gid"]):
        if os.path.lexists(path):
            return
        if not os.path.isdir(os.path.dirname(path)):
            os.makedirs(os.path.dirname(path), row["mode"])
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
        with os.fdopen(descriptor, "wb") as out:
            out.write(content)


class Tree(object):
    """A tree, its release, and the operations on it."""

    def __init__(self, params, manifest, document):
        self.root = params["root"]
        self.state = params["state"]
        self.archive = params["archive"]
        self.keep = params["keep"]
        self.manifest = manifest
        self.document = document
        self.uid = account(params["owner"])
        self.gid = group_of(params["group"])
        self.links = params["links"]
        self.writable = {
            row["path"]: self._row(row, os.path.join(self.state, os.path.basename(row["path"])))
            for row in params["writable"]
        }
        self.folders = [
            self._row(row, os.path.join(self.root, row["path"])) for row in params["folders"]
        ]
        self.releases = os.path.join(self.root, RELEASES)
        self.home = os.path.join(self.releases, manifest["version"])
        targets = {path: row["full"] for path, row in self.writable.items()}
        self.wanted = wanted_items(manifest, document, targets, self.uid, self.gid)

    @staticmethod
    def _row(row, full):
        return {
            "full": full,
            "uid": account(row["owner"]),
            "gid": group_of(row["group"]),
            "mode": int(row["mode"], 8),
        }

    def fixed(self):
        """(path, Item) of the folders and links around releases, without `current`."""
        places = [
            (self.root, Item("folder", self.uid, self.gid, FOLDER_MODE)),
            (self.releases, Item("folder", self.uid, self.gid, FOLDER_MODE)),
            (self.state, Item("folder", self.uid, self.gid, FOLDER_MODE)),
        ]
        for row in self.folders + [self.writable[path] for path in sorted(self.writable)]:
            places.append((row["full"], Item("folder", row["uid"], row["gid"], row["mode"])))
        for name in self.links:
            target = "%s/%s" % (CURRENT, name)
            places.append(
                (os.path.join(self.root, name), Item("link", self.uid, self.gid, target=target))
            )
        return places

    def fixed_differences(self):
        """The fixed paths that differ. Raises TreeError if something else is in their place."""
        found = []
        for path, item in self.fixed():
            seen = look(path)
            if seen is None:
                found.append((path, item, "missing"))
            elif seen.kind != item.kind:
                raise TreeError(
                    "%s is a %s that the appliance did not make; move it away and run again"
                    % (path, seen.kind)
                )
            elif seen.target != item.target:
                found.append((path, item, "changed"))
            elif (seen.uid, seen.gid, seen.mode) != (item.uid, item.gid, item.mode):
                found.append((path, item, "owner"))
        return found

    def in_use(self):
        """The version that `current` points to, or None."""
        seen = look(os.path.join(self.root, CURRENT))
        if seen is None:
            return None
        if seen.kind != "link":
            raise TreeError("%s/%s is no link; move it away" % (self.root, CURRENT))
        return os.path.basename(seen.target)

    def current_is_right(self):
        """Whether `current` is the correct link, owner included."""
        seen = look(os.path.join(self.root, CURRENT))
        wanted = os.path.join(RELEASES, self.manifest["version"])
        return seen is not None and (seen.target, seen.uid, seen.gid) == (
            wanted,
            self.uid,
            self.gid,
        )

    def is_new(self, differences):
        """Whether to unpack the release: it is missing, or its version was another release."""
        home = look(self.home)
        if home is None or home.kind != "folder":
            return True
        named = dict(differences)
        content = [path for path, what in differences if what in ("missing", "changed", "foreign")]
        return MANIFEST in named and any(path != MANIFEST for path in content)

    def superfluous(self):
        """Leftovers, and releases beyond the number to keep, newest first by installation time."""
        if look(self.releases) is None:
            return []
        names = [name for name in os.listdir(self.releases) if name != self.manifest["version"]]
        leftovers = [name for name in names if name.endswith((PARTIAL, REPLACED))]
        earlier = [name for name in names if name not in leftovers]
        before = self.in_use()

        def rank(name):
            laid = os.lstat(os.path.join(self.releases, name)).st_mtime
            return (name != before, -laid)

        return leftovers + sorted(earlier, key=rank)[self.keep :]

    def lay_anew(self):
        """Unpack the whole release next to the old one, then move it into place."""
        partial, replaced = self.home + PARTIAL, self.home + REPLACED
        remove(partial)
        remove(replaced)
        os.mkdir(partial, FOLDER_MODE)
        own(partial, Item("folder", self.uid, self.gid, FOLDER_MODE))
        everything = sorted((path, "missing") for path in self.wanted)
        converge(partial, self.wanted, everything, self.archive, self.document)
        if look(self.home) is not None:
            os.rename(self.home, replaced)
        os.rename(partial, self.home)
        remove(replaced)

    def manages(self):
        """What the module manages: the release's tree, and the site's own folders."""
        folders = [self.state] + [row["full"] for row in self.writable.values()]
        return ["tree " + self.root] + ["path " + folder for folder in sorted(folders)]

    def seed(self, paths):
        """Fill writable folders with the release's files for them."""
        for path, stream in members(self.archive, paths):
            row = self.writable[below(path, self.writable)]
            inside = path[len(below(path, self.writable)) + 1 :]
            seed(os.path.join(row["full"], inside), stream, row)

    def seeds(self, folders):
        """The manifest's files below these writable paths."""
        return [path for path in self.manifest["files"] if below(path, folders)]


def run(tree, check_mode):
    """Converge; return the result. Nothing is changed before all obstacles were checked."""
    fixed = tree.fixed_differences()
    differences = compare(tree.home, tree.wanted)
    home = look(tree.home)
    owner = home is not None and (home.uid, home.gid, home.mode) != (
        tree.uid,
        tree.gid,
        FOLDER_MODE,
    )
    anew = tree.is_new(differences)
    switched = tree.in_use() != tree.manifest["version"]
    relinked = not tree.current_is_right()
    superfluous = tree.superfluous()
    absent = [path for path, _item, what in fixed if what == "missing"]
    empty = [path for path, row in tree.writable.items() if row["full"] in absent]
    seeds = tree.seeds(list(tree.writable) if anew else empty)

    lines = ["%s: %s" % (what, path) for path, _item, what in fixed]
    lines += ["%s: %s" % (what, os.path.join(tree.home, path)) for path, what in differences]
    lines += ["owner: %s" % tree.home] if owner else []
    lines += ["in use: %s" % tree.manifest["version"]] if relinked else []
    lines += ["superfluous: %s" % os.path.join(tree.releases, name) for name in superfluous]
    if lines and not check_mode:
        for path, item, what in fixed:
            if item.kind == "folder":
                if what == "missing":
                    os.makedirs(path, item.mode)
                own(path, item)
        # Before the release is in place, so that a run after an interruption seeds again.
        tree.seed(seeds)
        if anew:
            tree.lay_anew()
        elif differences:
            converge(tree.home, tree.wanted, differences, tree.archive, tree.document)
        if owner:
            own(tree.home, Item("folder", tree.uid, tree.gid, FOLDER_MODE))
        if relinked:
            target = os.path.join(RELEASES, tree.manifest["version"])
            put_link(os.path.join(tree.root, CURRENT), target, tree.uid, tree.gid)
        for path, item, _what in fixed:
            if item.kind == "link":
                put_link(path, item.target, item.uid, item.gid)
        for name in superfluous:
            remove(os.path.join(tree.releases, name))
    return {
        "changed": bool(lines),
        "switched": switched,
        "differences": lines[:MOST_LINES],
        "manages": tree.manages(),
        "diff": {
            "before": "",
            "after": "".join(line + "\n" for line in lines[:MOST_LINES]),
            "before_header": tree.root,
            "after_header": "%s (put right)" % tree.root,
        },
        "release": {
            "name": tree.manifest["name"],
            "version": tree.manifest["version"],
            "evaluation": bool(tree.manifest.get("evaluation")),
            "health": tree.manifest.get("health") or "",
        },
    }


def main():
    """Entry point of the module."""
    row = {
        "path": {"type": "str", "required": True},
        "owner": {"type": "str", "required": True},
        "group": {"type": "str", "required": True},
        "mode": {"type": "str", "required": True},
    }
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "path", "required": True},
            "state": {"type": "path", "required": True},
            "archive": {"type": "path", "required": True},
            "manifest": {"type": "path", "required": True},
            "owner": {"type": "str", "default": "root"},
            "group": {"type": "str", "default": "root"},
            "links": {"type": "list", "elements": "str", "default": ["web", "server", "reports"]},
            "writable": {"type": "list", "elements": "dict", "options": row, "default": []},
            "folders": {"type": "list", "elements": "dict", "options": row, "default": []},
            "keep": {"type": "int", "default": 1},
        },
        supports_check_mode=True,
    )
    os.umask(0o022)
    try:
        manifest = read_manifest(module.params["manifest"])
        if manifest is None and module.check_mode:
            # In check mode the copy task before this one did not run.
            module.exit_json(changed=True, switched=True, differences=["missing: the release"])
        if manifest is None:
            raise TreeError("there is no %s" % module.params["manifest"])
        with open(module.params["manifest"], "rb") as stream:
            document = stream.read()
        result = run(Tree(module.params, manifest, document), module.check_mode)
    except TreeError as error:
        module.fail_json(msg=str(error))
    except (tarfile.TarError, zlib.error, EOFError) as error:
        module.fail_json(msg="the archive on this host is damaged: %s" % error)
    except (IOError, OSError) as error:
        module.fail_json(msg="%s: %s" % (error.filename or "the tree", error.strerror))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
