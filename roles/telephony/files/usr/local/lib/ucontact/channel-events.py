#!/usr/bin/python3
"""Copy Asterisk's channel events (CEL) to ccdata.cel: each once, whatever is restarted meanwhile.

Asterisk writes a file (cel_custom), so that no call waits for a database. The doctor's own calls
are left out: the account code with its mark is set an instant after their first event, so a line
is sent when it is two seconds old. Python 3.5 and later.
"""

import collections
import csv
import re
import time

from ucontact_follow import follow, key_of
from ucontact_odbc import execute, groups, literal, repeat

LOG = "/var/log/asterisk/cel-custom/ucontact.csv"
POSITION = "/var/lib/ucontact-telephony/channel-events.json"
EVERY_SECONDS = 3
SETTLED_SECONDS = 2
ROWS_PER_STATEMENT = 10
CALLS_KEPT = 500
# The fields of a line, in the order of cel_custom.conf, with the width of their column.
TEXTS = (
    ("eventtype", 30),
    ("userdeftype", 80),
    ("cid_name", 80),
    ("cid_num", 80),
    ("cid_ani", 80),
    ("cid_rdnis", 80),
    ("cid_dnid", 80),
    ("exten", 80),
    ("context", 80),
    ("channame", 80),
    ("appname", 80),
    ("appdata", 255),
    ("amaflags", 20),
    ("accountcode", 80),
    ("uniqueid", 150),
    ("linkedid", 150),
    ("userfield", 255),
    ("peer", 80),
    ("extra", 512),
)
EPOCH = re.compile(r"^([0-9]{1,10})\.([0-9]{1,6})$")
# Account code, or channel, of a call of the doctor.
DOCTORS = re.compile(r"^[0-9a-f]{12}")
DOCTORS_CHANNEL = re.compile(r"^Local/[^@]*m[0-9a-f]{12}trunk@test-trunk-")


def row_of(offset, line):
    """(key, seconds, microseconds, texts by name) of a line; None for what is no event."""
    fields = next(csv.reader([line]), [])
    when = EPOCH.match(fields[0]) if len(fields) == len(TEXTS) + 1 else None
    if when is None:
        return None
    texts = {name: fields[at + 1] for at, (name, _) in enumerate(TEXTS)}
    # By its place first: several events have the same time, and are read in the order of `id`.
    key = "%012x%s" % (offset, key_of(offset, line)[:20])
    return key, int(when.group(1)), int(when.group(2).ljust(6, "0")), texts


def is_doctors(texts):
    """Whether the event itself shows that its call is the doctor's."""
    return bool(DOCTORS.match(texts["accountcode"]) or DOCTORS_CHANNEL.match(texts["channame"]))


def length_of(row):
    """How many characters the row's values take in a statement: hexadecimal, and some around."""
    texts = row[3]
    return 90 + sum(2 * min(len(texts[name].encode("utf-8")), width) + 16 for name, width in TEXTS)


def insertion(rows):
    """The statement that adds these rows; those that are there already stay."""
    names = ["id", "eventtime"] + [name for name, _ in TEXTS]
    values = []
    for key, seconds, microseconds, texts in rows:
        moment = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds))
        row = ["'%s'" % key, "'%s.%06d'" % (moment, microseconds)]
        row += [literal(texts[name], width) for name, width in TEXTS]
        values.append("(%s)" % ", ".join(row))
    return "INSERT IGNORE INTO cel (%s) VALUES %s" % (
        ", ".join("`%s`" % name for name in names),
        ", ".join(values),
    )


class Copier:
    """What is known of the doctor's calls between rounds: a called phone has no mark of its own."""

    def __init__(self):
        self.doctors = collections.deque(maxlen=CALLS_KEPT)

    def send(self, lines):
        """Add the rows of lines that are old enough; how many these are."""
        events = [row_of(offset, line) for offset, line in lines]
        for row in events:
            if row and is_doctors(row[3]) and row[3]["linkedid"] not in self.doctors:
                self.doctors.append(row[3]["linkedid"])
        latest = time.time() - SETTLED_SECONDS
        young = (at for at, row in enumerate(events) if row and row[1] > latest)
        done = next(young, len(events))
        rows = [row for row in events[:done] if row and row[3]["linkedid"] not in self.doctors]
        statements = [insertion(group) for group in groups(rows, length_of, ROWS_PER_STATEMENT)]
        if statements:
            execute(statements)
        return done


def send_new(copier):
    """Send what is new."""
    follow(LOG, POSITION, copier.send)


if __name__ == "__main__":
    COPIER = Copier()
    repeat(lambda: send_new(COPIER), EVERY_SECONDS)
