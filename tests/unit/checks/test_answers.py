"""What it means that a service does not answer from here, or takes its time."""

import pytest

from ucontact_appliance.checks.answers import judge_pace, judge_silence
from ucontact_appliance.checks.model import Verdict
from ucontact_appliance.clients.tls import Handshake
from ucontact_appliance.facts.firewall import PortState

_SHAKEN = Handshake("TLSv1.3", "TLS_AES_128_GCM_SHA256", "h2", b"", "")


def test_an_answer_in_time_passes_and_a_late_one_names_the_service() -> None:
    quick = judge_pace(_SHAKEN, 0.04, 443, "nginx.service")
    assert (quick.verdict, quick.observed) == (Verdict.PASS, "TLSv1.3 in 0.0 s")
    slow = judge_pace(_SHAKEN, 3.25, 443, "nginx.service")
    assert (slow.verdict, "nginx.service is slow: 3.2 s" in slow.observed) == (Verdict.FAIL, True)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (PortState.FILTERED, "dropped on the way"),
        (PortState.CLOSED, "refuses connections"),
        (PortState.OPEN, "nginx.service accepts connections"),
    ],
)
def test_silence_is_told_by_what_a_bare_connection_does(state: PortState, words: str) -> None:
    judged = judge_silence(443, state, "nginx.service", "timed out")
    assert (judged.verdict, words in judged.observed) == (Verdict.FAIL, True)
