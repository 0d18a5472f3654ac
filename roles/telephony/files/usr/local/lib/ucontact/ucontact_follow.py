"""Follow a log that Asterisk appends to and logrotate renames. Python 3.5 and later.

The inode and the offset behind the last line that was sent are kept in a file, so that a restart
goes on there. A rotated log is read to its end first.
"""

import hashlib
import json
import os

from ucontact_odbc import TroubleError

MOST_AT_ONCE = 500
MOST_BYTES = 1 << 20


def key_of(offset, line):
    """A row's key: the same for the same line at the same place, so that it is one row."""
    text = "%d:%s" % (offset, line)
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32]


def follow(log, position, send):
    """Send what is new in the log, of the rotated file first.

    `send` takes lines, each with its offset, and returns how many of them are done with; it
    raises TroubleError when it can't send them now.
    """
    inode, offset = _load(position)
    current, rotated = _inode_of(log), _inode_of(log + ".1")
    if not current:
        return
    if inode != current:
        if inode and inode == rotated:
            end = _send_from(log + ".1", offset, send)
            if end != offset:
                _save(position, inode, end)
                return
        inode, offset = current, 0
    elif os.path.getsize(log) < offset:
        offset = 0  # somebody emptied it
    end = _send_from(log, offset, send)
    if (current, end) != _load(position):
        _save(position, current, end)


def _send_from(path, offset, send):
    """Send the file's lines from there on; the offset behind the last one that was sent."""
    try:
        with open(path, "rb") as file:
            file.seek(offset)
            data = file.read(MOST_BYTES)
    except OSError as error:
        raise TroubleError("%s: %s" % (path, error)) from error
    lines, ends = [], []
    for line in data.split(b"\n")[:-1][:MOST_AT_ONCE]:  # the last one may still be written
        lines.append((offset, line.decode("utf-8", "replace") + "\n"))
        offset += len(line) + 1
        ends.append(offset)
    if not lines:
        return offset
    done = send(lines)
    return ends[done - 1] if done else lines[0][0]


def _load(position):
    """(inode, offset) up to which all is sent; (0, 0) where nothing is known."""
    try:
        with open(position, encoding="utf-8") as file:
            known = json.load(file)
        return int(known["inode"]), int(known["offset"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0, 0


def _save(position, inode, offset):
    """Keep it, in one step."""
    try:
        with open(position + ".new", "w", encoding="utf-8") as file:
            json.dump({"inode": inode, "offset": offset}, file)
        os.rename(position + ".new", position)
    except OSError as error:
        raise TroubleError("%s: %s" % (position, error)) from error


def _inode_of(path):
    """The file's inode; 0 without the file."""
    try:
        return os.stat(path).st_ino
    except OSError:
        return 0
