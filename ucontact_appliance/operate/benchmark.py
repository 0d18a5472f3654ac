"""Benchmark the telephony server: measure on the host itself what calls cost.

It loads one core for some seconds, has Asterisk time its codecs, and writes 32 MB beside the
recordings, which it removes again. It refuses while calls are active, unless forced.
"""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timezone

from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.facts.asterisk import RECORDINGS
from ucontact_appliance.facts.capacity import (
    CapacityRun,
    parse_calls,
    parse_run,
    parse_translations,
)
from ucontact_appliance.facts.runner import Completed, Runner, SshSettings, runner_for
from ucontact_appliance.language.messages import _, ngettext, what_of, with_note
from ucontact_appliance.operate.installed import Installed
from ucontact_appliance.planning.capacity_model import DiskRun, Measurement
from ucontact_appliance.planning.model import Role
from ucontact_appliance.resources import INSTALLER
from ucontact_appliance.site.files import write_private

PROBE = INSTALLER / "probes" / "capacity.py"
EXPECTED_SECONDS = 12
# Rounds alternate codecs and processor, so that both are measured beside the same other load.
_ROUNDS = 5
_REPETITIONS = 2
# Seconds of audio per translator. All of them together take 0.7 s of processor time, during which
# Asterisk sets up no call.
_AUDIO_SECONDS = 10
_TIMEOUT = 60.0
_VERSION = re.compile(r"^Asterisk (\S+)", re.MULTILINE)

Say = Callable[[str], None]


def benchmark(here: Installed, say: Say, *, force: bool = False) -> Measurement:
    """Measure the site's telephony server and save the result in `StatePaths.capacity`.

    Raises UnreachableError when the host or its Asterisk does not answer, or a run fails there, and
    UsageError when calls are active (unless `force`).
    """
    name = here.plan.carriers(Role.TELEPHONY)[0].name
    host = next(host for host in here.site.hosts if host.name == name)
    with runner_for(host, SshSettings(here.paths.known_hosts)) as runner:
        measured = measure(runner, name, f"--site {here.site_file}", say, force=force)
    write_private(here.paths.capacity, measured.model_dump_json(indent=2) + "\n")
    return measured


def measure(runner: Runner, name: str, site: str, say: Say, *, force: bool = False) -> Measurement:
    """Measure the host behind `runner`; `site` is the --site option for commands in remedies."""
    start = time.monotonic()
    before = _calls(runner, name, site)
    if before and not force:
        raise UsageError(
            ngettext(
                "{count} call is active on {name}: the benchmark uses a core and the "
                "disk for about {seconds} s, and callers would hear it",
                "{count} calls are active on {name}: the benchmark uses a core and the "
                "disk for about {seconds} s, and callers would hear it",
                before,
                name=name,
                seconds=EXPECTED_SECONDS,
            ),
            evidence=f"core show channels count: {before} active",
            helps=with_note(
                f"ucontact profile --benchmark {site} --force",
                _("or wait until no calls are active"),
            ),
        )
    translations: dict[str, list[float]] = defaultdict(list)
    runs: list[CapacityRun] = []
    for number in range(1, _ROUNDS + 1):
        say(_("codecs and processor, {number} of {rounds}", number=number, rounds=_ROUNDS))
        said = _ask(runner, f"core show translation comp {_AUDIO_SECONDS}")
        costs = parse_translations(said.stdout)
        for pair, cost in costs.items():
            translations[pair].append(cost)
        runs.append(_run(runner, name, str(_REPETITIONS)))
    untimed: tuple[str, ...] = ()
    if not translations:
        # Asterisk without `comp`: its table of constants still lists the possible translations.
        said = _ask(runner, "core show translation")
        untimed = tuple(sorted(parse_translations(said.stdout)))
        if not untimed:
            raise UnreachableError(
                _("Asterisk on {name} did not report its codec translations", name=name),
                evidence=said.evidence[-2000:],
                helps=f"ucontact doctor {site} --only asterisk",
            )
    say(_("the recordings' disk"))
    run = _run(runner, name, "1", RECORDINGS)
    version = _VERSION.search(_ask(runner, "core show version").stdout)
    if run.mb_per_second is None or run.fsync_p99_ms is None:
        raise UnreachableError(
            _("the disk of the recordings on {name} is full", name=name),
            evidence=_("no space for 32 MB in {recordings}", recordings=RECORDINGS),
            helps=f"ucontact doctor {site} --only disk",
        )
    return Measurement(
        host=name,
        taken=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        seconds=round(time.monotonic() - start, 1),
        asterisk=version.group(1) if version else "unknown",
        processor=run.processor,
        mhz=run.mhz,
        cores=run.cores,
        threads=run.threads,
        calls_up=max(before, _calls(runner, name, site)),
        relay_us=tuple(each for one in runs for each in one.relay_us),
        compute_ms=tuple(each for one in runs for each in one.compute_ms),
        translations_us={pair: tuple(costs) for pair, costs in sorted(translations.items())},
        untimed=untimed,
        disk=DiskRun(mb_per_second=run.mb_per_second, fsync_p99_ms=run.fsync_p99_ms),
    )


def _ask(runner: Runner, command: str) -> Completed:
    return _there(runner, ["asterisk", "-rx", command])


def _there(runner: Runner, argv: list[str], stdin: str | None = None) -> Completed:
    try:
        return runner.run(argv, timeout=_TIMEOUT, stdin=stdin)
    except TimeoutError as error:
        raise UnreachableError(
            _("the telephony server did not respond in time: nothing was measured"),
            evidence=what_of(error),
            helps="ucontact doctor",
        ) from error


def _calls(runner: Runner, name: str, site: str) -> int:
    said = _ask(runner, "core show channels count")
    calls = parse_calls(said.stdout)
    if calls is None:
        raise UnreachableError(
            _("Asterisk on {name} does not respond: there is nothing to measure", name=name),
            evidence=said.evidence,
            helps=f"ucontact doctor {site} --only asterisk",
        )
    return calls


def _run(runner: Runner, name: str, *words: str) -> CapacityRun:
    code = PROBE.read_text(encoding="utf-8")
    done = _there(runner, ["python3", "-", *words], code)
    try:
        if done.status:
            raise ValueError("the run failed")
        return parse_run(done.stdout)
    except ValueError as error:
        raise UnreachableError(
            _("the processor and disk benchmark on {name} returned no figures", name=name),
            evidence=f"{error}\n{done.evidence}"[-2000:],
            helps=_("install python3 there, then run the same command again"),
        ) from error
