"""The firewall and foreign rules."""

from __future__ import annotations

from tests.faults.catalogue.helpers import edit, ids
from tests.faults.model import Fault, Kind

_FIREWALL = "/etc/nftables.d/ucontact.nft"
_UNREACHED = "nothing gets through from here"
FAULTS = (
    Fault(
        "firewall-lost",
        "the appliance's table is gone: every port is open",
        Kind.FIREWALL,
        ids("firewall.loaded"),
        inject="nft delete table inet ucontact",
    ),
    Fault(
        "firewall-flushed",
        "`nft flush ruleset`: no table is left",
        Kind.FIREWALL,
        ids("firewall.loaded firewall.limits asterisk.qos_text asterisk.limits"),
        inject="nft flush ruleset",
    ),
    Fault(
        "firewall-rule-lost",
        "the rule for WSS is missing in the kernel",
        Kind.FIREWALL,
        ids("firewall.loaded"),
        also={"wss.answers": _UNREACHED, "wss.direct": _UNREACHED},
        inject="handle=$(nft -a list table inet ucontact | "
        'sed -n "/tcp dport 8089 .*accept/s/.*# handle //p" | head -1) && '
        "nft delete rule inet ucontact input handle $handle",
    ),
    Fault(
        "firewall-rule-foreign",
        "somebody opened MySQL in the appliance's own file",
        Kind.FIREWALL,
        ids("firewall.rules"),
        inject=edit(
            _FIREWALL,
            "s/^( *)meta pkttype .*/\\1tcp dport 3306 accept\\n&/",
            "systemctl restart ucontact-firewall",
        ),
    ),
    Fault(
        "firewall-rule-edited",
        "the rule for HTTPS is missing in the appliance's own file",
        Kind.FIREWALL,
        ids("firewall.rules"),
        inject=edit(_FIREWALL, "/tcp dport 443 accept/d", "systemctl restart ucontact-firewall"),
        also={"firewall.reach": "the same port, tried from here", "web.answers": _UNREACHED},
    ),
    Fault(
        "firewall-disabled",
        "the firewall would not come back at the next boot",
        Kind.FIREWALL,
        ids("firewall.service"),
        inject="systemctl disable ucontact-firewall 2>/dev/null",
    ),
    Fault(
        "firewall-foreign-drop",
        "another table drops HTTPS from outside",
        Kind.FIREWALL,
        ids("firewall.reach firewall.foreign"),
        inject="nft add table inet foreign && "
        'nft "add chain inet foreign input { type filter hook input priority -5; }" && '
        'nft add rule inet foreign input iifname != "lo" tcp dport 443 drop',
        also={"web.answers": _UNREACHED},
        mend="nft delete table inet foreign",
    ),
    Fault(
        "firewall-foreign-rtp",
        "another table drops all media: only a call would notice",
        Kind.FIREWALL,
        ids("firewall.foreign"),
        inject="nft add table inet foreign && "
        'nft "add chain inet foreign input { type filter hook input priority -5; }" && '
        "nft add rule inet foreign input udp dport 10000-20000 drop",
        mend="nft delete table inet foreign",
    ),
)
