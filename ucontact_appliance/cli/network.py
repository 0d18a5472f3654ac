"""`ucontact doctor network`: measure the network between agents and servers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timezone
from typing import Annotated, Any

import typer
from rich.markup import escape

from ucontact_appliance.checks.model import Finding, Verdict
from ucontact_appliance.checks.path import MeasuredPath, findings
from ucontact_appliance.cli.console import err, out, reader, show_json, table, translated
from ucontact_appliance.cli.options import JsonOption, LangOption, SiteOption, require_root
from ucontact_appliance.cli.verdict_style import VERDICT_STYLE
from ucontact_appliance.errors import EXIT_FINDINGS, UsageError
from ucontact_appliance.facts.path import Direction, PathQuality, Session
from ucontact_appliance.findings.document import DoctorDocument, FindingRow, verdict_of
from ucontact_appliance.findings.translated import translated as translated_findings
from ucontact_appliance.language.catalogue import Translate
from ucontact_appliance.language.messages import _
from ucontact_appliance.language.words import word
from ucontact_appliance.operate.installed import load_installed
from ucontact_appliance.operate.paths import (
    MeasurementRequest,
    PathSegment,
    legs,
    measure_far_end,
    measure_legs,
)
from ucontact_appliance.operate.reflector import reflect_here
from ucontact_appliance.planning.tables import probe
from ucontact_appliance.site.current import find_site_file

_PROBLEMS = (Verdict.FAIL, Verdict.WARN)


def network(
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="HOST",
            help="Measure to this host of the site, or to any STAMP reflector.",
        ),
    ] = None,
    site: SiteOption = None,
    *,
    seconds: Annotated[
        int,
        typer.Option(
            min=1, max=3600, metavar="SECONDS", help="Measure each path for this many seconds."
        ),
    ] = probe().seconds,
    rate: Annotated[
        int,
        typer.Option(
            min=1,
            max=1000,
            metavar="PACKETS",
            help="Send this many packets per second; a call sends 50.",
        ),
    ] = probe().packets_per_second,
    calls: Annotated[
        int,
        typer.Option(
            min=1, metavar="CALLS", help="Judge the bandwidth for this many simultaneous calls."
        ),
    ] = 1,
    port: Annotated[
        int,
        typer.Option(min=1, max=65535, metavar="PORT", help="Use this UDP port of the reflector."),
    ] = probe().port,
    throughput_port: Annotated[
        int,
        typer.Option(
            min=1, max=65535, metavar="PORT", help="Use this TCP port of the far end's iperf3."
        ),
    ] = probe().throughput_port,
    reflect: Annotated[
        bool, typer.Option("--reflect", help="Act as the STAMP reflector until Ctrl-C.")
    ] = False,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure delay, jitter, loss, DSCP and bandwidth between the site's machines.

    The figures are judged by the requirements R23 and R24.

    Examples:

      ucontact doctor network

      ucontact doctor network --to acme2 --seconds 60

      ucontact doctor network --reflect
    """
    if reflect:
        told = _("reflecting on UDP port {port}; press Ctrl-C to stop", port=port)
        err.print(translated(told), highlight=False)
        reflect_here(port, throughput_port)
        return
    wanted = MeasurementRequest(Session(seconds, rate, probe().dscp), port, throughput_port, calls)
    began = datetime.now(timezone.utc)
    # On an agent's machine there is no site: --to then names a running reflector.
    chosen = site or find_site_file()
    here = load_installed(chosen.absolute()) if chosen else None
    ways = legs(here.site, to) if here else ()
    if ways and here:
        require_root()
        measured = measure_legs(here.paths, ways, wanted, lambda leg: _say(leg, wanted))
    elif to is None:
        raise UsageError(
            _("there is no other machine to measure to"),
            evidence=_("the site's only host is this machine")
            if here
            else _("no site was found here"),
            helps="ucontact doctor network --to HOST",
        )
    else:
        measured = iter([_far(to, wanted)])
    results = list(measured)
    translate = reader(lang)
    found = list(
        translated_findings(
            [one for path, took in results for one in findings(path, took)], translate
        )
    )
    if as_json:
        name = here.site.site if here else ""
        show_json(_document(name, began, found, [path for path, _ in results]))
    else:
        _show([path for path, _ in results], found, translate)
    if verdict_of(found) is Verdict.FAIL:
        raise typer.Exit(EXIT_FINDINGS)


def _far(to: str, wanted: MeasurementRequest) -> tuple[MeasuredPath, float]:
    _announce(_("this machine"), to, wanted)
    return measure_far_end(to, wanted)


def _say(leg: PathSegment, wanted: MeasurementRequest) -> None:
    _announce(*leg.names, wanted)


def _announce(source: str, target: str, wanted: MeasurementRequest) -> None:
    told = _(
        "{source} -> {target}: about {seconds} s …",
        source=source,
        target=target,
        seconds=wanted.seconds,
    )
    err.print(escape(translated(told)), highlight=False)


def _document(
    site: str, time: datetime, found: list[Finding], paths: list[MeasuredPath]
) -> dict[str, Any]:
    """Return the doctor's document, with each path's figures as `paths`."""
    document = DoctorDocument(
        site=site,
        time=time.replace(microsecond=0),
        verdict=verdict_of(found),
        findings=tuple(FindingRow.model_validate(asdict(one)) for one in found),
    )
    return {
        **document.model_dump(mode="json", exclude={"changes"}),
        "paths": [asdict(path) for path in paths],
    }


def _show(paths: list[MeasuredPath], found: list[Finding], translate: Translate) -> None:
    for path in paths:
        out.print(f"\n[bold]{escape(path.source)} -> {escape(path.target)}[/]", highlight=False)
        rows = table("", _("outbound"), _("inbound"), _("round trip"), translate=translate)
        for cells in _figures(path.quality):
            rows.add_row(*(translate(cell) for cell in cells))
        out.print(rows)
        rows = table("", _("check"), _("observed"), translate=translate)
        host = f"{path.source} -> {path.target}"
        mine = [finding for finding in found if finding.host == host]
        for finding in mine:
            style = VERDICT_STYLE[finding.verdict]
            mark = f"[{style}]{translate(word(finding.verdict.value))}[/]"
            rows.add_row(mark, finding.title, escape(finding.observed))
        out.print("", rows)
        for remedy in dict.fromkeys(f.remedy for f in mine if f.verdict in _PROBLEMS):
            told = f"  {translate(_('remedy')):<9} {escape(remedy)}"
            out.print(told, highlight=False, soft_wrap=True)


def _figures(found: PathQuality) -> Iterator[tuple[str, str, str, str]]:
    yield (
        _("delay, ms"),
        "",
        "",
        _(
            "{typical:.2f} (95 % below {slow:.2f}, worst {slowest:.2f})",
            typical=found.typical_ms,
            slow=found.slow_ms,
            slowest=found.slowest_ms,
        ),
    )
    out_ms, back_ms = (f"{d.jitter_ms:.2f}" for d in (found.out, found.back))
    yield _("jitter, ms"), out_ms, back_ms, ""
    yield _("loss"), _lost(found.out), _lost(found.back), f"{found.loss.percent:.2f} %"
    yield _("reordered"), str(found.out.reordered), str(found.back.reordered), ""
    yield "DSCP", _marks(found.out), _marks(found.back), _("sent as {dscp}", dscp=found.dscp)


def _lost(direction: Direction) -> str:
    return _("unknown") if direction.loss is None else f"{direction.loss.percent:.2f} %"


def _marks(direction: Direction) -> str:
    return ", ".join(map(str, direction.dscp)) or _("unknown")
