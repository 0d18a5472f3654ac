"""`ucontact profile`: show the hardware of this machine, or of each server of a site."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from ucontact_appliance.cli.benchmark import BenchmarkOption, ForceOption, run_benchmark
from ucontact_appliance.cli.console import out, show_error, show_json
from ucontact_appliance.cli.options import JsonOption
from ucontact_appliance.cli.profile_view import profile_block
from ucontact_appliance.errors import EXIT_UNREACHABLE, UnreachableError
from ucontact_appliance.facts.hardware.profile import here_profile, host_profiles
from ucontact_appliance.facts.hardware.records import Profile
from ucontact_appliance.facts.runner import LocalRunner
from ucontact_appliance.language.messages import _
from ucontact_appliance.planning.capability import Capability, capabilities
from ucontact_appliance.site.loader import load_site
from ucontact_appliance.state import state_paths


def profile(
    site: Annotated[
        Path | None,
        typer.Option(
            "--site",
            metavar="FILE",
            help="Show each server of this site file. Default: this machine; with --benchmark, "
            "./site.yml, else the site installed last.",
            show_default=False,
        ),
    ] = None,
    benchmark: BenchmarkOption = False,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show the hardware of this machine, or of each server of a site.

    Examples:

      ucontact profile

      ucontact profile --site site.yml --json

      ucontact profile --benchmark --site site.yml
    """
    if benchmark:
        run_benchmark(site, force, as_json)
        return
    if site is None:
        here = here_profile(LocalRunner())
        if as_json:
            show_json(_document(here))
        else:
            out.print(profile_block(here.hostname, here, _carries(here)))
        return
    loaded = load_site(site)
    found = host_profiles(loaded.hosts, state_paths(loaded.site).known_hosts)
    if as_json:
        show_json({"hosts": [{"name": name, **_answer(seen)} for name, seen in found.items()]})
    for name, seen in found.items():
        if isinstance(seen, UnreachableError):
            show_error(seen if name in seen.what else _named(name, seen))
        elif not as_json:
            out.print(profile_block(name, seen, _carries(seen)), "")
    if any(isinstance(seen, UnreachableError) for seen in found.values()):
        raise typer.Exit(EXIT_UNREACHABLE)


def _named(name: str, error: UnreachableError) -> UnreachableError:
    return UnreachableError(
        _("{host}: {what}", host=name, what=error.what), evidence=error.evidence, helps=error.helps
    )


def _answer(seen: Profile | UnreachableError) -> dict[str, Any]:
    """Return a host's part of the document: its profile, or only `error` if there is none."""
    if isinstance(seen, UnreachableError):
        return {"error": {"what": seen.what, "evidence": seen.evidence, "helps": seen.helps}}
    return {"error": None, **_document(seen)}


def _document(seen: Profile) -> dict[str, Any]:
    return {**asdict(seen), "could_carry": [asdict(row) for row in _carries(seen)]}


def _carries(seen: Profile) -> tuple[Capability, ...]:
    return capabilities(seen.memory.nominal_mb, seen.cpu.threads, seen.os_id, seen.os_version)
