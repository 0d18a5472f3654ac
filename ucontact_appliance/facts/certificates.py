"""The certificates and keys on a host. Private keys stay there: only their public halves come."""

from __future__ import annotations

from dataclasses import dataclass

from ucontact_appliance.facts.source import Reach

FOLDER = "/etc/ssl/ucontact"
_MARK = "=== "
# Where a private key could be that NGINX, or whoever breaks into it, can read.
_WEB_PLACES = "/etc/ssl /etc/nginx /etc/IntegraServer /var/www /var/lib/IntegraServer"
_PAIR = """
echo '{mark}chain'; cat {folder}/{name}.pem
echo '{mark}public'; openssl pkey -in {folder}/private/{name}.key -pubout </dev/null
echo '{mark}roots'; cat {folder}/{roots}.pem
"""
_MODES = f"stat -c '%A %U:%G %n' {FOLDER} {FOLDER}/* {FOLDER}/private/*"
# A line for each private key: SHA-256 of its public half in base64 (RFC 7469), and its file.
_KEYS = f"""
grep -rlIs -e 'PRIVATE KEY-----' {_WEB_PLACES} | while IFS= read -r file; do
  pin=$(openssl pkey -in "$file" -pubout -outform der </dev/null 2>/dev/null |
    openssl dgst -sha256 -binary | openssl base64)
  echo "$pin $file"
done
"""


@dataclass(frozen=True)
class Pair:
    """A chain and the roots it verifies against, in PEM, and the public half of its key."""

    chain: str
    public: str
    roots: str
    evidence: str


@dataclass(frozen=True)
class Mode:
    """A file's mode as `ls` writes it, owner, group and path."""

    mode: str
    owner: str
    group: str
    path: str

    @property
    def line(self) -> str:
        """For evidence."""
        return f"{self.mode} {self.owner}:{self.group} {self.path}"


@dataclass(frozen=True)
class KeyFile:
    """A private key that lies on the host, by the RFC 7469 pin of its public half."""

    pin: str
    path: str


def pair(reach: Reach, name: str, roots: str) -> Pair:
    """The pair NAME.pem and private/NAME.key, and ROOTS.pem beside it."""
    done = reach.runner.run(
        ["sh", "-c", _PAIR.format(mark=_MARK, folder=FOLDER, name=name, roots=roots)]
    )
    parts = dict.fromkeys(("chain", "public", "roots"), "")
    for block in done.stdout.split(_MARK)[1:]:
        title, _, content = block.partition("\n")
        parts[title.strip()] = content
    return Pair(**parts, evidence=done.stderr.strip())


def modes(reach: Reach) -> tuple[Mode, ...]:
    """Mode and owner of the folder, and of everything in it."""
    return parse_modes(reach.runner.run(["sh", "-c", _MODES]).stdout)


def parse_modes(text: str) -> tuple[Mode, ...]:
    """Records from `stat -c '%A %U:%G %n'`."""
    found = []
    for line in text.splitlines():
        mode, owner, path = line.split(" ", 2)
        user, _, group = owner.partition(":")
        found.append(Mode(mode, user, group, path))
    return tuple(found)


def web_keys(reach: Reach) -> tuple[KeyFile, ...]:
    """Every private key in the places that a web server has to do with."""
    return parse_keys(reach.runner.run(["sh", "-c", _KEYS]).stdout)


def parse_keys(text: str) -> tuple[KeyFile, ...]:
    """Records from lines of pin and path."""
    lines = (line.partition(" ") for line in text.splitlines())
    return tuple(KeyFile(pin, path) for pin, _, path in lines if path)
