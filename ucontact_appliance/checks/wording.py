"""Findings as a person may see them: remedies that can be pasted as they are, and no secret.

A remedy is commands for bash on the machine that installs, and at its end perhaps a note behind
` # `. What stands behind `{ssh} ` runs on the host as root, up to the next `{ssh}` or `{install}`
or the note: there the host's own shell reads it, with its quotes, pipes and globs.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from ucontact_appliance.checks.model import Finding, Verdict
from ucontact_appliance.host_commands import named_site
from ucontact_appliance.language.messages import mapped, split_note, with_note
from ucontact_appliance.printable import printable
from ucontact_appliance.redact import redactor
from ucontact_appliance.site.model import Host

# Placeholders within the notes of remedies.
INSTALL, SITE = "{install}", "{site}"
# A word in quotes is one piece: what a host put into it ends nothing.
_PIECE = r"""(?:'[^']*'|"(?:\\.|[^"\\])*"|\\.|[^'"\\])"""
_ON_HOST = re.compile(
    rf"\{{ssh\}} (?P<command>{_PIECE}+?)(?=(?: &&|;) \{{(?:ssh|install)\}}|\s+# |$)"
)
# What means the same to every shell, however often it is read.
_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./ -]+")
_SPECIAL_IN_DOUBLE_QUOTES = re.compile(r'["$`\\!]')


@dataclass(frozen=True)
class Wording:
    """Fills the placeholders of remedies in, and takes every secret's value out."""

    site_file: Path
    secrets: tuple[str, ...]

    def worded(self, finding: Finding, host: Host) -> Finding:
        """The finding as a person may see it; a remedy only where something is to be done."""
        silent = finding.verdict in (Verdict.PASS, Verdict.SKIP)
        return replace(
            finding,
            observed=mapped(finding.observed, self._redacted),
            required=mapped(finding.required, self._redacted),
            evidence=self._redacted(finding.evidence),
            remedy="" if silent else mapped(self.remedy(finding.remedy, host), self._redacted),
        )

    @cached_property
    def _redacted(self) -> Callable[[str], str]:
        return redactor(self.secrets)

    def remedy(self, text: str, host: Host) -> str:
        """The remedy with its placeholders filled in: one line, whatever a host put into it.

        A second line would be a command of its own on the machine that installs.
        """
        command, note = split_note(text)
        filled = self._command(_line(command.strip()), host)
        if not note:
            return filled
        return with_note(filled, mapped(note, lambda part: self._here(_line(part), host)))

    def _command(self, text: str, host: Host) -> str:
        told, end = "", 0
        for found in _ON_HOST.finditer(text):
            told += self._here(text[end : found.start()], host)
            told += on_host(found["command"], host, self.site_file)
            end = found.end()
        return named_site(told + self._here(text[end:], host), self.site_file)

    def _here(self, text: str, host: Host) -> str:
        """What runs on this machine; not str.format, because it may hold braces of its own."""
        site = shlex.quote(str(self.site_file))
        for name, value in (
            ("{install}", f"ucontact install --site {site} --yes"),
            ("{site}", site),
            ("{address}", "127.0.0.1" if host.is_local else host.address),
        ):
            text = text.replace(name, value)
        return text


def _line(text: str) -> str:
    return printable(text).replace("\n", r"\n")


def on_host(command: str, host: Host, site_file: Path) -> str:
    """The shell command that runs `command` on the host as root; as it is on this machine."""
    if host.is_local:
        return command
    shell = shlex.join(["ucontact", "shell", host.name, "--site", str(site_file), "--"])
    plain = _PLAIN.fullmatch(command) and "=" not in command.partition(" ")[0]
    return f"{shell} {command if plain else quoted(command)}"


def unmasking(unit: str) -> str:
    """The remedy for a unit that somebody masked: nothing can start it before (systemctl(1))."""
    return f"{{ssh}} systemctl unmask {unit} && systemctl enable --now {unit}"


def quoted(text: str) -> str:
    """The text as one word for the shell, in double quotes where those are easier to read."""
    if "'" in text and not _SPECIAL_IN_DOUBLE_QUOTES.search(text):
        return f'"{text}"'
    return shlex.quote(text)
