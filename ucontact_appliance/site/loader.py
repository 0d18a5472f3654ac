"""Load `site.yml`: every error is reported with its key, its line and the nearest valid name."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.language.messages import (
    Message,
    _,
    concatenated,
    joined,
    ngettext,
    what_of,
    with_note,
)
from ucontact_appliance.os_errors import refused
from ucontact_appliance.site.model import EVALUATION, Site, model_in
from ucontact_appliance.site.telephony import Telephony
from ucontact_appliance.site.waivers import KNOWN_CHECKS, KNOWN_CONTROLS

_MOST_BYTES = 1 << 20
_DEEPEST = 32  # nesting of sections; a site file has 5
_HELP = with_note("ucontact init", _("writes a valid site.yml"))


def load_site(
    path: Path,
    known_checks: Collection[str] | None = None,
    known_controls: Collection[str] | None = None,
) -> Site:
    """The site in this file; UsageError names what is wrong, where, and what to do.

    `known_checks` are the ids that may be waived (`findings.registry.IDS`), `known_controls` what a
    person may attest (`report.controls.control_ids()`); None allows any.

    Paths are returned absolute: `~` is the home of the user who runs the command, and a relative
    path starts at the folder of the file itself, even if the file is reached by a link.
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
            "telephony": _with_absolute_files(site.telephony, absolute),
        }
    )


def _with_absolute_files(
    telephony: Telephony, absolute: Callable[[Path | None], Path | None]
) -> Telephony:
    archive = telephony.archive
    return telephony.model_copy(
        update={
            "announcements": tuple(
                one.model_copy(update={"file": absolute(one.file)})
                for one in telephony.announcements
            ),
            "packages": tuple(
                one.model_copy(update={"file": absolute(one.file)}) for one in telephony.packages
            ),
            "archive": archive and archive.model_copy(update={"key": absolute(archive.key)}),
        }
    )


def _home(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError as error:  # the user or the home directory is unknown
        raise UsageError(
            _("the path {path} can't be resolved", path=path),
            evidence=str(error),
            helps=_("write the absolute path"),
        ) from None


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise UsageError(_("{path} is too big for a site file", path=path), helps=_HELP)
        data = path.read_bytes()
    except FileNotFoundError:
        raise UnreachableError(
            _("there is no site file {path}", path=path), helps=f"ucontact init --site {path}"
        ) from None
    except OSError as error:
        raise refused(_("{path} can't be read", path=path), error, path) from error
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise UsageError(
            _("{path} is not a text file", path=path),
            evidence=_(
                "line {line}: byte 0x{byte:02x} is not UTF-8", line=line, byte=data[error.start]
            ),
            helps=_HELP,
        ) from error
    if not text.strip():
        raise UsageError(_("{path} is empty", path=path), helps=_HELP)
    return text


def parse_site(
    text: str,
    name: str = "site.yml",
    known_checks: Collection[str] | None = None,
    known_controls: Collection[str] | None = None,
) -> Site:
    """The site in this text; `name` is the file's name in messages."""
    root = _compose(text, name)
    try:
        return Site.model_validate(
            yaml.safe_load(text),
            context={KNOWN_CHECKS: known_checks, KNOWN_CONTROLS: known_controls},
        )
    except ValidationError as error:
        problems = [_explain(problem, root) for problem in error.errors()]
        raise UsageError(
            ngettext(
                "{name} has a mistake", "{name} has {count} mistakes", len(problems), name=name
            ),
            evidence=joined("\n", problems),
            helps=_mend(name, len(problems)),
        ) from None
    except (yaml.YAMLError, ValueError) as error:  # the syntax is valid, a value is not
        raise UsageError(
            _("{name} has a value that can't be read", name=name),
            evidence=_yaml_message(error),
            helps=_("put that value in quotes in {name}", name=name),
        ) from None


def _compose(text: str, name: str) -> yaml.Node:
    try:
        _refuse_mazes(text, name)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise UsageError(
            _("{name} is not valid YAML", name=name),
            evidence=_yaml_message(error),
            helps=_mend(name),
        ) from None
    if not isinstance(root, yaml.MappingNode):
        raise UsageError(
            _("{name} holds no keys", name=name),
            evidence=_("line 1: no 'key: value' lines"),
            helps=_HELP,
        )
    twice = _repeated_key(root)
    if twice is not None:
        line = twice.start_mark.line + 1
        raise UsageError(
            _("{name} has a duplicate key", name=name),
            evidence=_(
                "line {line}: {key}: occurs twice in one section",
                line=line,
                key=twice.value,
            ),
            helps=_("delete one of them in {name}", name=name),
        )
    return root


def _mend(name: str, lines: int = 1) -> Message:
    return ngettext(
        "fix the line named above in {name}",
        "fix the lines named above in {name}",
        lines,
        name=name,
    )


def _refuse_mazes(text: str, name: str) -> None:
    """Reject circular aliases and nesting deeper than any site file's; checked on flat events."""
    opened: list[str | None] = []
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.CollectionStartEvent):
            opened.append(event.anchor)
        elif isinstance(event, yaml.CollectionEndEvent):
            opened.pop()
        elif isinstance(event, yaml.AliasEvent) and event.anchor in opened:
            raise UsageError(
                _("{name} has a section that contains itself", name=name),
                evidence=_(
                    "line {line}: *{anchor} is inside &{anchor}", line=line, anchor=event.anchor
                ),
                helps=_mend(name),
            )
        if len(opened) > _DEEPEST:
            raise UsageError(
                _("{name} is nested too deeply", name=name),
                evidence=_(
                    "line {line}: more than {deepest} nested sections",
                    line=line,
                    deepest=_DEEPEST,
                ),
                helps=_mend(name),
            )


def _yaml_message(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return _(
            "line {line}, column {column}: {problem}",
            line=mark.line + 1,
            column=mark.column + 1,
            problem=error.problem,
        )
    return str(error).splitlines()[0]


def _repeated_key(node: yaml.Node, known: set[int] | None = None) -> yaml.ScalarNode | None:
    """The first duplicate key of a mapping; YAML itself would silently keep the last value.

    `known` has the ids of visited nodes: aliases can lead to one node a billion times.
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
    """The line (from 1) of the deepest part of `where` that exists in the document."""
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
    """The valid keys of the section at `where`, from the model."""
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
    at = _("line {line}", line=_line(root, where))
    prefix = concatenated((at, ": ", key)) if key else at
    return concatenated((prefix, ": ", _mistake(problem, where)))


def _mistake(problem: Any, where: tuple[Hashable, ...]) -> str:
    if problem["type"] == "extra_forbidden":
        known = _known_keys(where[:-1])
        near = difflib.get_close_matches(str(where[-1]), known, n=1, cutoff=0.5)
        if near:
            return _("there is no such key; did you mean {name!r}?", name=near[0])
        return _("there is no such key; known here: {names}", names=", ".join(known))
    if problem["type"] == "missing":
        return _("is missing")
    message = _message(problem)
    value = problem.get("input")
    if not isinstance(value, str | int | float | bool) or repr(value) in message:
        return message
    return _("{message} (it is {value!r})", message=message, value=value)


def _message(problem: Any) -> str:
    """The message for an invalid value: the model's own, else by pydantic's type of error."""
    context = problem.get("ctx", {})
    if isinstance(context.get("error"), Exception):
        return what_of(context["error"])
    told = _BY_TYPE.get(problem["type"])
    message: str = context.get("message") or (told(context) if told else problem["msg"])
    return message


def _whole_number(_context: Mapping[str, Any]) -> Message:
    return _("must be a whole number")


def _number(_context: Mapping[str, Any]) -> Message:
    return _("must be a number")


def _day(_context: Mapping[str, Any]) -> Message:
    return _("must be a day, such as 2027-01-31")


def _one_of(context: Mapping[str, Any]) -> Message:
    return _("must be one of: {values}", values=str(context["expected"]).replace(" or ", ", "))


# By pydantic's type of error, from its context.
_BY_TYPE: Mapping[str, Callable[[Mapping[str, Any]], Message]] = {
    "int_type": _whole_number,
    "int_parsing": _whole_number,
    "int_from_float": _whole_number,
    "float_type": _number,
    "float_parsing": _number,
    "bool_type": lambda context: _("must be true or false"),
    "bool_parsing": lambda context: _("must be true or false"),
    "string_type": lambda context: _("must be a text"),
    "tuple_type": lambda context: _("must be a list"),
    "model_type": lambda context: _("must be a section with keys"),
    "date_type": _day,
    "date_parsing": _day,
    "date_from_datetime_parsing": _day,
    "greater_than_equal": lambda context: _("must be at least {least}", least=context["ge"]),
    "less_than_equal": lambda context: _("must be at most {most}", most=context["le"]),
    "too_short": lambda context: _(
        "too few entries; at least {count}", count=context["min_length"]
    ),
    "too_long": lambda context: _("too many entries; at most {count}", count=context["max_length"]),
    "string_pattern_mismatch": lambda context: _(
        "must match the pattern {pattern}", pattern=context["pattern"]
    ),
    "enum": _one_of,
    "literal_error": _one_of,
}
