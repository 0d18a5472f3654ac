"""A telephony server and a SIPp machine, and what the benchmark predicts beside what calls take."""

from __future__ import annotations

import json
import os
import shlex
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from tests.e2e.installed import ucontact
from tests.e2e.load import ALAW, BRIDGED, OPUS, RECORDED, TRUNK, Level, Load, Voice
from tests.e2e.packages import telephony_packages
from tests.e2e.support import TELEPHONY_SECRETS, apply_role
from ucontact_appliance.lab import layout
from ucontact_appliance.lab.records import Machine
from ucontact_appliance.operate.installed import save_plan
from ucontact_appliance.planning.capacity import capacity, speed
from ucontact_appliance.planning.capacity_model import Measurement, table
from ucontact_appliance.planning.topology import make_plan
from ucontact_appliance.site.loader import load_site
from ucontact_appliance.state import StatePaths

# What is called for each kind of data/capacity.yml, and so many at once: what one of two cores that
# others work on too can carry.
WAYS: dict[str, tuple[Voice, str, int]] = {
    "plain": (ALAW, BRIDGED, 40),
    "recorded": (ALAW, RECORDED, 20),
    "opus": (OPUS, BRIDGED, 15),
    "opus_recorded": (OPUS, RECORDED, 10),
}


@dataclass(frozen=True)
class Compared:
    """One kind of call: percent of a core a call, predicted and measured, and the level."""

    kind: str
    predicted: float
    measured: float
    level: Level

    @property
    def error(self) -> float:
        """The prediction's error as a share of what was measured."""
        return self.predicted / self.measured - 1

    def __str__(self) -> str:
        return (
            f"{self.kind:<14} {self.level.calls:3d} calls  predicted {self.predicted:5.2f} %  "
            f"measured {self.measured:5.2f} %  error {self.error:+6.1%}"
        )


@dataclass(frozen=True)
class Bench:
    """The telephony role on one machine, SIPp on another, and the site's state folder."""

    load: Load
    site_file: Path
    environment: dict[str, str]

    def ucontact(self, *words: str) -> tuple[int, str, str]:
        """Exit status, stdout and stderr of a command on the site."""
        done = ucontact(*words, "--site", str(self.site_file), env=self.environment)
        return done.returncode, done.stdout, done.stderr

    def benchmark(self) -> dict[str, Any]:
        """The document of `ucontact profile --benchmark --json`."""
        status, out, err = self.ucontact("profile", "--benchmark", "--json")
        assert status == 0, err
        document: dict[str, Any] = json.loads(out)
        return document

    def compare(self, kind: str, document: dict[str, Any], window: float) -> Compared:
        """Load the server with calls of that kind, after the benchmark that said `document`.

        What neighbours do to the processor changes from second to second, where a machine shares
        it: the yardstick that ran beside the calls takes the prediction to their moment.
        """
        voice, prefix, calls = WAYS[kind]
        measured = Measurement.model_validate(document["measured"])
        cost = self.load.cost(voice, prefix, (calls,), window)
        (level,) = cost.levels
        then = _at_the_moment(measured, level)
        made = capacity(then, make_plan(load_site(self.site_file), {}))
        predicted = next(row for row in made.carried if row.kind == kind).percent.likely
        return Compared(kind, predicted, cost.percent(level), level)


def _at_the_moment(measured: Measurement, level: Level) -> Measurement:
    """The measurement as it would have been while the calls were up."""
    now = measured.model_copy(
        update={"relay_us": (level.relay_us,), "compute_ms": (level.compute_ms,)}
    )
    slower = speed(now) / speed(measured)
    codecs = {pair: (median(us) * slower,) for pair, us in measured.translations_us.items()}
    return now.model_copy(update={"translations_us": codecs})


@dataclass(frozen=True)
class Prepared:
    """A site of one telephony server with one trunk: its site.yml, and what its role takes."""

    site_file: Path
    parameters: dict[str, Any]
    environment: dict[str, str]


def prepared(
    telephony: Machine, trunk: str, folder: Path, agents: int = 29, others: tuple[str, ...] = ()
) -> Prepared:
    """Write site.yml and the state that an install leaves on the machine that installs.

    `others` are addresses of the site's further servers, on which nothing is installed.
    """
    hosts = "".join(
        f"  - {{name: {name}, address: {address}, key: {layout.ssh_key()}}}\n"
        for name, address in (
            ("one", telephony.address),
            *((f"further-{number}", other) for number, other in enumerate(others)),
        )
    )
    site_file = folder / "site.yml"
    site_file.write_text(
        f"site: capacity\nfqdn: capacity.ucontact.test\nagents: {agents}\nhosts:\n{hosts}"
        f"telephony:\n  trunks: [{{name: {TRUNK}, host: {trunk}}}]\n",
        encoding="utf-8",
    )
    plan = make_plan(load_site(site_file), {})
    tuned = plan.tuning.telephony
    parameters = {
        "telephony_extensions": [{"number": "6001", "secret": "a-secret-of-6001"}],
        **TELEPHONY_SECRETS,
        "telephony_trunks": [
            {"name": TRUNK, "host": trunk, "transport": "udp", "prefix": "9"}
            | {"codecs": ["alaw", "ulaw", "opus"]}
        ],
        "telephony_max_calls": tuned.max_calls,
        "telephony_session_limit": tuned.session_limit,
        "telephony_file_descriptors": tuned.file_descriptors,
        "telephony_rtp_start": tuned.rtp_start,
        "telephony_rtp_end": tuned.rtp_end,
    }
    etc, var = folder / "etc", folder / "var"
    save_plan(StatePaths(etc / "capacity", var / "capacity"), plan)
    (etc / "capacity").mkdir(parents=True)
    environment = {**os.environ, "UCONTACT_ETC": str(etc), "UCONTACT_VAR": str(var)}
    return Prepared(site_file, parameters, environment)


def a_bench(telephony: Machine, sipp: Machine, folder: Path) -> Bench:
    """Install the telephony role on the one machine, and SIPp on the other."""
    certify(telephony)
    site = prepared(telephony, sipp.address, folder)
    load = Load(telephony, sipp)
    with ThreadPoolExecutor() as pool:
        installed = pool.submit(load.install)
        apply_role(telephony, "packages", telephony_packages(), folder)
        apply_role(telephony, "telephony", site.parameters, folder)
        installed.result()
    load.connect()
    return Bench(load, site.site_file, site.environment)


def certify(machine: Machine) -> None:
    """A throw-away certificate where the role expects one."""
    script = """
    set -e
    getent group ucontact-tls >/dev/null || groupadd -r ucontact-tls
    install -d -m 0750 -g ucontact-tls /etc/ssl/ucontact /etc/ssl/ucontact/private
    chmod 0755 /etc/ssl/ucontact
    cd /etc/ssl/ucontact
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
        -subj /CN=capacity.ucontact.test -keyout private/portal.key -out portal.pem 2>/dev/null
    chgrp ucontact-tls private/portal.key && chmod 0640 private/portal.key
    cp portal.pem ca.pem
    """
    done = machine.ssh(["sh", "-c", shlex.quote(script)])
    assert done.returncode == 0, done.stderr


def shown(rows: list[Compared]) -> str:
    """The rows as a table for a log."""
    reference = table().reference.machine
    return "\n".join([f"percent of a core a call (constants: {reference})", *map(str, rows)])
