#!/usr/bin/python3
"""Keep a row in ccdata.cdr_open for each answered call while it is up, and complete ccdata.cdr.

Asterisk writes a call's record when the call has ended. A server that loses its power before has
none of the calls that were up. This service writes what is known within seconds of the answer, and
when Asterisk comes back, it makes records of what the former Asterisk left.

It stands beside Asterisk: no call ever waits for it or for the database. Python 3.5 and later.
"""

import re
import subprocess
import sys
import time

DSN = "ucontact-ccdata"
PID_FILE = "/run/asterisk/asterisk.pid"
EVERY_SECONDS = 3
SEEN_EVERY_SECONDS = 6
STALE = "INTERVAL 2 MINUTE"
BUSY_SECONDS = 180  # so long after the last call there may be rows to remove
PATIENCE_SECONDS = 10
MOST_AT_ONCE = 50

NAME = re.compile(r"^[\w./*+@:;-]{1,200}$")
ID = re.compile(r"^[\w.-]{1,150}$")
# What calls of the doctor bear as their account code: it takes their records away itself.
DOCTORS = re.compile(r"^[0-9a-f]{12}")
LEVEL = re.compile(r"^level 1: (\w+)=(.*)$")

# Columns of cdr_open by the name that Asterisk gives them, with their width; times are apart.
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


class TroubleError(Exception):
    """What could not be done in this round; the next one tries again."""


def channels_up(text):
    """(name, unique id) of each channel that is up, in `core show channels concise`."""
    rows = [line.split("!") for line in text.splitlines()]
    return [
        (row[0], row[-1])
        for row in rows
        if len(row) > 10 and row[4] == "Up" and NAME.match(row[0]) and ID.match(row[-1])
    ]


def record_of(text):
    """The call's record so far: the variables of `core show channel NAME`, by name."""
    _, _, variables = text.partition("CDR Variables:")
    found = (LEVEL.match(line) for line in variables.splitlines())
    return {one.group(1): one.group(2) for one in found if one}


def is_answered(record):
    """Whether somebody has taken the call."""
    return seconds(record.get("answer", "")) > 0


def is_kept(record):
    """Whether that channel will have a record of its own, and is none of the doctor's.

    A leg that Asterisk dialled has the id of the call that it belongs to as its linkedid, and no
    record; but what names a recording has one.
    """
    own = record.get("uniqueid", "") == record.get("linkedid", "") or record.get("userfield")
    return bool(own) and not DOCTORS.match(record.get("accountcode", ""))


def seconds(text):
    """Seconds since 1970; 0 for what is no time."""
    try:
        return float(text)
    except ValueError:
        return 0.0


def literal(value, width):
    """The text in SQL, whatever a caller has put into it: as its bytes, at most `width` of them.

    A statement has to fit into a line that isql reads: some versions take 9000
    characters.
    """
    data = value.encode("utf-8", "replace")[:width].decode("utf-8", "ignore").encode("utf-8")
    return "_utf8mb4 x'%s'" % "".join("%02x" % byte for byte in bytearray(data))


def moment(value):
    """A time of Asterisk's in SQL: UTC, as in ccdata.cdr."""
    return "'%s'" % time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds(value)))


def insertion(record, run):
    """The statement that adds this call."""
    names = [name for name, _ in TIMES] + [name for name, _ in TEXTS]
    values = [moment(record.get(key, "")) for _, key in TIMES]
    values += [literal(record.get(key, ""), width) for key, width in TEXTS]
    return "INSERT IGNORE INTO cdr_open (%s, seen, run) VALUES (%s, UTC_TIMESTAMP(), %s)" % (
        ", ".join("`%s`" % name for name in names),
        ", ".join(values),
        literal(run, 64),
    )


def refreshment(ids, run):
    """The statements that keep the calls that are up, and remove those that have ended.

    They stay for a while: Asterisk writes the records of ended calls some seconds later.
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
    """The statements that make records of the calls that a former Asterisk did not end."""
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
    """What tells one run of Asterisk from another: boot, process and when it began.

    `stat` is its /proc/PID/stat: fields behind the name, the 22nd the time of its start.
    """
    started = stat.rpartition(")")[2].split()[19]
    return "%s %s %s" % (boot.strip(), pid.strip(), started)


def said_by(words, given=""):
    """What a command prints. Raises TroubleError when it fails or takes too long."""
    try:
        done = subprocess.run(
            words,
            input=given.encode("utf-8"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TroubleError("%s: %s" % (words[0], error)) from error
    said = done.stdout.decode("utf-8", "replace")
    wrong = done.stderr.decode("utf-8", "replace").strip()
    # isql ends with 0 when a statement fails.
    if done.returncode or "[ISQL]ERROR" in wrong:
        raise TroubleError("%s: %s" % (words[0], (wrong or said.strip())[:500]))
    return said


def tell(statements):
    """Have the database run these, one a line."""
    said_by(["isql", "-b", "-v", DSN], "".join("%s\n" % one for one in statements))


def ask(command):
    """What Asterisk answers."""
    return said_by(["asterisk", "-rx", command])


def read(path):
    """The file's text. Raises TroubleError when there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError as error:
        raise TroubleError(str(error)) from error


class Keeper:
    """What is known from round to round."""

    def __init__(self):
        self.run = ""
        self.settled = set()  # calls that are in the table, or have no place there
        self.seen_at = 0.0
        self.busy_until = 0.0

    def round(self):
        """Look at the calls that are up, and bring the table to them."""
        pid = read(PID_FILE).strip()
        if not pid.isdigit():
            raise TroubleError("%s has no process id" % PID_FILE)
        run = run_of(pid, read("/proc/sys/kernel/random/boot_id"), read("/proc/%s/stat" % pid))
        if run != self.run:
            tell(completion(run))
            self.run, self.settled = run, set()
            self.busy_until = time.monotonic() + BUSY_SECONDS
        up = channels_up(ask("core show channels concise"))
        self.settled &= {uniqueid for _, uniqueid in up}
        self.add([one for one in up if one[1] not in self.settled][:MOST_AT_ONCE])
        now = time.monotonic()
        if up:
            self.busy_until = now + BUSY_SECONDS
        if now < self.busy_until and now - self.seen_at >= SEEN_EVERY_SECONDS:
            tell(refreshment([uniqueid for _, uniqueid in up], run))
            self.seen_at = now

    def add(self, new):
        """The calls of these channels, as far as they are answered."""
        records = []
        for name, uniqueid in new:
            record = record_of(ask("core show channel %s" % name))
            if record.get("uniqueid") != uniqueid or not is_answered(record):
                continue  # gone meanwhile, or still ringing
            if is_kept(record):
                records.append(record)
            else:
                self.settled.add(uniqueid)
        if records:
            tell([insertion(record, self.run) for record in records])
            self.settled |= {record["uniqueid"] for record in records}


def main():
    """Go round for ever; what is in the way is told once, and when it is gone."""
    keeper, trouble = Keeper(), ""
    while True:
        try:
            keeper.round()
            now = ""
        except TroubleError as error:
            now = str(error)
        if now != trouble:
            sys.stderr.write("%s\n" % (now or "all is well again"))
            sys.stderr.flush()
            trouble = now
        time.sleep(EVERY_SECONDS)


if __name__ == "__main__":
    main()
