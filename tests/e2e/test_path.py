"""A path spoiled by plan is measured as it was spoiled, and judged by R23 and R24."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.e2e.impair import Way, impaired
from ucontact_appliance.checks.model import Verdict
from ucontact_appliance.checks.path import MeasuredPath, judge_marks, judge_order, judge_profile
from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.facts.path import PROBE, PathQuality, Session, measure
from ucontact_appliance.facts.runner import LocalRunner
from ucontact_appliance.facts.throughput import Throughput
from ucontact_appliance.planning.tables import network

pytestmark = pytest.mark.machine

# A thousand packets within two seconds: as exact as twenty seconds at a call's pace.
_SESSION = Session(seconds=2, rate=500)
_QUIET_MS = 0.5


@pytest.fixture(scope="module")
def reflector() -> Iterator[int]:
    """A reflector's port on this machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    words = [sys.executable, str(PROBE), "reflect", "127.0.0.1", str(port)]
    process = subprocess.Popen(words)
    time.sleep(0.5)
    try:
        yield port
    finally:
        process.terminate()
        process.wait()


def _measured(reflector: int, out: Way, back: Way | None = None) -> PathQuality:
    with impaired(reflector, out, back or Way()) as port:
        return measure(LocalRunner(), sys.executable, "127.0.0.1", port, _SESSION)


def _in_a_quiet_moment(reflector: int, out: Way, back: Way) -> PathQuality:
    """Measure until the machine does not disturb the path, ten times at most.

    It does if the steady direction has jitter, or if packets are reordered: the relay's delays are
    too short for that.
    """
    session = Session(seconds=2, rate=40)
    steady = "out" if len(out.delays) == 1 else "back"
    for _ in range(10):
        with impaired(reflector, out, back) as port:
            found = measure(LocalRunner(), sys.executable, "127.0.0.1", port, session)
        calm = (getattr(found, steady).jitter_ms or 0.0) < _QUIET_MS
        if calm and not found.out.reordered and not found.back.reordered:
            break
    return found


def _verdict(found: PathQuality, profile: str = "voip") -> Verdict:
    path = MeasuredPath("here", "there", found, Throughput(None, None, 0))
    return judge_profile(path, network()[profile]).verdict


@pytest.mark.parametrize(("out_ms", "back_ms"), [(0.0, 0.0), (30.0, 12.0), (100.0, 50.0)])
def test_a_delay_is_measured_to_a_millisecond(
    reflector: int, out_ms: float, back_ms: float
) -> None:
    found = _measured(reflector, Way((out_ms,)), Way((back_ms,)))
    assert found.typical_ms == pytest.approx(out_ms + back_ms, abs=1.0)
    assert found.loss.lost == 0


@pytest.mark.parametrize("jitter_ms", [0.0, 5.0, 18.0])
def test_jitter_is_measured_to_a_millisecond_in_its_own_direction(
    reflector: int, jitter_ms: float
) -> None:
    # Delays in turn: consecutive packets differ by exactly the jitter, less by nothing. Spaced by
    # more than that, so that none overtakes another: RFC 3550 goes by the order of arrival.
    found = _in_a_quiet_moment(reflector, Way((2.0, 2.0 + jitter_ms)), Way((7.0,)))
    assert found.out.jitter_ms == pytest.approx(jitter_ms, abs=1.0)
    assert found.back.jitter_ms == pytest.approx(0.0, abs=1.0)


def test_the_two_directions_losses_are_told_apart(reflector: int) -> None:
    found = _measured(reflector, Way(lost=3, of=100), Way(lost=1, of=50))
    assert found.out.loss is not None
    assert found.back.loss is not None
    assert found.out.loss.percent == pytest.approx(3.0, abs=0.2)
    assert found.back.loss.percent == pytest.approx(2.0, abs=0.2)
    assert found.out.loss.least < 3.0 < found.out.loss.most


@pytest.mark.parametrize(
    ("out", "back", "verdict"),
    [
        (Way((45.0,)), Way((45.0,)), Verdict.PASS),
        (Way((55.0,)), Way((55.0,)), Verdict.FAIL),
        (Way(lost=9, of=1000), Way(), Verdict.PASS),
        (Way(lost=11, of=1000), Way(), Verdict.FAIL),
        (Way(), Way(lost=9, of=1000), Verdict.PASS),
        (Way(), Way(lost=11, of=1000), Verdict.FAIL),
    ],
)
def test_the_verdict_is_right_on_both_sides_of_a_limit(
    reflector: int, out: Way, back: Way, verdict: Verdict
) -> None:
    found = _measured(reflector, out, back)
    assert _verdict(found) is verdict
    assert _verdict(found, "video") is verdict


@pytest.mark.parametrize(("jitter_ms", "verdict"), [(18.0, Verdict.PASS), (22.0, Verdict.FAIL)])
def test_the_verdict_is_right_on_both_sides_of_the_jitters_limit(
    reflector: int, jitter_ms: float, verdict: Verdict
) -> None:
    found = _in_a_quiet_moment(reflector, Way((2.0,)), Way((2.0, 2.0 + jitter_ms)))
    assert _verdict(found) is verdict


def test_order_and_copies_are_told(reflector: int) -> None:
    # Every tenth packet is held back behind the next: at 500 a second these are 2 ms apart.
    late = (0.0,) * 9 + (5.0,)
    found = _measured(reflector, Way(late), Way(doubled=100))
    assert found.out.reordered == pytest.approx(100, abs=10)
    assert found.duplicates == 10
    path = MeasuredPath("here", "there", found, Throughput(None, None, 0))
    assert judge_order(path).verdict is Verdict.WARN


def test_a_relay_that_forgets_the_mark_is_told(reflector: int) -> None:
    found = _measured(reflector, Way())
    assert (found.out.dscp, found.back.dscp) == ((0,), (0,))
    path = MeasuredPath("here", "there", found, Throughput(None, None, 0))
    assert judge_marks(path).verdict is Verdict.WARN
    direct = measure(LocalRunner(), sys.executable, "127.0.0.1", reflector, Session(1))
    assert (direct.out.dscp, direct.back.dscp) == ((46,), (46,))


def test_a_far_end_of_ones_own_reflects_on_all_addresses_with_the_mark() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    words = [sys.executable, "-m", "ucontact_appliance", "doctor", "network", "--reflect"]
    process = subprocess.Popen([*words, "--port", str(port)], stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        assert f"UDP port {port}" in process.stderr.readline()
        found = _answered("127.0.0.1", port)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(10)
    assert (found.out.dscp, found.back.dscp) == ((46,), (46,))


def _answered(host: str, port: int) -> PathQuality:
    """Measured as soon as somebody reflects there."""
    for _ in range(40):
        with suppress(UnreachableError):
            return measure(LocalRunner(), sys.executable, host, port, Session(1))
        time.sleep(0.1)
    raise AssertionError(f"nobody reflects at {host}:{port}")


def _command(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ucontact_appliance", "doctor", "network", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def _desk(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent's machine: no site was installed from it, and none lies there."""
    monkeypatch.setenv("UCONTACT_ETC", str(tmp_path_factory.mktemp("etc")))
    monkeypatch.chdir(tmp_path_factory.mktemp("desk"))
    monkeypatch.setenv("PYTHONPATH", str(PROBE.parents[2]))


@pytest.mark.usefixtures("_desk")
def test_the_command_tells_programs_and_people_the_same(reflector: int) -> None:
    words = ("--to", "127.0.0.1", "--port", str(reflector), "--seconds", "1")
    words += ("--throughput-port", "1")
    told = _command(*words, "--json")
    assert told.returncode == 0, told.stderr
    document = json.loads(told.stdout)
    verdicts = {finding["id"]: finding["verdict"] for finding in document["findings"]}
    assert verdicts["path.voip"] == verdicts["path.video"] == "pass"
    assert verdicts["path.voip.bandwidth"] == "skip"  # no iperf3 at the far end
    assert document["paths"][0]["quality"]["answered"] == 50
    shown = _command(*words)
    assert shown.returncode == 0, shown.stderr
    assert "Path quality is good enough for voice" in shown.stdout


@pytest.mark.usefixtures("_desk")
def test_nobody_at_the_far_end_is_a_clear_error() -> None:
    told = _command("--to", "127.0.0.1", "--port", "9", "--seconds", "1")
    assert told.returncode == 3
    assert "no STAMP reflector responds at 127.0.0.1, UDP port 9" in told.stderr
    assert "the port is closed there" in told.stderr
    assert "Traceback" not in told.stderr
