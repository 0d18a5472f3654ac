"""A site's keys and certificates as tests issue, lose and damage them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from cryptography import x509

from tests.unit.certs import NOW
from ucontact_appliance.errors import ApplianceError
from ucontact_appliance.pki.issue import PkiResult, ensure_pki, foresee_pki
from ucontact_appliance.planning.topology import make_plan
from ucontact_appliance.site.model import Site
from ucontact_appliance.state import StatePaths

FQDN = "contact.example.com"


def ensure(paths: StatePaths, site: Site, now: datetime = NOW, **options: Any) -> tuple[str, ...]:
    """What is written; every time it is foreseen before, without a write, errors included."""
    plan = make_plan(site, {})
    before = files(paths)

    def tried(act: Callable[..., PkiResult]) -> tuple[str, ...] | ApplianceError:
        try:
            return act(site, plan, paths, now=now, **options).changed
        except ApplianceError as error:
            return error

    foreseen = tried(foresee_pki)
    assert files(paths) == before
    done = tried(ensure_pki)
    if isinstance(done, ApplianceError):
        assert isinstance(foreseen, ApplianceError)
        assert (foreseen.what, foreseen.evidence) == (done.what, done.evidence)
        raise done
    assert foreseen == done
    return done


def certificate(paths: StatePaths, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((paths.pki / name).read_bytes())


def files(paths: StatePaths) -> dict[str, bytes]:
    folder = paths.pki
    return {p.name: p.read_bytes() for p in folder.iterdir()} if folder.exists() else {}


def lose(paths: StatePaths, names: tuple[str, ...]) -> None:
    for name in names:
        (paths.pki / name).unlink()


def damage(content: bytes, *names: str) -> Callable[[StatePaths], None]:
    def spoil(paths: StatePaths) -> None:
        for name in names:
            (paths.pki / name).write_bytes(content)

    return spoil


def pins(paths: StatePaths) -> tuple[str, str]:
    """What the web role and the doctor read: the pin of the served key, and of the backup key."""
    document = json.loads((paths.pki / "pins.json").read_text())
    return document["served"], document["backup"]
