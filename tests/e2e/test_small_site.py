"""The installed small site, as its three users and a browser meet it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, WebSocketRoute, expect

from tests.e2e.installed import Installed, ucontact
from tests.e2e.softphone import (
    CALL_MS,
    chromium,
    figure,
    in_call,
    new_recording,
    recordings,
    sign_in,
)
from tests.e2e.sshd import journal, make_strict, make_usual, parse_connections
from tests.faults.snapshot import Snapshot
from tests.remedies import run_all
from ucontact_appliance.checks.wording import RemedyFormatter
from ucontact_appliance.facts.login import login_status
from ucontact_appliance.facts.runner import LocalRunner, SshSettings, runner_for
from ucontact_appliance.facts.source import ProbeContext
from ucontact_appliance.lab import layout
from ucontact_appliance.operate.reflector import reflecting
from ucontact_appliance.planning.model import Role
from ucontact_appliance.site.loader import load_site
from ucontact_appliance.site.model import Host

pytestmark = pytest.mark.machine


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


def signed_in(browser: Browser, site: Installed, extension: str) -> Page:
    secret = site.secret(f"telephony.extensions.{extension}")
    return sign_in(browser, site.machine.address, extension, secret)


@pytest.fixture(scope="module")
def old_secret(browser: Browser, installed: Installed) -> str:
    """What the secret of 6001 was before it was replaced, in the middle of a call of its phone."""
    old = installed.secret("telephony.extensions.6001")
    started = "systemctl show -p ExecMainStartTimestampMonotonic asterisk"
    before = installed.sh(started)
    page = signed_in(browser, installed, "6001")
    page.get_by_test_id("echo-button").click()
    in_call(page)
    done = installed.ucontact("secrets", "rotate", "telephony.extensions.6001")
    assert done.returncode == 0, done.stderr
    heard = figure(page, "received")
    page.wait_for_timeout(CALL_MS)
    assert figure(page, "received") > heard + 100
    expect(page.get_by_test_id("call")).to_have_attribute("data-state", "active")
    page.get_by_test_id("hangup-button").click()
    expect(page.get_by_test_id("call")).to_have_attribute("data-state", "none")
    page.context.close()
    assert installed.sh(started) == before
    assert old not in done.stdout + done.stderr
    assert installed.secret("telephony.extensions.6001") not in done.stdout + done.stderr
    return old


def test_a_replaced_secret_opens_and_the_old_one_does_not(
    installed: Installed, old_secret: str
) -> None:
    site = load_site(installed.site_file)
    roots = Path(installed.environment["UCONTACT_ETC"]) / site.site / "pki" / "portal-ca.pem"
    reach = ProbeContext(site, site.hosts[0], LocalRunner())
    new = installed.secret("telephony.extensions.6001")

    def answered(secret: str) -> int:
        return login_status(reach, "6001", secret, str(roots))

    # The browser's driver has an event loop in this thread.
    with ThreadPoolExecutor(max_workers=1) as other:
        assert list(other.map(answered, (new, old_secret))) == [200, 401]
    _, findings = installed.doctor("--only", "files.drift")
    assert findings["files.drift"]["verdict"] == "pass"


# test_doctor.py sees all phases run again and change nothing, test_calls.py with trunks and queues.
@pytest.mark.exhaustive
def test_a_second_install_changes_nothing(installed: Installed, old_secret: str) -> None:
    """Not even what was replaced since the first one."""
    done = installed.ucontact("install", "--yes", "--full")
    assert done.returncode == 0, done.stderr
    assert "changed=0" in done.stdout
    assert "call    a real call carried audio: 440 Hz" in done.stdout
    assert "unchanged" not in done.stderr


def test_an_older_site_file_of_another_controller_is_refused_with_what_it_would_remove(
    installed: Installed, tmp_path: Path
) -> None:
    older = tmp_path / "site.yml"
    older.write_text(installed.site_file.read_text() + "telephony: {extensions: ['6001']}\n")
    # It has the site's keys, of an earlier day.
    shutil.copytree(installed.environment["UCONTACT_ETC"], tmp_path / "etc")
    (tmp_path / "etc" / installed.machine.name / "runs.json").unlink()
    elsewhere = replace(
        installed,
        site_file=older,
        environment={**installed.environment, "UCONTACT_ETC": str(tmp_path / "etc")},
    )
    record = "cat /var/lib/ucontact/installation.json; stat -c %a%U /var/lib/ucontact/*.json"
    before = installed.sh(record)
    assert before.endswith("600root\n")
    for way in ("--yes", "--dry-run"):
        done = elsewhere.ucontact("install", way)
        assert done.returncode == 2, done.stderr
        assert "has a newer installation" in done.stderr
        assert "-  - '6002'" in done.stderr
        assert "--replace-newer" in done.stderr
    assert installed.sh(record) == before
    assert (
        installed.sh("grep -c '^\\[6002\\]' /etc/asterisk/*.conf | grep -vc ':0$'").strip() != "0"
    )


def test_a_second_controller_is_refused_while_another_is_at_work(installed: Installed) -> None:
    holder = (
        '{"controller": "laptop-2", "site": "demo", "pid": 4711, "since": "2026-11-28T09:00:00", '
        '"run": "x"}'
    )
    lock = "/run/ucontact-installation.lock"
    installed.sh(f"echo '{holder}' > {lock}.holder; systemd-run -q -u held flock {lock} sleep 600")
    try:
        done = installed.ucontact("install", "--yes")
    finally:
        installed.sh("systemctl stop held")
    assert done.returncode == 2, done.stderr
    assert "another ucontact install is running on the server" in done.stderr
    assert "laptop-2, process 4711, since 2026-11-28T09:00:00" in done.stderr


def few_and_logged_in(log: str, most: int) -> None:
    """Each connection is used: a server counts those that come and say nothing."""
    found = parse_connections(log)
    assert set(found.opened) == set(found.logged_in), found.text
    assert 1 <= len(found.opened) <= most, found.text


def test_an_installation_opens_few_connections_and_logs_in_on_each(small_site: Snapshot) -> None:
    # One for the survey and all phases, and one more; it ran while one without a login locks out.
    few_and_logged_in(small_site.sshd_log.read_text(encoding="utf-8"), 2)


def test_the_doctor_opens_few_connections_and_logs_in_on_each(installed: Installed) -> None:
    since = make_strict(installed.machine)
    try:
        _, found = installed.doctor()
        assert found["firewall.reach"]["verdict"] == "pass"
        log = journal(installed.machine, since)
    finally:
        make_usual(installed.machine)
    few_and_logged_in(log, 2)


# Each role's own test has a run in check mode.
@pytest.mark.exhaustive
def test_a_dry_run_finds_nothing_to_change(installed: Installed) -> None:
    done = installed.ucontact("install", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "nothing was changed" in done.stdout


def test_the_softphone_hears_itself_on_the_echo_test(
    browser: Browser, installed: Installed
) -> None:
    before = recordings(installed.sh)
    page = signed_in(browser, installed, "6001")
    page.get_by_test_id("echo-button").click()
    in_call(page)
    page.wait_for_timeout(CALL_MS)
    assert figure(page, "received") > 100
    assert figure(page, "lost") == 0
    assert "opus" in page.get_by_test_id("stat-codec").inner_text()
    assert "DTLS-SRTP" in page.get_by_test_id("stat-encryption").inner_text()
    page.get_by_test_id("hangup-button").click()
    expect(page.get_by_test_id("call")).to_have_attribute("data-state", "none")
    page.context.close()
    recording = new_recording(installed.sh, before)
    # GSM 06.10: 33 bytes each 20 ms
    assert int(installed.sh(f"stat -c %s {recording}")) > 33 * 50 * 3


def test_two_extensions_hear_each_other(browser: Browser, installed: Installed) -> None:
    before = recordings(installed.sh)
    one, two = signed_in(browser, installed, "6001"), signed_in(browser, installed, "6002")
    one.get_by_test_id("number-input").fill("6002")
    one.get_by_test_id("call-button").click()
    two.get_by_test_id("answer-button").click(timeout=15000)
    in_call(one)
    in_call(two)
    one.wait_for_timeout(CALL_MS)
    for page in (one, two):
        assert figure(page, "received") > 100
    one.get_by_test_id("hangup-button").click()
    expect(two.get_by_test_id("call")).to_have_attribute("data-state", "none")
    for page in (one, two):
        page.context.close()
    new_recording(installed.sh, before)


def test_a_wrong_secret_is_told_and_lets_nobody_in(browser: Browser, installed: Installed) -> None:
    page = browser.new_context(ignore_https_errors=True).new_page()
    page.goto(f"https://{installed.machine.address}/uContact/")
    page.get_by_test_id("login-extension").fill("6001")
    page.get_by_test_id("login-secret").fill("not-the-secret")
    page.get_by_test_id("login-submit").click()
    message = page.get_by_test_id("message")
    expect(message).to_have_attribute("data-key", "wrongSecret", timeout=15000)
    page.context.close()


def form(
    browser: Browser, site: Installed, answer: Callable[[WebSocketRoute], None] | None = None
) -> Page:
    """The softphone's login form, filled in; `answer` takes the place of the telephony server."""
    page = browser.new_context(ignore_https_errors=True).new_page()
    if answer:
        page.route_web_socket(re.compile("^wss:"), answer)
    page.goto(f"https://{site.machine.address}/uContact/")
    page.get_by_test_id("login-extension").fill("6001")
    page.get_by_test_id("login-secret").fill(site.secret("telephony.extensions.6001"))
    return page


def test_a_login_to_a_silent_server_ends_after_ten_seconds(
    browser: Browser, installed: Installed
) -> None:
    page = form(browser, installed)
    silent = "table inet silent { chain input { type filter hook input priority -99; tcp dport 8089 drop; }; }"  # noqa: E501
    installed.sh(f"nft '{silent}'")
    try:
        began = time.monotonic()
        page.get_by_test_id("login-submit").click()
        message = page.get_by_test_id("message")
        expect(message).to_have_attribute("data-key", "loginTimeout", timeout=15000)
        assert 9 < time.monotonic() - began < 13
    finally:
        installed.sh("nft delete table inet silent")
    # The form is free again, and takes what is in it.
    page.get_by_test_id("login-submit").click()
    registered = page.get_by_test_id("registration-status")
    expect(registered).to_have_attribute("data-state", "registered", timeout=15000)
    page.context.close()


@pytest.mark.parametrize(("closes", "key"), [(False, "loginSilent"), (True, "loginCut")])
def test_a_login_without_an_answer_tells_whether_the_connection_was_closed(
    browser: Browser, installed: Installed, closes: bool, key: str
) -> None:
    def answer(socket: WebSocketRoute) -> None:
        socket.on_message(lambda _: socket.close(code=1011) if closes else None)

    page = form(browser, installed, answer)
    page.get_by_test_id("login-submit").click()
    message = page.get_by_test_id("message")
    expect(message).to_have_attribute("data-key", key, timeout=15000)
    page.context.close()


def test_a_ban_is_listed_and_lifted(installed: Installed) -> None:
    """Of each jail, and of what is in a set and in no jail."""
    installed.sh(
        "fail2ban-client set ucontact-asterisk banip 192.0.2.7 && "
        "fail2ban-client set sshd banip 192.0.2.7 && "
        "nft add element inet ucontact_sip refused-ip '{ 192.0.2.7 . 50123 }' && "
        "nft add element inet ucontact_sip banned-ip '{ 192.0.2.8 }'"
    )

    def listed() -> set[tuple[str | None, str, str]]:
        done = installed.ucontact("bans", "list", "--json")
        assert done.returncode == 0, done.stderr
        (host,) = json.loads(done.stdout)["hosts"]
        return {
            (ban["jail"], ban["id"], ban["state"])
            for ban in host["bans"]
            if (ban["address"] or "").startswith("192.0.2.")
        }

    other = (None, "192.0.2.8", "left-over")
    deadline = time.monotonic() + 15  # fail2ban bans within seconds
    mine = {
        ("ucontact-asterisk", "192.0.2.7", "in-force"),
        ("sshd", "192.0.2.7", "in-force"),
        (None, "TCP/192.0.2.7/50123", "left-over"),
    }
    while (found := listed()) != mine | {other} and time.monotonic() < deadline:
        time.sleep(1)
    assert found == mine | {other}
    assert installed.ucontact("bans", "lift", "192.0.2.7").returncode == 0
    assert listed() == {other}
    assert "192.0.2.7" not in installed.sh("nft list table inet ucontact_sip")
    again = installed.ucontact("bans", "lift", "192.0.2.7")
    assert (again.returncode, "192.0.2.7 is not banned" in again.stderr) == (1, True)
    assert installed.ucontact("bans", "lift", "--all").returncode == 0
    assert listed() == set()


def test_a_deleted_file_is_named(installed: Installed) -> None:
    """That the remedy, an installation, brings it back is for the catalogue of faults."""
    war = "/etc/IntegraServer/web/IntegraChannels.war"
    installed.sh(f"mv {war} /root/war")
    try:
        status, findings = installed.doctor("--only", "tree")
    finally:
        installed.sh(f"mv /root/war {war}")
    assert status == 1
    named = [f for f in findings.values() if "IntegraChannels.war" in f["observed"]]
    assert [f["remedy"].split()[:2] for f in named] == [["ucontact", "install"]]


def test_the_remedy_of_a_stopped_service_works_as_it_is_printed(
    small_site: Snapshot, installed: Installed
) -> None:
    installed.sh("systemctl stop asterisk")
    status, findings = installed.doctor("--only", "asterisk.service")
    assert status == 1
    remedy = findings["asterisk.service"]["remedy"]
    done = small_site.here(remedy)
    assert done.returncode == 0, done.stderr
    status, _ = installed.doctor("--only", "asterisk.service")
    assert status == 0


def test_no_log_or_journal_of_the_installation_holds_a_secret(installed: Installed) -> None:
    state = Path(installed.environment.get("UCONTACT_VAR", "/var/lib/ucontact"))
    here = "".join(
        path.read_text(errors="replace")
        for path in (state / installed.machine.name).rglob("*")
        if path.is_file()
    )
    # The journal that the installation itself was written to, before the server started anew.
    assert len(installed.sh("journalctl --quiet --no-pager --list-boots").splitlines()) > 1
    there = installed.sh(
        "journalctl --no-pager -o cat; cat /var/log/asterisk/messages* | head -c 9000000"
    )
    assert "phase web done" in here
    assert "nginx" in there
    for name in installed.ucontact("secrets", "list").stdout.split():
        secret = installed.secret(name)
        assert secret not in here, name
        assert secret not in there, name


def test_what_the_backend_writes_is_served(installed: Installed) -> None:
    umask = installed.sh("systemctl show -p UMask --value integraserver").strip()
    picture = "/var/lib/IntegraServer/images/logo.svg"
    write = f"sh -c 'echo \"<svg/>\" > {picture}'"
    installed.sh(f"systemd-run --quiet --wait --uid=integra -p UMask={umask} {write}")
    url = f"https://{installed.machine.address}/images/logo.svg"
    assert "<svg/>" in installed.sh(f"curl -sfk {url} && rm {picture}")


def test_a_wrong_key_does_not_lock_the_installer_out(installed: Installed, tmp_path: Path) -> None:
    """The jail for ssh came with fail2ban: it must know from where the site is installed."""
    wrong = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", wrong], check=True)
    banning = "fail2ban-client status sshd"
    assert "Banned IP list:" in installed.sh(banning)
    for _ in range(6):
        refused = subprocess.run(
            [
                *("ssh", "-i", wrong, "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes"),
                *("-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={tmp_path}/hosts"),
                f"root@{installed.machine.address}",
                "true",
            ],
            capture_output=True,
            check=False,
        )
        assert refused.returncode == 255
    # sshd itself keeps such a caller waiting for some seconds (PerSourcePenalties, sshd_config(5)).
    deadline = time.monotonic() + 60
    while installed.machine.ssh(["true"]).returncode and time.monotonic() < deadline:
        time.sleep(1)
    known = installed.sh("fail2ban-client get sshd ignoreip")
    assert str(layout.GATEWAY) in known
    assert str(layout.GATEWAY) not in installed.sh(banning)


def test_the_doctor_speaks_spanish_by_the_environment(installed: Installed) -> None:
    english = installed.doctor()[1]
    spanish = replace(installed, environment={**installed.environment, "LC_ALL": "es_AR.UTF-8"})
    told = spanish.doctor()[1]
    assert told["web.service"]["title"] == "NGINX está en marcha"
    left = [
        check_id
        for check_id, finding in told.items()
        if finding["title"] == english[check_id]["title"]
    ]
    assert left == []
    assert " bien" in spanish.ucontact("doctor", "--only", "web").stdout


def test_the_network_is_measured_and_the_opening_for_it_is_closed_again(
    installed: Installed,
) -> None:
    done = installed.ucontact("doctor", "network", "--seconds", "2", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    (path,) = document["paths"]
    assert (path["source"], path["target"]) == ("this machine", installed.machine.name)
    assert path["quality"]["answered"] == path["quality"]["sent"] == 100
    assert path["quality"]["out"]["dscp"] == path["quality"]["back"]["dscp"] == [46]
    assert path["throughput"]["up_kbps"] > 8000
    assert {finding["verdict"] for finding in document["findings"]} == {"pass"}
    assert "dport 862" not in installed.sh("nft list chain inet ucontact input")
    left = installed.sh("systemctl list-units --all 'ucontact-*'; ls /run /run/systemd/system")
    assert "reflector" not in left
    assert "throughput" not in left


def test_a_measurement_that_nobody_ends_ends_by_itself(
    installed: Installed, tmp_path: Path
) -> None:
    host = Host(name="one", address=installed.machine.address, key=layout.ssh_key())
    with runner_for(host, SshSettings(tmp_path / "known_hosts")) as runner:
        # As if the installing machine had died: entered, and never left.
        far_end = reflecting(runner, ["192.0.2.1"], (862, 5201), seconds=2)
        far_end.__enter__()
        opened = installed.sh("nft list chain inet ucontact input")
        assert "ip saddr 192.0.2.1 udp dport 862" in opened
        time.sleep(4)
        assert "192.0.2.1" not in installed.sh("nft list chain inet ucontact input")
        assert installed.sh("ss -Hlun sport = :862; ss -Hltn sport = :5201") == ""
        assert "ucontact" not in installed.sh("systemctl list-units --state=failed --plain")
        far_end.__exit__(None, None, None)


def test_extensions_have_long_secrets_of_their_own(installed: Installed) -> None:
    secret = installed.secret("telephony.extensions.6001")
    assert len(secret) >= 24
    assert secret != installed.secret("telephony.extensions.6002")


@pytest.mark.parametrize("port", [443, pytest.param(8089, marks=pytest.mark.exhaustive)])
def test_an_independent_scanner_finds_nothing_weak(
    installed: Installed, port: int, tmp_path: Path
) -> None:
    """testssl.sh: versions, ciphers and forward secrecy (R08), of the portal and of telephony."""
    scanner = shutil.which("testssl") or shutil.which("testssl.sh")
    if scanner is None:
        pytest.skip("not run: testssl.sh is not installed (apt-get install testssl.sh)")
    out = tmp_path / "scan.json"
    subprocess.run(
        [
            *(scanner, "--quiet", "--warnings", "off", "--color", "0", "--ip", "one"),
            *("-p", "-s", "-f", "--jsonfile", str(out)),
            f"https://{installed.machine.address}:{port}/",
        ],
        capture_output=True,
        timeout=300,
        check=False,
    )
    found = {row["id"]: row for row in json.loads(out.read_text())}
    offered = {
        name: found[name]["finding"].startswith("offered")
        for name in ("SSLv2", "SSLv3", "TLS1", "TLS1_1", "TLS1_2", "TLS1_3")
    }
    assert [name for name, yes in offered.items() if yes] == ["TLS1_2", "TLS1_3"]
    secrecy = found.get("FS") or found["PFS"]  # newer scanners, older ones
    assert secrecy["finding"].startswith("offered")
    bad = {id for id, row in found.items() if row["severity"] in ("MEDIUM", "HIGH", "CRITICAL")}
    assert bad == set()


def laptop(site: Installed, folder: Path) -> Installed:
    """The same site from a machine that has its site.yml and nothing else of it."""
    state = folder / "var"
    state.mkdir()
    (state / "releases").symlink_to("/var/lib/ucontact/releases")
    environment = {
        **site.environment,
        "UCONTACT_ETC": str(folder / "etc"),
        "UCONTACT_VAR": str(state),
    }
    return replace(site, environment=environment)


def test_a_machine_that_does_not_know_the_site_changes_nothing_on_it(
    installed: Installed, tmp_path: Path
) -> None:
    stranger = laptop(installed, tmp_path)
    installed.sh("touch /run/before")
    done = stranger.ucontact("install", "--yes")
    assert done.returncode == 2, done.stderr
    assert f"this machine does not know the site {installed.machine.name}," in done.stderr
    assert f"the CA of the site {installed.machine.name}" in done.stderr
    assert "--new-ca" in done.stderr
    touched = "find /etc /usr /opt /root /var/backups /var/lib/IntegraServer -newer /run/before"
    assert installed.sh(touched) == ""
    assert list((tmp_path / "etc").rglob("*")) == []


def test_the_file_that_was_there_before_is_kept(installed: Installed) -> None:
    kept = "/var/backups/ucontact/originals"
    assert "uContact" not in installed.sh(f"cat {kept}/etc/hosts")
    assert "uContact" in installed.sh("cat /etc/hosts")
    assert installed.sh(f"ls {kept}/etc/nginx 2>/dev/null; true") == ""


@pytest.mark.exhaustive
def test_a_new_ca_takes_the_place_of_a_lost_one(small_site: Snapshot, tmp_path: Path) -> None:
    small_site.restore()
    site = Installed(small_site.machine, small_site.site_file, small_site.environment)
    try:
        stranger = laptop(site, tmp_path)
        done = stranger.ucontact("install", "--yes", "--new-ca")
        assert done.returncode == 0, done.stderr
        trusted = tmp_path / "etc" / site.machine.name / "pki" / "portal-ca.pem"
        assert f"agents' PCs reject the portal until {trusted} is installed on them" in done.stderr
        again = stranger.ucontact("install", "--yes")
        assert again.returncode == 0, again.stderr
        assert "changed=0" in again.stdout
        status, _ = stranger.doctor()
        assert status == 0
        # The machine that installed it before must not take the servers back by accident.
        refused = site.ucontact("install", "--yes")
        assert refused.returncode == 2
        assert "has an installation that does not belong to this site" in refused.stderr
    finally:
        small_site.restore()


@pytest.mark.exhaustive
def test_every_remedy_for_the_server_runs_there(installed: Installed, small_site: Snapshot) -> None:
    try:
        assert run_all(installed.machine.address, frozenset(Role)) == {}
    finally:
        small_site.restore()


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("remedy", "printed"),
    [
        ("{ssh} asterisk -rx 'rtp show settings' && {ssh} nft list ruleset", "table inet ucontact"),
        ("{ssh} du -xh --max-depth=1 / | sort -rh | head -2  # a note", "/\n"),
        ("echo 'SELECT 6 * 7' | {ssh} mysql -N", "42\n"),
        ("{ssh} uname -m", "\n"),
    ],
)
def test_a_remedy_runs_as_it_is_printed(
    small_site: Snapshot, installed: Installed, remedy: str, printed: str
) -> None:
    host = Host(name=installed.machine.name, address=installed.machine.address)
    done = small_site.here(RemedyFormatter(installed.site_file, ()).remedy(remedy, host))
    assert (done.returncode, done.stderr) == (0, "")
    assert printed in done.stdout


def test_a_shell_on_a_host_of_the_site_passes_words_and_status_on(installed: Installed) -> None:
    name = installed.machine.name
    words = ("shell", name, "--site", str(installed.site_file), "--")

    def shell(*command: str) -> subprocess.CompletedProcess[str]:
        return ucontact(*words, *command, env=installed.environment)

    done = shell("sh", "-c", 'hostname; echo "$1"; id -u; exit 7', "-", "a  b")
    assert (done.returncode, done.stdout) == (7, f"{name}\na  b\n0\n"), done.stderr
    assert shell("exit 3").returncode == 3
