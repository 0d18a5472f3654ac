"""A run of the backup: dump, files, binary logs, and the manifest last. Python 3.5 and later."""

import json
import os
import platform
import signal
import subprocess
import tempfile
import time

import ucontact_backup_state as state
import ucontact_dump
import ucontact_runs as runs
from ucontact_restic import ResticError

DUMP_FILE = "/database.sql"
_LINES_PER_LOOK = 200


class DatabaseError(Exception):
    """MySQL or mysqldump refused: its words."""

    def __init__(self, doing, words):
        Exception.__init__(self, "%s: %s" % (doing, words))
        self.doing = doing
        self.words = words

    def document(self):
        """The error as in the status file."""
        return {"kind": "database", "doing": self.doing, "words": self.words}


class Progress:
    """Writes where the run is, at most once a second."""

    def __init__(self, run):
        self.document = {"run": run, "state": "running", "began": state.now(), "step": ""}
        self._written = 0.0

    def step(self, name):
        """The next part begins."""
        self.document.update(step=name, percent=0, seconds_left=None)
        self._write()

    def at(self, percent, seconds_left=None):
        """How much of the part is done."""
        self.document.update(percent=int(percent), seconds_left=seconds_left)
        if time.monotonic() - self._written >= 1:
            self._write()

    def end(self, how, error=None):
        """The run is over."""
        self.document.update(state=how, ended=state.now(), error=error)
        self._write()

    def _write(self):
        self._written = time.monotonic()
        state.write(state.RUN, self.document)


class Server:
    """MySQL on this server, by its socket."""

    def __init__(self, socket):
        self.socket = socket

    def ask(self, statement):
        """The rows, each a list of texts. Raises DatabaseError."""
        words = ["mysql", "--no-defaults", "--socket=%s" % self.socket, "--user=root"]
        words += ["--batch", "--skip-column-names", "-e", statement]
        done = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, err = done.communicate()
        if done.returncode:
            raise DatabaseError(statement, err.decode("utf-8", "replace").strip())
        return [line.split("\t") for line in out.decode("utf-8", "replace").splitlines()]

    def version(self):
        """Such as 8.0.40."""
        return self.ask("SELECT VERSION()")[0][0]

    def uuid(self):
        """What distinguishes its binary logs from those of any other server."""
        return self.ask("SELECT @@server_uuid")[0][0]

    def position(self):
        """The binary log that is written to, and its size."""
        numbers = [int(part) for part in self.version().split("-")[0].split(".")[:2]]
        asked = "SHOW BINARY LOG STATUS" if numbers >= [8, 2] else "SHOW MASTER STATUS"
        found = self.ask(asked)
        if not found:
            raise DatabaseError(asked, "MySQL writes no binary logs (log_bin is OFF)")
        return {"file": found[0][0], "position": int(found[0][1])}

    def closed_logs(self):
        """The paths of the binary logs that nothing is written to any more, oldest first."""
        folder = os.path.dirname(self.ask("SELECT @@log_bin_basename")[0][0])
        names = [row[0] for row in self.ask("SHOW BINARY LOGS")]
        return [os.path.join(folder, name) for name in names[:-1]]


def create(config, restic):
    """Make a backup; its manifest. Raises ResticError, DatabaseError or OSError."""
    run = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    progress = Progress(run)
    try:
        manifest = _made(config, restic, run, progress)
    except (ResticError, DatabaseError) as error:
        progress.end("failed", error.document())
        raise
    except KeyboardInterrupt:
        told = {"kind": "interrupted", "doing": progress.document["step"], "words": "stopped"}
        progress.end("failed", told)
        raise
    except Exception as error:
        told = {"kind": "other", "doing": progress.document["step"], "words": str(error)}
        progress.end("failed", told)
        raise
    state.write(state.GOOD, manifest)
    progress.end("good")
    return manifest


def _made(config, restic, run, progress):
    progress.step("repository")
    demand_prepared(config, restic)
    manifest = {
        "version": 1,
        "site": config["site"],
        "host": config["host"],
        "address": config["address"],
        "roles": config["roles"],
        "run": run,
        "began": progress.document["began"],
        "appliance": config["appliance"],
        "system": _system(),
        "python": platform.python_version(),
        "restic": subprocess.check_output(["restic", "version"]).decode().split()[1],
        "parts": {},
        "database": None,
    }
    # The database first: a recording whose row is in it is then among the files.
    if config.get("database"):
        progress.step("database")
        manifest["database"] = dump(config, restic, run, progress)
    for part in config["parts"]:
        progress.step(part["name"])
        manifest["parts"][part["name"]] = files(config, restic, run, part, progress)
    if config.get("database"):
        progress.step("binary logs")
        ship(config, restic)
    progress.step("manifest")
    manifest["ended"] = state.now()
    text = json.dumps(manifest, sort_keys=True, indent=1).encode()
    words = ["--stdin", "--stdin-filename", runs.MANIFEST_FILE, *tags(config, run, "manifest")]
    restic.run("store the manifest", "backup", *words, "--tag", runs.MANIFEST, stdin=text)
    return manifest


def _system():
    with open("/etc/os-release", encoding="utf-8") as file:
        pairs = dict(line.rstrip("\n").partition("=")[::2] for line in file)
    return pairs.get("PRETTY_NAME", "").strip('"')


def tags(config, run, part):
    """restic's options for a snapshot of a run."""
    return ["--host", config["host"], "--tag", "run=%s" % run, "--tag", "part=%s" % part]


def demand_prepared(config, restic, timeout=None):
    """Raise ResticError unless it is the repository that the installation prepared."""
    known = state.read(state.REPOSITORY)
    found = restic.repository_id(timeout=timeout)
    if found != known.get("id"):
        words = "the repository %s has the id %s; the one prepared has %s"
        told = words % (config["repository"], found[:8], str(known.get("id"))[:8])
        raise ResticError("another_repository", "open the repository", told)
    return found


def dump(config, restic, run, progress):
    """Store a dump of the schemas; what the manifest says of it."""
    database = config["database"]
    server = Server(database["socket"])
    offered = subprocess.check_output(["mysqldump", "--no-defaults", "--help"]).decode()
    command = ucontact_dump.sql_command(database["schemas"], database["socket"], offered)
    before = (state.read(state.GOOD).get("database") or {}).get("octets", 0)
    seen = ucontact_dump.Dump()
    words = ["--json", "--stdin", "--stdin-filename", DUMP_FILE, *tags(config, run, "database")]
    with tempfile.TemporaryFile() as complaints, tempfile.TemporaryFile() as said:
        source = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=complaints)
        target = restic.start(
            "backup", *words, stdin=subprocess.PIPE, stdout=said, stderr=subprocess.STDOUT
        )
        try:
            broken = _poured(source, target, seen, before, progress)
            failed = source.wait() != 0 or not seen.complete or not seen.position
            if failed and not broken:
                complaints.seek(0)
                told = complaints.read().decode("utf-8", "replace").strip()[-1500:]
                raise DatabaseError("mysqldump", told or "the dump is incomplete")
            if not broken:
                target.stdin.close()
            target.wait()
        except BaseException:
            # Without its end of input, restic stores no snapshot; by SIGINT it removes its lock.
            target.send_signal(signal.SIGINT)
            source.kill()
            target.wait()
            source.wait()
            raise
        said.seek(0)
        text = said.read().decode("utf-8", "replace")
    if target.returncode or broken:
        raise restic.error("store the dump", text)
    return {
        "snapshot": _summary(text)["snapshot_id"],
        "version": server.version(),
        "server": server.uuid(),
        "octets": seen.octets,
        "rows": seen.rows,
        "log": seen.position,
    }


def _poured(source, target, seen, before, progress):
    """Hand mysqldump's lines to restic; whether restic has ended before."""
    for number, line in enumerate(source.stdout):
        seen.line(line)
        try:
            target.stdin.write(line)
        except BrokenPipeError:
            source.kill()
            return True
        if number % _LINES_PER_LOOK == 0 and before:
            progress.at(min(99, 100 * seen.octets // before))
    return False


def files(config, restic, run, part, progress):
    """Store the part's files; what the manifest says of it."""
    paths = [path for path in part["paths"] if os.path.lexists(path)]
    if not paths:
        return {"snapshot": None, "paths": part["paths"], "files": 0, "octets": 0}
    words = ["backup", "--json", *tags(config, run, part["name"]), "--", *paths]
    with tempfile.TemporaryFile() as complaints:
        process = restic.start(*words, stdout=subprocess.PIPE, stderr=complaints)
        summary, errors = None, []
        try:
            for line in process.stdout:
                found = _parsed(line)
                if found.get("message_type") == "summary":
                    summary = found
                elif found.get("message_type") == "status":
                    left = found.get("seconds_remaining")
                    progress.at(100 * found.get("percent_done", 0), left)
            process.wait()
        except BaseException:
            process.send_signal(signal.SIGINT)
            process.wait()
            raise
        complaints.seek(0)
        text = complaints.read().decode("utf-8", "replace")
    errors = [line for line in text.splitlines() if line.strip() and not _vanished(line)]
    # 3: a file could not be read; one that was deleted meanwhile is none of the backup's.
    if summary is None or process.returncode not in (0, 3) or (process.returncode and errors):
        raise restic.error("store %s" % part["name"], text)
    return {
        "snapshot": summary["snapshot_id"],
        "paths": paths,
        "files": summary["total_files_processed"],
        "octets": summary["total_bytes_processed"],
    }


def _vanished(line):
    return "no such file or directory" in line or "at least one source file" in line


def _parsed(line):
    try:
        return json.loads(line.decode("utf-8", "replace"))
    except ValueError:
        return {}


def _summary(text):
    """restic's summary among its lines."""
    for line in reversed(text.splitlines()):
        if '"summary"' in line:
            return json.loads(line)
    raise ValueError("restic printed no summary")


def ship(config, restic):
    """Store the binary logs that are not stored yet; what the status says of it.

    Nothing is stored while nothing was written to the database.
    """
    server = Server(config["database"]["socket"])
    known = state.read(state.BINLOG)
    uuid, checked = server.uuid(), state.now()
    same = known.get("server") == uuid and known.get("position") == server.position()
    if same and not known.get("error"):
        state.write(state.BINLOG, dict(known, checked=checked))
        return
    server.ask("FLUSH BINARY LOGS")
    position = server.position()
    paths = server.closed_logs()
    words = ["backup", "--json", "--host", config["host"], "--tag", runs.BINLOG]
    words += ["--tag", "server=%s" % uuid]
    parent = known.get("snapshot") if known.get("server") == uuid else None
    try:
        text = _shipped(restic, words, parent, paths)
    except ResticError as error:
        # The position goes: what is not stored has to be stored by the next run.
        state.write(state.BINLOG, dict(known, position=None, error=error.document()))
        raise
    newest = {
        "server": uuid,
        "position": position,
        "last": os.path.basename(paths[-1]),
        "snapshot": _summary(text)["snapshot_id"],
        "checked": checked,
        "shipped": checked,
        "error": None,
    }
    state.write(state.BINLOG, newest)


def _shipped(restic, words, parent, paths):
    """restic's answer. The parent spares reading all logs again; it may be gone."""
    doing = "store the binary logs"
    if parent:
        try:
            return restic.run(doing, *words, "--parent", parent, "--", *paths)
        except ResticError as error:
            if "parent" not in error.words and "matching ID" not in error.words:
                raise
    return restic.run(doing, *words, "--", *paths)
