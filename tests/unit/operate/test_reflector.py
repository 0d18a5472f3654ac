"""What opens a host for a measurement lets in whom it names, and nothing else."""

import subprocess

import pytest

from ucontact_appliance.errors import UsageError
from ucontact_appliance.operate.reflector import closing, opening


def test_each_source_gets_a_rule_of_its_family() -> None:
    script = opening("ucontact-reflector", "udp", 862, ["192.0.2.7", "2001:db8::7"])
    assert "input ip saddr 192.0.2.7 udp dport 862 accept" in script
    assert "input ip6 saddr 2001:db8::7 udp dport 862 accept" in script


@pytest.mark.parametrize("script", [opening("x", "tcp", 1, ["::1"]), closing("x")])
def test_a_shell_can_read_it(script: str) -> None:
    done = subprocess.run(["sh", "-n"], input=script, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("source", ["", "host", "192.0.2.7; reboot", "192.0.2.0/24"])
def test_what_is_no_address_gets_into_no_script(source: str) -> None:
    with pytest.raises(UsageError):
        opening("x", "udp", 862, [source])
