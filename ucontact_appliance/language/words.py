"""Words for states, severities, and kinds of changes and runs, alone and with a number."""

from __future__ import annotations

from ucontact_appliance.language.messages import Message, _, ngettext

_WORDS = {
    "pass": _("pass"),
    "warn": _("warn"),
    "fail": _("fail"),
    "error": _("error"),
    "skip": _("skip"),
    "blocked": _("blocked"),
    "waived": _("waived"),
    "critical": _("critical"),
    "high": _("high"),
    "medium": _("medium"),
    "low": _("low"),
    "worse": _("worse"),
    "new": _("new"),
    "better": _("better"),
    "gone": _("gone"),
    "deep": _("deep"),
    "night": _("night"),
    "PASS": _("PASS"),
    "WARN": _("WARN"),
    "FAIL": _("FAIL"),
    "SKIP": _("SKIP"),
}
_COUNTED = {
    "pass": lambda count: ngettext("{count} pass", "{count} pass", count),
    "warn": lambda count: ngettext("{count} warn", "{count} warn", count),
    "fail": lambda count: ngettext("{count} fail", "{count} fail", count),
    "error": lambda count: ngettext("{count} error", "{count} error", count),
    "skip": lambda count: ngettext("{count} skip", "{count} skip", count),
    "blocked": lambda count: ngettext("{count} blocked", "{count} blocked", count),
    "waived": lambda count: ngettext("{count} waived", "{count} waived", count),
    "worse": lambda count: ngettext("{count} worse", "{count} worse", count),
    "new": lambda count: ngettext("{count} new", "{count} new", count),
    "better": lambda count: ngettext("{count} better", "{count} better", count),
    "gone": lambda count: ngettext("{count} gone", "{count} gone", count),
}


def word(value: str) -> Message:
    """Return a state, severity, or kind of change or run as a word. Raises KeyError for others."""
    return _WORDS[value]


def number_of(count: int, value: str) -> Message:
    """Return such as `2 fail`, for a state or a kind of change. Raises KeyError for any other."""
    return _COUNTED[value](count)
