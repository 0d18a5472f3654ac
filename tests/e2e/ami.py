"""A backend that drives queues over Asterisk's manager interface with TLS."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

_CLIENT = """
import json, socket, ssl, sys
where, actions = sys.argv[1], json.loads(sys.argv[2])
context = ssl.create_default_context(cafile="/etc/ssl/ucontact/ca.pem")
sock = context.wrap_socket(socket.create_connection((where, 5039), 5), server_hostname=where)
lines = sock.makefile("rw", newline="\\r\\n")
print(lines.readline().strip())
for action in actions:
    lines.write("".join("%s: %s\\n" % pair for pair in action.items()) + "\\n")
    lines.flush()
    while not (line := lines.readline()).startswith("Message:"):
        pass
    print(line.strip())
"""


def answers(
    sh: Callable[[str], str], where: str, secret: str, actions: Sequence[dict[str, str]]
) -> list[str]:
    """The banner, and the message that answers the login and each action.

    `sh` runs a script on the machine from which the backend connects.
    """
    login = {"Action": "Login", "Username": "backend", "Secret": secret, "Events": "off"}
    asked = json.dumps([login, *actions])
    return sh(f"python3 - {where} '{asked}' <<'END'\n{_CLIENT}\nEND").splitlines()
