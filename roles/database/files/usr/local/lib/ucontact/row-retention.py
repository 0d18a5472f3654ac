#!/usr/bin/python3
"""Delete call records, channel events and rows of access that are older than the site keeps them.

    row-retention.py SETTINGS

SETTINGS is a JSON file with the days of `calls`, `events` and `accesses`; 0 keeps all.

It works through the server's own socket, so that no account of the network may delete these rows.
Small batches, a pause after each, and two seconds at most for a lock: whoever needs the tables
comes first. Rows of a call whose recording is under legal hold stay; so do rows of access to a
recording that exists. Python 3.5 and later.
"""

import argparse
import json
import subprocess
import sys
import time

MYSQL = ("mysql", "--no-defaults", "--user=root", "--batch", "--skip-column-names")
SOCKET = "/run/mysqld/mysqld.sock"
ROWS_AT_ONCE = 500
PATIENCE_SECONDS = 60
# A batch costs a fifth of the time at most.
PAUSE_BATCHES, LEAST_PAUSE_SECONDS = 4, 0.1
MOST_RUNNING = 16  # statements at work at once: the server is busy
BUSY_SECONDS = 30
MOST_SECONDS = 2 * 3600
DAY = 86400
# Gaps stay free for new rows, and no statement waits behind ours.
SESSION = (
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED;"
    " SET SESSION lock_wait_timeout = 2; SET SESSION innodb_lock_wait_timeout = 2;"
)
# Errors of MySQL: no lock in time, a deadlock, writes stopped for a backup, a time limit.
LATER = ("ERROR 1205", "ERROR 1213", "ERROR 1223", "ERROR 3024")
_HELD = (
    "EXISTS (SELECT 1 FROM ccdata.recordings r WHERE r.{0} = t.{1} AND r.legal_hold = 1"
    " AND r.deleted IS NULL)"
)
_CALL = tuple(_HELD.format(*pair) for pair in (("linkedid", "linkedid"), ("uniqueid", "linkedid")))
# (kind, table, column of the time, rows that stay)
TABLES = (
    ("calls", "cdr", "calldate", (*_CALL, _HELD.format("uniqueid", "uniqueid"))),
    (
        "calls",
        "queue_log",
        "time",
        (_HELD.format("uniqueid", "callid"), _HELD.format("linkedid", "callid")),
    ),
    ("events", "cel", "eventtime", _CALL),
    (
        "accesses",
        "recording_access",
        "time",
        (
            "EXISTS (SELECT 1 FROM ccdata.recordings r WHERE r.id = t.recording"
            " AND r.deleted IS NULL)",
        ),
    ),
)


class TroubleError(Exception):
    """Why rows can't be deleted."""


class LaterError(TroubleError):
    """Somebody else has the table, or the server is busy."""


def ask(statements):
    """What MySQL prints. Raises LaterError, TroubleError."""
    try:
        done = subprocess.run(
            [*MYSQL, "--socket=" + SOCKET],
            input=statements.encode("ascii"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TroubleError("mysql: %s" % error) from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip()[:500]
        raise (LaterError if said.startswith(LATER) else TroubleError)(said)
    return done.stdout.decode("utf-8", "replace").split()


def is_busy(query=ask):
    """Whether the server has much to do."""
    shown = query("SHOW GLOBAL STATUS LIKE 'Threads_running';")
    return len(shown) == 2 and int(shown[1]) > MOST_RUNNING


def keys(table, column, before, stay):
    """The statement that selects the keys of a batch."""
    kept = "".join(" AND NOT %s" % condition for condition in stay)
    return "SELECT t.id FROM ccdata.%s t WHERE t.%s < '%s'%s ORDER BY t.%s LIMIT %d" % (
        table,
        column,
        before,
        kept,
        column,
        ROWS_AT_ONCE,
    )


def deletion(table, column, before, stay):
    """The statements that delete a batch and print how many rows it was.

    By the keys, as MySQL 5.7 has no alias in a DELETE with LIMIT.
    """
    batch = keys(table, column, before, stay)
    return (
        "%s DELETE FROM ccdata.%s WHERE id IN (SELECT id FROM (%s) batch); SELECT ROW_COUNT();"
        % (
            SESSION,
            table,
            batch,
        )
    )


class Work:
    """One night's work; `query`, `clock` and `sleep` are the world."""

    def __init__(self, query=ask, clock=time.monotonic, sleep=time.sleep):
        self.query, self.clock, self.sleep = query, clock, sleep
        self.end = clock() + MOST_SECONDS
        self.deleted = {}

    def batch(self, statements):
        """Delete one batch as soon as nobody is in the way; how many rows it was."""
        while True:
            try:
                if not is_busy(self.query):
                    return int(self.query(statements)[-1])
                told = LaterError("the server is busy")
            except LaterError as error:
                told = error
            if self.clock() + BUSY_SECONDS > self.end:
                raise told
            self.sleep(BUSY_SECONDS)

    def table(self, table, column, before, stay):
        """Delete what is older in one table; whether all of it is gone."""
        self.deleted[table] = 0
        statements = deletion(table, column, before, stay)
        while self.clock() < self.end:
            begun = self.clock()
            rows = self.batch(statements)
            self.deleted[table] += rows
            if rows < ROWS_AT_ONCE:
                return True
            self.sleep(max(LEAST_PAUSE_SECONDS, PAUSE_BATCHES * (self.clock() - begun)))
        return False


def run(days, now, work):
    """Delete what is older than `days` of each kind; what to report, and the exit status."""
    words, status = [], 0
    for kind, table, column, stay in TABLES:
        if not days[kind]:
            continue
        before = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(now - days[kind] * DAY))
        try:
            done = work.table(table, column, before, stay)
        except TroubleError as error:
            words.append("%s: %s" % (table, error))
            status = 1
            continue
        finally:
            if work.deleted.get(table):
                words.append("%s: %d rows deleted" % (table, work.deleted[table]))
        if not done:
            words.append("%s: the rest is deleted tomorrow" % table)
    return "\n".join(words) or "nothing to delete", status


def main():
    """Delete, report, and end with 1 if something was in the way."""
    parser = argparse.ArgumentParser(description="Delete old rows of ccdata, in small batches.")
    parser.add_argument("settings", help="JSON file with the days that rows are kept")
    with open(parser.parse_args().settings, encoding="utf-8") as file:
        days = json.load(file)
    text, status = run(days, time.time(), Work())
    sys.stdout.write("%s\n" % text.encode("ascii", "backslashreplace").decode("ascii"))
    return status


if __name__ == "__main__":
    sys.exit(main())
