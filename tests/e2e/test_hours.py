"""Opening hours in zones with daylight saving time, as Asterisk judges them at stated times.

A second Asterisk on the machine, with nothing but the dialplan of the role, has a clock that
libfaketime sets. Machines share the clock of their host, so the first one can't have it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from jinja2 import Environment, FileSystemLoader

from tests.e2e.installed import Installed
from ucontact_appliance.resources import ROLES

pytestmark = [pytest.mark.machine, pytest.mark.exhaustive]

FOLDER = "/var/lib/clock"  # on the machine
OFFICE = "mon-fri 09:00-18:00"
ZONES = {
    "santiago": ("America/Santiago", [OFFICE], []),  # changes on 2026-04-05 and 2026-09-06
    "tijuana": ("America/Tijuana", [OFFICE], []),  # changes on 2026-03-08, Mexico City never
    "madrid": ("Europe/Madrid", [OFFICE], []),  # changes on 2026-03-29
    "montevideo": ("America/Montevideo", [OFFICE], []),
    "holiday": ("America/Santiago", ["mon-sun 00:00-24:00"], ["09-18", "2026-09-20"]),
    "night": ("America/Santiago", ["sat 00:00-24:00", "sun 00:00-06:00"], []),
}
# Each moment is UTC; Asterisk's clock goes forward only, so they are asked in their order.
MOMENTS = [
    ("2026-03-06 16:59:30", "tijuana", "closed"),  # 8:59 a.m., UTC-8
    ("2026-03-06 17:00:10", "tijuana", "open"),
    ("2026-03-09 15:59:30", "tijuana", "closed"),  # UTC-7 since Sunday
    ("2026-03-09 16:00:10", "tijuana", "open"),
    ("2026-03-27 07:59:30", "madrid", "closed"),  # UTC+1
    ("2026-03-27 08:00:10", "madrid", "open"),
    ("2026-03-30 06:59:30", "madrid", "closed"),  # UTC+2
    ("2026-03-30 07:00:10", "madrid", "open"),
    ("2026-03-30 15:59:30", "madrid", "open"),
    ("2026-03-30 16:00:10", "madrid", "closed"),
    ("2026-04-03 11:59:30", "santiago", "closed"),  # UTC-3
    ("2026-04-03 12:00:10", "santiago", "open"),
    ("2026-04-03 20:59:30", "santiago", "open"),
    ("2026-04-03 21:00:10", "santiago", "closed"),
    ("2026-04-05 03:30:00", "night", "open"),  # 11:30 p.m. on Saturday, for the second time
    ("2026-04-05 09:59:30", "night", "open"),  # 5:59 a.m. on Sunday, UTC-4
    ("2026-04-05 10:00:10", "night", "closed"),
    ("2026-04-06 12:30:00", "santiago", "closed"),  # 8:30 a.m., UTC-4
    ("2026-04-06 12:30:10", "montevideo", "open"),  # 9:30 a.m.
    ("2026-04-06 13:00:10", "santiago", "open"),
    ("2026-04-06 21:59:30", "santiago", "open"),
    ("2026-04-06 22:00:10", "santiago", "closed"),
    ("2026-09-07 11:59:30", "santiago", "closed"),  # UTC-3 again
    ("2026-09-07 12:00:10", "santiago", "open"),
    ("2026-09-18 02:59:30", "holiday", "open"),  # 11:59 p.m. on the 17th
    ("2026-09-18 03:00:10", "holiday", "closed"),
    ("2026-09-19 03:00:10", "holiday", "open"),
    ("2026-09-20 12:00:00", "holiday", "closed"),
    ("2027-09-18 12:00:00", "holiday", "closed"),
    ("2027-09-20 12:00:00", "holiday", "open"),
]


def hours() -> str:
    """The dialplan's contexts for all zones; a site has one."""
    templates = ROLES / "telephony/templates"
    jinja = Environment(loader=FileSystemLoader(templates), trim_blocks=True, autoescape=False)
    template = jinja.get_template("etc/asterisk/extensions_incoming.conf.j2")
    found = []
    for name, (zone, opened, closed_on) in ZONES.items():
        variables: dict[str, Any] = {
            "telephony_time_zone": zone,
            "telephony_hours": [{"name": name, "open": opened, "closed_on": closed_on}],
        }
        empty = ("webrtc_trunks", "trunks", "inbound_numbers", "inbound", "extensions")
        variables |= {f"telephony_{one}": [] for one in (*empty, "announcements")}
        text = template.render(variables)
        found.append(text[text.index("[hours-") :])
    return "\n".join(found)


_DAY = "${STRFTIME(${EPOCH},UTC,%F)}"
FILES = {
    "modules.conf": "[modules]\nautoload = no\n"
    + "".join(
        f"load = {one}.so\n"
        for one in (
            "res_clioriginate",
            "pbx_config",
            "app_stack",
            "func_strings",
            "func_logic",
            "func_global",
        )
    ),
    "asterisk.conf": "[directories]\nastmoddir => {modules}\n"
    + "".join(
        f"{one} => {FOLDER}\n"
        for one in ("astetcdir", "astdbdir", "astrundir", "astlogdir", "astspooldir", "astkeydir")
    ),
    "logger.conf": "[logfiles]\nmessages => notice,warning,error\n",
}


@pytest.fixture(scope="module")
def clock(installed: Installed) -> Iterator[Installed]:
    """The machine, with that Asterisk running; its time is in the file `now`."""
    installed.sh("apt-get install -y -q --no-install-recommends libfaketime")
    modules = installed.sh("dirname $(find /usr/lib -name pbx_config.so)").strip()
    probes = "".join(
        f"exten => {name},1,Gosub(hours-{name},s,1)\n"
        f" same => n,Set(GLOBAL(answer)={name} ${{GOSUB_RETVAL}} {_DAY})\n"
        for name in ZONES
    )
    plan = f"[general]\nstatic = yes\n[probe]\n{probes}\n{hours()}"
    folder = installed.machine.root / FOLDER[1:]
    folder.mkdir()
    for name, text in (FILES | {"extensions.conf": plan}).items():
        (folder / name).write_text(text.replace("{modules}", modules), encoding="utf-8")
    (folder / "now").write_text("@2026-01-01 12:00:00\n", encoding="utf-8")
    library = installed.sh("find /usr/lib -name libfaketimeMT.so.1").strip()
    faked = f"LD_PRELOAD={library} FAKETIME_TIMESTAMP_FILE={FOLDER}/now FAKETIME_NO_CACHE=1"
    faked += " FAKETIME_DONT_FAKE_MONOTONIC=1 TZ=UTC"
    start = f"systemd-run -q --collect -u clock env {faked} asterisk -f -C {FOLDER}/asterisk.conf"
    installed.sh(start)
    try:
        installed.sh(
            f"for i in $(seq 100); do {_cli('core waitfullybooted')} && exit; sleep 0.2; done"
        )
        yield installed
    finally:
        installed.sh(f"systemctl stop clock; rm -r {FOLDER}")


def _cli(command: str) -> str:
    return f"asterisk -C {FOLDER}/asterisk.conf -rx '{command}'"


def test_the_clock_changes_and_the_hours_stay(clock: Installed) -> None:
    asked = ["set -e"]
    for moment, name, _ in MOMENTS:
        asked += [
            f"echo '@{moment}' > {FOLDER}/now.new; mv {FOLDER}/now.new {FOLDER}/now",
            _cli(f"channel originate Local/{name}@probe application Wait 0.1"),
            "sleep 0.4",
            _cli("dialplan show globals") + " | grep answer=",
        ]
    printed = clock.sh("\n".join(asked))
    answers = re.findall(r"answer=(\w+) (\w+) (\S+)", printed)
    wanted = [(name, told, moment.split()[0]) for moment, name, told in MOMENTS]
    assert answers == wanted


def test_the_moments_are_in_order() -> None:
    assert sorted(MOMENTS, key=lambda one: one[0]) == MOMENTS
