"""Pause and resume the recordings of a call (PCI DSS 4.0, 3.3.1), by Asterisk's manager interface.

A paused recording goes on with silence, so that its length stays that of the call. The mark is on
the recording itself and ends with it, so no pause outlives its call. Python 3.5 and later.
"""

import configparser
import re
import socket
import time

from ucontact_odbc import TroubleError

CONFIGURATION = "/etc/asterisk/manager.conf"
ACCOUNT = "recording"
PATIENCE_SECONDS = 5
MOST_BYTES = 8 << 20  # the list of all channels of a large site is some 2 MB
CALL = re.compile(r"^[0-9]{1,12}\.[0-9]{1,12}$")
WHO = re.compile(r"^[\w.@-]{1,64}$")
# Answers to MixMonitorMute about a channel that has no recording, or has just ended.
NOT_RECORDED = ("Cannot set mute flag", "No such channel")
# Variables of a channel while its recording is paused: since when, and by whom.
SINCE, BY = "recording_paused", "recording_paused_by"
ON_HANGUP = "recording-paused,s,1"
# Channels of the leg by which a call is recorded with video (extensions.conf): a pause would leave
# the voices in the .webm.
VIDEO_LEG = "PJSIP/ucontact-video-"


def account(path=CONFIGURATION):
    """(port, secret) of our account. Raises TroubleError."""
    parser = configparser.ConfigParser(strict=False, interpolation=None, comment_prefixes=(";",))
    try:
        with open(path, encoding="utf-8") as file:
            parser.read_file(file)
        return parser.getint("general", "port"), parser.get(ACCOUNT, "secret").replace("\\;", ";")
    except (OSError, ValueError, configparser.Error) as error:
        raise TroubleError("%s: %s" % (path, type(error).__name__)) from error


class Manager:
    """A session of the manager interface over an open socket."""

    def __init__(self, connection):
        self.connection = connection
        self.file = connection.makefile("rb")
        self.number = 0
        self.read = 0

    def send(self, action, fields):
        """Send an action; returns its id. Raises TroubleError for a value of two lines."""
        self.number += 1
        lines = [("Action", action), ("ActionID", str(self.number)), *fields]
        text = "".join("%s: %s\r\n" % line for line in lines)
        if text.count("\n") != len(lines) or text.count("\r") != len(lines):
            raise TroubleError("%s: a value has more than one line" % action)
        try:
            self.connection.sendall((text + "\r\n").encode("utf-8"))
        except OSError as error:
            raise TroubleError("Asterisk's manager interface: %s" % error) from error
        return str(self.number)

    def block(self):
        """The next response or event, as names and values. Raises TroubleError at the end."""
        found = {}
        while True:
            try:
                line = self.file.readline(MOST_BYTES)
            except OSError as error:
                raise TroubleError("Asterisk's manager interface: %s" % error) from error
            self.read += len(line)
            if not line.endswith(b"\n") or self.read > MOST_BYTES:
                raise TroubleError("Asterisk's manager interface ended the session")
            text = line.decode("utf-8", "replace").strip()
            if not text and found:
                return found
            name, colon, value = text.partition(":")
            if colon:
                found[name] = value.strip()

    def ask(self, action, *fields):
        """The response to an action."""
        sent = self.send(action, fields)
        while True:
            found = self.block()
            if found.get("ActionID") == sent and "Response" in found:
                return found

    def demand(self, action, *fields):
        """The response to an action that must succeed. Raises TroubleError, without values."""
        found = self.ask(action, *fields)
        if found["Response"] != "Success":
            raise TroubleError("%s: %s" % (action, found.get("Message", "")))
        return found

    def listed(self, action, *fields):
        """The events of an action that lists something."""
        sent = self.send(action, fields)
        found = []
        while True:
            one = self.block()
            if one.get("ActionID") != sent:
                continue
            if one.get("Response", "Success") != "Success":
                raise TroubleError("%s: %s" % (action, one.get("Message", "")))
            if one.get("EventList") == "Complete":
                return found
            if "Event" in one:
                found.append(one)

    def login(self, secret):
        """Begin the session."""
        fields = (("Username", ACCOUNT), ("Secret", secret), ("Events", "off"))
        self.demand("Login", *fields)

    def silence(self, channel, state):
        """Silence the channel's recording, or end that; whether it has one."""
        fields = (("Channel", channel), ("Direction", "both"), ("State", "1" if state else "0"))
        found = self.ask("MixMonitorMute", *fields)
        if found["Response"] == "Success":
            return True
        if found.get("Message") in NOT_RECORDED:
            return False
        raise TroubleError("MixMonitorMute: %s" % found.get("Message", ""))

    def variable(self, channel, name):
        """The value of a channel's variable; empty without it."""
        found = self.ask("Getvar", ("Channel", channel), ("Variable", name))
        return found.get("Value", "")

    def set(self, channel, name, value):
        """Set a channel's variable; a channel that has just ended needs none."""
        fields = (("Channel", channel), ("Variable", name), ("Value", value))
        found = self.ask("Setvar", *fields)
        if found["Response"] != "Success" and found.get("Message") != "No such channel":
            raise TroubleError("Setvar: %s" % found.get("Message", ""))

    def log(self, call, who, event, data):
        """Write a row of the queue log."""
        fields = (("Queue", "NONE"), ("Event", event), ("Uniqueid", call), ("Interface", who))
        self.demand("QueueLog", *fields, ("Message", data))


def open_session():
    """A session, logged in. Raises TroubleError."""
    port, secret = account()
    try:
        connection = socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS)
    except OSError as error:
        raise TroubleError("Asterisk's manager interface: %s" % error) from error
    manager = Manager(connection)
    manager.login(secret)
    return manager


def recorded_channels(manager, call, state):
    """Silence each recording of the call, or end that; the channels that have one.

    A queue's call has several channels, and a call that was transferred may have two recordings.
    Raises TroubleError when the call has no recording, or one with video.
    """
    channels = sorted(
        one.get("Channel", "")
        for one in manager.listed("CoreShowChannels")
        if one.get("Linkedid") == call
    )
    if any(one.startswith(VIDEO_LEG) for one in channels):
        raise TroubleError("the call %s is recorded with video, which can't be paused" % call)
    found = [one for one in channels if manager.silence(one, state)]
    if not found:
        raise TroubleError("the call %s has no recording" % call)
    return found


def pause(manager, call, who, now=time.time):
    """Pause the call's recordings. A second pause only makes sure of the first."""
    moment = int(now())
    found = recorded_channels(manager, call, True)
    new = [one for one in found if not manager.variable(one, SINCE)]
    for channel in new:
        manager.set(channel, BY, who)
        manager.set(channel, SINCE, str(moment))
        manager.set(channel, "CHANNEL(hangup_handler_push)", ON_HANGUP)
    if new:
        manager.log(call, who, "RECORDPAUSE", str(len(found)))


def resume(manager, call, who, now=time.time):
    """Record the call again; the queue log gets how many seconds it was not."""
    moment = int(now())
    found = recorded_channels(manager, call, False)
    since = {one: manager.variable(one, SINCE) for one in found}
    paused = [int(value) for value in since.values() if value.isdigit()]
    for channel in sorted(one for one in since if since[one]):
        manager.set(channel, SINCE, "")
    if paused:
        manager.log(call, who, "RECORDRESUME", "%d|code" % max(0, moment - min(paused)))


def refused(call, who):
    """What is wrong with these; empty if nothing is."""
    if not CALL.match(call):
        return "no call id: %r" % call[:40]
    if not WHO.match(who):
        return "no name of who asks: %r" % who[:40]
    return ""
