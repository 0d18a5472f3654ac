#!/usr/bin/python3
"""recording-pause.py pause|resume CALL WHO: silence a call's recordings, or record again.

The dialplan runs it when an agent dials the code; so may a program on this server, as root or
asterisk. CALL is the call's linked id. Ends with 0 only when every recording of the call is silent,
or recorded again.
"""

import sys
import syslog

import ucontact_pause
from ucontact_odbc import TroubleError

WORK = {"pause": (ucontact_pause.pause, "paused"), "resume": (ucontact_pause.resume, "resumed")}


def main(words):
    """The exit status: 0 done, 1 not done, 2 wrong words."""
    wrong = ucontact_pause.refused(*words[1:]) if len(words) == 3 else "expected three words"
    if wrong or words[0] not in WORK:
        sys.stderr.write("%s\n%s" % (wrong, __doc__))
        return 2
    work, done = WORK[words[0]]
    try:
        work(ucontact_pause.open_session(), *words[1:])
    except TroubleError as error:
        told = "recording of %s not %s: %s" % (words[1], done, error)
        sys.stderr.write(told + "\n")
        syslog.openlog("ucontact-recording-pause")  # Asterisk drops what its programs print
        syslog.syslog(syslog.LOG_ERR, told)
        return 1
    sys.stdout.write(done + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
