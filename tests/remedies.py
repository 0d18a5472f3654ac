"""Every line that a check or an error can print as its remedy, and how a test runs it.

Checks' remedies are in the registry; those that a judge makes are f-strings of its source, in
which what is filled in is an X here. Lines for `ucontact` are parsed by the command line itself.
What runs on a server is run on one of each suite that carries the service, as it is printed, but
for the few of `INSTEAD` and `NOT_RUN`.
"""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import typer.main

import ucontact_appliance
from ucontact_appliance import checks
from ucontact_appliance.checks.wording import _ON_HOST
from ucontact_appliance.cli.main import app
from ucontact_appliance.facts.asterisk import JAIL
from ucontact_appliance.facts.call import RECORDINGS
from ucontact_appliance.findings.registry import CHECKS
from ucontact_appliance.lab.records import ssh_command
from ucontact_appliance.planning.model import Role

_PACKAGE = Path(ucontact_appliance.__path__[0])
_SECONDS = 60  # the longest that one command may take


def _filled(node: ast.AST) -> Iterator[str]:
    """The texts below a node, X for what is filled in."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if node.func.id == "with_note":
            yield "  # ".join(next(_filled(one), "X") for one in node.args)
            return
        if node.func.id == "joined":
            yield "X"
            return
        if node.func.id == "_" and isinstance(node.args[0], ast.Constant):
            yield re.sub(r"\{(?!install|site)\w+[^}]*\}", "X", ast.literal_eval(node.args[0]))
            return
    if isinstance(node, ast.JoinedStr):
        yield "".join(
            str(one.value) if isinstance(one, ast.Constant) else "X" for one in node.values
        )
    elif isinstance(node, ast.Constant):
        if isinstance(node.value, str):
            yield node.value
    else:
        for child in ast.iter_child_nodes(node):
            yield from _filled(child)


def _made_by_judges() -> Iterator[str]:
    for path in sorted(Path(checks.__path__[0]).glob("*.py")):
        for text in _filled(ast.parse(path.read_text(encoding="utf-8"))):
            if re.search(r"\{ssh\} |\{install\}", text) and "\n" not in text.strip():
                yield text


REMEDIES = sorted(
    {check.remedy for check in CHECKS}
    | {text for text in _made_by_judges() if not text.startswith((" ", ";", "?"))}
)


def helps() -> list[str]:
    """What errors of the whole package name as help: lines with a command of `ucontact` in them."""
    found = set()
    for path in sorted(_PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "helps":
                found |= {text for text in _filled(node.value) if "ucontact " in text}
    return sorted(found)


def own_commands(line: str) -> Iterator[list[str]]:
    """The words of each `ucontact …` in a line, without what is a note."""
    line = line.replace("{install}", "ucontact install --site {site} --yes").replace("…", "")
    for part in re.split(r" && |; |then: |\n| {2,}\(| {1,2}# ", line):
        found = re.search(r"(?:^|: |\()(ucontact (?!…).+?)\)?$", part.strip())
        if found:
            yield shlex.split(found[1].replace("'", "").replace('"', ""))


def parse(words: Sequence[str]) -> None:
    """Let the command line itself read them. Raises what it raises for a word that it lacks."""
    command: Any = typer.main.get_command(app)
    # What is filled in as a word of its own may be an option too: only an option's value stays.
    rest = [b for a, b in pairwise(words) if b != "X" or a.startswith("-")]
    while True:
        context = command.context_class(command, info_name=command.name)
        _, rest, _ = command.make_parser(context).parse_args(args=rest)
        if not getattr(command, "commands", None):
            return
        if not rest:
            return
        if rest[0] not in command.commands:
            raise KeyError(f"no command {rest[0]!r} in {shlex.join(words)}")
        command, rest = command.commands[rest[0]], rest[1:]


# What stands for X on a machine of the tests; what has to be there first is in `BEFORE`.
FILLED: dict[str, tuple[str, ...]] = {
    "{ssh} X": (f"fail2ban-client set {JAIL} unbanip 192.0.2.66",),
    "{ssh} X; {install}": ("asterisk -rx 'module load res_srtp.so'",),
    "{ssh} X -t X  # X": (),
    "{ssh} apt-cache policy X  # X": ("apt-cache policy asterisk",),
    # The headers of a kernel that no rehearsal machine has.
    "{ssh} apt-get install -y linux-headers-X && {ssh} dkms autoinstall -k X  # before the next "
    "reboot: calls by card would end with it": (),
    "{ssh} apt-mark hold X": ("apt-mark hold python3",),
    "{ssh} apt-get install -y X": ("apt-get install -y python3",),
    "{ssh} df -h X  # give it a larger disk, or lower recordings: retention_days in {site}, "
    "then: {install}": (f"df -h {RECORDINGS}",),
    "{ssh} findmnt -T X  # check the disk for errors; if there are none, remount it read-write": (
        f"findmnt -T {RECORDINGS}",
    ),
    "{ssh} grep -aE 'Cannot open|Unable to open file' X  # those calls have no recording; "
    "recordings.tree shows whether later calls are recorded": (
        "grep -aE 'Cannot open|Unable to open file' /var/log/asterisk/messages.log",
    ),
    "{install} --take-over X  # stops it, saves a copy in X on the server and continues; or "
    "use another server, or move it to one": (),
    "{ssh} grep -n '=>' X  # remove the line whose engine or class is missing": (
        "grep -n '=>' /etc/asterisk/extconfig.conf",
    ),
    "{ssh} mkdir -p /root/ucontact-foreign && mv X /root/ucontact-foreign/ && "
    "systemctl reload nginx  # keeps the files there": (
        "mkdir -p /root/ucontact-foreign && mv /etc/nginx/conf.d/theirs.conf "
        "/root/ucontact-foreign/ && systemctl reload nginx",
    ),
    "{ssh} mkdir -p X && mv --backup=numbered X X/ && systemctl daemon-reload && "
    "systemctl try-restart X; {install}": (
        "mkdir -p /root/aside && mv --backup=numbered /etc/systemd/system/coturn.service.d/a.conf "
        "/root/aside/ && systemctl daemon-reload && systemctl try-restart coturn.service",
    ),
    "{ssh} mv X X.kept": ("mv /opt/theirs /opt/theirs.kept",),
    "{ssh} mysql -e 'KILL X'  # ends the connection that holds the lock; check first "
    "whether it is a backup": ("mysql -e 'KILL 4000000'",),
    "{ssh} mysql -e 'SET @@global.X=OFF'; {install}": (
        "mysql -e 'SET @@global.super_read_only=OFF,@@global.read_only=OFF'",
    ),
    "{ssh} nft list table X X  # X": ("nft list table inet ucontact",),
    "{ssh} shred -u X  # the installing machine has a copy": ("shred -u /opt/key",),
    "{ssh} ss -lntup 'sport = :X'  # stop the process that should not use this port": (
        "ss -lntup 'sport = :22'",
    ),
    "{ssh} systemctl enable --now X": ("systemctl enable --now coturn.service",),
    "{ssh} systemctl enable X": ("systemctl enable coturn.service",),
    "{ssh} systemctl reset-failed X  # resets the counter; journalctl -u shows why the "
    "service stopped": ("systemctl reset-failed coturn.service",),
    "{ssh} systemctl restart X": ("systemctl restart coturn.service",),
    "{ssh} systemctl restart X; {install}": ("systemctl restart coturn.service",),
    "{ssh} systemctl start X": ("systemctl start ucontact-row-retention.service",),
    "{ssh} systemctl status --no-pager X": ("systemctl status --no-pager ssh.service",),
    "{ssh} systemctl unmask X && systemctl enable --now X": (
        "systemctl unmask coturn.service && systemctl enable --now coturn.service",
    ),
    "echo X | {ssh} mysql": ("""echo "ALTER USER 'theirs'@'%' REQUIRE SSL" | mysql""",),
}
BEFORE = {
    "mkdir -p /root/ucontact-foreign": "touch /etc/nginx/conf.d/theirs.conf",
    "mkdir -p /root/aside": "mkdir -p /etc/systemd/system/coturn.service.d && "
    "touch /etc/systemd/system/coturn.service.d/a.conf",
    "mv /opt/theirs": "touch /opt/theirs",
    "shred -u /opt/key": "touch /opt/key",
    'echo "ALTER USER': "mysql -e \"CREATE USER 'theirs'@'%'\"",
}
# What would take the machine or its network away, or ask an archive: the same program, harmlessly.
INSTEAD = {
    "apt-get update": ("apt-get update --print-uris", "it would load an archive's lists"),
    "apt-get install -y python3": ("apt-get install -s -y python3", "it would load packages"),
}
NOT_RUN = {
    "systemctl reboot": "it ends the machine; no option of it only tries",
    **dict.fromkeys(
        (
            "dkms autoinstall",
            "mokutil --import /var/lib/dkms/mok.pub",
            "asterisk -rx 'dahdi show status'",
            "asterisk -rx 'pri show spans'",
            "asterisk -rx 'mfcr2 show channels'",
        ),
        "for a server with a telephony card",
    ),
    "mysql -E -e 'SHOW SLAVE STATUS'": "for MySQL before 8.0.22, which no suite has",
}
# Statuses but 0, each with its reason.
STATUSES = {
    "systemctl is-system-running": ((0, 1), "a rehearsal machine is 'degraded'"),
    "sysctl --system": ((0, 1, 255), "net.core.* belong to the host of a rehearsal machine"),
    "journalctl": ((0, 1), "1: no line matches"),
    "mysql -e 'KILL": ((1,), "Unknown thread id: there is no such connection"),
    "systemctl kill": ((0, 1), "1: the unit has no process just now"),
    "grep": ((0, 1), "1: no line matches"),
}
_ROLES = {
    Role.DATABASE: re.compile(r"\b(?:mysql|ucontact-row-retention)\b"),
    Role.BACKEND: re.compile(r"\b(?:nginx|integraserver)\b"),
    Role.TELEPHONY: re.compile(r"\b(?:asterisk|coturn|ucontact[-_]qos|fail2ban\S*)\b"),
}
_CHANGES = re.compile(
    r"systemctl (?:restart|reload|enable|unmask|reset-failed|kill|daemon)|\bmv |mkdir|shred|sed -i|"
    r"dpkg|core restart|RESET PERSIST|ALTER|module (?:re)?load|logger reload|unbanip"
)
# asterisk(8) ends with 0 for a command that it does not know.
_UNKNOWN = re.compile(
    r"No such command|Unable to connect to remote|You have an error in your SQL syntax|"
    r"invalid option|unrecognized option|Unknown (?:command|operation)|command not found"
)


def on_servers() -> list[str]:
    """Each command that runs on a server, once; what changes something comes last."""
    found: dict[str, None] = {}
    for remedy in REMEDIES:
        for one in FILLED.get(remedy, (None,)):
            if one is not None:
                found[one] = None
                continue
            found.update(dict.fromkeys(match["command"] for match in _ON_HOST.finditer(remedy)))
    return sorted(found, key=lambda command: (bool(_CHANGES.search(command)), "core r" in command))


def unfilled() -> list[str]:
    """Remedies with an X for which no sample is given."""
    return [one for one in REMEDIES if re.search(r"\bX\b", one) and one not in FILLED]


def concerns(command: str, roles: Collection[Role]) -> bool:
    """Whether it can be printed for a server of those roles."""
    return all(role in roles for role, named in _ROLES.items() if named.search(command))


def run_all(address: str, roles: Collection[Role]) -> dict[str, str]:
    """Run them on the machine at that address; what is wrong with each that fails."""
    chosen = [one for one in on_servers() if concerns(one, roles) and one not in NOT_RUN]
    assert len(chosen) > 20
    script = "\n".join(_step(number, command) for number, command in enumerate(chosen))
    done = subprocess.run(
        [*ssh_command(address), "sh", "-s"],
        input=script,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    parts = re.split(r"^=== (\d+) (\d+)$", done.stdout, flags=re.MULTILINE)
    answers = {
        int(n): (int(status), text) for text, n, status in zip(*[iter(parts)] * 3, strict=False)
    }
    problems = {}
    for number, command in enumerate(chosen):
        status, text = answers.get(number, (-1, f"it was not reached: {done.stderr[-300:]}"))
        allowed = next((s for begin, (s, _) in STATUSES.items() if command.startswith(begin)), (0,))
        if status not in allowed or _UNKNOWN.search(text):
            problems[command] = f"status {status}: {text.strip()[-300:]}"
    return problems


def _step(number: int, command: str) -> str:
    before = next((line for begin, line in BEFORE.items() if command.startswith(begin)), "true")
    command = INSTEAD.get(command, (command,))[0]
    quiet = f"{{ {command}\n}} </dev/null 2>&1"
    limited = shlex.join(["timeout", str(_SECONDS), "sh", "-c", quiet])
    return f"{before}\n{limited}\nprintf '\\n=== %s %s\\n' {number} $?"
