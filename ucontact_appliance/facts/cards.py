"""Telephony cards (R13) on a server: bus, kernel modules, DAHDI's spans, Asterisk's lines."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ucontact_appliance.facts.hardware.cards import find_cards
from ucontact_appliance.facts.hardware.records import Card
from ucontact_appliance.facts.host import script, sections
from ucontact_appliance.facts.source import ProbeContext

_PCI_KEYS = ("vendor", "device", "subsystem_vendor", "subsystem_device")
_USB_KEYS = ("idVendor", "idProduct", "manufacturer", "product")

# A line per value: the names of USB devices have blanks.
_BUS = script(
    pci=r"""
for device in /sys/bus/pci/devices/*; do
  [ -e "$device" ] || continue
  echo "slot ${device##*/}"
  for key in vendor device subsystem_vendor subsystem_device; do
    echo "$key $(cat "$device/$key" 2>/dev/null)"
  done
  [ ! -e "$device/driver" ] || echo "driver $(basename "$(readlink "$device/driver")")"
done""",
    usb=r"""
for device in /sys/bus/usb/devices/*; do
  [ -e "$device/idVendor" ] || continue
  echo "slot ${device##*/}"
  for key in idVendor idProduct manufacturer product; do
    echo "$key $(cat "$device/$key" 2>/dev/null)"
  done
done""",
    container="systemd-detect-virt --container >/dev/null && echo yes || echo no",
)


@dataclass(frozen=True)
class FoundCards:
    """The telephony cards on the buses; those of a container are its host's."""

    cards: tuple[Card, ...]
    container: bool


def cards_on_the_bus(reach: ProbeContext) -> FoundCards:
    """Read sysfs."""
    return parse_bus(reach.runner.run(["sh", "-c", _BUS]).stdout)


def parse_bus(text: str) -> FoundCards:
    """Parse the output of the probe's script: lines of a key and a value, `slot` first."""
    part = sections(text)
    pci = tuple(_devices(part.get("pci", ""), _PCI_KEYS))
    usb = tuple(_devices(part.get("usb", ""), _USB_KEYS))
    found = find_cards(pci, usb, "", None)
    return FoundCards(found, part.get("container", "").strip() == "yes")


def _devices(text: str, keys: tuple[str, ...]) -> Iterator[dict[str, str]]:
    device: dict[str, str] = {}
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        if key == "slot":
            if device:
                yield device
            device = dict.fromkeys(keys, "") | {"slot": value}
        elif device:
            device[key] = value.strip()
    if device:
        yield device


@dataclass(frozen=True)
class CardKernel:
    """Kernels and DAHDI's module.

    `installed` are the bootable kernels, `built` those of them that have DAHDI, `loaded` the loaded
    modules. `secure_boot` is None where the firmware does not tell. `signer` is who signed the
    running kernel's module; `enrolled` whether the firmware trusts DKMS's key, None without a key.
    """

    running: str
    installed: tuple[str, ...]
    built: frozenset[str]
    loaded: frozenset[str]
    secure_boot: bool | None
    signer: str
    enrolled: bool | None
    container: bool
    evidence: str


# DKMS signs with Debian's key, or with that of Ubuntu's shim-signed.
_KEYS = "/var/lib/dkms/mok.pub /var/lib/shim-signed/mok/MOK.der"
_SECURE_BOOT = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
_KERNEL = script(
    running="uname -r",
    installed=r"""
for folder in /lib/modules/*; do
  name=${folder##*/}
  if [ -e "/boot/vmlinuz-$name" ] || [ -e "$folder/vmlinuz" ]; then echo "$name"; fi
done""",
    built=r"""
for folder in /lib/modules/*; do
  name=${folder##*/}
  ! modinfo -k "$name" -F filename dahdi >/dev/null 2>&1 || echo "$name"
done""",
    dkms="dkms status 2>/dev/null | grep -i -e dahdi -e wanpipe || true",
    loaded="cut -d ' ' -f 1 /proc/modules | grep -e dahdi -e '^wc' -e '^xp' -e wanpipe || true",
    # The variable's value follows four octets of attributes (UEFI 2.10, 8.2).
    secure=f"od -An -t u1 -j 4 -N 1 {_SECURE_BOOT} 2>/dev/null || true",
    signer="modinfo -F signer dahdi 2>/dev/null || true",
    key=f"""
for key in {_KEYS}; do
  [ ! -e "$key" ] || {{ mokutil --test-key "$key" 2>&1 || true; break; }}
done""",
    container="systemd-detect-virt --container >/dev/null && echo yes || echo no",
)


def card_kernel(reach: ProbeContext) -> CardKernel:
    """Look at the kernels and their modules."""
    return parse_kernel(reach.runner.run(["sh", "-c", _KERNEL]).stdout)


def parse_kernel(text: str) -> CardKernel:
    """Parse the output of the probe's script."""
    part = sections(text)
    secure = part.get("secure", "").strip()
    key = part.get("key", "")
    return CardKernel(
        running=part["running"].strip(),
        installed=tuple(part.get("installed", "").split()),
        built=frozenset(part.get("built", "").split()),
        loaded=frozenset(part.get("loaded", "").split()),
        secure_boot={"1": True, "0": False}.get(secure),
        signer=part.get("signer", "").strip(),
        # mokutil(1) says "is already enrolled" or "is not enrolled".
        enrolled="is already enrolled" in key if "enrolled" in key else None,
        container=part.get("container", "").strip() == "yes",
        evidence=text.strip(),
    )


@dataclass(frozen=True)
class DahdiSpan:
    """A span as DAHDI shows it: its alarms (RED, YELLOW …), and whether it is the card's clock."""

    number: int
    description: str
    alarms: tuple[str, ...]
    master: bool
    channels: int


@dataclass(frozen=True)
class LineState:
    """DAHDI's spans, the numbers of Asterisk's channels, and their signalling.

    `pri` has what Asterisk says of each span, such as `Up, Active`; `r2` the bits that the far end
    sends on each channel, such as `IDLE`.
    """

    spans: tuple[DahdiSpan, ...]
    channels: frozenset[int]
    pri: Mapping[int, str]
    r2: Mapping[int, str]
    texts: Mapping[str, str]


_LINES = script(
    proc="for file in $(ls /proc/dahdi 2>/dev/null | sort -n); do cat /proc/dahdi/$file; done",
    **{
        name: f"asterisk -rx {shlex.quote(command)} 2>&1 || true"
        for name, command in {
            "status": "dahdi show status",
            "channels": "dahdi show channels",
            "pri": "pri show spans",
            "r2": "mfcr2 show channels",
        }.items()
    },
)
_ALARMS = ("RED", "YELLOW", "BLUE", "LOOP", "RECOVERING", "NOTOPEN", "UNCONFIGURED")
_SPAN = re.compile(r'^Span (?P<number>\d+): (?P<name>\S+) "(?P<description>[^"]*)"(?P<rest>.*)$')
_CHANNEL = re.compile(r"^\s+(\d+) \S+")
_SHOWN = re.compile(r"^\s*(\d+) ", re.MULTILINE)
_PRI = re.compile(r"^PRI span (\d+)/\d+: (.+)$", re.MULTILINE)


def line_state(reach: ProbeContext) -> LineState:
    """Ask DAHDI and Asterisk."""
    return parse_lines(reach.runner.run(["sh", "-c", _LINES]).stdout)


def parse_lines(text: str) -> LineState:
    """Parse the output of the probe's script."""
    part = sections(text)
    return LineState(
        spans=parse_spans(part.get("proc", "")),
        channels=frozenset(map(int, _SHOWN.findall(part.get("channels", "")))),
        pri={int(number): said.strip() for number, said in _PRI.findall(part.get("pri", ""))},
        r2=dict(_far_bits(part.get("r2", ""))),
        texts={name: part.get(name, "").strip() for name in ("proc", "status", "pri", "r2")},
    )


def parse_spans(text: str) -> tuple[DahdiSpan, ...]:
    """Parse /proc/dahdi/N: a line for the span, and an indented one for each channel."""
    found: list[DahdiSpan] = []
    counts: list[int] = []
    for line in text.splitlines():
        if span := _SPAN.match(line):
            words = span["rest"].split()
            found.append(
                DahdiSpan(
                    number=int(span["number"]),
                    description=span["description"],
                    alarms=tuple(word for word in words if word in _ALARMS),
                    master="(MASTER)" in words,
                    channels=0,
                )
            )
            counts.append(0)
        elif found and _CHANNEL.match(line):
            counts[-1] += 1
    return tuple(
        DahdiSpan(one.number, one.description, one.alarms, one.master, count)
        for one, count in zip(found, counts, strict=True)
    )


def _far_bits(text: str) -> Iterator[tuple[int, str]]:
    """The last column of `mfcr2 show channels`: what the far end sends."""
    for line in text.splitlines():
        words = line.split()
        if len(words) > 2 and words[0].isdigit():
            yield int(words[0]), words[-1]
