"""Agents by the backend's requests: what is sent to Asterisk, and what is refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import pytest

from tests.unit.roles.services import telephony_service

QUEUES = {
    "6001": [{"queue": "sales", "penalty": 0}, {"queue": "help", "penalty": 2}],
    "6002": [{"queue": "help", "penalty": 0}],
}


@dataclass
class Session:
    """Asterisk's manager, which knows members and their pauses."""

    members: dict[tuple[str, str], str] = field(default_factory=dict)
    sent: list[dict[str, str]] = field(default_factory=list)
    answer: str = ""

    def ask(self, action: str, *fields: tuple[str, str]) -> dict[str, str]:
        """As app_queue answers."""
        given = dict(fields)
        self.sent.append({"Action": action, **given})
        if self.answer:
            return {"Response": "Error", "Message": self.answer}
        key = given.get("Queue", ""), given["Interface"]
        wrong = ""
        if action == "QueueAdd":
            wrong = "Unable to add interface: Already there" if key in self.members else ""
            self.members.setdefault(key, "")
        elif action == "QueueRemove":
            wrong = "" if key in self.members else "Unable to remove interface: Not there"
            self.members.pop(key, None)
        else:
            own = [one for one in self.members if one[1] == given["Interface"]]
            wrong = "" if own else "Interface not found"
            for one in own:
                paused = given["Paused"] == "true"
                self.members[one] = given.get("Reason", "-") if paused else ""
        return {"Response": "Error", "Message": wrong} if wrong else {"Response": "Success"}

    def listed(self, action: str, *fields: tuple[str, str]) -> list[dict[str, str]]:
        """As QueueStatus, with the parameters of each queue before its members."""
        assert action == "QueueStatus"
        found = [{"Event": "QueueParams", "Queue": "sales"}]
        for (queue, member), reason in self.members.items():
            if member == dict(fields)["Member"]:
                row = {"Event": "QueueMember", "Queue": queue, "Paused": "1" if reason else "0"}
                found.append(row | ({"PausedReason": reason} if reason else {}))
        return found


@pytest.fixture
def module() -> ModuleType:
    return telephony_service("ucontact_agents")


@pytest.fixture
def agents(module: ModuleType) -> Any:
    return module.Agents(QUEUES, ["lunch"])


def test_an_agent_s_day(module: ModuleType, agents: Any) -> None:
    session = Session()
    for _ in range(2):  # what is so already is no error
        module.login(session, agents, "6001")
    assert session.sent[1] == {
        "Action": "QueueAdd",
        "Queue": "help",
        "Interface": "Local/6001@agent/n",
        "Penalty": "2",
        "MemberName": "6001",
        "StateInterface": "PJSIP/6001",
    }
    assert module.state(session, agents, "6001") == {
        "agent": "6001",
        "queues": ["help", "sales"],
        "paused": False,
        "reason": "",
    }
    module.pause(session, agents, "6001", "lunch")
    assert module.state(session, agents, "6001")["reason"] == "lunch"
    module.unpause(session, agents, "6001")
    module.pause(session, agents, "6001", "")
    assert module.state(session, agents, "6001")["paused"]
    for _ in range(2):
        module.logout(session, agents, "6001")
    assert module.state(session, agents, "6001")["queues"] == []


def test_what_is_refused(module: ModuleType, agents: Any) -> None:
    session = Session()
    for work in (module.login, module.logout, module.unpause, module.state):
        with pytest.raises(module.NoAgentError):
            work(session, agents, "6099")
    with pytest.raises(module.ReasonError):
        module.pause(session, agents, "6001", "holidays")
    assert session.sent == []
    with pytest.raises(module.TroubleError, match="logged in to no queue"):
        module.pause(session, agents, "6001", "lunch")
    session.answer = "Unable to add interface to queue: No such queue"
    with pytest.raises(module.TroubleError, match="No such queue"):
        module.login(session, agents, "6001")


def test_members_of_a_backend_s_own_queues_are_not_shown(module: ModuleType, agents: Any) -> None:
    session = Session({("theirs", "Local/6002@agent/n"): ""})
    assert module.state(session, agents, "6002")["queues"] == []
