"""The files of telephony cards, as the role telephony writes them for a site."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import pytest

from tests.unit.roles.rendering import rendered
from tests.unit.sites import small_site
from ucontact_appliance.install.inventory import card_variables
from ucontact_appliance.resources import ROLES

_ROLE = ROLES / "telephony"
SITE: dict[str, Any] = {
    "country": "MX",
    "trunks": [
        {"name": "carrier", "transport": "dahdi", "prefix": "9"},
        {"name": "lines", "transport": "dahdi", "prefix": "8"},
    ],
    "cards": [
        {
            "name": "e1",
            "model": "digium",
            "driver": "wcte43x",
            "spans": [
                {"signalling": "pri", "trunk": "carrier"},
                {"signalling": "mfcr2", "trunk": "carrier"},
            ],
        },
        {
            "name": "x",
            "model": "xorcom",
            "ports": [
                {"signalling": "fxo", "count": 2, "trunk": "lines", "number": "5555"},
                {"signalling": "fxs", "extensions": ["7001"]},
            ],
        },
    ],
}


def written(path: str) -> list[str]:
    """The lines of a file without comments and empty ones, rendered as Ansible does."""
    environment = jinja2.Environment(trim_blocks=True)
    text = (_ROLE / f"templates/{path}.j2").read_text(encoding="utf-8")
    made = environment.from_string(text).render(
        telephony_cards=card_variables(small_site(telephony=SITE).telephony),
        telephony_echo_canceller="mg2",
        telephony_prompts="es",
    )
    return [line for line in made.splitlines() if line and line[0] not in "#;"]


def test_system_conf() -> None:
    assert written("etc/dahdi/system.conf") == [
        "span=1,1,0,ccs,hdb3,crc4",
        "span=2,2,0,cas,hdb3",
        "bchan=1-15,17-31",
        "dchan=16",
        "cas=32-46,48-62:1101",
        "fxsks=63-64",
        "fxoks=65",
        "echocanceller=mg2,1-15,17-31",
        "echocanceller=mg2,32-46,48-62",
        "echocanceller=mg2,63-64",
        "echocanceller=mg2,65",
        "loadzone=mx",
        "defaultzone=mx",
    ]


def test_modules_of_the_makers() -> None:
    assert written("etc/dahdi/modules") == ["dahdi", "wcte43x", "xpp_usb"]


def test_chan_dahdi_conf_has_a_section_per_kind_of_line() -> None:
    lines = written("etc/asterisk/chan_dahdi.conf")
    sections = "\n".join(lines).split("\n[")[1:]
    assert sections[0].splitlines() == [
        "e1-1]",
        "signalling = pri_cpe",
        "switchtype = euroisdn",
        "context = from-card-carrier",
        "group = 1",
        "dahdichan = 1-15,17-31",
    ]
    assert "mfcr2_variant = mx" in sections[1]
    assert "mfcr2_max_ani = 10" in sections[1]
    assert sections[1].endswith("dahdichan = 32-46,48-62")
    assert sections[2].splitlines()[-4:] == [
        "context = from-card-lines",
        "group = 2",
        "setvar = line_number=5555",
        "dahdichan = 63-64",
    ]
    assert sections[3].splitlines() == [
        "x-ports-2-7001]",
        "signalling = fxo_ks",
        "context = from-ports",
        'callerid = "7001" <7001>',
        "dahdichan = 65",
    ]


@pytest.mark.parametrize("video", [False, True])
def test_telephones_at_ports_are_extensions(video: bool) -> None:
    dialplan = dialplan_with_cards(telephony_record_video=video)["extensions.conf"]
    lines = context(dialplan, "extension")
    first = lines.index("exten => 7001,1,Gosub(admit,s,1)")
    assert " same => n,Dial(DAHDI/65,30,i)" in lines[first : first + 4]
    assert dialplan.count("exten => 7001,1,Gosub(") == 1


def test_calls_of_lines_are_counted_wherever_they_lead() -> None:
    lines = context(dialplan_with_cards()["extensions_incoming.conf"], "from-card-lines")
    assert " same => n(known),Gosub(admit,s,1)" in lines


def dialplan_with_cards(**changes: Any) -> Mapping[str, str]:
    """The files of /etc/asterisk for that site."""
    telephony = small_site(telephony=SITE).telephony
    trunks = [one.model_dump(mode="json", by_alias=True) for one in telephony.trunks]
    cards = card_variables(telephony)
    return rendered("Asterisk 22.10", telephony_cards=cards, telephony_trunks=trunks, **changes)


def context(dialplan: str, name: str) -> list[str]:
    """The lines of a context."""
    return dialplan.partition(f"\n[{name}]\n")[2].partition("\n[")[0].splitlines()


def test_the_last_channel_of_the_configuration_is_waited_for(tmp_path: Path) -> None:
    """The script finds the highest channel in each kind of line, ranges and bits included."""
    script = (_ROLE / "files/usr/local/lib/ucontact/dahdi-lines.sh").read_text(encoding="utf-8")
    (conf := tmp_path / "system.conf").write_text(
        "\n".join(written("etc/dahdi/system.conf")), encoding="utf-8"
    )
    begin, end = script.index("last=$("), script.index("\nuntil ")
    command = f"conf={conf}; {script[begin:end]}; echo $last"
    done = subprocess.run(["sh", "-ec", command], capture_output=True, text=True, check=True)
    assert done.stdout == "65\n"
