#!/usr/bin/python3
"""Copy Asterisk's queue log to ccdata.queue_log: each line once, whatever is restarted meanwhile.

Asterisk writes a file, so that no call waits for a database. A row's key is made of the line and
its offset in the file: a line that is sent twice is one row. The offset behind the last line that
was sent is kept in a file. A rotated log is read to its end first. Python 3.5 and later.
"""

import hashlib
import json
import os
import re

from ucontact_odbc import TroubleError, execute, groups, literal, moment, repeat

LOG = "/var/log/asterisk/queue_log"
POSITION = "/var/lib/ucontact-telephony/queue-log.json"
EVERY_SECONDS = 3
ROWS_PER_STATEMENT = 10
MOST_AT_ONCE = 500
MOST_BYTES = 1 << 20
FIELDS = 5  # time, call, queue, agent, event; then data
DATA = 5
WIDTHS = (("callid", 80), ("queuename", 128), ("agent", 128), ("event", 32))
EPOCH = re.compile(r"^[0-9]{1,10}$")


def row_of(offset, line):
    """(key, time, texts, data) of a line; None for what is no entry."""
    parts = line.rstrip("\r\n").split("|")
    if len(parts) < FIELDS or not EPOCH.match(parts[0]):
        return None
    key = hashlib.sha256(("%d:%s" % (offset, line)).encode("utf-8", "replace")).hexdigest()[:32]
    data = parts[FIELDS : FIELDS + DATA]
    return key, int(parts[0]), parts[1:FIELDS], data + [""] * (DATA - len(data))


def length_of(row):
    """How many characters the row's values take in a statement: hexadecimal, and some around."""
    _, _, texts, data = row
    return 80 + sum(2 * len(text.encode("utf-8")) + 16 for text in texts + data)


def insertion(rows):
    """The statement that adds these rows; those that are there already stay."""
    names = ["id", "time"] + [name for name, _ in WIDTHS]
    names += ["data%d" % number for number in range(1, DATA + 1)]
    values = []
    for key, time, texts, data in rows:
        row = ["'%s'" % key, moment(time)]
        row += [literal(texts[at], width) for at, (_, width) in enumerate(WIDTHS)]
        row += [literal(text, 100) for text in data]
        values.append("(%s)" % ", ".join(row))
    return "INSERT IGNORE INTO queue_log (%s) VALUES %s" % (
        ", ".join("`%s`" % name for name in names),
        ", ".join(values),
    )


def complete_lines(data):
    """The lines with their ends; the last one may still be written."""
    lines = data.split(b"\n")
    return [line + b"\n" for line in lines[:-1]]


def load_position():
    """(inode, offset) up to which all is sent; (0, 0) where nothing is known."""
    try:
        with open(POSITION, encoding="utf-8") as file:
            known = json.load(file)
        return int(known["inode"]), int(known["offset"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0, 0


def save_position(inode, offset):
    """Keep it, in one step."""
    try:
        with open(POSITION + ".new", "w", encoding="utf-8") as file:
            json.dump({"inode": inode, "offset": offset}, file)
        os.rename(POSITION + ".new", POSITION)
    except OSError as error:
        raise TroubleError("%s: %s" % (POSITION, error)) from error


def inode_of(path):
    """The file's inode; 0 without the file."""
    try:
        return os.stat(path).st_ino
    except OSError:
        return 0


def send_from(path, offset):
    """Send the file's lines from there on; the offset behind the last one that was sent."""
    try:
        with open(path, "rb") as file:
            file.seek(offset)
            lines = complete_lines(file.read(MOST_BYTES))[:MOST_AT_ONCE]
    except OSError as error:
        raise TroubleError("%s: %s" % (path, error)) from error
    rows = []
    for line in lines:
        row = row_of(offset, line.decode("utf-8", "replace"))
        if row is not None:
            rows.append(row)
        offset += len(line)
    statements = [insertion(group) for group in groups(rows, length_of, ROWS_PER_STATEMENT)]
    if statements:
        execute(statements)
    return offset


def send_new():
    """Send what is new, of the rotated file first."""
    inode, offset = load_position()
    current, rotated = inode_of(LOG), inode_of(LOG + ".1")
    if not current:
        return
    if inode != current:
        if inode and inode == rotated:
            end = send_from(LOG + ".1", offset)
            if end != offset:
                save_position(inode, end)
                return
        inode, offset = current, 0
    elif os.path.getsize(LOG) < offset:
        offset = 0  # somebody emptied it
    end = send_from(LOG, offset)
    if (current, end) != load_position():
        save_position(current, end)


if __name__ == "__main__":
    repeat(send_new, EVERY_SECONDS)
