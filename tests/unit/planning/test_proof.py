"""Which calls prove a site after a change."""

from __future__ import annotations

from collections.abc import Collection

import pytest
import yaml

from ucontact_appliance.planning.component_tables import phases
from ucontact_appliance.planning.proof import short_call_proves
from ucontact_appliance.resources import ROLES

_ACCOUNTS = "content /etc/asterisk/pjsip_extensions.conf"
_RELOAD = "telephony : Take the configuration over"


@pytest.mark.parametrize(
    ("phase", "changes", "enough"),
    [
        ("web", ["content /etc/nginx/nginx.conf"], True),
        ("web", [], False),
        ("base", ["content /etc/sysctl.d/60-ucontact.conf"], False),
        ("certificates", ["certificates : Move them in"], False),
        ("stun", ["content /etc/turnserver.conf"], False),
        ("telephony", [_ACCOUNTS, _RELOAD], True),
        ("telephony", [_ACCOUNTS, "content /etc/asterisk/rtp.conf", _RELOAD], False),
        ("telephony", ["installed asterisk"], False),
    ],
)
def test_a_short_call_is_enough_where_media_stays_as_it_was(
    phase: str, changes: Collection[str], enough: bool
) -> None:
    assert short_call_proves(phase, changes) is enough


def test_a_short_call_is_enough_after_a_change_of_extensions() -> None:
    """All that the tasks of its tag can write; a full set of calls would take 20 s more."""
    part = phases()["telephony"].playbook.part
    assert part is not None
    tasks = yaml.safe_load(
        (ROLES / "telephony/tasks/configuration.yml").read_text(encoding="utf-8")
    )
    entries = [
        entry
        for task in tasks
        if part.tag in task.get("tags", ())
        for entry in task.get("etc_tree", {}).get("entries", ())
    ]
    paths = [path for entry in entries for path in entry.get("paths") or [entry["path"]]]
    assert "/etc/asterisk/pjsip_extensions.conf" in paths
    assert short_call_proves("telephony", [*(f"content {path}" for path in paths), _RELOAD])


def test_the_component_names_tasks_that_there_are() -> None:
    enough = phases()["telephony"].playbook.short_call
    tasks = [
        f"telephony : {task['name']}"
        for path in (ROLES / "telephony/tasks").glob("*.yml")
        for task in yaml.safe_load(path.read_text(encoding="utf-8"))
    ]
    assert {line for line in enough if " : " in line} <= set(tasks)
