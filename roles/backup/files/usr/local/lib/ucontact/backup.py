#!/usr/bin/python3
"""Backs this server up with restic: what the units and `ucontact backup` run.

    backup.py create | binlog | status | probe | list | verify [--percent N] | prune
    backup.py prepare < {"recovery": "password"}

Answers are lines of JSON: {"progress": …} while it works, then one document; {"error": …} and
status 1 if it failed. Python 3.5 and later.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile

import ucontact_backup
import ucontact_backup_state as state
import ucontact_dump
import ucontact_runs as runs
from ucontact_restic import Restic, ResticError

_PROBE_SECONDS = 15


def say(**document):
    """Print a line for the caller."""
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


def prepare(config, _options):
    """Make the repository, or open it, and see that both keys open it: the site's and recovery's.

    A repository that was prepared before and is gone is not made again: its target may not be
    mounted, or somebody deleted it.
    """
    recovery = json.load(sys.stdin)["recovery"]
    own, other = Restic(config), Restic(config, recovery)
    known = state.read(state.REPOSITORY)
    changes = []
    found = _opened(own)
    if found is None:
        found = _opened(other)
        if found is not None:
            other.add_key(config["password"])
            changes.append("the site's key was added")
    if found is None and _there(own):
        raise ResticError("wrong_key", "open the repository", "no key of this site opens it")
    if found is None:
        if known.get("repository") == config["repository"]:
            words = "%s was prepared before, and is not there" % config["repository"]
            raise ResticError("no_repository", "open the repository", words)
        own.run("create the repository", "init")
        found = own.repository_id()
        changes.append("the repository was created")
    if _opened(other) is None:
        own.add_key(recovery)
        changes.append("the recovery key was added")
    wanted = {"repository": config["repository"], "id": found}
    if known.get("repository") == config["repository"] and known.get("id") != found:
        words = "another repository is at %s than the one prepared" % config["repository"]
        raise ResticError("another_repository", "open the repository", words)
    state.write(state.REPOSITORY, wanted)
    return {"changes": changes, "id": found}


def _opened(restic):
    """The id of the repository; None where there is none, or the password opens it not."""
    try:
        return restic.repository_id()
    except ResticError as error:
        if error.kind in ("no_repository", "wrong_key"):
            return None
        raise


def _there(restic):
    """Whether there is a repository, whatever its keys are."""
    try:
        restic.repository_id()
    except ResticError as error:
        return error.kind != "no_repository"
    return True


def create(config, _options):
    """Back up, then remove what is superfluous."""
    with state.Lock():
        manifest = ucontact_backup.create(config, Restic(config))
        tidied(config)
    return {"run": manifest["run"]}


def binlog(config, _options):
    """Ship the binary logs."""
    restic = Restic(config)
    try:
        ucontact_backup.demand_prepared(config, restic)
    except ResticError as error:
        state.write(state.BINLOG, dict(state.read(state.BINLOG), error=error.document()))
        raise
    ucontact_backup.ship(config, restic)
    return state.read(state.BINLOG)


def status(_config, _options):
    """What is known here."""
    return state.status()


def probe(config, _options):
    """Open the repository."""
    return {"id": ucontact_backup.demand_prepared(config, Restic(config), timeout=_PROBE_SECONDS)}


def list_runs(config, _options):
    """The runs of all hosts in the repository, newest first, each with its manifest if it is good.

    Manifests never change: each is read once, and kept.
    """
    restic = Restic(config)
    ucontact_backup.demand_prepared(config, restic)
    found = {}
    for one in restic.snapshots():
        run = runs.run_of(one)
        if run:
            row = found.setdefault((run, one["hostname"]), {"run": run, "host": one["hostname"]})
            row["time"] = row.get("time") or runs.moment_of(one).strftime("%Y-%m-%dT%H:%M:%SZ")
            if runs.is_manifest(one):
                row["manifest"] = manifest_of(restic, one["id"])
    newest_first = sorted(found.values(), key=lambda row: (row["run"], row["host"]), reverse=True)
    return {"runs": newest_first}


def manifest_of(restic, snapshot):
    """The manifest in that snapshot."""
    name = "manifests/%s" % snapshot
    found = state.read(name)
    if not found:
        found = json.loads(restic.file_of(snapshot, runs.MANIFEST_FILE))
        state.write(name, found)
    return found


def verify(config, options):
    """Read the repository, a part of its data, and the newest good backup of each host."""
    restic = Restic(config)
    ucontact_backup.demand_prepared(config, restic)
    with state.Lock():
        parts = max(1, 100 // options.percent)
        part = random.randint(1, parts)
        say(progress="restic check, part %d of %d of the data" % (part, parts))
        # Without a lock: a backup that begins meanwhile is no hindrance, and must not be hindered.
        words = ["--no-lock", "--read-data-subset=%d/%d" % (part, parts)]
        restic.run("check the repository", "check", *words)
        newest = {}
        for row in list_runs(config, options)["runs"]:
            if "manifest" in row:
                newest.setdefault(row["host"], row)
        if not newest:
            raise ResticError("no_backup", "compare with the manifest", "there is no good backup")
        different = []
        for row in newest.values():
            different += compared(restic, row["manifest"])
    if different:
        raise ResticError("damaged", "compare with the manifest", "\n".join(different)[:1500])
    checked = [{"host": row["host"], "run": row["run"]} for row in newest.values()]
    return {"data": "%d/%d" % (part, parts), "compared": checked}


def compared(restic, manifest):
    """How the stored snapshots differ from the manifest of their run, a line each."""
    at = "%s %s" % (manifest["host"], manifest["run"])
    different = []
    for name, part in sorted(manifest["parts"].items()):
        if part["snapshot"] is None:
            continue
        say(progress="%s: %s" % (at, name))
        words = ["stats", "--json", "--no-lock", "--mode", "restore-size", part["snapshot"]]
        found = json.loads(restic.run("compare %s" % name, *words))
        if found["total_size"] != part["octets"]:
            told = "%s: %s has %d octets, the manifest says %d"
            different.append(told % (at, name, found["total_size"], part["octets"]))
    database = manifest["database"]
    if database:
        say(progress="%s: database" % at)
        rows = rows_in(restic, database["snapshot"])
        for table in sorted(set(rows) | set(database["rows"])):
            if rows.get(table) != database["rows"].get(table):
                told = "%s: %s has %s rows, the manifest says %s"
                counts = (rows.get(table), database["rows"].get(table))
                different.append(told % (at, table, *counts))
    return different


def rows_in(restic, snapshot):
    """The rows of each table in a stored dump."""
    seen = ucontact_dump.Dump()
    with tempfile.TemporaryFile() as complaints:
        words = ["dump", "--no-lock", snapshot, ucontact_backup.DUMP_FILE]
        process = restic.start(*words, stdout=subprocess.PIPE, stderr=complaints)
        for line in process.stdout:
            seen.line(line)
        if process.wait():
            complaints.seek(0)
            told = complaints.read().decode("utf-8", "replace")
            raise restic.error("read the dump", told)
    return seen.rows


def prune(config, _options):
    """Remove what is superfluous now."""
    with state.Lock():
        return pruned(config)


def tidied(config):
    """Remove what is superfluous after a good backup; it stays good if this fails."""
    try:
        pruned(config)
    except ResticError as error:
        state.write(state.PRUNE, {"ended": state.now(), "error": error.document()})


def pruned(config):
    """Forget this host's superfluous snapshots, and remove their data."""
    restic = Restic(config)
    ucontact_backup.demand_prepared(config, restic)
    gone = runs.superfluous(restic.snapshots(), config["host"], config["keep"])
    if gone:
        say(progress="forget %d snapshots" % len(gone))
        restic.run("forget snapshots", "forget", *gone)
        say(progress="remove their data")
        restic.run("remove data", "prune")
    done = {"ended": state.now(), "snapshots": len(gone), "error": None}
    state.write(state.PRUNE, done)
    return done


COMMANDS = {
    "prepare": prepare, "create": create, "binlog": binlog, "status": status, "probe": probe,
    "list": list_runs, "verify": verify, "prune": prune,
}  # fmt: skip


def main():
    """Run the command, and print its answer."""
    parser = argparse.ArgumentParser(description="Back this server up with restic.")
    parser.add_argument("command", choices=sorted(COMMANDS))
    parser.add_argument("--percent", type=int, default=10, help="of the data to read")
    options = parser.parse_args()
    try:
        answer = COMMANDS[options.command](state.load_config(), options)
    except (ResticError, ucontact_backup.DatabaseError) as error:
        say(error=error.document())
        return 1
    except state.BusyError:
        words = "another backup, verification or clean-up is running on this server"
        say(error={"kind": "busy", "doing": options.command, "words": words})
        return 1
    except OSError as error:
        say(error={"kind": "other", "doing": options.command, "words": str(error)})
        return 1
    say(**answer)
    return 0


if __name__ == "__main__":
    sys.exit(main())
