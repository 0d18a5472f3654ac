#!/usr/bin/python
"""Ansible module: converge the files, folders and links of a role in one call.

The action plugin of the same name renders templates; this module gets their content.
Runs on the target's Python, 2.7 or 3.5 and later.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: etc_tree
short_description: converge files, folders and links in one round trip
description:
  - Folders come first. Every file whose content differs is then written beside its place, and
    checked there where it has a command for that. Only when all are found good the files that
    differ are replaced, each by one rename.
  - In check mode the new files are checked in a folder of their own, and nothing is replaced.
options:
  entries:
    description: What should be there.
    type: list
    elements: dict
    required: true
    suboptions:
      path: {type: path, required: true, description: Absolute path.}
      state:
        type: str
        choices: [file, directory, link, absent]
        default: file
        description: What it is to be. A folder is not removed.
      content: {type: str, description: Content of a file, in base64.}
      target: {type: str, description: Where a link leads.}
      exclusive:
        type: bool
        default: false
        description: Whether the files of this folder that no entry names are removed.
      owner: {type: str, default: root, description: Owner.}
      group: {type: str, default: root, description: Group.}
      mode: {type: str, description: Octal mode; 0755 for folders and 0644 for files if not given.}
      validate:
        type: str
        description:
          - A command that fails for content that is wrong; C(%s) stands for the new file. A word
            that is the path of another file of this call stands for that one's new content.
  secrets:
    description: Content of files that nobody may read in a log, in base64, by path.
    type: dict
    default: {}
  temporary:
    description: Whether a later task moves these away. Then they are not reported as managed.
    type: bool
    default: false
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
"""

RETURN = r"""
changes: {type: list, returned: always, description: A line each, such as "content /etc/x".}
manages: {type: list, returned: success, description: A line each, such as "path /etc/x".}
"""

import base64  # noqa: E402
import errno  # noqa: E402
import grp  # noqa: E402
import os  # noqa: E402
import pwd  # noqa: E402
import shlex  # noqa: E402
import shutil  # noqa: E402
import stat  # noqa: E402
import tempfile  # noqa: E402

from ansible.module_utils.basic import AnsibleModule  # noqa: E402

MODES = {"directory": "0755", "file": "0644"}
# Programs that read whole folders (logrotate, run-parts, systemd, fail2ban) skip this suffix.
SUFFIX = ".ucontact.dpkg-tmp"
MOST_OF_DIFF = 100000
MOST_SAID = 2000


# B904: Python 2 has no `raise … from`.
class EntryError(Exception):
    """A problem that needs a person: the path, what is wrong, and what helps."""


class Entry(object):
    """The wanted state of one path; `content` is bytes, None unless it is a file."""

    def __init__(self, raw, secrets):
        self.path = os.path.normpath(raw["path"])
        self.state = raw["state"]
        self.secret = raw["path"] in secrets
        self.target = raw.get("target")
        self.owner = raw["owner"]
        self.group = raw["group"]
        self.validate = raw.get("validate")
        self.exclusive = bool(raw.get("exclusive"))
        self.mode = octal(self.path, raw.get("mode") or MODES.get(self.state, "0644"))
        encoded = secrets[raw["path"]] if self.secret else raw.get("content")
        self.content = base64.b64decode(encoded) if encoded is not None else None
        if not os.path.isabs(self.path):
            raise EntryError("%s: the path must be absolute" % self.path)
        if self.state == "file" and self.content is None:
            raise EntryError("%s: a file needs content" % self.path)
        if self.state == "link" and not self.target:
            raise EntryError("%s: a link needs a target" % self.path)
        if self.exclusive and self.state != "directory":
            raise EntryError("%s: only a folder can be exclusive" % self.path)

    @property
    def staged(self):
        """Temporary path of the new file until it replaces the old one."""
        folder, name = os.path.split(self.path)
        return os.path.join(folder, "." + name + SUFFIX)


def octal(path, text):
    """The mode as a number. Raises EntryError."""
    try:
        return int(text, 8)
    except ValueError:
        raise EntryError("%s: the mode %s is not octal" % (path, text))  # noqa: B904


def user_id(name):
    """The uid; None if there is no such user."""
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return None


def group_id(name):
    """The gid; None if there is no such group."""
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return None


def found_at(path, follow=False):
    """The stat result; None if the path does not exist."""
    try:
        return os.stat(path) if follow else os.lstat(path)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return None
        raise


def read(path):
    """The file's content as bytes."""
    with open(path, "rb") as stream:
        return stream.read()


def rights_differ(entry, found):
    """Which of owner, group and mode differ."""
    wrong = []
    if found.st_uid != user_id(entry.owner):
        wrong.append("owner")
    if found.st_gid != group_id(entry.group):
        wrong.append("group")
    if stat.S_IMODE(found.st_mode) != entry.mode:
        wrong.append("mode")
    return wrong


def differences(entry):
    """The differences of the entry, in words; empty if there are none.

    Raises EntryError if something else is in its place.
    """
    found = found_at(entry.path)
    if entry.state == "absent":
        if found is not None and stat.S_ISDIR(found.st_mode):
            raise EntryError("%s is a folder, and should not be there" % entry.path)
        return ["removed"] if found is not None else []
    if entry.state == "directory":
        return folder_differs(entry, found_at(entry.path, follow=True), found)
    if found is None:
        return ["new"]
    if stat.S_ISDIR(found.st_mode):
        raise EntryError(
            "%s is a folder, and should be a %s: move it away" % (entry.path, entry.state)
        )
    if entry.state == "link":
        if not stat.S_ISLNK(found.st_mode):
            raise EntryError("%s is no link, and should be one: move it away" % entry.path)
        return ["target"] if os.readlink(entry.path) != entry.target else []
    if not stat.S_ISREG(found.st_mode) or read(entry.path) != entry.content:
        return ["content"]
    return rights_differ(entry, found)


def folder_differs(entry, found, link):
    """The differences of a folder; a link to a folder counts as one."""
    if found is None:
        if link is not None:
            raise EntryError("%s is a link that leads nowhere, and should be a folder" % entry.path)
        return ["new"]
    if not stat.S_ISDIR(found.st_mode):
        raise EntryError("%s is no folder, and should be one: move it away" % entry.path)
    return rights_differ(entry, found)


def grant(entry, path):
    """Set owner, group and mode. Raises EntryError if there is no such account."""
    uid, gid = user_id(entry.owner), group_id(entry.group)
    if uid is None:
        raise EntryError("%s: there is no user %s on this host" % (entry.path, entry.owner))
    if gid is None:
        raise EntryError("%s: there is no group %s on this host" % (entry.path, entry.group))
    found = os.stat(path)
    if (found.st_uid, found.st_gid) != (uid, gid):
        os.chown(path, uid, gid)
    os.chmod(path, entry.mode)  # after chown, which clears set-id bits


def make_folder(entry):
    """Create the folder and its missing parents."""
    if found_at(entry.path) is None:
        above = os.path.dirname(entry.path)
        if found_at(above, follow=True) is None:
            os.makedirs(above, 0o755)
        os.mkdir(entry.path, 0o700)
    grant(entry, entry.path)


def write(path, content):
    """Write a new file that only root can read, and sync it to disk."""
    if found_at(path) is not None:  # left by a killed run
        os.unlink(path)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def take_place(entry):
    """Move the staged file into place."""
    grant(entry, entry.staged)
    os.rename(entry.staged, entry.path)
    folder = os.open(os.path.dirname(entry.path), os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def make_link(entry):
    """Create the link, or replace it atomically."""
    if found_at(entry.staged) is not None:
        os.unlink(entry.staged)
    os.symlink(entry.target, entry.staged)
    os.rename(entry.staged, entry.path)


def command_of(entry, staged):
    """The validation command; `staged` has the new files by their paths."""
    words = shlex.split(entry.validate)
    if not any("%s" in word for word in words):
        raise EntryError("%s: validate needs %%s: %s" % (entry.path, entry.validate))
    new = staged[entry.path]
    return [staged.get(word, word.replace("%s", new)) for word in words]


def check(module, entry, staged):
    """Run the validation. Raises EntryError with its output, but not for a secret file."""
    words = command_of(entry, staged)
    if module.check_mode and module.get_bin_path(words[0]) is None:
        return  # its package is not installed yet
    status, said, complaint = module.run_command(words)
    if status == 0:
        return
    told = (complaint + said).replace(staged[entry.path], entry.path).strip()[-MOST_SAID:]
    if entry.secret:
        told = "it holds secrets, so the output is not shown"
    raise EntryError("%s: %s refuses it (status %d): %s" % (entry.path, words[0], status, told))


def diff_of(entry):
    """Before and after, in Ansible's format; None for a secret file."""
    if entry.secret or entry.state != "file":
        return None
    found = found_at(entry.path)
    before = read(entry.path) if found is not None and stat.S_ISREG(found.st_mode) else b""
    return {
        "before_header": entry.path,
        "after_header": entry.path,
        "before": before[:MOST_OF_DIFF].decode("utf-8", "replace"),
        "after": entry.content[:MOST_OF_DIFF].decode("utf-8", "replace"),
    }


def strangers(entries):
    """Entries that remove what lies in exclusive folders and is not among these entries."""
    named = {entry.path for entry in entries}
    found = []
    for entry in entries:
        if not entry.exclusive or not os.path.isdir(entry.path):
            continue
        for name in sorted(os.listdir(entry.path)):
            path = os.path.join(entry.path, name)
            if path not in named:
                raw = {"path": path, "state": "absent", "owner": "root", "group": "root"}
                found.append(Entry(raw, {}))
    return found


class Stage(object):
    """The new files next to their targets; in check mode in a temporary folder."""

    def __init__(self, entries, check_mode):
        self.folder = tempfile.mkdtemp(prefix="ucontact-") if check_mode else None
        self.files = {}
        for number, entry in enumerate(entries):
            if self.folder:
                self.files[entry.path] = os.path.join(self.folder, str(number))
            else:
                self.files[entry.path] = entry.staged

    def fill(self, entries):
        """Write the new files."""
        for entry in entries:
            write(self.files[entry.path], entry.content)

    def clear(self):
        """Remove the files that were not moved into place."""
        for path in self.files.values():
            if found_at(path) is not None:
                os.unlink(path)
        if self.folder:
            shutil.rmtree(self.folder)


def converge(module, entries):
    """The changes, one line each, and the diffs. If it raises EntryError, no file was replaced."""
    demand_once(entries)
    wrong = [(entry, differences(entry)) for entry in entries + strangers(entries)]
    wrong = [(entry, what) for entry, what in wrong if what]
    lines = ["%s %s" % (", ".join(what), entry.path) for entry, what in wrong]
    diffs = [diff_of(entry) for entry, what in wrong] if module._diff else []
    if not module.check_mode:
        for entry, _ in wrong:
            if entry.state == "directory":
                make_folder(entry)
    new = [entry for entry, what in wrong if entry.state == "file" and is_new(what)]
    stage = Stage(new, module.check_mode)
    try:
        stage.fill(new)
        for entry in new:
            if entry.validate:
                check(module, entry, stage.files)
        if not module.check_mode:
            for entry, what in wrong:
                settle(entry, what)
    finally:
        stage.clear()
    return lines, [diff for diff in diffs if diff]


def is_new(what):
    """Whether the content differs; otherwise only owner, group or mode do."""
    return what[0] in ("new", "content")


def settle(entry, what):
    """Apply one entry; folders were created before."""
    if entry.state == "absent":
        os.unlink(entry.path)
    elif entry.state == "link":
        make_link(entry)
    elif entry.state == "file":
        if is_new(what):
            take_place(entry)
        else:
            grant(entry, entry.path)


def demand_once(entries):
    """Raise EntryError for a duplicate path: the two entries would overwrite each other."""
    seen = set()
    for entry in entries:
        if entry.path in seen:
            raise EntryError("%s stands there twice" % entry.path)
        seen.add(entry.path)


def main():
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "entries": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "path": {"type": "path", "required": True},
                    "state": {
                        "type": "str",
                        "choices": ["file", "directory", "link", "absent"],
                        "default": "file",
                    },
                    "content": {"type": "str"},
                    "target": {"type": "str"},
                    "exclusive": {"type": "bool", "default": False},
                    "owner": {"type": "str", "default": "root"},
                    "group": {"type": "str", "default": "root"},
                    "mode": {"type": "str"},
                    "validate": {"type": "str"},
                },
            },
            "secrets": {"type": "dict", "default": {}, "no_log": True},
            "temporary": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    os.umask(0o022)
    # The arguments are in the role; repeating them would make up most of the answer.
    quiet = {"module_args": "not repeated"}
    try:
        entries = [
            Entry(raw, module.params["secrets"] or {}) for raw in module.params["entries"] or []
        ]
        lines, diffs = converge(module, entries)
    except EntryError as error:
        module.fail_json(msg=str(error), changes=[], invocation=quiet)
    except (IOError, OSError) as error:
        module.fail_json(msg=str(error), changes=[], invocation=quiet)
    lasting = [] if module.params["temporary"] else entries
    manages = ["path " + entry.path for entry in lasting]
    result = {"changed": bool(lines), "changes": lines, "manages": manages, "invocation": quiet}
    if diffs:
        result["diff"] = diffs
    module.exit_json(**result)


if __name__ == "__main__":
    main()
