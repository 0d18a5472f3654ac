"""Hardphones of a site: each fetches its file, registers by what it says, and calls by SRTP."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.hardphone import READERS, Portal, Settings, registered
from tests.e2e.installed import Installed
from tests.e2e.phone import a_phone
from tests.faults.snapshot import Snapshot
from ucontact_appliance.clients.sip import SipRefusedError, SipServer

pytestmark = pytest.mark.machine

FQDN = "demo.ucontact.test"
FOLDER = "/var/lib/ucontact-phones"
# As people write them, and as the product does.
WRITTEN = {
    "yealink": "80:5E:C0:11:22:33",
    "grandstream": "C0-74-AD-11-22-33",
    "polycom": "64167f112233",
    "fanvil": "0C:38:3E:11:22:33",
}
MACS = {model: re.sub("[:-]", "", mac).lower() for model, mac in WRITTEN.items()}
FILES = {
    model: f"cfg{mac}.xml" if model == "grandstream" else f"{mac}.cfg"
    for model, mac in MACS.items()
}
EXTENSIONS = dict(zip(WRITTEN, ("6011", "6012", "6013", "6014"), strict=True))
UNKNOWN = "805ec0ffffff"
CLOCKS = {"yealink": "-3", "grandstream": "UTC+3", "polycom": "-10800", "fanvil": "-12"}


def telephony(*models: str) -> dict[str, Any]:
    """The section of site.yml."""
    return {
        "time_zone": "America/Montevideo",
        # Those of phones first: the doctor's call takes the first that a softphone can have.
        "extensions": [*EXTENSIONS.values(), "6001", "6002"],
        "phones": [
            {"mac": WRITTEN[model], "model": model, "extension": EXTENSIONS[model]}
            for model in models
        ],
    }


@dataclass(frozen=True)
class Office:
    """The site with its phones installed, and what its portal answered before there were any."""

    installed: Installed
    portal: Portal
    site_file: Path
    bare: str  # site.yml without the section
    without_phones: httpx.Response
    screen: str  # of the first installation

    def install(self, *models: str, full: bool = False) -> str:
        """Install with these phones; what was printed."""
        self.site_file.write_text(f"{self.bare}telephony: {json.dumps(telephony(*models))}\n")
        words = ("--full",) if full else ()
        done = self.installed.ucontact("install", "--yes", *words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def password(self, model: str) -> str:
        return self.installed.secret(f"telephony.phones.{MACS[model]}")

    def login(self, model: str) -> tuple[str, str]:
        return MACS[model], self.password(model)

    def fetched(self, model: str) -> httpx.Response:
        return self.portal.get(f"/provision/{FILES[model]}", self.login(model))

    def settings(self, model: str) -> Settings:
        answer = self.fetched(model)
        assert answer.status_code == 200
        return READERS[model](answer.text)


@pytest.fixture(scope="module")
def office(installed: Installed, small_site: Snapshot) -> Iterator[Office]:
    text = small_site.site_file.read_text(encoding="utf-8")
    roots = str(small_site.paths.pki / "portal-ca.pem")
    portal = Portal(FQDN, small_site.machine.address, roots)
    before = portal.get(f"/provision/{FILES['yealink']}")
    made = Office(installed, portal, small_site.site_file, text, before, "")
    try:
        yield replace(made, screen=made.install(*WRITTEN))
    finally:
        small_site.site_file.write_text(text)


def seen(answer: httpx.Response) -> tuple[int, list[tuple[str, str]], bytes]:
    """All of an answer that a stranger sees, but its time."""
    headers = [pair for pair in answer.headers.multi_items() if pair[0] != "date"]
    return answer.status_code, headers, answer.content


# The roles' own tests see the same with these parameters.
@pytest.mark.exhaustive
def test_a_second_installation_changes_nothing(office: Office) -> None:
    assert "installed changed=0" in office.install(*WRITTEN, full=True)


def test_without_phones_the_path_is_like_any_other(office: Office) -> None:
    assert office.without_phones.status_code == 404


@pytest.mark.parametrize("model", WRITTEN)
def test_a_phone_fetches_its_file_and_registers_by_it(office: Office, model: str) -> None:
    answer = office.fetched(model)
    assert answer.headers.get_list("cache-control") == ["no-store"]
    settings = office.settings(model)
    extension, password = EXTENSIONS[model], office.password(model)
    assert (settings.server, settings.port) == (FQDN, 5061)
    assert settings.tls
    assert settings.srtp
    assert settings.user == settings.login == extension
    assert settings.password == office.installed.secret(f"telephony.extensions.{extension}")
    assert settings.admin_password == settings.url_password == password
    assert settings.url == f"https://{FQDN}/provision/"
    assert settings.url_user == MACS[model]
    assert settings.clock == CLOCKS[model]
    with registered(settings, office.portal):
        contacts = office.installed.sh("asterisk -rx 'pjsip show contacts'")
        assert re.search(rf"{extension}/sip:{extension}@.*transport=tls", contacts, re.IGNORECASE)


def test_a_phone_calls_by_srtp_and_never_without(office: Office) -> None:
    with registered(office.settings("yealink"), office.portal) as phone:
        heard = phone.call("*43", 3.0)
        assert heard.status == 200
        assert re.search(r"^m=audio \d+ RTP/SAVP ", heard.sdp, re.MULTILINE)
        assert "a=crypto:" in heard.sdp
        assert heard.authentic > 50
        assert heard.packets - heard.authentic < 10  # RTCP may share nothing: it has its own port
        assert phone.call("*43", 1.0, srtp=False).status == 488


def test_a_phone_is_called_by_srtp(office: Office) -> None:
    async def dialled() -> None:
        server = SipServer(FQDN, office.portal.address, 8089, "/ws", office.portal.roots)
        secret = office.installed.secret("telephony.extensions.6001")
        async with a_phone(server, "6001", secret) as agent:
            await agent.dial(EXTENSIONS["polycom"])

    with (
        registered(office.settings("polycom"), office.portal) as phone,
        ThreadPoolExecutor(1) as pool,
    ):
        offered = pool.submit(phone.refuse_a_call)
        with pytest.raises(SipRefusedError, match="486"):
            asyncio.run(dialled())
        sdp = offered.result(10)
    assert re.search(r"^m=audio \d+ RTP/SAVP ", sdp, re.MULTILINE)
    assert "a=crypto:" in sdp
    assert "a=fingerprint:" not in sdp
    assert "m=video" not in sdp


def test_nobody_learns_which_phones_there_are(office: Office) -> None:
    own = office.login("yealink")
    mine, other = f"/provision/{FILES['yealink']}", f"/provision/{FILES['polycom']}"
    unknown = f"/provision/{UNKNOWN}.cfg"
    refused = [
        (mine, None),
        (unknown, None),
        (mine, (MACS["yealink"], "wrong")),
        (mine, (MACS["polycom"], office.password("polycom"))),
        (mine, (UNKNOWN, own[1])),
        (other, own),
        (unknown, own),
        (unknown, (UNKNOWN, "wrong")),
        ("/provision/", None),
        ("/provision/users", None),
    ]
    answers = [seen(office.portal.get(path, login)) for path, login in refused]
    assert answers[0][0] == 401
    assert [one for one in answers if one != answers[0]] == []


def test_a_folder_is_not_listed_and_accounts_are_not_served(office: Office) -> None:
    own = office.login("yealink")
    assert office.portal.get("/provision/", own).status_code in (403, 404)
    for path in ("/provision/users", "/provision/..%2fusers", "/provision/y000000000000.boot"):
        assert office.portal.get(path, own).status_code in (401, 404)
    assert office.portal.get("/provision/y000000000000.boot", own).status_code == 404
    assert office.portal.get(f"/provision/{FILES['yealink']}", own, "PUT").status_code == 403


def test_files_are_read_by_nginx_alone(office: Office) -> None:
    shown = office.installed.sh(f"find {FOLDER} -printf '%m %u %g %P\\n'").splitlines()
    assert sorted(shown) == sorted(
        [
            "750 root www-data ",
            "750 root www-data files",
            "640 root www-data users",
            *(f"640 root www-data files/{name}" for name in FILES.values()),
        ]
    )
    users = office.installed.sh(f"cat {FOLDER}/users")
    assert all(line.split(":")[1].startswith("$6$") for line in users.split())


def test_no_secret_is_in_a_log(office: Office, small_site: Snapshot) -> None:
    passwords = [office.password(model) for model in WRITTEN]
    logs = [path for path in small_site.paths.logs.rglob("*") if path.is_file()]
    assert logs
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in logs]
    texts.append(office.installed.sh("cat /var/log/nginx/*.log"))
    texts.append(office.installed.sh("journalctl --no-pager --output cat"))
    assert [word for word in passwords for text in texts if word in text] == []
    assert "/provision/" in texts[-2]


def test_the_list_has_what_to_enter_and_no_password(office: Office) -> None:
    shown = office.installed.ucontact("phones", "list", "--json")
    rows = json.loads(shown.stdout)["phones"]
    assert [row["mac"] for row in rows] == list(MACS.values())
    assert {row["url"] for row in rows} == {f"https://{FQDN}/provision/"}
    printed = shown.stdout + office.installed.ucontact("phones", "list").stdout
    assert not any(office.password(model) in printed for model in WRITTEN)


def test_the_doctor_knows_phones(office: Office) -> None:
    _, found = office.installed.doctor()
    assert [one for one in found.values() if one["verdict"] in ("fail", "error")] == []
    for check in ("asterisk.endpoints", "asterisk.media", "asterisk.codecs", "asterisk.qos"):
        assert found[check]["verdict"] == "pass", found[check]
    assert found["web.provisioning"]["observed"] == "phones checked: 4", found["web.provisioning"]


def test_the_doctor_calls_with_a_softphones_extension(office: Office) -> None:
    assert "a real call carried audio" in office.screen


def test_a_lost_account_is_found_and_comes_back(office: Office) -> None:
    office.installed.sh(f"sed -i '/^{MACS['fanvil']}:/d' {FOLDER}/users")
    _, found = office.installed.doctor("--only", "web.provisioning")
    assert found["web.provisioning"]["observed"] == f"{MACS['fanvil']}: 401 with its own login"
    office.install(*WRITTEN)
    assert office.fetched("fanvil").status_code == 200


def test_a_removed_phone_has_no_file_and_no_account(office: Office) -> None:
    login = office.login("fanvil")
    office.install("yealink", "grandstream", "polycom")
    assert office.portal.get(f"/provision/{FILES['fanvil']}", login).status_code == 401
    left = office.installed.sh(f"ls {FOLDER}/files; cut -d: -f1 {FOLDER}/users").split()
    assert FILES["fanvil"] not in left
    assert MACS["fanvil"] not in left
    assert office.fetched("yealink").status_code == 200
    # Its extension is a softphone's again.
    shown = office.installed.sh(f"asterisk -rx 'pjsip show endpoint {EXTENSIONS['fanvil']}'")
    assert re.search(r"^ media_encryption +: dtls$", shown, re.MULTILINE)


def test_one_source_can_not_try_without_end(office: Office) -> None:
    """The last test: it uses up what this machine may ask for."""
    path = f"/provision/{UNKNOWN}.cfg"
    with ThreadPoolExecutor(20) as pool:
        found = set(pool.map(lambda _: office.portal.get(path).status_code, range(120)))
    assert found == {401, 429}
