"""The inventory: how hosts are reached, and nothing in it that Ansible would run."""

from __future__ import annotations

import copy
import json
import shlex
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from tests.injection import problems
from tests.unit.facts.outputs import recorded
from tests.unit.sites import small_site
from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.facts.runner import Completed, LocalRunner, SshSettings, control_path
from ucontact_appliance.facts.survey import came_from, survey
from ucontact_appliance.install.inventory import ControllerInputs, HostInputs, build_inventory
from ucontact_appliance.install.unsafe import as_data
from ucontact_appliance.planning.systems import system_row
from ucontact_appliance.planning.topology import make_plan
from ucontact_appliance.site.loader import parse_site
from ucontact_appliance.site.model import Site, model_in

ATTACK = "{{ lookup('pipe', 'id') }}"
CANARY = "words-of-a-person"


def inventory(site: Site, ssh: SshSettings) -> dict[str, Any]:
    row = system_row("debian", "sid")
    assert row is not None
    inputs = {host.name: HostInputs(row, host.address, "192.0.2.1") for host in site.hosts}
    controller = ControllerInputs(Path("/pki"), Path("/release"), Path("/manifest"))
    return build_inventory(site, make_plan(site, {}), inputs, controller, ssh)


def test_a_host_is_reached_by_options_that_sftp_and_scp_take_too(tmp_path: Path) -> None:
    key = tmp_path / "a key"
    host = {"name": "one", "address": "192.0.2.10", "port": 2222, "key": str(key)}
    made = inventory(small_site(hosts=[host]), SshSettings(tmp_path / "known", tmp_path / "c"))
    variables = made["all"]["hosts"]["one"]
    words = shlex.split(variables["ansible_ssh_common_args"])
    assert "-p" not in words
    assert words[words.index("-i") + 1] == str(key)
    assert variables["ansible_port"] == 2222
    (reached,) = small_site(hosts=[host]).hosts
    assert variables["ansible_control_path"] == str(control_path(reached, tmp_path / "c"))


def test_a_run_of_its_own_has_no_shared_socket(tmp_path: Path) -> None:
    made = inventory(small_site(), SshSettings(tmp_path / "known"))
    assert "ansible_control_path" not in made["all"]["hosts"]["one"]


def test_what_people_wrote_as_text_does_not_enter_it(tmp_path: Path) -> None:
    site = small_site(
        release=f"/{CANARY}/release",
        hosts=[{"name": "one", "address": "192.0.2.10", "key": f"/{CANARY}/key"}],
        certificate={"source": "files", "chain": f"/{CANARY}/c", "key": f"/{CANARY}/k"},
        waivers=[{"check": "tls.chain", "reason": CANARY, "until": "2027-01-31"}],
        attestations=[
            {
                "control": "R14",
                "statement": f"{CANARY} {ATTACK}",
                "by": CANARY,
                "seen": "2026-10-05",
                "until": "2027-10-05",
            }
        ],
    )
    made = inventory(site, SshSettings(tmp_path / "known"))
    # The key's path alone: ssh has to be told where it is.
    del made["all"]["hosts"]["one"]["ansible_ssh_common_args"]
    assert CANARY not in json.dumps(made)
    assert made["all"]["vars"]["site"]["public_certificate"] is True
    assert made["all"]["vars"]["site"]["evaluation"] is False


def test_every_string_in_it_is_marked_as_data_and_nothing_else_is() -> None:
    marked = as_data({"a": ATTACK, "b": [1, True, None, ("x",)], ATTACK: {"c": ""}})
    assert marked == {
        "a": {"__ansible_unsafe": ATTACK},
        "b": [1, True, None, [{"__ansible_unsafe": "x"}]],
        ATTACK: {"c": {"__ansible_unsafe": ""}},
    }


def test_ansible_renders_no_value_of_inventory_or_secrets(tmp_path: Path) -> None:
    assert problems(tmp_path) == []


# What a hostile host may say to the first look, in the place of each part


def answering(monkeypatch: pytest.MonkeyPatch, text: str) -> LocalRunner:
    def run(self: LocalRunner, argv: list[str], **options: object) -> Completed:
        return Completed(tuple(argv), 0, text, "", 0.0)

    monkeypatch.setattr(LocalRunner, "run", run)
    return LocalRunner()


@pytest.mark.parametrize("said", [ATTACK, "fe80::1%{{1}}", "192.0.2.1 {{1}}", "-oProxyCommand=x"])
def test_an_address_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    with pytest.raises(
        UnreachableError, match="did not return the address that this machine connects from"
    ):
        came_from(answering(monkeypatch, f"{said}\n"))
    parts = recorded("survey-sid").split("----\n")
    parts[-1] = f"{said}\n"
    with pytest.raises(UnreachableError, match="the host's output can't be parsed"):
        survey(answering(monkeypatch, "----\n".join(parts)))


@pytest.mark.parametrize("part", range(6))
@pytest.mark.parametrize(
    "said", ["", ATTACK, "ID='\n", "0\n1\n", "\0", "9" * 5000, "----\n----\n", "MemTotal: x\n"]
)
def test_whatever_a_part_says_is_a_record_without_it_or_a_clear_error(
    monkeypatch: pytest.MonkeyPatch, part: int, said: str
) -> None:
    parts = recorded("survey-sid").split("----\n")
    parts[part] = said
    with suppress(UnreachableError):  # any other exception would be a defect
        found = survey(answering(monkeypatch, "----\n".join(parts)))
        # Names of the system are looked up in a table; they never enter the inventory.
        assert ATTACK not in (found.machine_id, found.came_from)


# What nobody may write into site.yml


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("user", "-oProxyCommand=id"),
        ("user", ATTACK),
        ("user", "root;id"),
        ("name", "-h"),
        ("name", ATTACK),
        ("address", "-h"),
        ("address", f"fe80::1%{ATTACK}"),
        ("key", "-oProxyCommand=id"),
        ("key", "a\x1b[2Jb"),
    ],
)
def test_a_host_that_a_command_could_misread_is_refused_with_its_line(key: str, value: str) -> None:
    host = {"name": "one", "address": "192.0.2.10", key: value}
    text = (
        "site: demo\nfqdn: contact.example.com\nagents: 10\nhosts:\n"
        f"- {json.dumps(host, ensure_ascii=True)}\n"
    )
    with pytest.raises(UsageError) as caught:
        parse_site(text)
    assert f"line 5: hosts[0].{key}" in caught.value.evidence


@pytest.mark.parametrize("key", ["chain", "key", "ca"])
def test_a_path_that_a_command_could_misread_is_refused(key: str) -> None:
    files = {"chain": "/c", "key": "/k", "ca": "/a"} | {key: "-in"}
    text = (
        "site: demo\nfqdn: contact.example.com\nagents: 10\n"
        "hosts: [{name: one, address: 192.0.2.10}]\n"
        f"certificate: {json.dumps({'source': 'files', **files})}\n"
    )
    with pytest.raises(UsageError, match="mistake") as caught:
        parse_site(text)
    assert f"certificate.{key}" in caught.value.evidence
    assert "begins with '-'" in caught.value.evidence


WHOLE: dict[str, Any] = {
    "site": "demo",
    "fqdn": "contact.example.com",
    "agents": 10,
    "hosts": [
        {"name": "one", "address": "192.0.2.10", "user": "ops", "port": 22, "key": "/keys/one"},
    ],
    "certificate": {"source": "files", "chain": "/c", "key": "/k", "ca": "/a"},
    "network": {
        "profile": "nat",
        "public_address": "198.51.100.7",
        "agents": ["192.0.2.0/24"],
        "providers": ["198.51.100.0/24"],
        "admins": ["203.0.113.0/24"],
        "vlan_interface": "eth0.100",
        "never_ban": ["203.0.113.8/32"],
        "qos": {
            kind: {"tos": "cs3", "cos": 3} for kind in ("signalling", "audio", "video", "text")
        },
    },
    "telephony": {
        "source": "package",
        "packages": [{"file": "/vendor/asterisk_13.35-1_amd64.deb", "sha256": "0" * 64}],
        "extensions": ["6001", "6002"],
        "phones": [{"mac": "805ec0112233", "model": "yealink", "extension": "6002"}],
        "trunks": [
            {
                "name": "provider",
                "host": "sip.example.net",
                "port": 5061,
                "transport": "tls",
                "username": "account",
                "register": True,
                "srtp": True,
                "codecs": ["alaw"],
                "prefix": "9",
                "test_number": "*43",
                "max_calls": 30,
                "number_format": "e164",
                "caller_id": "+59824001234",
                "hide_caller_id": False,
                "busy_is_overload": True,
            },
            {
                "name": "gateway",
                "host": "fxs.example.net",
                "prefix": "8",
                "model": "dinstar",
                "dtmf": "info",
                "fax": "t38",
            },
            {"name": "carrier", "transport": "dahdi", "prefix": "8"},
            {"name": "lines", "transport": "dahdi", "prefix": "7"},
        ],
        "cards": [
            {
                "name": "e1",
                "model": "digium",
                "driver": "wcte43x",
                "spans": [
                    {
                        "signalling": "pri",
                        "line": "e1",
                        "framing": "ccs",
                        "coding": "hdb3",
                        "crc4": True,
                        "timing": 1,
                        "line_build_out": 0,
                        "d_channel": 16,
                        "channels": 20,
                        "switch_type": "euroisdn",
                        "network_side": False,
                        "trunk": "carrier",
                    },
                    {
                        "signalling": "mfcr2",
                        "mfcr2": {
                            "variant": "ar",
                            "max_ani": 20,
                            "max_dnis": 4,
                            "get_ani_first": False,
                            "category": "national_subscriber",
                            "allow_collect_calls": False,
                            "double_answer": False,
                            "forced_release": False,
                            "mfback_timeout": 1500,
                            "metering_pulse_timeout": 200,
                        },
                        "trunk": "carrier",
                    },
                ],
                "ports": [
                    {
                        "signalling": "fxo",
                        "count": 4,
                        "trunk": "lines",
                        "number": "24001234",
                        "start": "kewlstart",
                        "polarity_reversal": True,
                    },
                    {"signalling": "fxs", "extensions": ["7001"]},
                ],
            }
        ],
        "routes": [
            {
                "name": "all",
                "prefix": "0",
                "trunks": [{"trunk": "provider", "priority": 1, "weight": 1}],
            }
        ],
        "country": "UY",
        "emergency": {"numbers": ["911"], "trunks": ["provider"]},
        "time_zone": "America/Montevideo",
        "prompts": "es",
        "inbound": [
            {
                "number": "+59824001234",
                "to": {"queue": "sales"},
                "hours": "office",
                "closed": {"announcement": "closed"},
                "priority": 1,
            },
            {"number": "+5982400XXXX", "to": {"extension": "6001"}},
            {"number": "+59824001299", "to": {"gateway": "gateway"}},
        ],
        "hours": [{"name": "office", "open": ["mon-fri 09:00-18:00"], "closed_on": ["12-25"]}],
        "announcements": [{"name": "closed", "file": "/sounds/closed.wav"}],
        "queues": [
            {
                "name": "sales",
                "number": "800",
                "agents": ["6001"],
                "strategy": "rrmemory",
                "ring_seconds": 20,
                "wrap_up_seconds": 5,
                "max_wait_seconds": 600,
                "max_waiting": 0,
                "without_agents": False,
                "overflow": {"extension": "6001"},
                "weight": 0,
                "announce_position_seconds": 0,
                "announcement": "closed",
                "announcement_seconds": 60,
            }
        ],
        "pause_reasons": [{"code": "1", "name": "lunch"}],
        "supervisors": ["6001"],
    },
    "backup": {
        "repository": "s3:https://s3.example.com/bucket",
        "user": "AKIA",
        "at": "03:00",
        "keep": {"daily": 7, "weekly": 5, "monthly": 12},
        "drill": {"every": "monthly"},
    },
    "recordings": {
        "retention_days": 90,
        "keep_free_percent": 10,
        "video": True,
        "video_share": 0.5,
        "encryption": True,
        "pause_code": "*7",
        "resume_code": "*8",
    },
    "records": {"calls_days": 730, "events_days": 90, "accesses_days": 365},
    "web": {"hsts_max_age": 1, "hpkp_max_age": 2592000, "xss_protection": "0"},
    "database_on": "backend",
    "release": "/releases/one",
    "waivers": [{"check": "tls.chain", "host": "one", "reason": "why", "until": "2027-01-31"}],
    "attestations": [
        {
            "control": "R14",
            "statement": "what was seen",
            "by": "a person",
            "seen": "2026-10-05",
            "until": "2027-10-05",
        }
    ],
}


# Instead of the packages, which exclude it.
ARCHIVE: dict[str, Any] = copy.deepcopy(WHOLE)
del ARCHIVE["telephony"]["packages"]
ARCHIVE["backup"] = {
    "repository": "sftp:backup@192.0.2.9:/srv",
    "host_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAvz0sOqJ1kVdGx2jz8mQ0JmYx1k6b8Q3r0l5x0f4T7e",
}
ARCHIVE["telephony"]["archive"] = {
    "uri": "https://packages.example.net/asterisk",
    "suite": "focal",
    "components": ["main"],
    "key": "/keys/vendor.asc",
}


def leaves(value: Any, where: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The place of every value of the document that is no section."""
    if isinstance(value, dict):
        return [one for key, inner in value.items() for one in leaves(inner, (*where, key))]
    if isinstance(value, list):
        return [one for key, inner in enumerate(value) for one in leaves(inner, (*where, key))]
    return [where]


def test_the_whole_site_has_every_key_of_the_model() -> None:
    def keys(model: type[BaseModel]) -> set[str]:
        found = set()
        for name, field in model.model_fields.items():
            inner, _ = model_in(field.annotation)
            found |= keys(inner) if inner else {field.alias or name}
        return found

    places = [*leaves(WHOLE), *leaves(ARCHIVE)]
    told = {next(key for key in reversed(place) if isinstance(key, str)) for place in places}
    assert told == keys(Site)


@pytest.mark.parametrize(
    "place",
    [
        *leaves(WHOLE),
        *(place for place in leaves(ARCHIVE) if place[-1] == "host_key" or "archive" in place),
    ],
    ids=lambda place: ".".join(map(str, place)),
)
def test_template_syntax_in_any_value_is_refused_or_stays_out_of_the_inventory(
    tmp_path: Path, place: tuple[Any, ...]
) -> None:
    document = copy.deepcopy(ARCHIVE if place not in leaves(WHOLE) else WHOLE)
    inner = document
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = ATTACK
    try:
        site = Site.model_validate(document)
    except ValidationError:
        return  # refused, with its key and line as the loader's tests show
    made = inventory(site, SshSettings(tmp_path / "known"))
    if place[-1] == "key" and place[0] == "hosts":  # ssh has to be told where it is; as data
        words = as_data(made)["all"]["hosts"]["one"].pop("ansible_ssh_common_args")
        assert words.keys() == {"__ansible_unsafe"}
        del made["all"]["hosts"]["one"]["ansible_ssh_common_args"]
    assert ATTACK not in json.dumps(made)
