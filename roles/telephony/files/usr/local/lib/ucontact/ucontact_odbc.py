"""What the services of this folder share: statements for MySQL over ODBC. Python 3.5 and later."""

import re
import subprocess
import sys
import time

DSN = "ucontact-ccdata"
PATIENCE_SECONDS = 10
STATEMENT_CHARACTERS = 6000
_ROW = re.compile(r"^\| =(.*?) *\|$", re.MULTILINE)


class TroubleError(Exception):
    """What could not be done in this round; the next one tries again."""


def literal(value, width):
    """The text in SQL, whatever a caller has put into it: as its bytes, at most `width` of them.

    A statement has to fit into a line that isql reads: some versions take 9000
    characters.
    """
    data = value.encode("utf-8", "replace")[:width].decode("utf-8", "ignore").encode("utf-8")
    return "_utf8mb4 x'%s'" % "".join("%02x" % byte for byte in bytearray(data))


def output_of(words, given=""):
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
    printed = done.stdout.decode("utf-8", "replace")
    wrong = done.stderr.decode("utf-8", "replace").strip()
    # isql ends with 0 when a statement fails.
    if done.returncode or "[ISQL]ERROR" in wrong:
        raise TroubleError("%s: %s" % (words[0], (wrong or printed.strip())[:500]))
    return printed


def execute(statements):
    """Run these statements, one per line. Returns what isql prints."""
    return output_of(["isql", "-b", "-v", DSN], "".join("%s\n" % one for one in statements))


def rows(statements):
    """What these statements select: one text column, whose values begin with "=".

    isql shows the first 300 characters of a value.
    """
    return _ROW.findall(execute(statements))


def groups(values, length, most):
    """The values in lists of at most `most`, whose `length` together fits into one statement."""
    group, taken = [], 0
    for value in values:
        size = length(value)
        if group and (len(group) >= most or taken + size > STATEMENT_CHARACTERS):
            yield group
            group, taken = [], 0
        group.append(value)
        taken += size
    if group:
        yield group


def moment(value):
    """Seconds since 1970 as an SQL literal: UTC, as in ccdata.cdr."""
    return "'%s'" % time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(value))


def repeat(work, seconds):
    """Do it again and again; what is in the way is logged once, and when it is gone."""
    trouble = ""
    while True:
        try:
            work()
            now = ""
        except TroubleError as error:
            now = str(error)
        if now != trouble:
            sys.stderr.write("%s\n" % (now or "all is well again"))
            sys.stderr.flush()
            trouble = now
        time.sleep(seconds)
