#!/usr/bin/python3
"""Copy Asterisk's queue log to ccdata.queue_log: each line once, whatever is restarted meanwhile.

Asterisk writes a file, so that no call waits for a database. A row's key is made of the line and
its offset in the file: a line that is sent twice is one row. Python 3.5 and later.
"""

import re

from ucontact_follow import follow, key_of
from ucontact_odbc import execute, groups, literal, moment, repeat

LOG = "/var/log/asterisk/queue_log"
POSITION = "/var/lib/ucontact-telephony/queue-log.json"
EVERY_SECONDS = 3
ROWS_PER_STATEMENT = 10
FIELDS = 5  # time, call, queue, agent, event; then data
DATA = 5
WIDTHS = (("callid", 80), ("queuename", 128), ("agent", 128), ("event", 32))
EPOCH = re.compile(r"^[0-9]{1,10}$")


def row_of(offset, line):
    """(key, time, texts, data) of a line; None for what is no entry."""
    parts = line.rstrip("\r\n").split("|")
    if len(parts) < FIELDS or not EPOCH.match(parts[0]):
        return None
    data = parts[FIELDS : FIELDS + DATA]
    return key_of(offset, line), int(parts[0]), parts[1:FIELDS], data + [""] * (DATA - len(data))


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


def send(lines):
    """Add the rows of these lines; all are done with."""
    rows = [row for row in (row_of(offset, line) for offset, line in lines) if row is not None]
    statements = [insertion(group) for group in groups(rows, length_of, ROWS_PER_STATEMENT)]
    if statements:
        execute(statements)
    return len(lines)


def send_new():
    """Send what is new."""
    follow(LOG, POSITION, send)


if __name__ == "__main__":
    repeat(send_new, EVERY_SECONDS)
