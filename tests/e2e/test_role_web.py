"""The web role on real machines, with the playbook that installs it, looked at from outside.

The backend and Asterisk are stood in for by one small program, so that what is behind NGINX is
known to the letter.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.packages import packages_layer
from tests.e2e.support import apply_playbook, inventory
from ucontact_appliance.checks import answers, headers, host, nginx, tls, web, web_headers
from ucontact_appliance.checks import wss as wss_checks
from ucontact_appliance.checks.model import Finding, Stage, Verdict
from ucontact_appliance.clients import wss
from ucontact_appliance.clients.http import BasicLogin, HttpRequest, Response, fetch
from ucontact_appliance.clients.tls import Endpoint, handshake
from ucontact_appliance.findings.run import run_checks
from ucontact_appliance.install.inventory import site_variables
from ucontact_appliance.lab import layout
from ucontact_appliance.lab.records import Machine
from ucontact_appliance.pki.issue import ensure_pki
from ucontact_appliance.planning.certificates import spki_pin
from ucontact_appliance.planning.host_resources import HostResources
from ucontact_appliance.planning.model import Plan
from ucontact_appliance.planning.ports import ports_for
from ucontact_appliance.planning.topology import make_plan
from ucontact_appliance.resources import INSTALLER, load_data
from ucontact_appliance.site.model import Site
from ucontact_appliance.site.secrets import Secrets
from ucontact_appliance.state import StatePaths

pytestmark = pytest.mark.machine

FQDN = "demo.ucontact.test"
PLAYBOOK = INSTALLER / "playbooks" / "web.yml"
HEADERS = [row["name"] for row in load_data("headers")["headers"]]
HTTPS_ONLY = {"Strict-Transport-Security", "Public-Key-Pins"}
FOLDERS = ("uContact", "forms", "images", "workflowdesigner", "formsdesigner", "tmp", "webchatclient")  # fmt: skip # noqa: E501

STOP_BEHIND = "if systemctl is-active -q behind; then systemctl stop behind; fi"

# Answers REST on 8080 with the headers it got, and WebSocket upgrades on 8089 over TLS.
BEHIND = r"""
import base64, hashlib, json, socketserver, ssl, sys, threading
from http.server import BaseHTTPRequestHandler

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.headers.get("Upgrade") == "websocket":
            key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
            self.send_response(101)
            self.send_header("Upgrade", "websocket")
            self.send_header("Connection", "Upgrade")
            accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
            self.send_header("Sec-WebSocket-Accept", accept)
            self.send_header("Sec-WebSocket-Protocol", "sip")
            self.end_headers()
            self.close_connection = True
            return
        body = json.dumps({"status": "UP", "headers": dict(self.headers.items())}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Frame-Options", "ALLOWALL")
        self.send_header("X-Powered-By", "a stand-in")
        self.send_header("Set-Cookie", "a=b")
        self.end_headers()
        self.wfile.write(body)

class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

plain = Server(("127.0.0.1", 8080), Handler)
secure = Server(("0.0.0.0", 8089), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/etc/ssl/ucontact/portal.pem", "/etc/ssl/ucontact/private/portal.key")
secure.socket = context.wrap_socket(secure.socket, server_side=True)
threading.Thread(target=plain.serve_forever).start()
secure.serve_forever()
"""


@dataclass(frozen=True)
class Front:
    """A machine with the role applied, and what it was applied with."""

    machine: Machine
    site: Site
    plan: Plan
    state: StatePaths
    hosts: dict[str, Any]

    def get(self, path: str, scheme: str = "https", **changes: Any) -> Response:
        values: dict[str, Any] = {"address": self.machine.address, "name": FQDN}
        return fetch(HttpRequest(**{**values, "path": path, "scheme": scheme, **changes}))

    def pins(self) -> dict[str, str]:
        document: dict[str, str] = json.loads((self.state.pki / "pins.json").read_text())
        return document

    def findings(self) -> dict[str, Finding]:
        catalogue = (
            *host.CHECKS,
            *answers.CHECKS,
            *tls.CHECKS,
            *nginx.CHECKS,
            *web_headers.CHECKS,
            *web.CHECKS,
            *wss_checks.CHECKS,
            *headers.CHECKS,
        )
        found = run_checks(
            self.site,
            self.plan,
            Secrets({}),
            self.state,
            Path("site.yml"),
            stages=[Stage.DOCTOR],
            only=["web", "tls.https", "wss"],
            catalogue=catalogue,
        )
        return {finding.id: finding for finding in found}

    def bad(self) -> set[str]:
        """What fails by itself, not behind another."""
        return {
            id for id, f in self.findings().items() if f.verdict in (Verdict.FAIL, Verdict.ERROR)
        }

    def converge(self) -> list[str]:
        return apply_playbook(PLAYBOOK, self.hosts).changed_names

    def run(self, script: str) -> str:
        done = self.machine.ssh([f"set -e; {script}"])
        assert done.returncode == 0, done.stderr
        return done.stdout


def _lay_down(root: Path, path: str, content: bytes, mode: int = 0o644) -> None:
    target = root / path.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    target.chmod(mode)


@pytest.fixture(
    scope="module", params=["sid", pytest.param("bullseye", marks=pytest.mark.exhaustive)]
)
def front(
    request: pytest.FixtureRequest,
    machine_factory: Callable[..., Machine],
    tmp_path_factory: pytest.TempPathFactory,
) -> Front:
    machine = machine_factory(request.param, layers=packages_layer(request.param))
    here = tmp_path_factory.mktemp("site")
    site = Site.model_validate(
        {
            "site": "front",
            "fqdn": FQDN,
            "agents": 10,
            "hosts": [
                {
                    "name": machine.name,
                    "address": machine.address,
                    "key": str(layout.ssh_key()),
                }
            ],
        }
    )
    plan = make_plan(site, {machine.name: HostResources(memory_mb=8192)})
    state = StatePaths(etc=here / "etc", var=here / "var")
    state.etc.mkdir()
    ensure_pki(site, plan, state)
    root = Path(machine.root)
    for name, target in (
        ("portal.pem", "portal.pem"),
        ("portal-ca.pem", "portal-ca.pem"),
        ("ca.pem", "ca.pem"),  # of the recordings that it fetches
        ("portal.key", "private/portal.key"),
    ):
        _lay_down(root, f"/etc/ssl/ucontact/{target}", (state.pki / name).read_bytes(), 0o640)
    for folder in FOLDERS:
        _lay_down(root, f"/etc/IntegraServer/web/{folder}/seed.txt", b"seed")
    _lay_down(root, "/etc/IntegraServer/web/uContact/index.html", b"<!doctype html><p>portal")
    _lay_down(root, "/etc/IntegraServer/web/IntegraPortalWS.war", b"PK")
    _lay_down(root, "/etc/IntegraServer/web/uContact/leaked.war", b"PK")
    _lay_down(root, "/etc/IntegraServer/web/uContact/.hidden", b"secret")
    _lay_down(root, "/opt/behind.py", BEHIND.encode())
    planned = plan.hosts[0]
    hosts = inventory(
        {machine.name: machine},
        {"telephony": [machine.name], "backend": [machine.name]},
        site=site_variables(site),
        plan=plan.model_dump(mode="json"),
        host=planned.model_dump(mode="json"),
        peer_address=machine.address,
        ports=[port.document() for port in ports_for(site, plan, planned)],
        controller={"pki": str(state.pki)},
    )
    front = Front(machine, site, plan, state, hosts)
    assert front.converge()
    return front


@pytest.fixture
def behind(front: Front) -> None:
    """The stand-in for the backend and Asterisk runs."""
    listening = 'import socket; socket.create_connection(("127.0.0.1", 8089))'
    front.run(
        "systemctl is-active -q behind || systemd-run -q --unit=behind python3 /opt/behind.py; "
        f"for i in $(seq 20); do python3 -c '{listening}' 2>/dev/null && exit; sleep 0.3; done; "
        "exit 1"
    )


def test_a_second_run_changes_nothing(front: Front) -> None:
    assert front.converge() == []


def test_a_dry_run_of_a_finished_host_changes_nothing(front: Front) -> None:
    assert apply_playbook(PLAYBOOK, front.hosts, check=True).changed_names == []


@pytest.mark.parametrize(
    ("path", "status", "changes"),
    [
        ("/uContact/", 200, {}),
        ("/", 301, {}),
        ("/uContact", 301, {}),
        ("/nothing-here", 404, {}),
        ("/forms/", 403, {}),
        ("/uContact/", 405, {"method": "POST"}),
        ("/uContact/", 421, {"name": "stranger.invalid"}),
        ("/", 301, {"scheme": "http"}),
    ],
)
def test_every_header_once_on_every_status(
    front: Front, path: str, status: int, changes: dict[str, str]
) -> None:
    answer = front.get(path, **changes)
    plain = answer.request.scheme == "http"
    assert answer.status == status
    assert answer.protocol == ("HTTP/1.1" if plain else "HTTP/2")
    sent = {name: len(answer.all(name)) for name in HEADERS}
    assert sent == {name: int(not (plain and name in HTTPS_ONLY)) for name in HEADERS}
    assert answer.all("server") == ("nginx",)


@pytest.mark.parametrize("folder", ["tmp", "images", "forms", "uContact"])
def test_no_link_leads_out_of_a_folder(front: Front, folder: str) -> None:
    link = f"/etc/IntegraServer/web/{folder}/link.txt"
    front.run(f"echo secret > /opt/out.txt && ln -sf /opt/out.txt {link}")
    answer = front.get(f"/{folder}/link.txt")
    front.run(f"rm {link}")
    assert answer.status == 403
    assert "secret" not in answer.body
    assert front.get(f"/{folder}/seed.txt").status == 200


@pytest.mark.parametrize("folder", ["tmp", "images", "forms"])
def test_what_the_backend_writes_is_no_page_of_the_portals_origin(
    front: Front, folder: str
) -> None:
    front.run(f"echo '<script>1</script>' > /etc/IntegraServer/web/{folder}/page.html")
    (policy,) = front.get(f"/{folder}/page.html").all("content-security-policy")
    assert policy.startswith("sandbox")
    assert "allow-same-origin" not in policy


def test_the_backend_being_down_is_a_502_with_every_header(front: Front) -> None:
    front.run(STOP_BEHIND)
    answer = front.get("/Integra/resources/health")
    assert answer.status == 502
    assert answer.all("content-type") == ("application/json",)
    assert json.loads(answer.body)["error"] == "unavailable"
    assert {name: len(answer.all(name)) for name in HEADERS} == dict.fromkeys(HEADERS, 1)
    page = front.get("/ws")
    assert page.status == 502
    assert "Back in a moment" in page.body
    assert {name: len(page.all(name)) for name in HEADERS} == dict.fromkeys(HEADERS, 1)


def test_the_pins_are_those_of_the_served_key_and_the_backup(front: Front) -> None:
    served, backup = front.pins()["served"], front.pins()["backup"]
    (header,) = front.get("/uContact/").all("Public-Key-Pins")
    assert header == f'pin-sha256="{served}"; pin-sha256="{backup}"; max-age=2592000'
    # By openssl, as RFC 7469's appendix does it, and of what is really served.
    digest = subprocess.run(
        f"openssl s_client -connect {front.machine.address}:443 </dev/null 2>/dev/null"
        " | openssl x509 -pubkey -noout | openssl pkey -pubin -outform der"
        " | openssl dgst -sha256 -binary | openssl enc -base64",
        shell=True,
        capture_output=True,
        text=True,
        check=True,
    )
    assert digest.stdout.strip() == served


def test_plain_http_leads_to_the_same_place_over_https(front: Front) -> None:
    answer = front.get("/uContact/?a=b", "http")
    assert (answer.status, answer.all("location")) == (301, (f"https://{FQDN}/uContact/?a=b",))
    by_address = front.get("/x", "http", name=front.machine.address)
    assert by_address.all("location") == (f"https://{front.machine.address}/x",)


def test_the_policy_lets_the_page_reach_signalling_by_the_name_it_was_opened_by(
    front: Front,
) -> None:
    for name in (FQDN, front.machine.address):
        (policy,) = front.get("/uContact/", name=name).all("Content-Security-Policy")
        assert f"wss://{name}:8089" in policy
        assert "unsafe" not in policy


@pytest.mark.parametrize(
    "path",
    [
        "/IntegraPortalWS.war",
        "/uContact/leaked.war",
        "/uContact/.hidden",
        "/uContact/%2e%2e/IntegraPortalWS.war",
        "/server/IntegraServer.jar",
        "/../integraserver.properties",
    ],
)
def test_what_is_private_stays_inside(front: Front, path: str) -> None:
    assert front.get(path).status in (400, 404)


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_folders_of_r22_are_served(front: Front, folder: str) -> None:
    answer = front.get(f"/{folder}/seed.txt")
    assert (answer.status, answer.body) == (200, "seed")


def test_the_softphones_configuration(front: Front) -> None:
    answer = front.get("/uContact/config.json")
    assert answer.all("cache-control") == ("no-store",)
    assert json.loads(answer.body) == {
        "fqdn": FQDN,
        "wssPort": 8089,
        "wssPath": "/ws",
        "iceServers": [{"urls": f"stun:{front.machine.address}:3478"}],
        "evaluation": True,
    }


@pytest.mark.usefixtures("behind")
def test_rest_is_proxied_and_headers_from_behind_do_not_add_up(front: Front) -> None:
    answer = fetch(
        HttpRequest(front.machine.address, FQDN, "/Integra/resources/health"),
        headers={"X-Forwarded-For": "203.0.113.9", "Upgrade": "h2c", "Proxy": "evil:1"},
    )
    assert answer.status == 200
    assert answer.all("x-frame-options") == ("SAMEORIGIN",)
    assert answer.all("x-powered-by") == ()
    assert answer.all("cache-control") == ("no-store",)
    seen = json.loads(answer.body)["headers"]
    assert seen["Host"] == FQDN
    assert seen["X-Forwarded-Proto"] == "https"
    assert "203.0.113.9" not in seen["X-Forwarded-For"]
    assert not {"Upgrade", "Proxy", "Forwarded"} & set(seen)


@pytest.mark.usefixtures("behind")
def test_web_sockets_pass_through_to_a_verified_signalling_server(front: Front) -> None:
    endpoint = Endpoint(front.machine.address, 443, FQDN)
    roots = front.state.pki / "portal-ca.pem"
    assert wss.upgrade(endpoint, "/ws", roots).status == 101
    assert wss.upgrade(endpoint, "/Integra/channels", roots).status == 101


@pytest.mark.usefixtures("behind")
def test_the_checks_pass_and_each_fault_is_named(front: Front) -> None:
    ours = "/etc/nginx/conf.d/ucontact.conf"
    # The stand-in lets everybody in, which is one of the faults.
    assert front.bad() == {"web.login"}

    front.run(f"sed -i '/add_header X-XSS/d' {ours}; systemctl reload nginx; sleep 0.5")
    assert front.bad() == {"web.header.xss", "web.login"}

    front.run(
        f"sed -i 's/add_header Referrer-Policy .same-origin. always/"
        f"add_header Referrer-Policy same-origin/' {ours}; systemctl reload nginx; sleep 0.5"
    )
    assert front.bad() == {"web.header.xss", "web.header.referrer", "web.login"}

    front.run(f"echo '# touched' >> {ours}")
    assert "web.loaded" in front.bad()

    front.run(f"echo 'not a directive' >> {ours}; systemctl stop nginx")
    assert front.bad() == {"web.service", "web.config"}

    assert front.converge()
    assert front.bad() == {"web.login"}


def test_hardphones_come_and_go(front: Front) -> None:
    macs = {"yealink": "805ec0112233", "grandstream": "c074ad112233", "polycom": "64167f112233", "fanvil": "0c383e112233"}  # fmt: skip # noqa: E501
    hosts = json.loads(json.dumps(front.hosts))
    hosts["all"]["vars"]["site"]["telephony"]["phones"] = [
        {"mac": mac, "model": model, "extension": "6003"} for model, mac in macs.items()
    ]
    hosts["all"]["vars"]["clocks"] = {"utc_offset": ""}
    secrets = {"phones": {mac: {"password": f"http-{mac}", "sip": f"sip-{mac}"} for mac in macs.values()}}  # fmt: skip # noqa: E501
    assert front.run("find /var/lib/ucontact-phones -type f") == ""
    dry = apply_playbook(PLAYBOOK, hosts, secrets, check=True)
    made = apply_playbook(PLAYBOOK, hosts, secrets)
    assert dry.changed_names
    assert apply_playbook(PLAYBOOK, hosts, secrets).changed_names == []
    for mac in macs.values():
        for output in (dry.output, made.output):
            assert f"http-{mac}" not in output
            assert f"sip-{mac}" not in output

    def status(path: str, mac: str, password: str) -> int:
        login = BasicLogin(mac, password, str(front.state.pki / "portal-ca.pem"))
        address = front.machine.address
        return fetch(HttpRequest(address, FQDN, f"/provision/{path}"), login=login).status

    one, other = macs["yealink"], macs["grandstream"]
    assert status(f"{one}.cfg", one, f"http-{one}") == 200
    assert status(f"cfg{other}.xml", other, f"http-{other}") == 200
    assert status(f"cfg{other}.xml", one, f"http-{one}") == 401
    assert status(f"{one}.cfg", one, f"http-{other}") == 401
    assert front.get(f"/provision/{one}.cfg").all("Cache-Control") == ("no-store",)

    front.converge()
    assert front.get(f"/provision/{one}.cfg").status == 404
    assert front.run("find /var/lib/ucontact-phones -type f") == ""


@pytest.mark.parametrize("front", ["sid"], indirect=True)
def test_a_bad_configuration_never_replaces_a_good_one(front: Front) -> None:
    before = front.run("cat /etc/nginx/conf.d/ucontact.conf")
    hosts = json.loads(json.dumps(front.hosts))
    hosts["all"]["vars"]["site"]["web"]["xss_protection"] = "1\"; nonsense 'x"
    failed = apply_playbook(PLAYBOOK, hosts, expect_failure=True)
    assert failed.result.status != 0
    assert front.run("cat /etc/nginx/conf.d/ucontact.conf") == before
    assert front.get("/uContact/").status == 200


@pytest.mark.parametrize("front", ["sid"], indirect=True)
def test_a_renewed_certificate_is_served_after_the_next_run(front: Front) -> None:
    for name in ("portal.pem", "portal.key"):
        (front.state.pki / name).unlink()
    ensure_pki(front.site, front.plan, front.state)
    root = Path(front.machine.root)
    for name, target in (("portal.pem", "portal.pem"), ("portal.key", "private/portal.key")):
        content = (front.state.pki / name).read_bytes()
        _lay_down(root, f"/etc/ssl/ucontact/{target}", content, 0o640)
    front.converge()
    front.run(STOP_BEHIND)
    found = handshake(Endpoint(front.machine.address, 443, FQDN), front.state.pki / "portal-ca.pem")
    pem = (front.state.pki / "portal.pem").read_text()
    assert found.problem == ""
    assert spki_pin(pem) == front.pins()["served"]
    assert front.pins()["served"] in front.get("/").all("Public-Key-Pins")[0]
