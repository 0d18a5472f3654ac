"""The network between hosts."""

from __future__ import annotations

from tests.faults.catalogue.helpers import WAIT_BACKEND, ids, sql
from tests.faults.model import Fault, Kind

FAULTS = (
    Fault(
        "network-route-lost",
        "the host has no default route",
        Kind.HOST,
        ids("network.route"),
        inject="ip route show default > /root/route && ip route del default",
        mend="ip route add $(cat /root/route)",
    ),
    Fault(
        "network-dns-gone",
        "the name servers that are set do not answer",
        Kind.HOST,
        ids("network.dns"),
        inject="cp -L /etc/resolv.conf /root/resolv && rm /etc/resolv.conf && "
        "echo nameserver 192.0.2.53 > /etc/resolv.conf",
        mend="cp /root/resolv /etc/resolv.conf",
    ),
    Fault(
        "network-mtu-small",
        "the host's interface takes packets of 1280 octets at the most",
        Kind.HOST,
        ids("network.mtu"),
        inject="ip link set $(ip route show default | sed 's/.* dev //; s/ .*//') mtu 1280",
        mend="ip link set $(ip route show default | sed 's/.* dev //; s/ .*//') mtu 1500",
    ),
    Fault(
        "mysql-start-slow",
        "mysqld takes more than a minute to start",
        Kind.DATABASE,
        ids("mysql.start"),
        inject="mkdir -p /run/systemd/system/mysql.service.d && "
        "printf '[Service]\nTimeoutStartSec=600\nExecStartPre=/bin/sleep 61\n' "
        "> /run/systemd/system/mysql.service.d/slow.conf && systemctl daemon-reload && "
        f"systemctl restart mysql && {WAIT_BACKEND}",
        also={"system.overrides": "the start is slowed down by a file beside the unit"},
        mend="rm -r /run/systemd/system/mysql.service.d && systemctl daemon-reload && "
        "systemctl restart mysql",
    ),
    Fault(
        "mysql-replication-stopped",
        "the server is set up as a replica, and copies nothing",
        Kind.DATABASE,
        ids("mysql.replication"),
        inject=sql("CHANGE REPLICATION SOURCE TO SOURCE_HOST='192.0.2.1', SOURCE_USER='copy'"),
        mend=sql("RESET REPLICA ALL"),
    ),
    Fault(
        "sealed-state-gone",
        "somebody cleared /var/lib/ucontact on a server",
        Kind.HOST,
        ids("site.recovery"),
        inject="rm /var/lib/ucontact/site-state.sealed",
        always_mended=True,
    ),
    Fault(
        "files-drift",
        "somebody added a comment to a file that the installation writes",
        Kind.HOST,
        ids("files.drift"),
        inject="echo '# by hand' >> /etc/sysctl.d/60-ucontact.conf",
    ),
)
