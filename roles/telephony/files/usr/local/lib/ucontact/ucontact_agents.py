"""Log agents in to their queues and out, and pause them, by Asterisk's manager interface.

As the codes of the dialplan do: which queues an agent has, and with which penalty, comes from
site.yml. What is so already is no error. Python 3.5 and later.
"""

from ucontact_odbc import TroubleError

# Answers that say that it was so already (app_queue.c).
LOGGED_IN = "Unable to add interface: Already there"
LOGGED_OUT = (
    "Unable to remove interface: Not there",
    "Unable to remove interface from queue: Not there",
)
NOBODY = "Interface not found"


class NoAgentError(Exception):
    """No such agent in site.yml."""


class ReasonError(Exception):
    """No such reason for a pause in site.yml."""


class Agents:
    """The agents of site.yml: `queues` has the penalty by queue by number, `reasons` the names."""

    def __init__(self, queues, reasons):
        self.queues = queues
        self.reasons = reasons

    def of(self, number):
        """(queue, penalty) of an agent, in the order of site.yml. Raises NoAgentError."""
        if number not in self.queues:
            raise NoAgentError(number)
        return [(one["queue"], one["penalty"]) for one in self.queues[number]]


def interface(number):
    """The member that stands for an agent in its queues."""
    return "Local/%s@agent/n" % number


def login(manager, agents, number):
    """Log the agent in to each of its queues."""
    for queue, penalty in agents.of(number):
        fields = (("Queue", queue), ("Interface", interface(number)), ("Penalty", str(penalty)))
        more = (("MemberName", number), ("StateInterface", "PJSIP/%s" % number))
        _demand(manager, "QueueAdd", fields + more, (LOGGED_IN,))


def logout(manager, agents, number):
    """Log the agent out of each of its queues."""
    for queue, _ in agents.of(number):
        fields = (("Queue", queue), ("Interface", interface(number)))
        _demand(manager, "QueueRemove", fields, LOGGED_OUT)


def pause(manager, agents, number, reason):
    """Pause the agent in all queues, for a reason of site.yml or none. Raises ReasonError."""
    agents.of(number)
    if reason and reason not in agents.reasons:
        raise ReasonError(reason)
    fields = (("Interface", interface(number)), ("Paused", "true"))
    _demand(manager, "QueuePause", fields + ((("Reason", reason),) if reason else ()))


def unpause(manager, agents, number):
    """End the agent's pause."""
    agents.of(number)
    _demand(manager, "QueuePause", (("Interface", interface(number)), ("Paused", "false")))


def state(manager, agents, number):
    """The queues that the agent is logged in to, and its pause, as Asterisk has them now."""
    own = {queue for queue, _ in agents.of(number)}
    found = [
        one
        for one in manager.listed("QueueStatus", ("Member", interface(number)))
        if one.get("Event") == "QueueMember" and one.get("Queue") in own
    ]
    paused = [one for one in found if one.get("Paused") == "1"]
    return {
        "agent": number,
        "queues": sorted(one["Queue"] for one in found),
        "paused": bool(paused),
        "reason": paused[0].get("PausedReason", "") if paused else "",
    }


def _demand(manager, action, fields, also=()):
    """Raises TroubleError unless Asterisk did it, or says that it is so already."""
    found = manager.ask(action, *fields)
    message = found.get("Message", "")
    if found["Response"] == "Success" or message in also:
        return
    if message == NOBODY:
        raise TroubleError("the agent is logged in to no queue")
    raise TroubleError("%s: %s" % (action, message))
