"""Components are read with clear errors, and do not contradict one another."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.sites import small_site
from ucontact_appliance import resources
from ucontact_appliance.planning import component_tables
from ucontact_appliance.planning.component import Component
from ucontact_appliance.planning.component_tables import phases, ports, unit_accounts
from ucontact_appliance.planning.components import (
    ComponentError,
    components,
    demand_consistent,
    load_component,
)
from ucontact_appliance.planning.topology import make_plan
from ucontact_appliance.resources import DATA, INSTALLER, ROLES, load_data

COTURN: dict[str, Any] = load_data("components/coturn")


def changed(**keys: Any) -> Component:
    return Component.model_validate({"name": "coturn", **COTURN, **keys})


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"rolle": "backend"}, "rolle: Extra inputs are not permitted"),
        ({"title": ""}, "title: String should have at least 1 character"),
        ({"ports": [{**COTURN["ports"][0], "port": 70000}]}, "ports.0.port"),
        ({"ports": [{**COTURN["ports"][0], "from": ["agent"]}]}, "ports.0.from.0"),
        ({"managed": ["etc/turnserver.conf"]}, "managed.0: String should match pattern"),
        ({"state": ["file /etc/turnserver.conf"]}, "state.0: String should match pattern"),
        ({"phase": None}, "phase: something is installed, and no phase does it"),
        ({"listener": None}, "listener: the port stun-udp needs one"),
        ({"units": {"turn.service": "root"}}, "listener.unit: coturn.service is not among"),
        ({"role": "every"}, "role: only a component of one role"),
        ({"part_of": "asterisk"}, "part_of: a component with 'foreign' is taken over by itself"),
    ],
)
def test_a_wrong_file_is_told_with_its_key(
    keys: dict[str, Any], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "components").mkdir()
    text = yaml.safe_dump({**COTURN, **keys})
    (tmp_path / "components/coturn.yml").write_text(text, encoding="utf-8")
    monkeypatch.setattr(resources, "DATA", tmp_path)
    with pytest.raises(ComponentError) as caught:
        load_component("coturn")
    assert str(caught.value).startswith(f"data/components/coturn.yml: {told}")


@pytest.mark.parametrize("text", ["a: [b", "- a list", ""])
def test_a_file_that_is_no_mapping_is_told(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "components").mkdir()
    (tmp_path / "components/coturn.yml").write_text(text, encoding="utf-8")
    monkeypatch.setattr(resources, "DATA", tmp_path)
    with pytest.raises(ComponentError, match=r"^data/components/coturn\.yml: "):
        load_component("coturn")


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"name": "other"}, "other.yml: ports: stun-udp is there twice"),
        ({"phase": "turn", "playbook": None}, "phase: no component has the playbook of turn"),
        ({"playbook": {"title": "STUN", "after": ["fire"]}}, "playbook.after: not all are phases"),
        ({"foreign": None, "part_of": "odbc"}, "part_of: no component odbc can be taken over"),
        ({"packages": {"names": {"Ubuntu 20.04": ["coturn"]}}}, "packages.names: not as in os.yml"),
    ],
)
def test_components_that_contradict_one_another_are_told(keys: dict[str, Any], told: str) -> None:
    others = [one for one in components() if one.name != "coturn"]
    demand_consistent([*others, changed()])
    kept = [*others, changed()] if "name" in keys else others
    with pytest.raises(ComponentError, match=told):
        demand_consistent([*kept, changed(**keys)])


def test_phases_that_wait_for_one_another_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    circle = changed(playbook={"title": "STUN", "after": ["stun"]})
    monkeypatch.setattr(component_tables, "components", lambda: (circle,))
    with pytest.raises(ComponentError, match=r"a circle: stun stun"):
        phases.__wrapped__()


def test_phases_are_the_playbooks_each_behind_those_that_it_builds_on() -> None:
    assert set(phases()) == {path.stem for path in (INSTALLER / "playbooks").glob("*.yml")}
    ids = list(phases())
    for row in phases().values():
        assert all(ids.index(name) < ids.index(row.id) for name in row.playbook.after)


def test_ports_go_from_the_widest_audience_to_the_narrowest() -> None:
    kinds = ["mysql" if row.sources == ("site",) else row.sources[0] for row in ports()]
    first = [kinds.index(kind) for kind in ("admins", "agents", "mysql", "loopback")]
    assert first == sorted(first)
    assert kinds[first[-1] :] == ["loopback"] * len(kinds[first[-1] :])


def test_a_port_is_held_by_its_components_processes_and_a_range_by_nobody() -> None:
    rows = {row.id: row for row in ports()}
    assert (rows["stun-udp"].processes, rows["stun-udp"].unit) == (
        ("turnserver",),
        "coturn.service",
    )
    assert rows["sip-udp"].needs == ("asterisk.service", "asterisk.transports")
    assert rows["rtp"].processes == rows["turn-relay"].processes == ()


def test_a_host_has_the_units_of_every_host_and_of_its_roles() -> None:
    accounts = unit_accounts(make_plan(small_site(), {}).hosts[0])
    assert accounts["ucontact-firewall.service"] == "root"
    assert accounts["coturn.service"] == "turnserver"
    assert accounts == {unit: name for one in components() for unit, name in one.units.items()}


@pytest.mark.parametrize(
    ("component", "tasks"),
    [
        ("restic", (ROLES / "backup/tasks/packages.yml",)),
        ("asterisk", (ROLES / "telephony/tasks/video.yml", DATA / "telephony_lines.yml")),
    ],
)
def test_packages_that_roles_install_if_needed_are_listed(
    component: str, tasks: tuple[Path, ...]
) -> None:
    (one,) = (found for found in components() if found.name == component)
    named: set[str] = set()
    for path in tasks:
        text = path.read_text(encoding="utf-8")
        named |= set(re.findall(r"\['([a-z0-9-]+)'\] if ", text))
        for listed in re.findall(r"^ *(?:names|packages): \[(.*)\]$", text, re.MULTILINE):
            named |= set(listed.split(", "))
    assert named == set(one.packages.if_needed)
