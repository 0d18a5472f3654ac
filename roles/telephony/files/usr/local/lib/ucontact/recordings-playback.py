#!/usr/bin/python3
"""Give recordings to the site's backend, pause them, and drive agents for it, by HTTPS (R05).

The backend decides who may, and signs a ticket for each request; the portal's NGINX brings it here.
A file is served only if it has the size of the index: what is being written, or was changed since,
is not. No link is followed. Python 3.5 and later.
"""

import contextlib
import functools
import http.server
import json
import os
import re
import socket
import socketserver
import ssl
import sys
import threading
import time

import ucontact_agents
import ucontact_pause
import ucontact_plain
import ucontact_ticket
import ucontact_wav
from ucontact_odbc import TroubleError

CONFIGURATION = "/etc/ucontact-playback.json"
CERTIFICATE = "/etc/ssl/ucontact/internal.pem"
KEY = "/etc/ssl/ucontact/private/internal.key"
TICKET = "X-Recording-Ticket"
PATIENCE_SECONDS = 30
AT_ONCE = 32
BLOCK_BYTES = 1 << 16
RANGE = re.compile(r"^bytes=([0-9]{0,18})-([0-9]{0,18})$")
# (session, agents, number, reason) by the operation of the ticket.
AGENT_WORK = {
    "agent-state": lambda *given: None,
    "agent-login": lambda *given: ucontact_agents.login(*given[:3]),
    "agent-logout": lambda *given: ucontact_agents.logout(*given[:3]),
    "agent-pause": ucontact_agents.pause,
    "agent-unpause": lambda *given: ucontact_agents.unpause(*given[:3]),
}
TYPES = {"gsm": "audio/gsm", "wav": "audio/wav", "webm": "video/webm"}


class RangeError(Exception):
    """The range begins behind the recording's end."""


def part_of(header, size):
    """(first, last) byte of a Range header; None for the whole (RFC 9110, 14.2). Raises RangeError.

    Several ranges, and what is no range of bytes, get the whole.
    """
    form = RANGE.match(header.strip())
    if not form or form.groups() == ("", ""):
        return None
    first, last = form.groups()
    if not first:
        first, last = max(0, size - int(last)), size - 1
    else:
        first, last = int(first), int(last) if last else size - 1
        if last < first and form.group(2):
            return None
    if first >= size:
        raise RangeError
    return first, min(last, size - 1)


def stored(file, first, last):
    """The bytes `first` to `last` of an open file, piece by piece; fewer if it was cut off."""
    file.seek(first)
    left = last - first + 1
    while left:
        block = file.read(min(BLOCK_BYTES, left))
        if not block:
            return
        yield block
        left -= len(block)


class Handler(http.server.BaseHTTPRequestHandler):
    """One request per connection."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "ucontact", ""

    def do_GET(self):
        """Serve a recording, or pause one: the ticket says which."""
        self.close_connection = True
        try:
            if self.path in ("/recording", "/wav"):
                self.recording(self.path[1:])
            elif self.path in ("/pause", "/resume"):
                self.pause(self.path[1:])
            elif self.path[1:] in AGENT_WORK:
                self.agent(self.path[1:])
            else:
                self.refuse(404, "no such resource")
        except ucontact_ticket.RefusedError as error:
            self.refuse(403, str(error))
        except ucontact_plain.MissingError:
            self.refuse(404, "no such recording")
        except ucontact_plain.UnreadableError as error:
            sys.stderr.write("%s: %s\n" % (self.path, error))
            self.refuse(503, "the recording can't be decrypted")
        except ucontact_wav.DecoderError as error:
            sys.stderr.write("%s: %s\n" % (self.path, error))
            self.refuse(503, "the recording can't be converted")
        except ucontact_agents.NoAgentError:
            self.refuse(404, "no such agent")
        except ucontact_agents.ReasonError:
            self.refuse(400, "no such reason in site.yml")
        except TroubleError as error:
            sys.stderr.write("%s: %s\n" % (self.path, error))
            agents = self.path[1:] in AGENT_WORK
            self.refuse(
                409, str(error) if agents else "the call has no recording that can be paused"
            )

    do_HEAD = do_GET  # noqa: N815

    def fields(self, operation, count):
        """The fields of the request's ticket."""
        ticket = self.headers.get(TICKET, "")
        return ucontact_ticket.opened(ticket, operation, count, self.server.secret, time.time())

    def recording(self, operation):
        """Serve the recording of the ticket, or the part of it that is asked for; as WAV if so."""
        path, size, digest = self.fields(operation, 3)
        if not size.isdigit():
            raise ucontact_ticket.RefusedError("the ticket is damaged")
        with ucontact_plain.open_recording(path, int(size), digest) as file:
            name = path.rpartition("/")[2]
            if operation == "recording":
                self.serve(name, int(size), '"%s"' % digest, functools.partial(stored, file))
            elif name.endswith(".gsm"):
                ucontact_wav.demand_decoder()
                length = ucontact_wav.size_of(int(size))
                content = functools.partial(ucontact_wav.pieces, file, length)
                self.serve(name[: -len("gsm")] + "wav", length, '"%s-wav"' % digest, content)
            else:
                self.refuse(406, "this recording can't be had as WAV")

    def serve(self, name, size, tag, content):
        """Send content of that name and size, or the part that is asked for."""
        asked = self.headers.get("Range", "")
        if self.headers.get("If-Range", tag) != tag:
            asked = ""
        try:
            part = part_of(asked, size)
        except RangeError:
            self.refuse(416, "no such range", (("Content-Range", "bytes */%d" % size),))
            return
        first, last = part or (0, size - 1)
        name = re.sub(r"[^A-Za-z0-9._-]", "_", name)
        ending = name.rpartition(".")[2]
        self.send_response(206 if part else 200)
        self.send_header("Content-Type", TYPES.get(ending, "application/octet-stream"))
        self.send_header("Content-Length", str(last - first + 1))
        self.send_header("Content-Disposition", 'inline; filename="%s"' % name)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", tag)
        if part:
            self.send_header("Content-Range", "bytes %d-%d/%d" % (first, last, size))
        self.finish_headers()
        if self.command == "HEAD":
            return
        with contextlib.closing(content(first, last)) as blocks:
            for block in blocks:
                self.wfile.write(block)

    def pause(self, operation):
        """Pause the recordings of the ticket's call, or record again."""
        call, who = self.fields(operation, 2)
        wrong = ucontact_pause.refused(call, who)
        if wrong:
            raise ucontact_ticket.RefusedError(wrong)
        work = ucontact_pause.pause if operation == "pause" else ucontact_pause.resume
        work(ucontact_pause.open_session(), call, who)
        self.document(200, {"call": call, "recording": operation == "resume"})

    def agent(self, operation):
        """Do with the ticket's agent what the operation says; answer with the agent's state."""
        number, who, reason = self.fields(operation, 3)
        if ucontact_pause.refused("1.1", who):
            raise ucontact_ticket.RefusedError("no name of who asks")
        agents = self.server.agents
        agents.of(number)
        manager = ucontact_pause.open_session()
        AGENT_WORK[operation](manager, agents, number, reason)
        self.document(200, ucontact_agents.state(manager, agents, number))

    def refuse(self, status, why, headers=()):
        """Send an error."""
        self.document(status, {"error": why}, headers)

    def document(self, status, content, headers=()):
        """Send JSON."""
        body = (json.dumps(content) + "\n").encode("utf-8")
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.finish_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def finish_headers(self):
        """Send what every answer has."""
        self.send_header("Cache-Control", "no-store")
        self.send_header("Connection", "close")
        self.end_headers()

    def log_message(self, format, *words):
        """Write nothing: the backend has a row for each request."""


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """A thread per request, a bounded number of them; TLS in the thread."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address, port, secret, agents=None):
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.secret = secret
        self.agents = agents or ucontact_agents.Agents({}, ())
        self.slots = threading.BoundedSemaphore(AT_ONCE)
        self.tls = (None, None)
        super().__init__((address, port), Handler)

    def server_bind(self):
        """Bind without HTTPServer's look-up of our own name, which may take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]

    def process_request(self, request, client_address):
        """Begin a thread, or close the connection when there are enough."""
        if not self.slots.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # no thread could be started
            self.slots.release()
            raise

    def process_request_thread(self, request, client_address):
        """Answer, and free the thread's place."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.slots.release()

    def finish_request(self, request, client_address):
        """Answer over TLS. A client that is silent or goes away costs its own thread only."""
        request.settimeout(PATIENCE_SECONDS)
        try:
            with self.context().wrap_socket(request, server_side=True) as stream:
                self.RequestHandlerClass(stream, client_address, self)
        except OSError:
            return

    def context(self):
        """TLS with the certificate in place: a renewed one is read again."""
        changed = (os.stat(CERTIFICATE).st_mtime_ns, os.stat(KEY).st_mtime_ns)
        if self.tls[0] != changed:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            if hasattr(context, "minimum_version"):  # Python 3.7
                context.minimum_version = ssl.TLSVersion.TLSv1_2
            else:
                context.options |= ssl.OP_NO_TLSv1 | ssl.OP_NO_TLSv1_1
            context.load_cert_chain(CERTIFICATE, KEY)
            self.tls = (changed, context)
        return self.tls[1]


def main():
    """Serve for ever."""
    with open(CONFIGURATION, encoding="utf-8") as file:
        settings = json.load(file)
    agents = ucontact_agents.Agents(settings["agents"], settings["pause_reasons"])
    place = (settings["address"], settings["port"])
    Server(*place, secret=settings["secret"], agents=agents).serve_forever()


if __name__ == "__main__":
    main()
