"""The templates of the role telephony, rendered as Ansible renders them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader, lookup_loader
from ansible.template import Templar

from ucontact_appliance.resources import ROLES

ROLE = ROLES / "telephony"
_FOLDER = ROLE / "templates/etc/asterisk"
# What only a site or a server can tell.
_SITE: dict[str, Any] = {
    "role_path": str(ROLE),
    "telephony_ami_secret": "secret",
    "telephony_database_password": "secret",
    "telephony_ami_recording_secret": "secret",
    "telephony_ami_backend_secret": "secret",
    "telephony_internal_certificate_file": {"stat": {"checksum": "0"}},
    "telephony_cards": {"country": "uy", "sections": []},
    "telephony_certificate_file": {"stat": {"checksum": "0"}},
    "telephony_network_profile": "nat",
    "telephony_address": "192.0.2.10",
    "telephony_public_address": "198.51.100.7",
    "telephony_extensions": [
        {"number": "6001", "secret": "a"},
        {"number": "6002", "secret": "b", "phone": True},
    ],
    "telephony_trunks": [
        {"name": "carrier", "host": "192.0.2.50", "transport": "tls", "prefix": "9"}
        | {"codecs": ["alaw"], "username": "a", "secret": "c", "register": True, "srtp": True},
        {"name": "sbc", "transport": "wss", "username": "sbc", "prefix": "8"}
        | {"codecs": ["opus"], "secret": "d"},
    ],
}


@cache
def _load_plugins() -> None:
    init_plugin_loader([])


def rendered(reported: str, **changes: Any) -> Mapping[str, str]:
    """Each file of /etc/asterisk by its name, where the program reports that version."""
    _load_plugins()
    variables: dict[str, Any] = {}
    for name in ("defaults", "vars"):
        variables |= yaml.safe_load((ROLE / name / "main.yml").read_text(encoding="utf-8"))
    variables |= {
        **_SITE,
        "ansible_search_path": [str(ROLE)],
        "telephony_reported": {"stdout_lines": [reported]},
        **changes,
    }
    loader = DataLoader()
    loader.set_basedir(str(ROLE))
    templar = Templar(loader=loader, variables=variables)
    lookup = lookup_loader.get("ansible.builtin.template", loader=loader, templar=templar)
    return {
        path.stem: str(lookup.run([str(path)], variables=variables)[0])
        for path in sorted(_FOLDER.glob("*.conf.j2"))
    }
