"""Tell the SIP limits in nftables from which addresses agents and trunks are registered.

    agents.py [TRUNK...]

Reads Asterisk's registrar, writes sets of the nftables table `inet ucontact_sip`: addresses into
`agents-ip` and `agents-ip6`, the connections of these trunks into `trunk-connections` and
`trunk-connections6`. Runs as ucontact-agents.service. Python 3.5 and later.
"""

import ipaddress
import json
import re
import subprocess
import sys

# With rewrite_contact a contact's host is the address that its REGISTER came from. The part
# before the last "@" comes from the client.
HOST = re.compile(r"@(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::([0-9]+))?(?:;|\^3B|$)")
KEY = re.compile(r"^/registrar/contact/(.+);@[0-9a-f]+ *: *$")


def contacts(text):
    """Each contact's AOR, address and port (None: the default) in `database show registrar`."""
    for line in text.splitlines():
        key, brace, document = line.partition("{")
        try:
            contact = json.loads(brace + document)
            host = HOST.search("@" + contact["uri"].rpartition("@")[2])
            address = ipaddress.ip_address(host.group(1) or host.group(2))
        except (ValueError, KeyError, TypeError, AttributeError):
            continue  # a line of another family, or the summary
        owner = KEY.match(key)
        yield owner.group(1) if owner else "", address, host.group(3)


def addresses(text):
    """The addresses of all contacts in the output of `database show registrar`."""
    found = set()
    for _, address, _ in contacts(text):
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


def connection_rules(text, trunks):
    """nft commands that renew the connections over which these trunks are registered."""
    lines = []
    for owner, address, port in sorted(contacts(text), key=str):
        if owner not in trunks or not port:
            continue
        element = "element inet ucontact_sip trunk-connections{} {{ {} . {} }}".format(
            "6" if address.version == 6 else "", address, port
        )
        lines += ["add " + element, "delete " + element, "add " + element]
    return "".join(line + "\n" for line in lines)


def main(trunks):
    """Read, then write in one transaction."""
    told = subprocess.run(
        ["asterisk", "-rx", "database show registrar"],
        stdout=subprocess.PIPE,
        check=True,
        timeout=20,
    )
    text = told.stdout.decode("utf-8", "replace")
    found = addresses(text)
    if found:
        commands = rules(found) + connection_rules(text, trunks)
        subprocess.run(["nft", "-f", "-"], input=commands.encode(), check=True, timeout=20)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
