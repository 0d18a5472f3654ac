"""Which files of tests share a small site, and so a worker."""

from __future__ import annotations

# Files that look at the one installed small site, or spoil it: a worker installs it once for all.
_SMALL = "tests/e2e/test_small_site.py"
# Files that change its telephony and call, break it, and grow it: a second one, for another worker.
_CALLS = "tests/e2e/test_calls.py"
_SHARED = {
    **{
        f"tests/e2e/{name}.py": _SMALL
        for name in (
            "test_adopt",
            "test_appliance_upgrade",
            "test_crowds",
            "test_doctor",
            "test_deep_call",
            "test_power_cut",
            "test_report",
            "test_unchanged",
            "test_upgrade",
            "test_upgrade_failures",
        )
    },
    **{
        f"tests/e2e/{name}.py": _CALLS
        for name in (
            "test_recordings",
            "test_queues",
            "test_trunks",
            "test_webrtc_trunk",
            "test_recording_pause",
            "test_playback",
            "test_agents",
            "test_encryption",
            "test_bans",
            "test_phones",
            "test_hours",
            "test_gateways",
            "test_video",
            "test_vendor_asterisk",
            "test_faults",
            "test_growing_site",
        )
    },
}


def group_of(file: str) -> str:
    """Return the file whose worker takes this one too; by default the file itself."""
    return _SHARED.get(file, file)


def has_second_site(file: str) -> bool:
    """Return whether this file of tests uses the second small site."""
    return group_of(file) == _CALLS
