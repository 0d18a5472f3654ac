"""Which of doctor's checks the catalogue proves, and why the others are left."""

from __future__ import annotations

from tests.faults.catalogue import FAULTS
from ucontact_appliance.checks.model import Stage
from ucontact_appliance.findings.registry import CHECKS

NO_REASON = "no fault yet"
_ON_DISK = "what lies on disk is judged before, and that the same is served"
_CONTAINER = "a rehearsal machine is a container, and has that of its host"
_SAME_JUDGE = "judged by the same lines as its twin of 443, which a fault proves"
# By id, or by its beginning with a dot behind.
REASONS = {
    "host.time_sync": _CONTAINER,
    "host.processor": _CONTAINER,
    "host.memory": _CONTAINER,
    "memory.available": _CONTAINER,
    "memory.kills": _CONTAINER,
    "host.root": "a login without root's rights can't have installed the site",
    "host.system": "another operating system is another machine",
    "controller.packages": "the runner itself stands on these packages",
    "controller.parts": "the runner itself stands on this tree",
    "controller.commands": "the runner itself stands on this command line",
    "asterisk.trunks": "the small site has no trunk",
    "asterisk.trunk-settings": "the small site has no trunk; tests/e2e/test_gateways.py spoils one",
    "cards.": "the small site has no telephony card, and none is at hand",
    "asterisk.queues": "the small site has no queue; tests/e2e/test_calls.py loses one",
    "recordings.video": "the small site records no video; tests/e2e/test_video.py stops it",
    "recordings.encryption": "the small site encrypts nothing; tests/e2e/test_encryption.py spoils "
    "it",
    "backup.": "the small site has no backups; tests/e2e/test_backup.py breaks them",
    "web.provisioning": "the small site has no hardphones; tests/e2e/test_phones.py loses one",
    "asterisk.build": "a rehearsal machine has stock Asterisk: it warns always",
    "web.version": "no older NGINX can be installed beside the one of the suite",
    "mysql.version": "no older MySQL can be installed beside the one of the suite",
    "backend.java": "no other Java can be installed beside Java 8",
    **{
        f"tls.{service}.{question}": _ON_DISK
        for service in ("https", "wss", "sip-tls", "turn-tls")
        for question in ("name", "expiry")
    },
    "stun.tls": "whose certificate it is, and that something listens, is judged before",
    "tls.wss.": _SAME_JUDGE,
    "tls.sip-tls.": _SAME_JUDGE,
    "tls.turn-tls.": _SAME_JUDGE,
    "mysql.ciphers": "the MySQL of the suite refuses to be set to a weak cipher",
    "pressure.": _CONTAINER,
    "network.address": "a host at another address than site.yml's is out of reach here",
    "network.vlan": "no VLAN interface can be made in a rehearsal machine",
    "network.egress_map": "no VLAN interface can be made in a rehearsal machine",
    "network.peers": "the small site has one host",
    "network.name": "the name servers of the installing machine are not the tests' to change",
    "lifecycle.": "no older release can be installed beside the suite's",
    "ports.ssh": "without it the host is out of reach, which host-ssh-stopped proves",
    "ports.wss-portal": "only where telephony has a server of its own",
    "wss.name": "only where telephony has a server of its own",
    "certificates.served.sip-tls": "PJSIP reads the file at each connection: it serves what lies "
    "on disk, always",
    **{
        f"ports.sip-{kind}": "that Asterisk opened it is judged before, by asterisk.transports"
        for kind in ("udp", "tcp", "tls")
    },
    "ports.asterisk-http": "judged by the same lines as ports.ami, which a fault proves",
    "web.http2": "what turns HTTP/2 off shows in ALPN before, which tls-http2-off proves",
    "web.login": "the answer is the release's own code, which no setting spoils",
    "stun.credential": "no setting of coturn lets a wrong credential in, and nobody else",
}


def proven() -> frozenset[str]:
    """Checks that must complain of a fault."""
    return frozenset(check for fault in FAULTS for check in fault.causes)


def unproven() -> dict[str, str]:
    """The other checks of the plain doctor, each with the reason."""
    staged = [check.id for check in CHECKS if Stage.DOCTOR in check.stages]
    return {check_id: _reason(check_id) for check_id in staged if check_id not in proven()}


def _reason(check_id: str) -> str:
    faults = [fault.id for fault in FAULTS if check_id in fault.also]
    if faults:
        return f"a symptom, not the cause, of {', '.join(faults)}"
    for name, reason in REASONS.items():
        if check_id == name or (name.endswith(".") and check_id.startswith(name)):
            return reason
    return NO_REASON
