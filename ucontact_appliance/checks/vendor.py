"""Check that a telephony server can get the Asterisk that site.yml names (R19)."""

from __future__ import annotations

from ucontact_appliance.checks.model import (
    Judgement,
    Severity,
    Stage,
    Subject,
    check,
    checks_of,
    failed,
    passed,
)
from ucontact_appliance.facts import host
from ucontact_appliance.facts import vendor as facts
from ucontact_appliance.language.messages import _, with_note
from ucontact_appliance.planning.component_tables import package_requirements
from ucontact_appliance.planning.model import Role
from ucontact_appliance.planning.versions import reaches
from ucontact_appliance.site.asterisk_source import (
    ASTERISK,
    AsteriskArchive,
    AsteriskSource,
    parse_deb_name,
)

_ANY = "all"  # the architecture of packages for every one


def judge_archive(archive: AsteriskArchive, found: facts.VendorOffer) -> Judgement:
    """Require that apt trusts the archive by its key, and finds a new enough Asterisk there."""
    least = next(row.least for row in package_requirements() if row.id == ASTERISK)
    required = _(
        "Asterisk {least} or later in {uri} {suite}, signed with the key of site.yml",
        least=least,
        uri=archive.uri,
        suite=archive.suite,
    )
    if not found.version:
        told = (
            _("apt does not trust it: {complaint}", complaint=found.complaint)
            if found.complaint
            else _("apt finds no Asterisk there")
        )
        return failed(told, required, found.evidence)
    told = _("{version} ({architecture})", version=found.version, architecture=found.architecture)
    return (passed if reaches(found.version, least) else failed)(told, required, found.evidence)


def judge_files(names: tuple[str, ...], architecture: str) -> Judgement:
    """Require packages for the server's architecture."""
    required = _("packages for {architecture}", architecture=architecture)
    parsed = {name: parse_deb_name(name) for name in names}
    others = [name for name, row in parsed.items() if row and row[2] not in (architecture, _ANY)]
    evidence = "\n".join(names)
    if others:
        return failed(_("{name} is for another architecture", name=others[0]), required, evidence)
    return passed(_("{count} packages", count=len(names)), required, evidence)


def judge_way_back(found: facts.WayBack, system: str) -> Judgement:
    """Require that the distribution has an Asterisk where the vendor's is to be replaced."""
    required = _("the distribution's Asterisk")
    if not found.pinned:
        return passed(_("the distribution's; the vendor's is not installed"), required)
    if not found.version:
        return failed(
            _("the vendor's is installed, and {system} has none to return to", system=system),
            required,
            found.evidence,
            with_note(
                "{ssh} apt-cache madison asterisk",
                _("set telephony.source in site.yml back to the vendor's"),
            ),
        )
    return passed(
        _("the distribution's {version} replaces the vendor's", version=found.version),
        required,
        found.evidence,
    )


@check(
    id="packages.asterisk-source",
    title=_("Asterisk's source can be used"),
    severity=Severity.CRITICAL,
    requirements=("R19",),
    remedy=with_note(
        "{ssh} apt-get update", _("compare telephony.archive in site.yml with the vendor's page")
    ),
    role=Role.TELEPHONY,
    stages=frozenset({Stage.PREFLIGHT}),
    needs=("host.system",),
    timeout=60,
)
def _source(subject: Subject) -> Judgement:
    telephony = subject.site.telephony
    archive = telephony.archive
    if archive is not None:
        key = facts.public_key(archive.key)
        found = subject.facts.get(
            facts.vendor_archive, archive.uri, archive.suite, archive.components, key
        )
        return judge_archive(archive, found)
    if telephony.source is AsteriskSource.RELEASE:
        return passed(_("packages of the release, which was verified with its signature"))
    if telephony.packages:
        names = tuple(package.file.name for package in telephony.packages)
        return judge_files(names, subject.facts.get(facts.architecture))
    system = subject.facts.get(host.system)
    return judge_way_back(subject.facts.get(facts.way_back), system.os_name)


CHECKS = checks_of(globals())
