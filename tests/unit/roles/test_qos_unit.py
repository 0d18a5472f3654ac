"""The unit of the QoS marks: with a VLAN interface it sets the egress map too."""

from __future__ import annotations

from jinja2 import Environment, StrictUndefined

from ucontact_appliance.resources import ROLES

_TEMPLATE = ROLES / "telephony/templates/etc/systemd/system/ucontact-qos.service.j2"
_COS = {"telephony_cos_signalling": 3, "telephony_cos_video": 5, "telephony_cos_audio": "5"}


def unit(interface: str) -> list[str]:
    environment = Environment(trim_blocks=True, undefined=StrictUndefined)
    made = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    return made.render(_COS, telephony_vlan_interface=interface).splitlines()


def test_each_priority_is_mapped_once_after_the_network_is_up() -> None:
    lines = unit("eth0.100")
    assert [line for line in lines if line.startswith("ExecStart=")] == [
        "ExecStart=/usr/sbin/nft -f /etc/nftables.d/ucontact-qos.nft",
        "ExecStart=/sbin/ip link set eth0.100 type vlan egress-qos-map 3:3 5:5",
    ]
    assert "Wants=network-online.target" in lines


def test_without_one_the_unit_waits_for_no_network() -> None:
    lines = unit("")
    assert sum(line.startswith("ExecStart=") for line in lines) == 1
    assert not any("network-online" in line for line in lines)
