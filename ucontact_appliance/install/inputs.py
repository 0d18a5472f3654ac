"""Digests of a phase's inputs: of everything that determines what its playbook does."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, TemplateSyntaxError, nodes

from ucontact_appliance import __version__
from ucontact_appliance.install.job import Job
from ucontact_appliance.planning.component_tables import phases
from ucontact_appliance.resources import DATA, INSTALLER, ROLES
from ucontact_appliance.site.secrets import playbook_secrets

_PLAYBOOKS = INSTALLER / "playbooks"
# A connection variable that differs in each run.
_OF_THE_RUN = "ansible_control_path"
# Secrets with a separate digest: they are generated, so a digest can't be brute-forced.
_GENERATED = "secrets.telephony.extensions"
_FOLDERS = (_PLAYBOOKS, INSTALLER / "plugins", ROLES, DATA)

Chain = tuple[str, ...]


def phase_inputs(job: Job, phase: str, pending: tuple[str, ...] = ()) -> dict[str, str]:
    """Return the SHA-256 of each input that determines what the phase's playbook does.

    Inputs are the appliance's code and tables, each host's variables in the inventory, and those
    values of the site, the plan and the secrets that the playbook names; `pending` lists what the
    phase would first create here. Other values are left out, so that a changed key of site.yml
    affects only phases that use it. Secrets that a person may have chosen share one digest: a
    password may be short.
    """
    inventory = job.inventory()["all"]
    known = inventory["vars"] | {"secrets": playbook_secrets(job.site, job.secrets)}
    hosts = {
        name: {key: value for key, value in share.items() if key != _OF_THE_RUN}
        for name, share in inventory["hosts"].items()
    }
    chains = named_values((_PLAYBOOKS / f"{phase}.yml").read_text(encoding="utf-8"), set(known))
    values = {".".join(chain): _value(known, chain) for chain in chains}
    secrets = {
        name: value
        for name, value in values.items()
        if name.startswith("secrets") and name != _GENERATED
    }
    parts = {name: value for name, value in values.items() if name not in secrets}
    parts |= {
        "appliance": _code(),
        "hosts": hosts,
        "roles of hosts": inventory["children"],
        "secrets": secrets,
        "certificates to issue": pending,
    }
    if "controller.pki" in values:
        parts["certificates"] = _content(job.paths.pki)
    if "controller.recordings" in values:
        parts["key of recordings"] = _file_content(job.paths.pki / "recordings.pem")
    if "site.telephony.announcements" in values:
        parts["announcements"] = [
            _file_content(announcement.file) for announcement in job.site.telephony.announcements
        ]
    if "controller.release" in values:
        parts["release"] = _release(job)
    return {name: _digest(value) for name, value in sorted(parts.items())}


def enough_tags(phase: str, different: Collection[str]) -> tuple[str, ...]:
    """Return the tags of the tasks that suffice when only these inputs of a phase differ.

    The tuple is empty when all of its tasks have to run.
    """
    row = phases().get(phase)
    part = row.playbook.part if row else None
    if part is None or not different or not set(different) <= set(part.inputs):
        return ()
    return (part.tag,)


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _release(job: Job) -> str:
    return job.release.sha256 if job.release else ""


def named_values(playbook: str, roots: set[str]) -> set[Chain]:
    """Return the variables that a playbook's expressions use, each with its chain of keys.

    `{{ site.web.hsts_max_age }}` is ("site", "web", "hsts_max_age"). A key known only at run time
    ends the chain: the whole value before that key is an input.
    """
    environment = Environment(autoescape=True)
    found: set[Chain] = set()
    for text in _texts(yaml.safe_load(playbook)):
        found.update(_chains(environment.parse(text), roots))
        with suppress(TemplateSyntaxError):  # plain text; a `when` is an expression without braces
            found.update(_chains(environment.parse(f"{{{{ {text} }}}}"), roots))
    return found


def _texts(value: Any) -> Iterator[str]:
    """Yield every string in a nested value except the keys of mappings."""
    match value:
        case str():
            yield value
        case list():
            for item in value:
                yield from _texts(item)
        case dict():
            for item in value.values():
                yield from _texts(item)


def _chains(node: nodes.Node, roots: set[str]) -> Iterator[Chain]:
    chain = _chain(node)
    if chain is not None and chain[0] in roots:
        yield chain
        return
    for child in node.iter_child_nodes():
        yield from _chains(child, roots)


def _chain(node: nodes.Node) -> Chain | None:
    match node:
        case nodes.Name(name=name):
            return (name,)
        case nodes.Getattr(node=inner, attr=key):
            before = _chain(inner)
        case nodes.Getitem(node=inner, arg=nodes.Const(value=str(key))):
            before = _chain(inner)
        case _:
            return None
    return None if before is None else (*before, key)


def _value(known: Mapping[str, Any], chain: Chain) -> Any:
    value: Any = known
    for key in chain:
        if not isinstance(value, Mapping):
            return value
        value = value.get(key)
    return value


@lru_cache(maxsize=1)
def _code() -> str:
    """Return the versions, and a digest of every file that Ansible reads from this package."""
    files = "".join(_content(folder) for folder in _FOLDERS)
    return f"{__version__} {version('ansible-core')} {hashlib.sha256(files.encode()).hexdigest()}"


def _file_content(path: Path) -> str:
    """The file's SHA-256; nothing where it can't be read, which preflight refuses."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def _content(folder: Path) -> str:
    """Return a digest of the names and contents of the files below a folder."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            total.update(f"{path.relative_to(folder)}\0".encode())
            total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()
