"""Loading `site.yml`: every mistake is told with its key, its line and the nearest right name."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Hashable, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.os_errors import refused
from ucontact_appliance.site.model import EVALUATION, Site, model_in
from ucontact_appliance.site.waivers import KNOWN_CHECKS, KNOWN_CONTROLS

_MOST_BYTES = 1 << 20
_DEEPEST = 32  # sections inside one another; a site file has 5
_HELP = "ucontact init   (writes a good site.yml)"


def load_site(
    path: Path,
    known_checks: Collection[str] | None = None,
    known_controls: Collection[str] | None = None,
) -> Site:
    """The site in that file; UsageError names what is wrong, where, and what to do.

    `known_checks` are the ids that may be waived (`findings.registry.IDS`), `known_controls` what a
    person may vouch for (`report.controls.control_ids()`); without them, any may.

    Paths in it come back absolute: `~` is the home of who runs the command, and a relative one
    starts at the folder of the file itself, also when the file is reached by a link.
    """
    site = parse_site(_read(path), str(path), known_checks, known_controls)
    return _anchored(site, path.resolve().parent)


def _anchored(site: Site, folder: Path) -> Site:
    def absolute(path: Path | None) -> Path | None:
        return folder / _home(path) if path else None

    given = site.certificate
    files = {"chain": given.chain, "key": given.key, "ca": given.ca}
    release = site.release
    if release != EVALUATION:
        release = str(folder / _home(Path(release)))
    return site.model_copy(
        update={
            "hosts": tuple(h.model_copy(update={"key": absolute(h.key)}) for h in site.hosts),
            "certificate": given.model_copy(
                update={name: absolute(path) for name, path in files.items()}
            ),
            "release": release,
        }
    )


def _home(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError as error:  # there is no such user, or nobody knows the home
        raise UsageError(
            f"the path {path} can't be found", evidence=str(error), helps="write the whole path"
        ) from None


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise UsageError(f"{path} is too big for a site file", helps=_HELP)
        data = path.read_bytes()
    except FileNotFoundError:
        raise UnreachableError(
            f"there is no site file {path}", helps=f"ucontact init --site {path}"
        ) from None
    except OSError as error:
        raise refused(f"{path} can't be read", error, path) from error
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise UsageError(
            f"{path} is no text file",
            evidence=f"line {line}: byte 0x{data[error.start]:02x} is not UTF-8",
            helps=_HELP,
        ) from error
    if not text.strip():
        raise UsageError(f"{path} is empty", helps=_HELP)
    return text


def parse_site(
    text: str,
    name: str = "site.yml",
    known_checks: Collection[str] | None = None,
    known_controls: Collection[str] | None = None,
) -> Site:
    """The site in that text; `name` is what messages call it."""
    root = _compose(text, name)
    try:
        return Site.model_validate(
            yaml.safe_load(text),
            context={KNOWN_CHECKS: known_checks, KNOWN_CONTROLS: known_controls},
        )
    except ValidationError as error:
        problems = [_explain(problem, root) for problem in error.errors()]
        count = f"{len(problems)} mistakes" if len(problems) > 1 else "a mistake"
        raise UsageError(
            f"{name} has {count}",
            evidence="\n".join(problems),
            helps=f"mend the line{'s' if len(problems) > 1 else ''} named above in {name}",
        ) from None
    except (yaml.YAMLError, ValueError) as error:  # it composes, but a value can't be made of it
        raise UsageError(
            f"{name} has a value that can't be read",
            evidence=_yaml_message(error),
            helps=f"put that value in quotes in {name}",
        ) from None


def _compose(text: str, name: str) -> yaml.Node:
    try:
        _refuse_mazes(text, name)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise UsageError(
            f"{name} is no valid YAML",
            evidence=_yaml_message(error),
            helps=f"mend the line named above in {name}",
        ) from None
    if not isinstance(root, yaml.MappingNode):
        raise UsageError(
            f"{name} holds no keys", evidence="line 1: no 'key: value' lines", helps=_HELP
        )
    twice = _repeated_key(root)
    if twice is not None:
        line = twice.start_mark.line + 1
        raise UsageError(
            f"{name} has a key twice",
            evidence=f"line {line}: {twice.value}: stands there twice in one section",
            helps=f"delete one of them in {name}",
        )
    return root


def _refuse_mazes(text: str, name: str) -> None:
    """Refuse what only walks in circles or deeper than any site file; its events are flat."""
    opened: list[str | None] = []
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.CollectionStartEvent):
            opened.append(event.anchor)
        elif isinstance(event, yaml.CollectionEndEvent):
            opened.pop()
        elif isinstance(event, yaml.AliasEvent) and event.anchor in opened:
            raise UsageError(
                f"{name} has a section that contains itself",
                evidence=f"line {line}: *{event.anchor} stands inside &{event.anchor}",
                helps=f"mend the line named above in {name}",
            )
        if len(opened) > _DEEPEST:
            raise UsageError(
                f"{name} is nested deeper than any site file",
                evidence=f"line {line}: more than {_DEEPEST} sections inside one another",
                helps=f"mend the line named above in {name}",
            )


def _yaml_message(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"line {mark.line + 1}, column {mark.column + 1}: {error.problem}"
    return str(error).splitlines()[0]


def _repeated_key(node: yaml.Node, known: set[int] | None = None) -> yaml.ScalarNode | None:
    """The first key that a mapping has twice; YAML itself would silently keep the last.

    `known` has the nodes that were looked at: aliases can lead to one of them a billion times.
    """
    known = set() if known is None else known
    if id(node) in known:
        return None
    known.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        return next(filter(None, (_repeated_key(item, known) for item in node.value)), None)
    if not isinstance(node, yaml.MappingNode):
        return None
    seen: set[str] = set()
    for key, value in node.value:
        if isinstance(key, yaml.ScalarNode):
            if key.value in seen:
                return key
            seen.add(key.value)
        if found := _repeated_key(value, known):
            return found
    return None


def _line(root: yaml.Node, where: Sequence[Hashable]) -> int:
    """The line of the deepest part of `where` that stands in the document, from 1."""
    node, line = root, root.start_mark.line
    for step in where:
        if isinstance(node, yaml.MappingNode):
            pair = next(((k, v) for k, v in node.value if k.value == str(step)), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            if step >= len(node.value):
                break
            node = node.value[step]
            line = node.start_mark.line
        else:
            break
    return line + 1


def _known_keys(where: Sequence[Hashable]) -> list[str]:
    """The keys that may stand in the section at `where`, read off the model."""
    model: type[BaseModel] | None = Site
    for step in where:
        if isinstance(step, int) or model is None:
            continue
        model = next(
            (
                model_in(field.annotation)[0]
                for name, field in model.model_fields.items()
                if (field.alias or name) == step
            ),
            None,
        )
    if model is None:
        return []
    return [field.alias or name for name, field in model.model_fields.items()]


def _explain(problem: Any, root: yaml.Node) -> str:
    where: tuple[Hashable, ...] = (*problem["loc"], *problem.get("ctx", {}).get("at", ()))
    key = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in where).lstrip(".")
    prefix = f"line {_line(root, where)}: {key}" if key else f"line {_line(root, where)}"
    if problem["type"] == "extra_forbidden":
        known = _known_keys(where[:-1])
        near = difflib.get_close_matches(str(where[-1]), known, n=1, cutoff=0.5)
        advice = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}"
        return f"{prefix}: there is no such key; {advice}"
    if problem["type"] == "missing":
        return f"{prefix}: is missing"
    message = str(problem["msg"]).removeprefix("Value error, ")
    value = problem.get("input")
    shown = f" (it is {value!r})" if isinstance(value, str | int | float | bool) else ""
    return f"{prefix}: {message}{'' if repr(value) in message else shown}"
