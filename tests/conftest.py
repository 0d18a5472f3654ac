"""For all tests: none is judged by its time, and what takes longest begins first."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from tests.e2e.packages import drop_packages_layer, name_run
from tests.shared_sites import group_of

# Whatever the maintainer's own language is, expected texts are in English.
os.environ["LC_ALL"] = "C.UTF-8"

# Ignored where the tests were begun in the background; what they start would ignore it too.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Machines are noisy.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# Workers take whole files in this order; a long one begun last would run alone at the end.
_LONGEST_FIRST = (
    "test_doctor",  # of those that share the small site the first: it needs a fresh one
    "test_small_site",
    "test_unchanged",
    "test_deep_call",
    "test_crowds",
    "test_upgrade",
    "test_upgrade_failures",
    "test_appliance_upgrade",
    "test_report",  # last of them: it leaves the site in pieces
    "test_recordings",  # of those that call on another small site the first: its index is fresh
    "test_calls",
    "test_queues",
    "test_trunks",
    "test_webrtc_trunk",
    "test_recording_pause",
    "test_playback",
    "test_encryption",
    "test_agents",
    "test_bans",
    "test_phones",
    "test_hours",
    "test_gateways",
    "test_video",
    "test_vendor_asterisk",
    "test_faults",  # each fault gets the site anew
    "test_growing_site",  # last of them: two servers have the site afterwards
    "test_local_install",
    "test_mixed_site",
    "test_capacity",
    "test_role_telephony",
    "test_role_database",
)


def pytest_configure(config: pytest.Config) -> None:
    """Name this run before its workers start: they inherit the name."""
    if not hasattr(config, "workerinput"):
        name_run()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave nothing behind that the workers shared."""
    if not hasattr(config, "workerinput"):
        drop_packages_layer()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long files, then the others on machines, then those that need none."""
    items.sort(key=_turn)


class _ByMachine(LoadFileScheduling):
    """A file for a worker, and files that share machines for the same one."""

    def _split_scope(self, nodeid: str) -> str:
        scope: str = super()._split_scope(nodeid)
        return group_of(scope)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> _ByMachine:
    """How tests are given to workers."""
    return _ByMachine(config, log)


def _turn(item: pytest.Item) -> tuple[int, str]:
    path = Path(item.path)
    if path.stem in _LONGEST_FIRST:
        return _LONGEST_FIRST.index(path.stem), ""
    return len(_LONGEST_FIRST) + ("unit" in path.parts), str(path)
