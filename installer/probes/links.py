"""What a host reaches in its network, seen from itself: any Python from 3.5 on, no packages.

    links.py dns SERVER...            what each name server answers
    links.py tcp 'ADDRESS PORT'...    open, closed or filtered
    links.py mtu 'ADDRESS MTU'...     whether a packet of that size passes unfragmented

One JSON object on stdout, by the words that were given.
"""

import json
import socket
import sys
import threading

_SECONDS = 3.0
_TRIES = 2  # UDP may be lost: a resolver retries too, resolv.conf(5)
_HEADERS = {4: 28, 6: 48}  # octets of IP and ICMP headers before an echo's data
# A query for the root's name servers, recursion desired (RFC 1035, 4.1).
_QUESTION = b"\x75\x43\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x01"
_CODES = {0: "answers", 2: "answers SERVFAIL", 3: "answers NXDOMAIN", 5: "answers REFUSED"}


def dns(server):
    """The server's answer as text; empty if there is none."""
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as made:
        made.settimeout(_SECONDS)
        data = b""
        for _ in range(_TRIES):
            try:
                made.connect((server, 53))
                made.send(_QUESTION)
                data = made.recv(4096)
                break
            except OSError:
                continue
    if len(data) < 12 or data[:2] != _QUESTION[:2]:
        return ""
    return _CODES.get(data[3] & 15, "answers with code {}".format(data[3] & 15))


def tcp(endpoint):
    """The state of the port: open, closed or filtered."""
    address, port = endpoint.rsplit(" ", 1)
    try:
        socket.create_connection((address, int(port)), timeout=_SECONDS).close()
        return "open"
    except ConnectionRefusedError:
        return "closed"
    except OSError:
        return "filtered"


def mtu(way):
    """`passes`, or the last line of ping's output."""
    # Imported here: loading it takes as long as the other probes.
    import subprocess  # noqa: PLC0415

    address, size = way.rsplit(" ", 1)
    data = int(size) - _HEADERS[6 if ":" in address else 4]
    words = ["ping", "-n", "-M", "do", "-c", "2", "-i", "0.3", "-W", "2", "-s", str(data), address]
    done = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = done.communicate()[0].decode("utf-8", "replace").strip().splitlines()
    return "passes" if done.returncode == 0 else " ".join(said[-3:])[-200:]


def main(words):
    """Run all probes in parallel; return the exit status."""
    tried = {"dns": dns, "tcp": tcp, "mtu": mtu}.get(words[0] if words else "")
    if tried is None:
        sys.stderr.write(__doc__)
        return 2
    said, wrong = {}, []

    def tell(word):
        try:
            said[word] = tried(word)
        except Exception as error:
            wrong.append("{}: {}".format(word, error))

    # No concurrent.futures: loading it takes longer than Python's own start.
    threads = [threading.Thread(target=tell, args=(word,)) for word in words[1:]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong:
        sys.stderr.write("\n".join(wrong) + "\n")
        return 1
    json.dump({word: said[word] for word in words[1:]}, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
