"""Findings in Prometheus' text format, for node_exporter's textfile collector. Pure.

https://prometheus.io/docs/instrumenting/exposition_formats/; encoded by Prometheus' own library.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from ucontact_appliance.checks.model import Finding
from ucontact_appliance.findings.changes import BLOCKED, WAIVED, state_of
from ucontact_appliance.report.states import counted

# An alert needs one comparison: above 0 needs attention, above 1 is a failure.
VALUES = {"pass": 0, "warn": 1, "fail": 2, "error": 3, "skip": -1, BLOCKED: -1, WAIVED: -2}
SUFFIX = ".prom"  # the textfile collector reads no other files


def to_text(site: str, findings: Sequence[Finding], time: datetime, seconds: float) -> str:
    """Return the metrics of a run that began at `time` (aware) and took `seconds`."""
    registry = CollectorRegistry()
    registry.register(_Run(site, findings, time, seconds))
    return generate_latest(registry).decode()


class _Run(Collector):
    """The collector of one run's metrics, as the library requires."""

    def __init__(
        self, site: str, findings: Sequence[Finding], time: datetime, seconds: float
    ) -> None:
        self._site = site
        self._findings = findings
        self._time = time
        self._seconds = seconds

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield all metric families: one series per finding, and those of the run."""
        status = GaugeMetricFamily(
            "ucontact_check_status",
            "0 pass, 1 warn, 2 fail, 3 could not be carried out, "
            "-1 not judged (not to be seen from here, or behind a failed check), -2 waived",
            labels=("site", "id", "host", "severity"),
        )
        duration = GaugeMetricFamily(
            "ucontact_check_duration_seconds",
            "How long the check took",
            labels=("site", "id", "host"),
        )
        for finding in self._findings:
            where = (self._site, finding.id, finding.host)
            status.add_metric((*where, finding.severity.value), VALUES[state_of(finding)])
            duration.add_metric(where, finding.seconds)
        number = GaugeMetricFamily(
            "ucontact_checks", "Checks of the last run by state", labels=("site", "state")
        )
        for state, count in counted(self._findings).items():
            number.add_metric((self._site, state), count)
        last = GaugeMetricFamily(
            "ucontact_doctor_last_run_timestamp_seconds",
            "When the last run began, in seconds since 1970",
            labels=("site",),
        )
        last.add_metric((self._site,), self._time.timestamp())
        took = GaugeMetricFamily(
            "ucontact_doctor_duration_seconds", "How long the last run took", labels=("site",)
        )
        took.add_metric((self._site,), self._seconds)
        yield from (status, duration, number, last, took)
