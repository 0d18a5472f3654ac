"""List the Java archives under a folder, on any Python from 3.5 on, standard library only.

    archives.py ROOT

Prints one JSON object: `archives`, each *.jar and *.war with its path under ROOT, its size in
octets, its SHA-256, the main section of its manifest and its Maven properties (octets as Latin-1),
and `problem` if it can't be opened; `unread`, paths that can't be read, with the reason. A nested
archive has the path `OUTER!/INNER`.

ROOT/releases has the releases that are not in use: it is skipped. The target of `current` is
listed under the names of the links into it, if there are any.
"""

import hashlib
import io
import json
import os
import stat
import sys
import zipfile

_SUFFIXES = (".jar", ".war")
_NOT_IN_USE = "releases"
_LAST = "current"
_CHUNK = 1 << 20
_MOST_TEXT = 1 << 16  # octets of a manifest or of properties
_MOST_INNER = 256 << 20  # octets of a nested archive


def main(root):
    """Print the archives below the root as JSON."""
    found, unread = [], []
    if os.path.isdir(root):
        for path in _paths(root, unread):
            name = os.path.relpath(path, root)
            try:
                found.extend(_archive(path, name, unread))
            except OSError as error:
                unread.append([name, error.strerror or str(error)])
    print(json.dumps({"archives": found, "unread": unread}))


def _paths(root, unread):
    """Every archive's path; each file once, no matter how many links point to it."""

    def failed(error):
        unread.append([os.path.relpath(error.filename, root), error.strerror])

    seen = set()
    for folder, folders, names in os.walk(root, onerror=failed, followlinks=True):
        if folder == root:
            folders[:] = sorted(
                set(folders) - {_NOT_IN_USE}, key=lambda name: (name == _LAST, name)
            )
        else:
            folders.sort()
        real = os.path.realpath(folder)
        if real in seen:
            folders[:] = []
            continue
        seen.add(real)
        for name in sorted(names):
            path = os.path.join(folder, name)
            target = os.path.realpath(path)
            if name.lower().endswith(_SUFFIXES) and target not in seen:
                seen.add(target)
                yield path


def _archive(path, name, unread):
    """The archive's row, and those of its nested archives."""
    if not stat.S_ISREG(os.stat(path).st_mode):  # reading a pipe would never end
        unread.append([name, "not a plain file"])
        return []
    with open(path, "rb") as opened:
        digest, size = hashlib.sha256(), 0
        for part in iter(lambda: opened.read(_CHUNK), b""):
            digest.update(part)
            size += len(part)
        row = {"path": name, "size": size, "sha256": digest.hexdigest()}
        return _opened(row, opened, unread, True)


def _opened(row, opened, unread, inner):
    row.update(manifest="", maven=[], problem="")
    rows = [row]
    try:
        with zipfile.ZipFile(opened) as archive:
            for info in sorted(archive.infolist(), key=lambda info: info.filename):
                name = info.filename
                if name.upper() == "META-INF/MANIFEST.MF":
                    row["manifest"] = _text(archive, info)
                elif name.startswith("META-INF/maven/") and name.endswith("/pom.properties"):
                    row["maven"].append(_text(archive, info))
                elif inner and name.lower().endswith(_SUFFIXES):
                    rows.extend(_inner(archive, info, row["path"], unread))
    # A damaged archive can raise many types (zlib.error, EOFError, NotImplementedError,
    # RuntimeError for a password and others), all with the same meaning here.
    except Exception as error:
        row["problem"] = str(error) or type(error).__name__
    return rows


def _inner(archive, info, outer, unread):
    name = "%s!/%s" % (outer, info.filename)
    if info.file_size > _MOST_INNER:
        unread.append([name, "larger than %d octets" % _MOST_INNER])
        return []
    try:
        data = archive.read(info)
    except Exception as error:
        unread.append([name, str(error) or type(error).__name__])
        return []
    row = {"path": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    return _opened(row, io.BytesIO(data), unread, False)


def _text(archive, info):
    """The file's text up to its first empty line: a manifest's main section."""
    with archive.open(info) as opened:
        text = opened.read(_MOST_TEXT).decode("latin-1").replace("\r\n", "\n").replace("\r", "\n")
    return text.partition("\n\n")[0]


if __name__ == "__main__":
    main(sys.argv[1])
