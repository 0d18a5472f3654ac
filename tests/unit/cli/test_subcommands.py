"""A command loads what it runs, and no more."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from ucontact_appliance.cli.subcommands import HELP, Subcommands


def loaded_by(*words: str) -> set[str]:
    """The modules that `ucontact WORDS` loads."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "ucontact_appliance", *words],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(re.findall(r"^import time:[^|]*\|[^|]*\| *(\S+)$", done.stderr, flags=re.MULTILINE))


@pytest.mark.parametrize("name", HELP)
def test_the_help_of_all_commands_says_what_each_says_of_itself(name: str) -> None:
    own = Subcommands()[name].help
    assert " ".join(own.split("\n\n")[0].split()) == HELP[name]


def test_the_help_loads_no_command() -> None:
    loaded = loaded_by("--help")
    assert "ucontact_appliance.cli.main" in loaded
    assert "pydantic" not in loaded
    assert {name for name in loaded if name.startswith("ucontact_appliance.cli.")} == {
        f"ucontact_appliance.cli.{name}"
        for name in ("console", "help_texts", "main", "signals", "subcommands", "usage_errors")
    }


def test_the_plan_loads_no_check_and_nothing_that_installs() -> None:
    loaded = loaded_by("plan", "--agents", "20")
    assert "ucontact_appliance.planning.topology" in loaded
    assert not loaded & {
        "ucontact_appliance.findings.registry",
        "ucontact_appliance.install.phases",
    }


def test_a_plan_of_a_site_with_an_exception_knows_the_checks(tmp_path: Path) -> None:
    site = tmp_path / "site.yml"
    site.write_text(
        "site: demo\nfqdn: demo.ucontact.test\nagents: 10\n"
        "hosts: [{name: server, address: 192.0.2.1}]\n"
        "waivers: [{check: mysql.strat, reason: test, until: 2099-01-01}]\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "ucontact_appliance", "plan", "--site", str(site)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "did you mean 'mysql.start'?" in done.stderr
