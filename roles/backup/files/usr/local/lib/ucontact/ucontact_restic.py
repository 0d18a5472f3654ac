"""Runs restic on the site's repository, and says by name what went wrong.

The password and the storage's own secrets are in the environment of restic alone, never in its
arguments. Python 3.5 and later, restic 0.9.6 and later.
"""

import json
import os
import re
import shlex
import subprocess
import tempfile
from urllib.parse import quote

CACHE = "/var/cache/ucontact-backup"
LOCKED = "locked"
# Kinds of errors, each with what restic or the storage says then; the first one that fits counts.
# What is particular comes first: restic adds general sentences, such as "unexpected EOF" where ssh
# has ended.
KINDS = (
    (LOCKED, r"already locked"),
    ("full", r"no space left|quota exceeded|not enough space|XMinioStorageFull|QuotaExceeded"
             r"|insufficient storage|\b507\b|file too large"),
    ("wrong_key", r"wrong password|no key found"),
    ("host_key", r"host key verification failed|host identification has changed"),
    ("access", r"access denied|AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch|\b40[13]\b"
               r"|permission denied|read-only file system"),
    ("unreachable", r"connection (refused|reset|timed out|closed)|no such host|no route to host"
                    r"|i/o timeout|network is unreachable|could not resolve|dial tcp|tls: |x509:"
                    r"|unable to start the sftp|broken pipe|stale file"),
    ("no_repository", r"unable to open config file|is there a repository|config file .*does not"
                      r" exist|repository does not exist|specified bucket does not exist"
                      r"|repository master key and config already initialized"),
    ("damaged", r"hash mismatch|ciphertext verification failed|does not match|wrong hash"
                r"|invalid data returned|not found in (index|repository)|contains errors|damaged"
                r"|errors were found|unexpected EOF|incomplete pack file|unable to load tree"
                r"|input/output error"),
)  # fmt: skip


class ResticError(Exception):
    """What failed: its kind, what was being done, and restic's own words."""

    def __init__(self, kind, doing, words):
        Exception.__init__(self, "%s: %s" % (doing, words))
        self.kind = kind
        self.doing = doing
        self.words = words

    def document(self):
        """The error as in the status file."""
        return {"kind": self.kind, "doing": self.doing, "words": self.words}


def kind_of(words):
    """The kind of error that these words of restic's tell of; `other` if none is known."""
    for kind, pattern in KINDS:
        if re.search(pattern, words, re.IGNORECASE | re.DOTALL):
            return kind
    return "other"


class Restic:
    """restic with the repository of a configuration (`backup.json`)."""

    def __init__(self, config, password=None):
        self.config = config
        self.secrets = [config["password"], config.get("rest_password") or ""]
        self.secrets += config.get("environment", {}).values()
        if password is not None:
            self.secrets.append(password)
        self.environment = dict(os.environ, LC_ALL="C", RESTIC_PROGRESS_FPS="1")
        self.environment.update(config.get("environment", {}))
        self.environment["RESTIC_REPOSITORY"] = address_of(config)
        self.environment["RESTIC_PASSWORD"] = config["password"] if password is None else password

    def command(self, *words):
        """The arguments of a call."""
        return ["restic", "--cache-dir", CACHE, *options_of(self.config), *words]

    def start(self, *words, **pipes):
        """Start restic; the process."""
        return subprocess.Popen(self.command(*words), env=self.environment, **pipes)

    def run(self, doing, *words, **more):
        """Standard output. A stale lock is removed once. Raises ResticError."""
        try:
            return self.once(doing, *words, **more)
        except ResticError as error:
            if error.kind != LOCKED:
                raise
        self.once("remove stale locks", "unlock")
        return self.once(doing, *words, **more)

    def once(self, doing, *words, **more):
        """Standard output. Raises ResticError."""
        stdin = more.get("stdin")
        process = self.start(
            *words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        try:
            out, err = process.communicate(stdin, timeout=more.get("timeout"))
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            words = "no answer within %d s" % more["timeout"]
            raise ResticError("unreachable", doing, words) from None
        except BaseException:
            process.kill()
            process.wait()
            raise
        if process.returncode:
            raise self.error(doing, err.decode("utf-8", "replace"), out.decode("utf-8", "replace"))
        return out.decode("utf-8", "replace")

    def error(self, doing, words, others=""):
        """The error that these words are, without secrets."""
        shown = self.redacted(words_of(words) or words_of(others) or "no message")
        return ResticError(kind_of(words + "\n" + others), doing, shown)

    def redacted(self, text):
        """The text without secrets."""
        for secret in self.secrets:
            if len(secret) > 5:
                text = text.replace(secret, "[secret]").replace(quote(secret, ""), "[secret]")
        return text

    def repository_id(self, timeout=None):
        """The id of the repository. Raises ResticError."""
        text = self.run("open the repository", "cat", "config", "--no-lock", timeout=timeout)
        return json.loads(text)["id"]

    def snapshots(self, *tags):
        """The snapshots with all of these tags, oldest first."""
        words = ["snapshots", "--json", "--no-lock"]
        if tags:
            words += ["--tag", ",".join(tags)]
        found = json.loads(self.run("list the snapshots", *words) or "null") or []
        return sorted(found, key=lambda one: one["time"])

    def file_of(self, snapshot, path):
        """The content of a file of a snapshot."""
        return self.run("read a file", "dump", "--no-lock", snapshot, path)

    def add_key(self, password):
        """Let another password open the repository too."""
        with tempfile.NamedTemporaryFile("w", dir="/run", prefix="ucontact-backup.") as file:
            file.write(password + "\n")
            file.flush()
            self.run("add a key", "key", "add", "--new-password-file", file.name)


def address_of(config):
    """The repository as restic takes it; a REST server's password is part of it."""
    repository = config["repository"]
    user = config.get("rest_user")
    if not user:
        return repository
    password = quote(config["rest_password"], "")
    return repository.replace("https://", "https://%s:%s@" % (quote(user, ""), password), 1)


def options_of(config):
    """restic's options for an sftp server, whose key is pinned; none for other storage."""
    sftp = config.get("sftp")
    if not sftp:
        return []
    words = [
        "ssh", "-i", sftp["key"], "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
        "-o", "StrictHostKeyChecking=yes", "-o", "UserKnownHostsFile=%s" % sftp["known_hosts"],
        "-o", "ServerAliveInterval=20", "-o", "ConnectTimeout=20",
        sftp["target"], "-s", "sftp",
    ]  # fmt: skip
    return ["-o", "sftp.command=%s" % " ".join(shlex.quote(word) for word in words)]


def words_of(text):
    """The last lines of what restic says, errors in JSON as their message."""
    lines = [line_of(line) for line in text.strip().splitlines()]
    return "\n".join([line for line in lines if line][-6:])[-1500:]


def line_of(line):
    """A line in plain words; nothing for a report of progress."""
    if not line.startswith("{"):
        return line.strip()
    try:
        found = json.loads(line)
    except ValueError:
        return line.strip()
    if found.get("message_type") in ("status", "summary", "verbose_status"):
        return ""
    error = found.get("error")
    message = error.get("message") if isinstance(error, dict) else error
    told = message or found.get("message") or ""
    item = found.get("item")
    return "%s: %s" % (item, told) if item else told
