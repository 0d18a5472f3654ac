"""The bundled softphone in a real browser, and what its calls leave on the telephony server."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

Shell = Callable[[str], str]
"""Runs a script on the telephony server and gives what it says."""

_LAUNCH_MS = 180_000  # beside machines that boot and services that start
_CHROMIUM = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    # The site's own CA is not in the browser's store; what it signed is judged by the TLS tests.
    "--ignore-certificate-errors",
)
CALL_MS = 5000
_FIGURE = re.compile(r"^\d+$")


@contextmanager
def chromium(microphone: Path | None = None) -> Iterator[Browser]:
    """A headless browser with a fake microphone, which says that WAV file again and again."""
    says = [f"--use-file-for-fake-audio-capture={microphone}"] if microphone else []
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=[*_CHROMIUM, *says], timeout=_LAUNCH_MS
        )
        yield started
        started.close()


def sign_in(browser: Browser, address: str, extension: str, secret: str) -> Page:
    """The softphone of the portal at that address, registered."""
    context = browser.new_context(ignore_https_errors=True, locale="en-US")
    page = context.new_page()
    page.goto(f"https://{address}/uContact/")
    page.get_by_test_id("login-extension").fill(extension)
    page.get_by_test_id("login-secret").fill(secret)
    page.get_by_test_id("login-submit").click()
    expect(page.get_by_test_id("registration-status")).to_have_attribute(
        "data-state", "registered", timeout=15000
    )
    return page


def figure(page: Page, name: str) -> int:
    """One figure of the call that is up, as soon as the page has one."""
    place = page.get_by_test_id(f"stat-{name}")
    try:
        expect(place).to_have_text(_FIGURE, timeout=CALL_MS)
    except AssertionError as missing:
        shown = " ".join(page.get_by_test_id(re.compile("^stat-")).all_inner_texts())
        raise AssertionError(f"{missing}\nthe call's figures: {shown}") from None
    return int(place.inner_text())


def in_call(page: Page) -> None:
    """Wait until a call is up."""
    expect(page.get_by_test_id("call")).to_have_attribute("data-state", "active", timeout=15000)


def dial(page: Page, number: str) -> None:
    """Call a number, until it answers."""
    page.get_by_test_id("number-input").fill(number)
    page.get_by_test_id("call-button").click()
    in_call(page)


def on_hook(page: Page) -> None:
    """Wait until the other side has hung up."""
    expect(page.get_by_test_id("call")).to_have_attribute("data-state", "none", timeout=15000)


_STRONGEST = """async () => {
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  analyser.fftSize = 8192;
  context.createMediaStreamSource(document.getElementById("remote-audio").srcObject).connect(analyser);
  const levels = new Float32Array(analyser.frequencyBinCount);
  const found = [];
  for (let turn = 0; turn < 10; turn++) {
    await new Promise((done) => setTimeout(done, 150));
    analyser.getFloatFrequencyData(levels);
    const loudest = levels.indexOf(Math.max(...levels));
    found.push([loudest * context.sampleRate / analyser.fftSize, levels[loudest]]);
  }
  await context.close();
  return found;
}"""


def hears(page: Page, hertz: float) -> bool:
    """Whether that tone is the loudest in what the page plays, most of the time."""
    found = page.evaluate(_STRONGEST)
    clear = [tone for tone, decibel in found if abs(tone - hertz) < 12 and decibel > -50]
    return len(clear) > len(found) / 2


def echo_call(page: Page) -> None:
    """Call the echo test, hear it, hang up and leave."""
    page.get_by_test_id("echo-button").click()
    in_call(page)
    page.wait_for_timeout(CALL_MS)
    assert figure(page, "received") > 100
    # A machine busy with other tests may be late for some packets.
    assert figure(page, "lost") < figure(page, "received") / 10
    page.get_by_test_id("hangup-button").click()
    expect(page.get_by_test_id("call")).to_have_attribute("data-state", "none")
    page.context.close()


def recordings(sh: Shell) -> set[str]:
    """The recordings on the telephony server."""
    return set(sh("find /var/spool/asterisk/monitor -type f -name '*.gsm'").split())


def new_recording(sh: Shell, before: set[str]) -> str:
    """The one recording that came; its file is complete once it stops growing."""
    deadline = time.monotonic() + 15
    while not (fresh := recordings(sh) - before):
        assert time.monotonic() < deadline, "no recording appeared"
        time.sleep(0.5)
    assert len(fresh) == 1
    return fresh.pop()
