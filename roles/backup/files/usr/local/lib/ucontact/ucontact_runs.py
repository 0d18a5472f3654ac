"""Which backups there are, and which of them are kept: decisions about snapshots, no more.

Each snapshot of a run has the tag run=RUN. A run is good when its manifest, which is stored last,
is there. Python 3.5 and later.
"""

import datetime

MANIFEST = "ucontact-manifest"
BINLOG = "ucontact-binlog"
# In the repository's snapshot of the manifest.
MANIFEST_FILE = "/manifest.json"


def run_of(snapshot):
    """The run that the snapshot is of; empty without one."""
    for tag in snapshot.get("tags") or ():
        if tag.startswith("run="):
            return tag[4:]
    return ""


def is_manifest(snapshot):
    """Whether it is the manifest of a run."""
    return MANIFEST in (snapshot.get("tags") or ())


def is_binlog(snapshot):
    """Whether it is of binary logs."""
    return BINLOG in (snapshot.get("tags") or ())


def moment_of(snapshot):
    """When it was made, in UTC. restic writes nanoseconds and a zone."""
    text = snapshot["time"]
    day = datetime.datetime.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")
    zone = text[-6:]
    if text.endswith("Z") or zone[0] not in "+-":
        return day
    away = datetime.timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6]))
    return day - away if zone[0] == "+" else day + away


def kept(moments, keep):
    """Those of the moments (newest first) that stay: the newest of each day, week and month.

    The very newest stays whatever `keep` says. Moments are in UTC.
    """
    stay = set(moments[:1])
    for rule, name in (
        ("daily", lambda at: at.strftime("%Y-%m-%d")),
        ("weekly", lambda at: "%d-%d" % at.isocalendar()[:2]),
        ("monthly", lambda at: at.strftime("%Y-%m")),
    ):
        periods = set()
        for at in moments:
            period = name(at)
            if period not in periods and len(periods) < keep[rule]:
                periods.add(period)
                stay.add(at)
    return stay


def superfluous(snapshots, host, keep):
    """The ids of this host's snapshots that can go: of old runs, and of runs without a manifest.

    A run that is newer than the newest good one may be going on: it stays. So does, without a good
    run, everything.
    """
    ours = [one for one in snapshots if one.get("hostname") == host]
    manifests = {run_of(one): moment_of(one) for one in ours if is_manifest(one)}
    if not manifests:
        return []
    newest_first = sorted(manifests.values(), reverse=True)
    stay = kept(newest_first, keep)
    newest = newest_first[0]
    gone = []
    for one in ours:
        run = run_of(one)
        if run in manifests:
            if manifests[run] not in stay:
                gone.append(one["id"])
        elif run and moment_of(one) < newest:
            gone.append(one["id"])
    return gone + _superfluous_binlogs(ours, keep["daily"])


def _superfluous_binlogs(ours, days):
    """Of each day, the newest one stays: it has all logs of some days. Of today and yesterday all.

    Each server of MySQL that there was has its own.
    """
    logs = sorted((one for one in ours if is_binlog(one)), key=moment_of, reverse=True)
    if not logs:
        return []
    recent = moment_of(logs[0]).date() - datetime.timedelta(days=1)
    of_day = {}
    gone = []
    for one in logs:
        day = moment_of(one).date()
        server = [tag for tag in one.get("tags") or () if tag.startswith("server=")]
        key = (day, tuple(server))
        if day >= recent:
            continue
        if key in of_day or (recent - day).days >= days:
            gone.append(one["id"])
        else:
            of_day[key] = one
    return gone
