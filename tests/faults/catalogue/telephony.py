"""Asterisk and what limits access to it."""

from __future__ import annotations

from tests.faults.catalogue.helpers import ASTERISK, RESTART_ASTERISK, asterisk, edit, ids
from tests.faults.model import Fault, Kind

_INSTALL = 'ucontact install --yes --site "$SITE"'
# Asterisk queues five connections that it has not accepted yet: a connection a little later than
# the one before is not dropped. It ends a silent session after some seconds; another one takes
# its place.
_SILENT_SESSIONS = """
import resource, selectors, socket, sys, time
limit = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_NOFILE, (limit + 100, limit + 100))
held = selectors.DefaultSelector()
def open_one():
    held.register(socket.create_connection(("127.0.0.1", 8088)), selectors.EVENT_READ)
    time.sleep(0.002)
for _ in range(limit):
    open_one()
while True:
    for key, _ in held.select():
        held.unregister(key.fileobj)
        key.fileobj.close()
        open_one()
"""


def _without_module(name: str) -> str:
    return f"echo 'noload => {name}.so' >> {ASTERISK}/modules.conf && {RESTART_ASTERISK}"


FAULTS = (
    Fault(
        "asterisk-codec-missing",
        "extensions may not use opus",
        Kind.TELEPHONY,
        ids("asterisk.codecs"),
        inject=asterisk("pjsip_extensions.conf", "s/^(allow *=.*)opus,/\\1/", "pjsip reload"),
    ),
    Fault(
        "asterisk-extension-lost",
        "an extension is gone",
        Kind.TELEPHONY,
        ids("asterisk.endpoints"),
        inject="number=$(asterisk -rx 'pjsip show endpoints' | "
        "sed -n 's/^ *Endpoint: *\\([0-9][0-9]*\\)[/ ].*/\\1/p' | head -1) && "
        f'sed -i "/^\\[$number\\](extension)/,/^callerid/d" {ASTERISK}/pjsip_extensions.conf && '
        "asterisk -rx 'pjsip reload' && sleep 1",
    ),
    Fault(
        "asterisk-media-plain",
        "extensions' media is not encrypted",
        Kind.TELEPHONY,
        ids("asterisk.media"),
        inject=asterisk(
            "pjsip_extensions.conf",
            "s/^media_encryption *=.*/media_encryption = no/",
            "pjsip reload",
        ),
    ),
    Fault(
        "asterisk-realtime-astray",
        "a family of Asterisk's configuration is to come out of a database that nobody knows",
        Kind.TELEPHONY,
        ids("asterisk.realtime"),
        inject=f"echo 'queues => odbc,elsewhere' >> {ASTERISK}/extconfig.conf",
        mend=f"sed -i '/elsewhere/d' {ASTERISK}/extconfig.conf",
    ),
    Fault(
        "asterisk-queue-log-stopped",
        "the service that copies the queue log is stopped",
        Kind.TELEPHONY,
        ids("asterisk.queue-log"),
        inject="systemctl stop ucontact-queue-log",
    ),
    Fault(
        "asterisk-manager-without-tls",
        "the manager interface of the backend has no TLS any more",
        Kind.TELEPHONY,
        ids("ports.ami-tls"),
        inject=asterisk(
            "manager.conf", "s/^tlsenable = yes/tlsenable = no/", "module reload manager"
        ),
    ),
    Fault(
        "asterisk-channel-events-off",
        "somebody switched channel events off",
        Kind.TELEPHONY,
        ids("asterisk.channel-events"),
        inject=asterisk("cel.conf", "s/^enable = yes/enable = no/", "module reload cel"),
    ),
    Fault(
        "playback-port",
        "recordings for the backend are at another port than the one that it is told",
        Kind.TELEPHONY,
        ids("ports.playback"),
        inject=edit(
            "/etc/ucontact-playback.json",
            "s/8090/8092/",
            "systemctl restart ucontact-playback && sleep 1",
        ),
    ),
    Fault(
        "asterisk-unmarked",
        "audio leaves without its mark for QoS",
        Kind.TELEPHONY,
        ids("asterisk.qos"),
        inject=asterisk(
            "pjsip_extensions.conf", "s/^tos_audio *=.*/tos_audio = 0/", "pjsip reload"
        ),
    ),
    Fault(
        "asterisk-signalling-unmarked",
        "the table that marks signalling over WebSockets is gone",
        Kind.TELEPHONY,
        ids("asterisk.qos_text"),
        inject="nft delete table inet ucontact_qos",
    ),
    Fault(
        "asterisk-anonymous",
        "somebody added an endpoint for callers without an account",
        Kind.TELEPHONY,
        ids("asterisk.anonymous"),
        inject=f"printf '[anonymous]\\ntype = endpoint\\ncontext = internal\\n' >> "
        f"{ASTERISK}/pjsip_trunks.conf && asterisk -rx 'pjsip reload' && sleep 1",
    ),
    Fault(
        "asterisk-dialplan",
        "the echo test is gone from the dialplan",
        Kind.TELEPHONY,
        ids("asterisk.dialplan"),
        inject=asterisk("extensions.conf", "s/\\*43/*44/", "dialplan reload"),
    ),
    Fault(
        "asterisk-rtp-range",
        "media uses ports that the firewall does not open",
        Kind.TELEPHONY,
        ids("asterisk.rtp"),
        inject=asterisk(
            "rtp.conf",
            "s/^rtpstart.*/rtpstart = 30000/; s/^rtpend.*/rtpend = 31000/",
            "module reload res_rtp_asterisk.so",
        ),
    ),
    Fault(
        "asterisk-session-limit",
        "Asterisk takes five WebSockets only",
        Kind.TELEPHONY,
        ids("asterisk.sessions"),
        inject=asterisk("http.conf", "s/^sessionlimit.*/sessionlimit = 5/", "module reload http"),
    ),
    Fault(
        "asterisk-sessions-used-up",
        "every session that Asterisk has is taken by connections that say nothing",
        Kind.TELEPHONY,
        ids("asterisk.sessions-free"),
        inject="limit=$(sed -nE 's/^sessionlimit *= *([0-9]+)/\\1/p' /etc/asterisk/http.conf) && "
        f"cat > /opt/sessions.py <<'E'{_SILENT_SESSIONS}E\n"
        "systemd-run -q --unit=stranger python3 /opt/sessions.py $limit && "
        "for _ in $(seq 100); do sleep 0.2; "
        "[ $(ss -Htn state established '( sport = :8088 )' | wc -l) -lt $limit ] || break; done",
        mend="systemctl stop stranger",
    ),
    Fault(
        "asterisk-ami-open",
        "the manager interface listens towards the network",
        Kind.TELEPHONY,
        ids("asterisk.ami ports.private"),
        inject=asterisk("manager.conf", "s/^bindaddr.*/bindaddr = 0.0.0.0/", "manager reload"),
    ),
    Fault(
        "asterisk-http-open",
        "Asterisk's plain HTTP listens towards the network",
        Kind.TELEPHONY,
        ids("asterisk.http ports.private"),
        inject=asterisk("http.conf", "s/^bindaddr.*/bindaddr = 0.0.0.0/", "module reload http"),
    ),
    Fault(
        "asterisk-ami-off",
        "the manager interface is off, and the backend has no way to Asterisk",
        Kind.TELEPHONY,
        ids("asterisk.ami ports.ami ports.ami-tls"),
        inject=asterisk("manager.conf", "s/^enabled.*/enabled = no/", "manager reload"),
    ),
    Fault(
        "asterisk-wss-off",
        "Asterisk no longer serves HTTPS, and so no WebSockets",
        Kind.TELEPHONY,
        ids("asterisk.http ports.wss"),
        inject=asterisk("http.conf", "s/^tlsenable.*/tlsenable = no/", RESTART_ASTERISK),
        also={"firewall.reach": "the port is open and nobody is behind it"},
    ),
    Fault(
        "asterisk-module-websocket",
        "the module for SIP over WebSockets is not loaded",
        Kind.TELEPHONY,
        ids("asterisk.modules.sip"),
        inject=_without_module("res_pjsip_transport_websocket"),
    ),
    Fault(
        "asterisk-module-srtp",
        "the module that encrypts media is not loaded",
        Kind.TELEPHONY,
        ids("asterisk.modules.media"),
        inject=_without_module("res_srtp"),
    ),
    Fault(
        "asterisk-module-echo",
        "the module of the echo test is not loaded",
        Kind.TELEPHONY,
        ids("asterisk.modules.calls"),
        inject=_without_module("app_echo"),
    ),
    Fault(
        "asterisk-module-unloaded",
        "somebody unloaded the module that records calls",
        Kind.TELEPHONY,
        ids("asterisk.modules.recording"),
        inject="asterisk -rx 'module unload app_mixmonitor.so'",
    ),
    Fault(
        "asterisk-tls-transport-lost",
        "SIP over TLS is not set up",
        Kind.TELEPHONY,
        ids("asterisk.transports"),
        inject=asterisk("pjsip.conf", "/^.transport-tls.$/,/^allow_reload/d", RESTART_ASTERISK),
    ),
    Fault(
        "asterisk-security-log-off",
        "refused logins are not logged",
        Kind.TELEPHONY,
        ids("asterisk.security_log"),
        inject=asterisk("logger.conf", "s/^security =>/;&/", "logger reload"),
    ),
    Fault(
        "asterisk-module-opus",
        "the module that transcodes opus is not loaded",
        Kind.TELEPHONY,
        ids("asterisk.transcoding"),
        inject="printf 'noload => codec_opus.so\\nnoload => codec_opus_open_source.so\\n' "
        f">> {ASTERISK}/modules.conf && {RESTART_ASTERISK}",
        mend_here=_INSTALL,
    ),
    Fault(
        "asterisk-module-driver",
        "PJSIP's channel driver is not loaded",
        Kind.TELEPHONY,
        ids("asterisk.drivers"),
        inject=_without_module("chan_pjsip"),
    ),
    Fault(
        "asterisk-descriptors",
        "Asterisk runs with 1024 file descriptors",
        Kind.TELEPHONY,
        ids("asterisk.descriptors"),
        inject=edit(
            "/etc/systemd/system/asterisk.service.d/ucontact.conf",
            "s/^LimitNOFILE=.*/LimitNOFILE=1024/",
            f"systemctl daemon-reload && {RESTART_ASTERISK}",
        ),
    ),
    Fault(
        "asterisk-stun-dead",
        "Asterisk asks a STUN server that does not answer",
        Kind.TELEPHONY,
        ids("asterisk.stun"),
        inject=asterisk(
            "rtp.conf",
            "/^stunaddr/d; s/^rtpstart.*/&\\nstunaddr = 192.0.2.9:3478/",
            "module reload res_rtp_asterisk.so",
        ),
    ),
    Fault(
        "asterisk-records-password",
        "Asterisk's password for the call records is wrong",
        Kind.TELEPHONY,
        ids("asterisk.records"),
        inject=edit("/etc/odbc.ini", "s/^PASSWORD.*/PASSWORD = wrong/", "true"),
        mend_here=_INSTALL,
    ),
    Fault(
        "asterisk-jail-bans-installer",
        "somebody banned the installing machine",
        Kind.TELEPHONY,
        ids("asterisk.banned"),
        inject="fail2ban-client set ucontact-asterisk banip ${SSH_CONNECTION%% *} >/dev/null",
        also={"firewall.reach": "it is judged from the banned machine"},
    ),
    Fault(
        "asterisk-limits-gone",
        "the limits in front of SIP were flushed",
        Kind.TELEPHONY,
        ids("asterisk.limits"),
        inject="nft delete table inet ucontact_sip",
    ),
    Fault(
        "firewall-limits-gone",
        "the limits of connections per source were flushed",
        Kind.TELEPHONY,
        ids("firewall.limits"),
        inject="nft delete table inet ucontact_limits",
    ),
    Fault(
        "asterisk-connection-jail-off",
        "the jail for connections with wrong passwords is stopped, and fail2ban runs",
        Kind.TELEPHONY,
        ids("asterisk.jail"),
        inject="fail2ban-client stop ucontact-connection >/dev/null",
    ),
    Fault(
        "asterisk-datagram-jail-off",
        "the jail for passwords guessed by datagrams is stopped, and fail2ban runs",
        Kind.TELEPHONY,
        ids("asterisk.jail"),
        inject="fail2ban-client stop ucontact-datagram >/dev/null",
    ),
    Fault(
        "asterisk-jail-off",
        "the jail for guessed passwords is stopped, and fail2ban runs",
        Kind.TELEPHONY,
        ids("asterisk.jail"),
        inject="fail2ban-client stop ucontact-asterisk >/dev/null",
    ),
)
