#!/usr/bin/python3
"""Keep a row in ccdata.cdr_open for each answered call while it is up, and complete ccdata.cdr.

Asterisk writes a call's record after the call. A power cut before that would lose the records of
all calls that are up. This service stores their known data within seconds of the answer, and
when Asterisk is back, makes records of the calls that its previous run left.

It runs apart from Asterisk: no call ever waits for it or for the database. Python 3.5 and later.
"""

import re
import time

import ucontact_odbc
from ucontact_odbc import TroubleError, execute, literal, output_of, repeat

PID_FILE = "/run/asterisk/asterisk.pid"
EVERY_SECONDS = 3
SEEN_EVERY_SECONDS = 6
STALE = "INTERVAL 2 MINUTE"
BUSY_SECONDS = 180  # so long after the last call there may be rows to remove
MOST_AT_ONCE = 50

NAME = re.compile(r"^[\w./*+@:;-]{1,200}$")
ID = re.compile(r"^[\w.-]{1,150}$")
# Account code of the doctor's calls: the doctor removes their records itself.
DOCTORS = re.compile(r"^[0-9a-f]{12}")
VIDEO_LEG = "video-leg"  # context of extensions.conf
LEVEL = re.compile(r"^level 1: (\w+)=(.*)$")

# Columns of cdr_open by their names in Asterisk, with their width; times are separate.
TEXTS = (
    ("clid", 80),
    ("src", 80),
    ("dst", 80),
    ("dcontext", 80),
    ("channel", 80),
    ("lastapp", 80),
    ("lastdata", 255),
    ("accountcode", 80),
    ("uniqueid", 150),
    ("linkedid", 150),
    ("userfield", 255),
)
TIMES = (("calldate", "start"), ("answer", "answer"))


def channels_up(text):
    """(name, unique id) of each channel that is up, from `core show channels concise`."""
    rows = [line.split("!") for line in text.splitlines()]
    return [
        (row[0], row[-1])
        for row in rows
        if len(row) > 10 and row[4] == "Up" and NAME.match(row[0]) and ID.match(row[-1])
    ]


def record_of(text):
    """The call's record so far: the CDR variables of `core show channel NAME`, by name."""
    _, _, variables = text.partition("CDR Variables:")
    found = (LEVEL.match(line) for line in variables.splitlines())
    return {one.group(1): one.group(2) for one in found if one}


def is_answered(record):
    """Whether the call was answered."""
    return seconds(record.get("answer", "")) > 0


def is_kept(record):
    """Whether the channel will have a record of its own, and is not a call of the doctor.

    A leg that Asterisk dialled has its call's id as linkedid, and no record of its own; but a
    channel with the name of a recording has one. Nor has the leg from Asterisk to itself, by which
    video is recorded.
    """
    if record.get("dcontext") == VIDEO_LEG:
        return False
    own = record.get("uniqueid", "") == record.get("linkedid", "") or record.get("userfield")
    return bool(own) and not DOCTORS.match(record.get("accountcode", ""))


def seconds(text):
    """Seconds since 1970; 0 if the text is no time."""
    try:
        return float(text)
    except ValueError:
        return 0.0


def moment(value):
    """A time of Asterisk's as an SQL literal: UTC, as in ccdata.cdr."""
    return ucontact_odbc.moment(seconds(value))


def insertion(record, run):
    """The INSERT statement for this call."""
    names = [name for name, _ in TIMES] + [name for name, _ in TEXTS]
    values = [moment(record.get(key, "")) for _, key in TIMES]
    values += [literal(record.get(key, ""), width) for key, width in TEXTS]
    return "INSERT IGNORE INTO cdr_open (%s, seen, run) VALUES (%s, UTC_TIMESTAMP(), %s)" % (
        ", ".join("`%s`" % name for name in names),
        ", ".join(values),
        literal(run, 64),
    )


def refreshment(ids, run):
    """The statements that refresh calls that are up, and remove ended ones after a while.

    Asterisk writes the records of ended calls some seconds later.
    """
    parts = [ids[start : start + 50] for start in range(0, len(ids), 50)]
    return [
        "UPDATE cdr_open SET seen = UTC_TIMESTAMP() WHERE uniqueid IN (%s)"
        % ", ".join(literal(one, 150) for one in part)
        for part in parts
    ] + [
        "DELETE FROM cdr_open WHERE run = %s AND seen < UTC_TIMESTAMP() - %s"
        % (literal(run, 64), STALE)
    ]


def completion(run):
    """The statements that make records of the calls that an earlier Asterisk did not end."""
    same = [name for name, _ in TIMES] + [name for name, _ in TEXTS]
    columns = ", ".join("`%s`" % name for name in same)
    of_others = "o.run <> %s" % literal(run, 64)
    there = "EXISTS (SELECT 1 FROM cdr c WHERE c.uniqueid = o.uniqueid)"
    lasted = "GREATEST(0, TIMESTAMPDIFF(SECOND, o.%s, o.seen))"
    return [
        "INSERT INTO cdr (%s, `end`, duration, billsec, disposition, amaflags)"
        " SELECT %s, o.seen, %s, %s, 'ANSWERED', 3 FROM cdr_open o WHERE %s AND NOT %s"
        % (
            columns,
            ", ".join("o.`%s`" % name for name in same),
            lasted % "calldate",
            lasted % "answer",
            of_others,
            there,
        ),
        "DELETE o FROM cdr_open o WHERE %s AND %s" % (of_others, there),
    ]


def run_of(pid, boot, stat):
    """Identity of a run of Asterisk: boot id, process id and start time.

    `stat` is its /proc/PID/stat, whose 22nd field is the start time (after the name in brackets).
    """
    started = stat.rpartition(")")[2].split()[19]
    return "%s %s %s" % (boot.strip(), pid.strip(), started)


def ask(command):
    """What Asterisk answers."""
    return output_of(["asterisk", "-rx", command])


def read(path):
    """The file's text. Raises TroubleError if it can't be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError as error:
        raise TroubleError(str(error)) from error


class Keeper:
    """The state between rounds."""

    def __init__(self):
        self.run = ""
        self.settled = set()  # calls that are in the table, or do not belong there
        self.seen_at = 0.0
        self.busy_until = 0.0

    def round(self):
        """Update the table with the calls that are up."""
        pid = read(PID_FILE).strip()
        if not pid.isdigit():
            raise TroubleError("%s has no process id" % PID_FILE)
        run = run_of(pid, read("/proc/sys/kernel/random/boot_id"), read("/proc/%s/stat" % pid))
        if run != self.run:
            execute(completion(run))
            self.run, self.settled = run, set()
            self.busy_until = time.monotonic() + BUSY_SECONDS
        up = channels_up(ask("core show channels concise"))
        self.settled &= {uniqueid for _, uniqueid in up}
        self.add([one for one in up if one[1] not in self.settled][:MOST_AT_ONCE])
        now = time.monotonic()
        if up:
            self.busy_until = now + BUSY_SECONDS
        if now < self.busy_until and now - self.seen_at >= SEEN_EVERY_SECONDS:
            execute(refreshment([uniqueid for _, uniqueid in up], run))
            self.seen_at = now

    def add(self, new):
        """Add the calls of these channels that are answered."""
        records = []
        for name, uniqueid in new:
            record = record_of(ask("core show channel %s" % name))
            if record.get("uniqueid") != uniqueid or not is_answered(record):
                continue  # ended meanwhile, or still ringing
            if is_kept(record):
                records.append(record)
            else:
                self.settled.add(uniqueid)
        if records:
            execute([insertion(record, self.run) for record in records])
            self.settled |= {record["uniqueid"] for record in records}


def main():
    """Go round for ever."""
    repeat(Keeper().round, EVERY_SECONDS)


if __name__ == "__main__":
    main()
