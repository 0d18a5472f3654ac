from pathlib import Path

import pytest

from ucontact_appliance.checks.model import Verdict
from ucontact_appliance.checks.system import (
    judge_settings,
    judge_sshd,
    judge_units,
    open_to_others,
)
from ucontact_appliance.facts.services import Setting
from ucontact_appliance.state import StatePaths


@pytest.mark.parametrize(
    ("names", "container", "verdict"),
    [
        ((), False, Verdict.PASS),
        (("dev-hugepages.mount",), True, Verdict.PASS),
        (("dev-hugepages.mount",), False, Verdict.WARN),
        (("dev-hugepages.mount", "backup.service"), True, Verdict.WARN),
    ],
)
def test_units(names: tuple[str, ...], container: bool, verdict: Verdict) -> None:
    judged = judge_units(names, container)
    assert judged.verdict is verdict
    if container and "dev-hugepages.mount" in names:
        assert "dev-hugepages.mount: harmless" in judged.evidence
    if "backup.service" in names:
        assert judged.observed == "failed: backup.service"


_RIGHT = Setting("vm.swappiness", "10", "10")
_WRONG = Setting("vm.swappiness", "10", "60")
_HIDDEN = Setting("net.core.somaxconn", "4096", None)


@pytest.mark.parametrize(
    ("found", "container", "verdict"),
    [
        ((_RIGHT,), False, Verdict.PASS),
        ((_RIGHT,), True, Verdict.PASS),
        ((_WRONG, _RIGHT), False, Verdict.FAIL),
        ((_WRONG,), True, Verdict.SKIP),
        ((_HIDDEN, _RIGHT), True, Verdict.SKIP),
        ((_HIDDEN,), False, Verdict.FAIL),
        (None, True, Verdict.FAIL),
    ],
)
def test_settings(found: tuple[Setting, ...] | None, container: bool, verdict: Verdict) -> None:
    assert judge_settings(found, container).verdict is verdict


def test_only_an_installation_brings_a_missing_settings_file_back() -> None:
    assert judge_settings(None, True).remedy == "{install}"


@pytest.mark.parametrize(
    ("settings", "verdict"),
    [
        ({"permitrootlogin": "yes", "passwordauthentication": "yes"}, Verdict.WARN),
        (
            {
                "permitrootlogin": "yes",
                "passwordauthentication": "no",
                "kbdinteractiveauthentication": "yes",
            },
            Verdict.WARN,
        ),
        ({"permitrootlogin": "yes", "passwordauthentication": "no"}, Verdict.PASS),
        ({"permitrootlogin": "prohibit-password", "passwordauthentication": "yes"}, Verdict.PASS),
        (None, Verdict.SKIP),
    ],
)
def test_sshd(settings: dict[str, str] | None, verdict: Verdict) -> None:
    assert judge_sshd(settings).verdict is verdict


def test_files_that_others_can_read_are_named(tmp_path: Path) -> None:
    paths = StatePaths(tmp_path / "etc", tmp_path / "var")
    paths.pki.mkdir(parents=True, mode=0o700)
    paths.etc.chmod(0o700)
    key = paths.pki / "portal.key"
    for path in (paths.secrets, key):
        path.touch(0o600)
    (paths.pki / "portal.pem").touch(0o644)
    assert open_to_others(paths) == ()
    key.chmod(0o644)
    paths.secrets.chmod(0o640)
    assert open_to_others(paths) == (f"{paths.secrets}: 0640", f"{key}: 0644")
