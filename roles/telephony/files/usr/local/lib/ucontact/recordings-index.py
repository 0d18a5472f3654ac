#!/usr/bin/python3
"""Index finished recordings in ccdata.recordings: path, call, parties, size and SHA-256 (R05).

Every few seconds it lists the spool's folders that changed, newest first, and adds the files that
Asterisk has closed. A path is unique in the index, so nothing is added twice, and what the index
lacks after an outage is found anew. It runs apart from Asterisk: no call waits for it. Python 3.5
and later.
"""

import os
import re
import sys
import time

import ucontact_recordings as recordings
from ucontact_odbc import TroubleError, execute, groups, literal, moment, repeat, rows

PID_FILE = "/run/asterisk/asterisk.pid"
EVERY_SECONDS = 5
STEP_SECONDS = 2.0  # so long a round hashes; the rest waits for the next one
STEP_PAUSE_SECONDS = 1.0
AT_ONCE = 20
QUIET_SECONDS = 3  # a file that was written later is not finished
RECORD_SECONDS = 180  # so long a recording waits for its call record
COMPLETE_EVERY_SECONDS = 60
COMPLETE_INDEXED_SECONDS = 3600
COMPLETE_STARTED_SECONDS = 2 * 86400
# Account code of the doctor's calls: the doctor removes their recordings itself.
DOCTORS = re.compile(r"^[0-9a-f]{12}")


def open_files():
    """The files that Asterisk has open, by path; none when it does not run."""
    try:
        with open(PID_FILE, encoding="ascii") as file:
            process = "/proc/%d" % int(file.read())
        with open(process + "/comm", encoding="utf-8", errors="replace") as file:
            if "asterisk" not in file.read():
                return set()
    except (OSError, ValueError):
        return set()
    found = set()
    try:
        for name in os.listdir(os.fsencode(process + "/fd")):
            try:
                found.add(os.readlink(os.path.join(os.fsencode(process), b"fd", name)))
            except FileNotFoundError:
                continue
    except FileNotFoundError:
        return set()
    except OSError as error:
        raise TroubleError("Asterisk's open files: %s" % error) from error
    return found


def uniqueid_of(path):
    """The call's unique id in a recording's name; empty for another name."""
    found = recordings.ID.search(os.fsdecode(os.path.basename(path)))
    return found.group("uniqueid") if found else ""


def account_codes(uniqueids):
    """The account codes of these calls' records by unique id; without a record there is none."""
    found = {}
    for group in groups(sorted(uniqueids), lambda one: 2 * len(one) + 16, 40):
        among = ", ".join(literal(one, 150) for one in group)
        statement = "SELECT CONCAT('=', uniqueid, ' ', accountcode) FROM cdr WHERE uniqueid IN (%s)"
        for row in rows([statement % among]):
            uniqueid, _, code = row.partition(" ")
            if DOCTORS.match(code) or uniqueid not in found:
                found[uniqueid] = code
    return found


class Indexer:
    """What is known of the spool between rounds."""

    def __init__(self):
        self.complete = {}  # folder: (its time, its folders), where nothing in it waits
        self.known = {}  # folder: names that are in the index, or can't be
        self.completed_at = 0.0
        self.told = set()

    def round(self):
        """Index what is finished; in steps, until nothing waits."""
        while self.step():
            time.sleep(STEP_PAUSE_SECONDS)
        if time.monotonic() - self.completed_at > COMPLETE_EVERY_SECONDS:
            now = time.time()
            since = moment(now - COMPLETE_INDEXED_SECONDS)
            begun = moment(now - COMPLETE_STARTED_SECONDS)
            execute(recordings.completions("indexed > %s AND started > %s" % (since, begun)))
            self.completed_at = time.monotonic()

    def step(self):
        """Index for some seconds; whether time ran out before the whole spool was seen."""
        end = time.monotonic() + STEP_SECONDS
        seen = set()
        for folder, files, state in recordings.changed(b"", self.complete, seen, self.tell):
            complete = state is not None
            known = self.known.setdefault(folder, set())
            new = [os.path.join(folder, name) for name in files if name not in known]
            for at in range(0, len(new), AT_ONCE):
                if self.index(new[at : at + AT_ONCE], known):
                    complete = False
                if time.monotonic() > end:
                    return True
            if complete:
                self.complete[folder] = state
                del self.known[folder]
        self.complete = {one: self.complete[one] for one in self.complete if one in seen}
        self.known = {one: self.known[one] for one in self.known if one in seen}
        return False

    def index(self, paths, known):
        """Index those of these paths that are finished; how many have to wait."""
        fit = [path for path in paths if recordings.text_of(path) is not None]
        for path in set(paths) - set(fit):
            self.tell("%r: no name for the index" % path)
            known.add(os.path.basename(path))
        there = recordings.holds_of(fit)
        known.update(os.path.basename(path) for path in there)
        left = [path for path in fit if path not in there]
        finished = self.finished(left) if left else []
        added = recordings.add(finished, time.time()) if finished else []
        known.update(os.path.basename(path) for path in added)
        return len(left) - len(added)

    def finished(self, paths):
        """The recordings at these paths whose call has ended, and has its record if it gets one."""
        # Before the list of open files: what was there by then and is not open was closed.
        found = [one for one in map(recordings.recording_of, paths) if one is not None]
        opened = open_files()
        now = time.time()
        found = [
            one
            for one in found
            if now - one.mtime > QUIET_SECONDS
            and os.path.join(recordings.ROOT, one.path) not in opened
        ]
        codes = account_codes({uniqueid_of(one.path) for one in found} - {""})
        return [
            one
            for one in found
            if not DOCTORS.match(codes.get(uniqueid_of(one.path), ""))
            and (uniqueid_of(one.path) in codes or now - one.mtime > RECORD_SECONDS)
        ]

    def tell(self, text):
        """Log it, once."""
        if text not in self.told:
            self.told.add(text)
            sys.stderr.write("%s\n" % text)
            sys.stderr.flush()


def main():
    """Go round for ever."""
    repeat(Indexer().round, EVERY_SECONDS)


if __name__ == "__main__":
    main()
