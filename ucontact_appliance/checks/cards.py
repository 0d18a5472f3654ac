"""Checks of telephony cards (R13): the card, the kernel's modules, and Secure Boot."""

from __future__ import annotations

from collections.abc import Sequence

from ucontact_appliance.checks.asterisk import telephony_check
from ucontact_appliance.checks.model import (
    Judgement,
    Severity,
    Stage,
    Subject,
    checks_of,
    failed,
    passed,
    skipped,
    warned,
)
from ucontact_appliance.facts.cards import CardKernel, FoundCards, card_kernel, cards_on_the_bus
from ucontact_appliance.facts.packages import AptPackages, PackageSet, apt
from ucontact_appliance.language.messages import _, joined, verbatim, with_note
from ucontact_appliance.planning.versions import numbers
from ucontact_appliance.site.card_rules import lines
from ucontact_appliance.site.cards import CardModel, TelephonyCard

_BOTH = frozenset({Stage.PREFLIGHT, Stage.DOCTOR})
_PREFLIGHT = frozenset({Stage.PREFLIGHT})
NO_CARDS = _("the site has no telephony cards")
_CONTAINER = _("not visible in a container: cards and kernel belong to its host")


def judge_present(found: FoundCards, cards: Sequence[TelephonyCard]) -> Judgement:
    """Require as many cards of each maker on the buses as site.yml names."""
    if not cards:
        return skipped(NO_CARDS)
    required = joined(", ", (f"{card.name} ({card.model.value})" for card in cards))
    evidence = "\n".join(card.evidence for card in found.cards)
    if found.container:
        return skipped(_CONTAINER, required, evidence)
    wrong = []
    for model in CardModel:
        wanted = sum(card.model is model for card in cards)
        there = sum(card.maker.lower() == model.value for card in found.cards)
        if there < wanted:
            wrong.append(
                _(
                    "{model}: {there} of {wanted} found",
                    model=model.value,
                    there=there,
                    wanted=wanted,
                )
            )
    if wrong:
        return failed(joined("; ", wrong), required, evidence)
    models = joined(", ", (f"{card.maker} {card.model}" for card in found.cards))
    return passed(models, required, evidence)


@telephony_check(
    id="cards.present",
    title=_("Each telephony card of site.yml is in the server"),
    severity=Severity.CRITICAL,
    requirements=("R13",),
    remedy=with_note(
        "ucontact profile --site {site}", _("check that the card is seated and powered")
    ),
    stages=_BOTH,
)
def _present(subject: Subject) -> Judgement:
    cards = subject.site.telephony.cards
    found = subject.facts.get(cards_on_the_bus) if cards else FoundCards((), False)
    return judge_present(found, cards)


def judge_packages(found: AptPackages) -> Judgement:
    """Require that apt offers DAHDI and Asterisk's driver for it."""
    names = lines()["packages"]
    required = _("apt offers {names}", names=joined(", ", names))
    known = [found.get(name) for name in names]
    evidence = "\n".join(package.evidence for package in known)
    missing = [package.name for package in known if not package.version]
    if missing and found.lists == "none":
        return skipped(_("apt has no package lists"), required, evidence)
    if missing:
        told = _("apt knows no package {missing}", missing=joined(", ", missing))
        return failed(told, required, evidence)
    versions = joined(", ", (f"{package.name} {package.version}" for package in known))
    return passed(versions, required, evidence)


@telephony_check(
    id="cards.packages",
    title=_("DAHDI's packages are available"),
    severity=Severity.CRITICAL,
    requirements=("R13",),
    remedy=with_note(
        "{ssh} apt-cache policy asterisk-dahdi",
        _("Debian 12 and 13 have no asterisk-dahdi; use another system, or a gateway"),
    ),
    stages=_PREFLIGHT,
    needs=("host.archive",),
)
def _packages(subject: Subject) -> Judgement:
    if not subject.site.telephony.cards:
        return skipped(NO_CARDS)
    names = tuple(lines()["packages"])
    return judge_packages(subject.facts.get(apt, names, (PackageSet(names),)).packages)


def judge_module(found: CardKernel, cards: Sequence[TelephonyCard]) -> Judgement:
    """Require DAHDI's module in the running kernel, and what the makers' cards need beside it."""
    if not cards:
        return skipped(NO_CARDS)
    required = _("DAHDI is built for kernel {kernel}, and loaded", kernel=found.running)
    if found.container:
        return skipped(_CONTAINER, required, found.evidence)
    if found.running not in found.built:
        told = _("kernel {kernel} has no DAHDI", kernel=found.running)
        return failed(told, required, found.evidence)
    needed = [lines()["needs"].get(card.model.value) for card in cards]
    missing = [
        name for name in dict.fromkeys(["dahdi", *filter(None, needed)]) if name not in found.loaded
    ]
    if missing:
        told = _("not loaded: {missing}", missing=joined(", ", missing))
        return failed(told, required, found.evidence, "{ssh} systemctl restart asterisk.service")
    return passed(joined(", ", sorted(found.loaded)), required, found.evidence)


@telephony_check(
    id="cards.module",
    title=_("The running kernel has the drivers of the telephony cards"),
    severity=Severity.CRITICAL,
    requirements=("R13",),
    remedy="{ssh} dkms autoinstall",
    needs=("cards.present",),
)
def _module(subject: Subject) -> Judgement:
    return judge_module(_kernel(subject), subject.site.telephony.cards)


def judge_next_kernel(found: CardKernel, cards: Sequence[TelephonyCard]) -> Judgement:
    """Require DAHDI in the newest installed kernel: the next boot starts it."""
    if not cards:
        return skipped(NO_CARDS)
    required = _("the kernel of the next boot has DAHDI")
    if found.container:
        return skipped(_CONTAINER, required, found.evidence)
    if not found.installed:
        return skipped(_("no installed kernel was found"), required, found.evidence)
    newest = max(found.installed, key=kernel_order)
    if newest not in found.built:
        told = _("kernel {kernel} is installed without DAHDI", kernel=newest)
        return failed(
            told,
            required,
            found.evidence,
            with_note(
                f"{{ssh}} apt-get install -y linux-headers-{newest} && "
                f"{{ssh}} dkms autoinstall -k {newest}"
                if _sound(newest)
                else "{ssh} dkms autoinstall",
                _("before the next reboot: calls by card would end with it"),
            ),
        )
    return passed(verbatim(newest), required, found.evidence)


@telephony_check(
    id="cards.next-kernel",
    title=_("The kernel of the next boot has the drivers of the telephony cards"),
    severity=Severity.HIGH,
    requirements=("R13",),
    remedy="{ssh} dkms autoinstall",
)
def _next_kernel(subject: Subject) -> Judgement:
    return judge_next_kernel(_kernel(subject), subject.site.telephony.cards)


def judge_secure_boot(found: CardKernel, cards: Sequence[TelephonyCard]) -> Judgement:
    """Require that the firmware trusts the key of DAHDI's modules, where Secure Boot is on."""
    if not cards:
        return skipped(NO_CARDS)
    required = _("Secure Boot is off, or trusts the key that DAHDI's modules are signed with")
    if found.container:
        return skipped(_CONTAINER, required, found.evidence)
    if not found.secure_boot:
        return passed(_("Secure Boot is off"), required)
    if found.running in found.built and not found.signer:
        return failed(
            _("Secure Boot is on, and DAHDI's module has no signature"), required, found.evidence
        )
    if found.enrolled:
        told = _(
            "Secure Boot is on; the key of {signer} is enrolled", signer=found.signer or "DKMS"
        )
        return passed(told, required, found.evidence)
    # Before an installation there is no key yet, and without mokutil(1) nobody can ask.
    told = (
        _("Secure Boot is on, and DKMS has no key that is enrolled")
        if found.enrolled is None
        else _("Secure Boot is on, and the key of DKMS is not enrolled")
    )
    return (warned if found.enrolled is None else failed)(told, required, found.evidence)


@telephony_check(
    id="cards.secure-boot",
    title=_("Secure Boot allows the drivers of the telephony cards"),
    severity=Severity.CRITICAL,
    requirements=("R13",),
    remedy=with_note(
        "{ssh} mokutil --import /var/lib/dkms/mok.pub",
        _("then reboot and enrol the key at the server's console; or switch Secure Boot off"),
    ),
    stages=_BOTH,
)
def _secure_boot(subject: Subject) -> Judgement:
    return judge_secure_boot(_kernel(subject), subject.site.telephony.cards)


def kernel_order(release: str) -> tuple[tuple[int, ...], str]:
    """Return what releases of kernels are ordered by: 6.1.0-9-amd64 before 6.1.0-18-amd64."""
    return numbers(release.replace("-", ".")), release


def _sound(release: str) -> bool:
    """Whether a server's kernel release may stand in a command."""
    return release.replace("-", "").replace(".", "").replace("+", "").replace("_", "").isalnum()


_NOTHING = CardKernel("", (), frozenset(), frozenset(), None, "", None, False, "")


def _kernel(subject: Subject) -> CardKernel:
    return subject.facts.get(card_kernel) if subject.site.telephony.cards else _NOTHING


CHECKS = checks_of(globals())
