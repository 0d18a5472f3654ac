#!/usr/bin/python3
"""Delete recordings that are too old, and the oldest while the disk is too full (R25).

    recordings-retention.py --days DAYS --keep-free PERCENT

Never one under legal hold, and none at all while the index can't be reached: then it fails. A row
is marked `deleted` first and its file deleted afterwards, so that a hold that is set meanwhile
counts. Python 3.5 and later.
"""

import argparse
import heapq
import os
import sys
import time

import ucontact_recordings as recordings
from ucontact_odbc import TroubleError, execute, moment, rows

DAY = 86400
# Whatever fills the disk: the last day's recordings are not what makes room.
LEAST_DAYS_FOR_SPACE = 1
AT_ONCE = 40
OLDEST_AT_ONCE = 2000


def reach_index():
    """Raises TroubleError when the index can't be read."""
    if rows(["SELECT CONCAT('=', COUNT(*)) FROM recordings WHERE path = ''"]) != ["0"]:
        raise TroubleError("ccdata.recordings can't be read")


class Deletion:
    """Deletes recordings, and counts."""

    def __init__(self):
        self.deleted = 0
        self.octets = 0
        self.held = set()
        self.problems = {}  # by what they are about

    def delete(self, some, unknown_too):
        """Delete these recordings, but those under legal hold.

        With `unknown_too` those that are not in the index are added to it first, and what can't be
        added is deleted. Without it they stay.
        """
        fit = [one for one in some if recordings.text_of(one.path) is not None]
        paths = [one.path for one in fit]
        holds = recordings.holds_of(paths)
        new = [one for one in fit if one.path not in holds]
        if new and unknown_too:
            recordings.add(new, time.time())
            holds = recordings.holds_of(paths)
        self.held.update(path for path, hold in holds.items() if hold)
        free = [path for path in paths if holds.get(path) is False]
        marked = set()
        for group in recordings.path_groups(free):
            marked |= self.mark(group)
        unknown = {one.path for one in some} - set(holds)
        gone = marked | (unknown if unknown_too else set())
        left = [one.path for one in some if one.path in gone and not self.unlink(one)]
        for group in recordings.path_groups([path for path in left if path in marked]):
            execute(["UPDATE recordings SET deleted = NULL WHERE %s" % recordings.among(group)])

    def mark(self, paths):
        """Mark these paths as deleted; those of them that are, and are under no hold."""
        among = recordings.among(paths)
        found = rows(
            [
                "UPDATE recordings SET deleted = %s WHERE deleted IS NULL AND legal_hold = 0 AND %s"
                % (moment(time.time()), among),
                "SELECT CONCAT('=', SHA2(path, 256)) FROM recordings"
                " WHERE deleted IS NOT NULL AND legal_hold = 0 AND %s" % among,
            ]
        )
        return {path for path in paths if recordings.key_of(path) in found}

    def unlink(self, recording):
        """Delete the file, plain or encrypted; whether it is gone."""
        place = os.path.join(recordings.ROOT, recording.path)
        gone = 0
        for stored in (place, place + recordings.ENCRYPTED):
            try:
                os.unlink(stored)
            except FileNotFoundError:
                continue
            except OSError as error:
                self.problems[os.fsdecode(recording.path)] = str(error)
                return False
            gone += 1
        if not gone:
            return True
        self.deleted += 1
        self.octets += recording.size
        return True


def delete_old(deletion, days):
    """Delete what is older than that."""
    before = time.time() - days * DAY
    group = []
    for one in recordings.all_recordings(deletion.problems):
        if one.mtime < before:
            group.append(one)
        if len(group) >= AT_ONCE:
            deletion.delete(group, unknown_too=True)
            group = []
    deletion.delete(group, unknown_too=True)


def octets_short(percent):
    """How many octets the file system lacks to have that percentage of it free; 0 if none."""
    found = os.statvfs(recordings.ROOT)
    need = found.f_blocks * percent / 100.0 - found.f_bavail
    return max(0, int(need * found.f_frsize))


def delete_for_space(deletion, percent):
    """Delete the oldest indexed recordings until so much of the file system is free."""
    before = time.time() - LEAST_DAYS_FOR_SPACE * DAY
    after = (0.0, b"")
    while octets_short(percent):
        rest = (
            (one.mtime, one.path, one)
            for one in recordings.all_recordings(deletion.problems)
            if one.mtime < before and (one.mtime, one.path) > after
        )
        oldest = [one for _, _, one in heapq.nsmallest(OLDEST_AT_ONCE, rest)]
        if not oldest:
            deletion.problems["room"] = (
                "less than %d %% of the file system is free, and no recording is left to delete"
                " (those under legal hold and of the last day stay)" % percent
            )
            return
        while oldest:
            short = octets_short(percent)
            if not short:
                return
            group, taken = [], 0
            while oldest and len(group) < AT_ONCE and taken < short:
                group.append(oldest.pop(0))
                taken += group[-1].size
            after = (group[-1].mtime, group[-1].path)
            deletion.delete(group, unknown_too=False)


def remove_empty(folder=b""):
    """Remove folders of past days that are empty: a call may be about to use today's."""
    try:
        _, folders = recordings.listing(folder)
    except OSError:
        return  # all_recordings has told of it
    for name in folders:
        path = os.path.join(folder, name)
        remove_empty(path)
        if is_past(path):
            try:
                os.rmdir(os.path.join(recordings.ROOT, path))
            except OSError:
                continue  # not empty


def is_past(folder):
    """Whether a folder YEAR, YEAR/MONTH or YEAR/MONTH/DAY ended two days ago; others: not used."""
    parts = os.fsdecode(folder).split("/")
    if all(part.isdigit() for part in parts):
        then = time.localtime(time.time() - 2 * DAY)
        names = time.strftime("%Y/%m/%d", then).split("/")
        return [int(part) for part in parts] < [int(name) for name in names[: len(parts)]]
    try:
        return os.stat(os.path.join(recordings.ROOT, folder)).st_mtime < time.time() - 2 * DAY
    except OSError:
        return False


def work(days, percent):
    """Delete; what to report, and the exit status."""
    deletion = Deletion()
    try:
        if days or octets_short(percent):
            reach_index()
        if days:
            delete_old(deletion, days)
        delete_for_space(deletion, percent)
        if days or deletion.deleted:
            remove_empty()
    except (TroubleError, OSError) as error:
        deletion.problems["index"] = str(error)
    told = "%d recordings deleted (%d octets), %d kept under legal hold"
    words = [told % (deletion.deleted, deletion.octets, len(deletion.held))]
    words += list(deletion.problems.values())[:20]
    return "\n".join(words), 1 if deletion.problems else 0


def main():
    """Delete, report, and end with 1 if something was in the way."""
    parser = argparse.ArgumentParser(description="Delete recordings by age and by free space.")
    parser.add_argument("--days", type=int, default=0, help="days that are kept; 0: all")
    parser.add_argument("--keep-free", type=int, default=0, help="percent that stay free; 0: none")
    options = parser.parse_args()
    text, status = work(options.days, options.keep_free)
    # A unit's locale may be C.
    sys.stdout.write("%s\n" % text.encode("ascii", "backslashreplace").decode("ascii"))
    return status


if __name__ == "__main__":
    sys.exit(main())
