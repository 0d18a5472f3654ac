"""Tell the SIP limits in nftables from which addresses agents are registered.

Reads Asterisk's registrar, writes the sets `agents-ip` and `agents-ip6` of the nftables table
`inet ucontact_sip`. Runs as ucontact-agents.service. Python 3.5 and later.
"""

import ipaddress
import json
import re
import subprocess
import sys

# With rewrite_contact a contact's host is the address that its REGISTER came from. The part
# before the last "@" comes from the client.
HOST = re.compile(r"@(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::[0-9]+)?(?:;|\^3B|$)")


def addresses(text):
    """The addresses of all contacts in the output of `database show registrar`."""
    found = set()
    for line in text.splitlines():
        _, brace, document = line.partition("{")
        try:
            contact = json.loads(brace + document)
            host = HOST.search("@" + contact["uri"].rpartition("@")[2])
            address = ipaddress.ip_address(host.group(1) or host.group(2))
        except (ValueError, KeyError, TypeError, AttributeError):
            continue  # a line of another family, or the summary
        found.add(address)
        if address.version == 4:
            # The address of the same client behind the portal's proxy.
            found.add(ipaddress.ip_address("127." + str(address).split(".", 1)[1]))
    return found


def rules(found):
    """nft commands that delete and re-add: adding alone does not renew an element's timeout."""
    lines = []
    for address in sorted(found, key=str):
        element = "element inet ucontact_sip agents-ip{} {{ {} }}".format(
            "6" if address.version == 6 else "", address
        )
        lines += ["add " + element, "delete " + element, "add " + element]
    return "\n".join(lines) + "\n"


def main():
    """Read, then write in one transaction."""
    told = subprocess.run(
        ["asterisk", "-rx", "database show registrar"],
        stdout=subprocess.PIPE,
        check=True,
        timeout=20,
    )
    found = addresses(told.stdout.decode("utf-8", "replace"))
    if found:
        subprocess.run(["nft", "-f", "-"], input=rules(found).encode(), check=True, timeout=20)


if __name__ == "__main__":
    sys.exit(main())
