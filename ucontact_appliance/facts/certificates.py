"""The certificates and keys on a host. Private keys stay there: only public keys are read."""

from __future__ import annotations

from dataclasses import dataclass

from ucontact_appliance.facts.source import ProbeContext

FOLDER = "/etc/ssl/ucontact"
_MARK = "=== "
# Where a private key could be that NGINX, or an intruder through it, can read.
_WEB_PLACES = "/etc/ssl /etc/nginx /etc/IntegraServer /var/www /var/lib/IntegraServer"
_PAIR = """
echo '{mark}chain'; cat {folder}/{name}.pem
echo '{mark}public'; openssl pkey -in {folder}/private/{name}.key -pubout </dev/null
echo '{mark}roots'; cat {folder}/{roots}.pem
"""
_MODES = f"stat -c '%A %U:%G %n' {FOLDER} {FOLDER}/* {FOLDER}/private/*"
# One line per private key: base64 SHA-256 of its public key (RFC 7469), and its file.
_KEYS = f"""
grep -rlIs -e 'PRIVATE KEY-----' {_WEB_PLACES} | while IFS= read -r file; do
  pin=$(openssl pkey -in "$file" -pubout -outform der </dev/null 2>/dev/null |
    openssl dgst -sha256 -binary | openssl base64)
  echo "$pin $file"
done
"""


@dataclass(frozen=True)
class CertificatePair:
    """A chain, the roots that it must verify against and its key's public key, all in PEM."""

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
        """The record as one line of evidence."""
        return f"{self.mode} {self.owner}:{self.group} {self.path}"


@dataclass(frozen=True)
class KeyFile:
    """A private key found on the host, by the RFC 7469 pin of its public key."""

    pin: str
    path: str


def pair(reach: ProbeContext, name: str, roots: str) -> CertificatePair:
    """Read the pair NAME.pem and private/NAME.key, and ROOTS.pem beside it."""
    done = reach.runner.run(
        ["sh", "-c", _PAIR.format(mark=_MARK, folder=FOLDER, name=name, roots=roots)]
    )
    parts = dict.fromkeys(("chain", "public", "roots"), "")
    for block in done.stdout.split(_MARK)[1:]:
        title, _, content = block.partition("\n")
        parts[title.strip()] = content
    return CertificatePair(**parts, evidence=done.stderr.strip())


def modes(reach: ProbeContext) -> tuple[Mode, ...]:
    """Read mode and owner of the folder and of everything in it."""
    return parse_modes(reach.runner.run(["sh", "-c", _MODES]).stdout)


def parse_modes(text: str) -> tuple[Mode, ...]:
    """Parse the output of `stat -c '%A %U:%G %n'`."""
    found = []
    for line in text.splitlines():
        mode, owner, path = line.split(" ", 2)
        user, _, group = owner.partition(":")
        found.append(Mode(mode, user, group, path))
    return tuple(found)


def web_keys(reach: ProbeContext) -> tuple[KeyFile, ...]:
    """Find every private key in the folders that a web server uses."""
    return parse_keys(reach.runner.run(["sh", "-c", _KEYS]).stdout)


def parse_keys(text: str) -> tuple[KeyFile, ...]:
    """Parse lines of pin and path."""
    lines = (line.partition(" ") for line in text.splitlines())
    return tuple(KeyFile(pin, path) for pin, _, path in lines if path)
