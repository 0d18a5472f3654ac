"""Prepares findings for display: remedies that can be pasted as they are, and no secrets.

A remedy is one line of commands for bash on the installing machine, with an optional note after
` # `. The text after `{ssh} ` runs on the host as root, up to the next `{ssh}` or `{install}` or
the note: the host's own shell interprets its quotes, pipes and globs.
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
from ucontact_appliance.language.messages import Message, _, mapped, split_note, with_note
from ucontact_appliance.printable import printable
from ucontact_appliance.redact import redactor
from ucontact_appliance.site.model import Host

# Placeholders within the notes of remedies.
INSTALL, SITE = "{install}", "{site}"
# A quoted word is one piece: text from a host inside the quotes can't end the command.
_PIECE = r"""(?:'[^']*'|"(?:\\.|[^"\\])*"|\\.|[^'"\\])"""
_ON_HOST = re.compile(
    rf"\{{ssh\}} (?P<command>{_PIECE}+?)(?=(?: &&|;) \{{(?:ssh|install)\}}|\s+# |$)"
)
# Characters that no shell interprets, however often the text is parsed.
_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./ -]+")
_SPECIAL_IN_DOUBLE_QUOTES = re.compile(r'["$`\\!]')


@dataclass(frozen=True)
class RemedyFormatter:
    """Fills in the placeholders of remedies and redacts the values of secrets."""

    site_file: Path
    secrets: tuple[str, ...]

    def worded(self, finding: Finding, host: Host) -> Finding:
        """Return the finding for display, without a remedy if it passed or was skipped."""
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
        """Return the remedy with its placeholders filled in, as one line, whatever a host sent.

        A second line would be a separate command on the installing machine.
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
        """Fill in what runs on this machine; not by str.format: the text may contain braces."""
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
    """Return the command that runs `command` on the host as root; unchanged for this machine."""
    if host.is_local:
        return command
    shell = shlex.join(["ucontact", "shell", host.name, "--site", str(site_file), "--"])
    plain = _PLAIN.fullmatch(command) and "=" not in command.partition(" ")[0]
    return f"{shell} {command if plain else quoted(command)}"


def unmasking(unit: str) -> str:
    """Return the remedy for a masked unit: it can't be started until unmasked (systemctl(1))."""
    return f"{{ssh}} systemctl unmask {unit} && systemctl enable --now {unit}"


def quoted(text: str) -> str:
    """Return the text as one shell word, in double quotes where those are easier to read."""
    if "'" in text and not _SPECIAL_IN_DOUBLE_QUOTES.search(text):
        return f'"{text}"'
    return shlex.quote(text)


def unit_states(unit: str, active: str, enabled: str) -> Message:
    """Return "UNIT is active, enabled"; an empty state is unknown (systemctl(1), is-active)."""
    return _(
        "{unit} is {states}, {enabled}",
        unit=unit,
        states=active or _("unknown"),
        enabled=enabled or _("unknown"),
    )
