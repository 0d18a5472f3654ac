"""The state of the running Asterisk, from its command line and from the operating system."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from ucontact_appliance.facts.host import script, sections
from ucontact_appliance.facts.source import ProbeContext
from ucontact_appliance.resources import load_data
from ucontact_appliance.site.qos import DSCP_NAMES

RECORDINGS = "/var/spool/asterisk/monitor"
SECURITY_LOG = "/var/log/asterisk/security"
JAIL = "ucontact-asterisk"
# This jail ends connections with wrong passwords; the other one bans addresses.
CONNECTION_JAIL = "ucontact-connection"
# Bans a source from sending datagrams, and nothing else: a source can be forged.
DATAGRAM_JAIL = "ucontact-datagram"
DSN = "ucontact-ccdata"
_SECONDS = 12.0
_NFT_DSCP = {**DSCP_NAMES, "be": 0, "df": 0, "lephb": 1, "va": 44}
_NUMBER = re.compile(r"[A-Za-z0-9._-]+")


def _ask(command: str) -> str:
    """Return the shell command for an Asterisk CLI command; without a tty it prints no colours."""
    return f"asterisk -rx {shlex.quote(command)} 2>&1 || true"


def _compound(reach: ProbeContext, text: str) -> dict[str, str]:
    done = reach.runner.run(["sh", "-c", text], timeout=_SECONDS)
    if done.status:
        raise RuntimeError(done.evidence)
    return sections(done.stdout)


@dataclass(frozen=True)
class AsteriskService:
    """The unit's state in systemd, and Asterisk's answer to `core show uptime`."""

    state: str
    enabled: str
    uptime: str
    evidence: str

    @property
    def answers(self) -> bool:
        """Whether a running Asterisk answered."""
        return "System uptime" in self.uptime


_SERVICE = script(
    unit="systemctl show asterisk.service -p ActiveState -p SubState -p UnitFileState -p Result",
    uptime=_ask("core show uptime"),
)


def service(reach: ProbeContext) -> AsteriskService:
    """Read whether Asterisk runs."""
    return parse_service(_compound(reach, _SERVICE))


def parse_service(parts: Mapping[str, str]) -> AsteriskService:
    """Parse the properties of `systemctl show` and the answer to `core show uptime`."""
    unit = dict(line.split("=", 1) for line in parts.get("unit", "").splitlines() if "=" in line)
    uptime = parts.get("uptime", "").strip()
    return AsteriskService(
        state=unit.get("ActiveState", "unknown"),
        enabled=unit.get("UnitFileState", ""),
        uptime=uptime,
        evidence=f"{parts.get('unit', '').strip()}\n{uptime}".strip(),
    )


@dataclass(frozen=True)
class Transport:
    """A PJSIP transport, with its QoS marks as numbers (TOS byte, 802.1p priority)."""

    name: str
    protocol: str
    cos: int
    tos: int
    address: str
    port: int


@dataclass(frozen=True)
class Contact:
    """An endpoint's contact, and its status from the last OPTIONS (`Avail`, …)."""

    owner: str
    uri: str
    status: str


@dataclass(frozen=True)
class AsteriskState:
    """Asterisk's answers from one round trip; `texts` holds them by topic, as evidence."""

    version: str
    transports: tuple[Transport, ...]
    endpoints: tuple[str, ...]
    contacts: tuple[Contact, ...]
    registrations: Mapping[str, str]
    rtp: tuple[int, int] | None
    plain_http: str
    https: str
    ami: str
    security_log: str
    cdr_backends: tuple[str, ...]
    applications: tuple[str, ...]
    modules: tuple[str, ...]
    contexts: tuple[str, ...]
    descriptors: int | None
    session_limit: int | None
    sessions_used: int
    texts: Mapping[str, str]


# The applications that distinguish the vendor's build from stock Asterisk (R19).
VENDOR_APPLICATIONS: tuple[str, ...] = tuple(
    load_data("asterisk_versions")["vendor"]["applications"]
)

_SNAPSHOT = script(
    version=_ask("core show version"),
    transports=_ask("pjsip show transports"),
    endpoints=_ask("pjsip show endpoints"),
    contacts=_ask("pjsip show contacts"),
    registrations=_ask("pjsip show registrations"),
    rtp=_ask("rtp show settings"),
    http=_ask("http show status"),
    ami=_ask("manager show settings"),
    logger=_ask("logger show channels"),
    cdr=_ask("cdr show status"),
    applications=_ask("core show applications"),
    modules=_ask("module show"),
    dialplan=_ask("dialplan show"),
    limits=(
        "cat /proc/$(systemctl show asterisk.service -p MainPID | cut -d= -f2)/limits 2>&1 || true"
    ),
    sessions="grep -E '^ *sessionlimit' /etc/asterisk/http.conf || true",
    # Asterisk does not report how many sessions it has. It counts those of both ports together.
    used="ss -Htn state established '( sport = :8088 or sport = :8089 )'",
)


def snapshot(reach: ProbeContext) -> AsteriskState:
    """Read everything that the checks need, except the endpoints' own settings."""
    return parse_snapshot(_compound(reach, _SNAPSHOT))


def parse_snapshot(parts: Mapping[str, str]) -> AsteriskState:
    """Parse the answers of Asterisk 13 to 22, by topic."""

    def text(topic: str) -> str:
        return parts.get(topic, "").strip()

    http = text("http")
    return AsteriskState(
        version=parse_version(text("version")),
        transports=parse_transports(text("transports")),
        endpoints=parse_endpoints(text("endpoints")),
        contacts=parse_contacts(text("contacts")),
        registrations=parse_registrations(text("registrations")),
        rtp=parse_rtp(text("rtp")),
        plain_http=_found(r"^Server Enabled and Bound to (\S+)", http),
        https=_found(r"^HTTPS Server Enabled and Bound to (\S+)", http),
        ami=parse_ami(text("ami")),
        security_log=parse_security_log(text("logger")),
        cdr_backends=parse_backends(text("cdr")),
        applications=parse_applications(text("applications")),
        modules=parse_modules(text("modules")),
        contexts=tuple(re.findall(r"^\[ Context '([^']+)'", text("dialplan"), re.MULTILINE)),
        descriptors=_number(r"^Max open files\s+(\d+)", text("limits")),
        session_limit=_number(r"^\s*sessionlimit\s*=>?\s*(\d+)", text("sessions")),
        sessions_used=len(text("used").splitlines()),
        texts={topic: text(topic) for topic in parts},
    )


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text, re.MULTILINE)
    return match.group(1) if match else ""


def _number(pattern: str, text: str) -> int | None:
    found = _found(pattern, text)
    return int(found) if found else None


def parse_version(text: str) -> str:
    """The version in `core show version`, such as 22.10.1+dfsg; UNKNOWN… for the vendor's build."""
    return _found(r"^Asterisk (\S+)", text)


def parse_transports(text: str) -> tuple[Transport, ...]:
    """Parse the rows of `pjsip show transports`."""
    rows = re.findall(r"^Transport:\s+([^<\s]\S*)\s+(\w+)\s+(\d+)\s+(\d+)\s+(\S+)$", text, re.M)
    return tuple(
        Transport(
            name, protocol, int(cos), int(tos), at.rpartition(":")[0], int(at.rpartition(":")[2])
        )
        for name, protocol, cos, tos, at in rows
    )


def parse_endpoints(text: str) -> tuple[str, ...]:
    """Endpoint names in `pjsip show endpoints`, without the caller ids after them."""
    return tuple(re.findall(r"^ *Endpoint:\s+([^<\s/]+)", text, re.MULTILINE))


def parse_contacts(text: str) -> tuple[Contact, ...]:
    """Parse the rows of `pjsip show contacts`: owner and URI, hash, status, round-trip time."""
    rows = re.findall(r"^ *Contact:\s+([^<\s/]+)/(\S+)\s+\S+\s+(\w+)", text, re.MULTILINE)
    return tuple(Contact(owner, uri, status) for owner, uri, status in rows)


def parse_registrations(text: str) -> dict[str, str]:
    """Outbound registrations: name to state (`Registered`, `Rejected`, …)."""
    rows = re.findall(r"^ *([^<\s/]+)/sips?:\S+\s+\S+\s+(\w+)", text, re.MULTILINE)
    return dict(rows)


def parse_rtp(text: str) -> tuple[int, int] | None:
    """First and last RTP port in `rtp show settings`."""
    first, last = _number(r"Port start:\s+(\d+)", text), _number(r"Port end:\s+(\d+)", text)
    return None if first is None or last is None else (first, last)


def parse_ami(text: str) -> str:
    """Address and port of the manager interface (AMI); empty when it is disabled."""
    if not re.search(r"Manager \(AMI\):\s+Yes", text):
        return ""
    return _found(r"TCP Bindaddress:\s+(\S+)", text)


def parse_security_log(text: str) -> str:
    """The log file that receives the SECURITY level, if it is enabled; else empty."""
    for line in text.splitlines():
        words = line.split()
        if words[:1] and words[0].startswith("/") and "Enabled" in words and "SECURITY" in words:
            return words[0]
    return ""


def parse_backends(text: str) -> tuple[str, ...]:
    """The backends in `cdr show status` that are not suspended, in lower case."""
    _, _, listed = text.partition("Registered Backends")
    names = (line.strip().lower() for line in listed.splitlines())
    return tuple(name for name in names if re.fullmatch(r"[\w -]+", name) and name.strip("-"))


def parse_applications(text: str) -> tuple[str, ...]:
    """Application names in `core show applications`."""
    return tuple(re.findall(r"^\s*([A-Za-z]\w*): ", text, re.MULTILINE))


def parse_modules(text: str) -> tuple[str, ...]:
    """The running modules in `module show`."""
    return tuple(re.findall(r"^(\S+\.so)\s.*(?<!Not )\bRunning\b", text, re.MULTILINE))


Settings = Mapping[str, str]


def endpoint_settings(reach: ProbeContext, names: tuple[str, ...]) -> dict[str, Settings]:
    """The settings of each endpoint; an unknown one has none. Raises ValueError for a bad name."""
    strange = [name for name in names if not _NUMBER.fullmatch(name)]
    if strange:
        raise ValueError(f"no name of an endpoint: {strange[0]!r}")
    commands = "\n".join(
        f"echo '---- {name}'; {_ask(f'pjsip show endpoint {name}')}" for name in names
    )
    parts = _compound(reach, commands)
    return {name: parse_settings(parts.get(name, "")) for name in names}


def parse_settings(text: str) -> Settings:
    """Parse the parameters of `pjsip show endpoint`."""
    rows = re.findall(r"^ (\w+)\s+: (.*)$", text, re.MULTILINE)
    return {name: value.strip() for name, value in rows if name != "ParameterName"}


@dataclass(frozen=True)
class SipLimits:
    """The nftables limits on SIP: whether they are loaded, and whether the kernel supports them."""

    loaded: bool
    limiting: bool
    evidence: str


def sip_limits(reach: ProbeContext) -> SipLimits:
    """Read the nftables chain that limits SIP connections."""
    done = reach.runner.run(["nft", "list", "chain", "inet", "ucontact_sip", "streams"])
    return SipLimits(done.status == 0, "limit rate over" in done.stdout, done.stdout + done.stderr)


@dataclass(frozen=True)
class WssMarks:
    """The marks that nftables sets on signalling over WebSockets; empty without its table.

    `dscp` are numbers from 0 to 63, one for IPv4 and one for IPv6; `priorities` are 802.1p's.
    """

    dscp: tuple[int, ...]
    priorities: tuple[int, ...]
    evidence: str


def wss_marks(reach: ProbeContext) -> WssMarks:
    """Read the nftables table that marks signalling over WebSockets."""
    done = reach.runner.run(["nft", "list", "table", "inet", "ucontact_qos"])
    return parse_wss_marks("" if done.status else done.stdout)


def parse_wss_marks(text: str) -> WssMarks:
    """Parse `nft list table`, which prints a DSCP by name or in hexadecimal, and 0:0 as none."""
    dscp = re.findall(r"\bip6? dscp set (\w+)", text)
    priorities = re.findall(r"\bmeta priority set (none|0:[0-9a-f]+)", text)
    return WssMarks(
        tuple(_NFT_DSCP[one] if one in _NFT_DSCP else int(one, 0) for one in dscp),
        tuple(0 if one == "none" else int(one.partition(":")[2], 16) for one in priorities),
        text.strip(),
    )


@dataclass(frozen=True)
class Jail:
    """fail2ban's report on its jails; `active` when all exist and its unit is enabled."""

    active: bool
    log_file: str
    banned: tuple[str, ...]
    evidence: str


_JAIL = script(
    jail=f"fail2ban-client status {JAIL} 2>&1 || true",
    connections=f"fail2ban-client status {CONNECTION_JAIL} 2>&1 || true",
    datagrams=f"fail2ban-client status {DATAGRAM_JAIL} 2>&1 || true",
    unit="systemctl is-enabled fail2ban.service 2>&1 || true",
    log=f"stat -c 'written %y, %s bytes' {SECURITY_LOG} 2>&1 || true",
)


def jail(reach: ProbeContext) -> Jail:
    """Read the jail for rejected logins."""
    return parse_jail(_compound(reach, _JAIL))


def parse_jail(parts: Mapping[str, str]) -> Jail:
    """Parse `fail2ban-client status JAIL` for each jail, and `systemctl is-enabled`."""
    text = parts.get("jail", "")
    enabled = parts.get("unit", "").strip() == "enabled"
    jails = ("jail", "connections", "datagrams")
    present = all("Status for the jail" in parts.get(name, "") for name in jails)
    return Jail(
        active=present and enabled,
        log_file=_found(r"File list:\s*(\S+)", text),
        banned=tuple(_found(r"Banned IP list:[ \t]*(.*)$", text).split()),
        evidence="\n".join(part.strip() for part in parts.values()),
    )


@dataclass(frozen=True)
class RecordsPath:
    """Whether Asterisk's account can read the call records table through its own ODBC settings."""

    reached: bool
    evidence: str


def records_path(reach: ProbeContext) -> RecordsPath:
    """Query the call records by the path that Asterisk writes them: same account, DSN and TLS."""
    done = reach.runner.run(
        ["runuser", "-u", "asterisk", "--", "isql", "-b", "-v", DSN],
        stdin="select count(*) from cdr where 1=0;\n",
        timeout=_SECONDS,
    )
    # isql exits with status 0 when the server rejects the query.
    reached = done.status == 0 and "[ISQL]ERROR" not in done.stderr
    return RecordsPath(reached, f"{done.stdout.strip()}\n{done.stderr.strip()}".strip())


@dataclass(frozen=True)
class RecordingsFolder:
    """The recordings tree: mode and owner as `stat` shows them, and whether Asterisk may write."""

    mode: str
    owner: str
    writable: bool
    evidence: str


_FOLDER = script(
    stat=f"stat -c '%a %U' {RECORDINGS} 2>&1 || true",
    write=f"runuser -u asterisk -- test -w {RECORDINGS} && echo yes || echo no",
)


def recordings_folder(reach: ProbeContext) -> RecordingsFolder:
    """Read the root of the recordings tree."""
    return parse_folder(_compound(reach, _FOLDER))


def parse_folder(parts: Mapping[str, str]) -> RecordingsFolder:
    """Parse the output of `stat`, and of `test -w` run as Asterisk's account."""
    words = parts.get("stat", "").split()
    known = len(words) == 2
    return RecordingsFolder(
        mode=words[0] if known else "",
        owner=words[1] if known else "",
        writable=parts.get("write", "").strip() == "yes",
        evidence="\n".join(part.strip() for part in parts.values()),
    )
