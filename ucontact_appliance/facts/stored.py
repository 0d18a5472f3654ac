"""A run's facts as one document that can be judged again without access to the site.

Each answer is stored by its probe's return type. An answer that a round trip would change is not
stored; the reason is stored instead, and no check is judged by it.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime
from enum import Enum
from pathlib import Path
from typing import Any, Literal, TypeVar, get_type_hints

from pydantic import BaseModel, ConfigDict, TypeAdapter

from ucontact_appliance.errors import (
    ApplianceError,
    PhaseFailedError,
    UnreachableError,
    UsageError,
)
from ucontact_appliance.facts.exchange import Exchange
from ucontact_appliance.facts.runner import ANSWER_BYTES, Completed
from ucontact_appliance.facts.source import FactSource, NotStoredError, ProbeContext, ProbeResult
from ucontact_appliance.language.messages import _
from ucontact_appliance.planning.model import Plan
from ucontact_appliance.redact import redactor
from ucontact_appliance.site.model import Host, Site
from ucontact_appliance.site.secrets import Secrets

T = TypeVar("T")
_PRIVATE_KEY = re.compile(
    r"-----BEGIN ([A-Z0-9 ]*PRIVATE KEY)-----.*?(?:-----END \1-----|\Z)", re.DOTALL
)
# Tags for types that JSON can't represent.
_BYTES, _PAIRS = "$bytes", "$pairs"
_ERRORS: dict[str, type[ApplianceError]] = {
    "unreachable": UnreachableError,
    "usage": UsageError,
    "phase": PhaseFailedError,
    "appliance": ApplianceError,
}


class _StoredModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StoredError(_StoredModel):
    """The exception that a probe raised instead of an answer."""

    kind: Literal["unreachable", "usage", "phase", "appliance", "timeout", "defect"]
    what: str
    evidence: str = ""
    helps: str = ""


class StoredFact(_StoredModel):
    """One question and its result; `unstored` is the reason if there is no answer."""

    probe: str
    args: str
    value: Any = None
    error: StoredError | None = None
    unstored: str = ""


class FactsSnapshot(_StoredModel):
    """Everything that one doctor run read. `time` is the run's; secrets are stored by name only."""

    schema_version: Literal[1] = 1
    appliance: str
    time: datetime
    deep: bool
    site_file: str
    etc: str
    var: str
    site: Site
    plan: Plan
    secrets: tuple[str, ...]
    facts: dict[str, tuple[StoredFact, ...]]


def placeholders(names: Iterable[str]) -> Secrets:
    """Secrets whose values are made of their names: they replace real ones in stored facts."""
    return Secrets({name: f"[secret {name}]" for name in names})


class Redaction:
    """Replaces each secret by its placeholder."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        # The longest first: a secret may contain another.
        named = sorted(secrets.items(), key=lambda pair: len(pair[1]), reverse=True)
        stands_for = placeholders(secrets)
        self._redactors = [redactor([value], stands_for[name]) for name, value in named]

    def text(self, text: str) -> str:
        """The text without any secret or private key."""
        for redacted in self._redactors:
            text = redacted(text)
        return _PRIVATE_KEY.sub(r"[\1]", text)

    def data(self, data: bytes) -> bytes:
        """The same for arbitrary bytes, decoded as Latin-1: one character per byte."""
        return self.text(data.decode("latin-1")).encode("latin-1", "replace")

    def everywhere(self, value: Any) -> Any:
        """The same for all strings in lists and mappings, including keys."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, bytes):
            return self.data(value)
        if isinstance(value, list | tuple | set | frozenset):
            return type(value)(self.everywhere(item) for item in value)
        if isinstance(value, Mapping):
            return {self.everywhere(k): self.everywhere(v) for k, v in value.items()}
        return value


def store(asked: Sequence[ProbeResult], redaction: Redaction) -> tuple[StoredFact, ...]:
    """The facts of one host, each in its stored form."""
    return tuple(_stored(one, redaction) for one in asked)


def _stored(asked: ProbeResult, redaction: Redaction) -> StoredFact:
    probe = probe_name(asked.probe)
    args = args_text(redaction.everywhere(asked.args))
    if not asked.answered:
        return StoredFact(probe=probe, args=args, unstored="it had not answered when the run ended")
    if asked.error is not None:
        return StoredFact(probe=probe, args=args, error=_stored_error(asked.error, redaction))
    try:
        adapter = _adapter(asked.probe)
        plain = adapter.dump_python(asked.value, warnings=False)
        if adapter.validate_python(_decoded(_through_json(plain))) != asked.value:
            raise ValueError("it does not come back as it was")
        value = _through_json(redaction.everywhere(plain))
        adapter.validate_python(_decoded(value))
    except Exception as error:
        # Any exception: an answer that can't be stored must not prevent storing the others.
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        return StoredFact(probe=probe, args=args, unstored=redaction.text(why))
    return StoredFact(probe=probe, args=args, value=value)


def probe_name(probe: Callable[..., Any]) -> str:
    """A probe's name in a stored run."""
    return f"{probe.__module__.removeprefix('ucontact_appliance.')}.{probe.__qualname__}"


def args_text(args: Sequence[Hashable]) -> str:
    """A probe's arguments as one text that identifies them."""
    return json.dumps([_encoded(arg) for arg in args], ensure_ascii=False, default=repr)


def _adapter(probe: Callable[..., Any]) -> TypeAdapter[Any]:
    return TypeAdapter(get_type_hints(probe)["return"])


def _through_json(value: Any) -> Any:
    return json.loads(json.dumps(_encoded(value)))


def _encoded(value: Any) -> Any:
    """Encode for JSON: sets as lists; bytes, and mappings with non-string keys, with a tag."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _encoded(getattr(value, f.name)) for f in dataclasses.fields(value)}
    match value:
        case Enum():
            made = _encoded(value.value)
        case bytes():
            made = {_BYTES: base64.b64encode(value).decode()}
        case set() | frozenset():
            made = sorted((_encoded(item) for item in value), key=repr)
        case list() | tuple():
            made = [_encoded(item) for item in value]
        case Mapping() if all(isinstance(key, str) for key in value):
            made = {str(key): _encoded(item) for key, item in value.items()}
        case Mapping():
            made = {_PAIRS: [[_encoded(key), _encoded(item)] for key, item in value.items()]}
        case datetime() | date():
            made = value.isoformat()
        case Path():
            made = str(value)
        case _:
            made = value
    return made


def _decoded(value: Any) -> Any:
    if isinstance(value, list):
        return [_decoded(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {_BYTES}:
        return base64.b64decode(value[_BYTES])
    if value.keys() == {_PAIRS}:
        return {_as_key(_decoded(key)): _decoded(item) for key, item in value[_PAIRS]}
    return {key: _decoded(item) for key, item in value.items()}


def _as_key(value: Any) -> Hashable:
    return tuple(_as_key(item) for item in value) if isinstance(value, list) else value


def _stored_error(error: BaseException, redaction: Redaction) -> StoredError:
    if isinstance(error, ApplianceError):
        kind = next(name for name, known in _ERRORS.items() if isinstance(error, known))
        return StoredError.model_validate(
            {
                "kind": kind,
                "what": redaction.text(error.what),
                "evidence": redaction.text(error.evidence),
                "helps": redaction.text(error.helps),
            }
        )
    if isinstance(error, TimeoutError):
        return StoredError(kind="timeout", what=redaction.text(str(error)))
    what = f"{type(error).__name__}: {error}"
    return StoredError(kind="defect", what=redaction.text(what))


def _raised(stored: StoredError) -> BaseException:
    known = _ERRORS.get(stored.kind)
    if known is not None:
        return known(stored.what, evidence=stored.evidence, helps=stored.helps)
    if stored.kind == "timeout":
        return TimeoutError(stored.what)
    return RuntimeError(stored.what)


class NoRunner:
    """A runner without access to any host: every command is rejected."""

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float = 10.0,
        stdin: str | None = None,
        limit: int = ANSWER_BYTES,
    ) -> Completed:
        """Raises NotStoredError."""
        raise NotStoredError(_("it needs a command on the host"))

    def command(self, argv: Sequence[str]) -> list[str]:
        """Raises NotStoredError."""
        raise NotStoredError(_("it needs a command on the host"))

    def forward(self, port: int) -> AbstractContextManager[int]:
        """Raises NotStoredError."""
        raise NotStoredError(_("it needs a connection to the host"))


class StoredFacts(FactSource):
    """One host's facts as they were stored; runs no probes."""

    def __init__(self, site: Site, host: Host, facts: Sequence[StoredFact]) -> None:
        super().__init__(ProbeContext(site, host, NoRunner()))
        self._stored = {(fact.probe, fact.args): fact for fact in facts}

    def _once(
        self,
        probe: Callable[..., T],
        args: tuple[Hashable, ...],
        look: Callable[[], T],
        exchanges: list[Exchange],
    ) -> T:
        fact = self._stored.get((probe_name(probe), args_text(args)))
        if fact is None:
            raise NotStoredError(_("{probe_name} is missing", probe_name=probe_name(probe)))
        if fact.unstored:
            raise NotStoredError(
                _("{probe} was not stored: {unstored}", probe=fact.probe, unstored=fact.unstored)
            )
        if fact.error is not None:
            raise _raised(fact.error)
        found: T = _adapter(probe).validate_python(_decoded(fact.value))
        return found
