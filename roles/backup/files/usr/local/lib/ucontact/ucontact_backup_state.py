"""What backups leave on this server for the doctor and `ucontact backup`. Python 3.5 and later."""

import datetime
import fcntl
import json
import os

CONFIG = "/etc/ucontact-backup/backup.json"
FOLDER = "/var/lib/ucontact-backup"
LOCK = "/run/ucontact-backup.lock"
# Which repository was prepared, the newest run, the newest good one, the newest shipped log, and
# the newest clean-up.
REPOSITORY, RUN, GOOD, BINLOG, PRUNE = "repository", "run", "good", "binlog", "prune"


class BusyError(Exception):
    """Another backup, verification or clean-up is running on this server."""


def now():
    """The time in UTC, in whole seconds, as text."""
    moment = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def load_config():
    """The configuration that the installation wrote."""
    with open(CONFIG, encoding="utf-8") as file:
        return json.load(file)


def read(name):
    """What was written under that name; nothing without one."""
    try:
        with open(path_of(name), encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return {}


def write(name, document):
    """Replace it in one step."""
    path = path_of(name)
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    temporary = path + ".new"
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(document, file, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def path_of(name):
    """The file of that name."""
    return os.path.join(FOLDER, name + ".json")


class Lock:
    """Held by the one command that changes the repository from this server."""

    def __enter__(self):
        self.file = open(LOCK, "w")
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.file.close()
            raise BusyError() from None
        return self

    def __exit__(self, *error):
        self.file.close()


def newest_run():
    """The newest run; one that stopped without saying so is `interrupted`."""
    run = read(RUN)
    if run.get("state") == "running":
        try:
            with Lock():
                # Asked again: it may have come to its end in between.
                run = read(RUN)
                if run.get("state") == "running":
                    run["state"] = "interrupted"
        except BusyError:
            pass
    return run


def status():
    """All of it."""
    config = load_config()
    return {
        "repository": config["repository"],
        "configured": int(os.stat(CONFIG).st_mtime),
        "database": config.get("database") is not None,
        "run": newest_run(),
        "good": read(GOOD),
        "binlog": read(BINLOG),
        "prune": read(PRUNE),
    }
