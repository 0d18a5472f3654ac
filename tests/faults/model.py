"""What a fault is, and what came of injecting it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class Kind(str, Enum):
    """What sort of thing breaks; the table is grouped by it."""

    SERVICE = "service"
    HUNG = "hung service"
    PORT = "port"
    FIREWALL = "firewall"
    CERTIFICATE = "certificate"
    TLS = "TLS"
    WEB = "web"
    HEADER = "header"
    TREE = "release"
    BACKEND = "backend"
    DATABASE = "database"
    STUN = "STUN and TURN"
    TELEPHONY = "telephony"
    STORAGE = "storage"
    HOST = "host"
    CONTROLLER = "installing machine"


@dataclass(frozen=True)
class Fault:
    """One thing broken, and exactly what the doctor has to say about it.

    `here` is run first, by bash on the machine that installs: $ETC is the site's folder of secrets
    and keys, $SITE its site.yml, $ROOT the root of the site's machine, $LEADER its init. `inject`
    is run then, by bash as root on the site's machine.

    `causes` are the checks that must complain; `also` are those that may, each with the reason why
    it can't be behind a cause. Whatever else is not as on the clean site is a mismatch, but what is
    blocked by one of these.

    Where `mend` or `mend_here` is given, the printed remedy only shows what a person has to decide
    upon: it must run, and then these lines do as its note says. Elsewhere it must mend by itself.

    `always_mended` is for what every installation writes, also one that finds nothing different.
    """

    id: str
    title: str
    kind: Kind
    causes: frozenset[str]
    inject: str = ""
    here: str = ""
    also: Mapping[str, str] = field(default_factory=dict, hash=False)
    mend: str = ""
    mend_here: str = ""
    always_mended: bool = False
    fast: bool = False


@dataclass(frozen=True)
class Outcome:
    """What the doctor said, what its remedies did, and every way in which that was wrong.

    `mended` is False where the remedies were not run: then nothing is claimed of them. `beside` are
    the faults that the same installation mended.
    """

    fault: Fault
    found: tuple[str, ...]
    remedies: tuple[str, ...]
    problems: tuple[str, ...]
    seconds: float
    mended: bool = True
    beside: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        """Whether it was as the catalogue says."""
        return not self.problems
