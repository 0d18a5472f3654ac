"""Checks of the tree under /etc/IntegraServer (R22) against the release that was installed.

The manifest on the host is not trusted: the copy on the installing machine says what is required,
so that changing a file and the host's manifest together is detected as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from ucontact_appliance.checks.model import (
    Judgement,
    Severity,
    Subject,
    check,
    checks_of,
    failed,
    passed,
)
from ucontact_appliance.facts.tree import InstalledTree, TreeEntry, installed_tree
from ucontact_appliance.language.messages import Message, _, joined
from ucontact_appliance.planning.model import Role
from ucontact_appliance.release.manifest import MANIFEST, ReleaseManifest
from ucontact_appliance.release.remembered import remembered_manifest
from ucontact_appliance.resources import load_data

_TREE: dict[str, Any] = load_data("tree")
_ROWS: tuple[dict[str, Any], ...] = tuple(_TREE["paths"])
_WRITABLE = tuple(row["path"] for row in _ROWS if row["kind"] == "writable")
# The folders and link around the tree; root owns all of it, as everything of a release.
_AROUND = (
    _TREE["root"],
    f"{_TREE['root']}/releases",
    f"{_TREE['root']}/current",
    f"{_TREE['root']}/current/",
    _TREE["state"],
)
_KINDS = {"f": _("a file"), "d": _("a folder"), "l": _("a link")}
_IS = {"release": "f", "jars": "d", "pages": "d", "link": "l", "folder": "d", "settings": "f"}
_MOST_NAMED = 3
_MOST_LINES = 40

# The timeout is for hashing a large release from a slow disk.
tree_check = partial(check, role=Role.BACKEND, timeout=60.0)


def state_path(path: str) -> str:
    """Return where a writable path's content is stored, outside of releases."""
    return f"{_TREE['state']}/{PurePosixPath(path).name}"


def judge_release(wanted: ReleaseManifest | None, found: InstalledTree) -> Judgement:
    """Require that the release in use was installed from here, and has our manifest."""
    if wanted is None:
        return failed(
            _("this machine has no record of the installed release"),
            _("a record of every file of the release in use"),
        )
    required = _(
        "{root}/current points to releases/{version}, whose manifest matches this machine's copy",
        root=_TREE["root"],
        version=wanted.version,
    )
    if found.current != f"releases/{wanted.version}":
        seen = _("points to {current}", current=found.current) if found.current else _("is missing")
        return failed(_("{root}/current {seen}", root=_TREE["root"], seen=seen), required)
    if found.manifest != wanted.document().decode().strip():
        what = _("differs from this machine's copy") if found.manifest else _("is missing")
        return failed(
            _("{manifest} of the release on the host {what}", manifest=MANIFEST, what=what),
            required,
        )
    return passed(
        _("{title}, {count} files", title=wanted.title, count=len(wanted.files)), required
    )


@tree_check(
    id="tree.release",
    title=_("The release in use is the one that was installed"),
    severity=Severity.HIGH,
    requirements=("R22",),
    remedy="{install}",
)
def _release(subject: Subject) -> Judgement:
    wanted = subject.facts.here(remembered_manifest, subject.state)
    return judge_release(wanted, subject.facts.get(installed_tree))


def judge_files(wanted: ReleaseManifest, found: InstalledTree) -> Judgement:
    """Require every file of the release as it was signed, and no others."""
    required = _(
        "the {count} files of {title}, and no others", count=len(wanted.files), title=wanted.title
    )
    expected = _expected(wanted)
    missing = sorted(expected.keys() - found.files.keys())
    foreign = sorted(found.files.keys() - expected.keys())
    changed = sorted(
        path
        for path in expected.keys() & found.files.keys()
        if not _is_as(expected[path], found.files[path])
    )
    lines = [
        *(_("missing: {path}", path=path) for path in missing),
        *(_("changed: {path}", path=path) for path in changed),
        *(_("unexpected: {path}", path=path) for path in foreign),
    ]
    if lines:
        return failed(_named(lines), required, _evidence(lines))
    return passed(
        _("{count} files, folders and links match the signature", count=len(expected)), required
    )


@tree_check(
    id="tree.files",
    title=_("Every file of the release matches its signature"),
    severity=Severity.HIGH,
    requirements=("R22", "C05"),
    remedy="{install}",
    needs=("tree.release",),
)
def _files(subject: Subject) -> Judgement:
    wanted = subject.facts.here(remembered_manifest, subject.state)
    assert wanted is not None  # tree.release passed
    return judge_files(wanted, subject.facts.get(installed_tree))


def _expected(wanted: ReleaseManifest) -> dict[str, TreeEntry]:
    """Return kind and content per path; tree.owners judges owners and modes."""
    inside = [path for path in wanted.files if not _is_writable(path)]
    expected = {path: TreeEntry("f", "", "", "", "", wanted.files[path].sha256) for path in inside}
    expected[MANIFEST] = TreeEntry("f", "", "", "")
    for path in _WRITABLE:
        expected[path] = TreeEntry("l", "", "", "", state_path(path))
    for path in list(expected):
        for folder in list(PurePosixPath(path).parents)[:-1]:
            expected[str(folder)] = TreeEntry("d", "", "", "")
    return expected


def _is_writable(path: str) -> bool:
    return any(path.startswith(f"{folder}/") for folder in _WRITABLE)


def _is_as(wanted: TreeEntry, found: TreeEntry) -> bool:
    """Whether kind, link target and content agree; tree.release judges the manifest's content."""
    content = not wanted.sha256 or wanted.sha256 == found.sha256
    return wanted.kind == found.kind and wanted.target == found.target and content


def judge_owners(found: InstalledTree) -> Judgement:
    """Require the planned owner, group and mode of every path."""
    rights = _TREE["release"]
    required = _(
        "releases {owner}:{group} {file_mode}, folders {folder_mode}; the site's own "
        "files as in the table of R22",
        owner=rights["owner"],
        group=rights["group"],
        file_mode=rights["file_mode"],
        folder_mode=rights["folder_mode"],
    )
    if not found.files:
        return failed(_("there is no release to check"), required)
    around = {path: found.places[path] for path in _AROUND if path in found.places}
    lines = [
        line
        for path, entry in (*sorted(around.items()), *sorted(found.files.items()))
        if (line := _wrong(path, entry))
    ]
    own = {state_path(r["path"]) if r["kind"] == "writable" else _full(r["path"]): r for r in _ROWS}
    seen = {path: row for path, row in own.items() if "mode" in row and path in found.places}
    for path, row in seen.items():
        entry = found.places[path]
        if (entry.owner, entry.group, entry.mode) != (row["owner"], row["group"], row["mode"]):
            lines.append(
                _(
                    "{path}: {rights}, not {owner}:{group} {mode}",
                    path=path,
                    rights=_rights(entry),
                    owner=row["owner"],
                    group=row["group"],
                    mode=row["mode"],
                )
            )
    if lines:
        return failed(_named(lines), required, _evidence(lines))
    return passed(
        _(
            "{count} paths in the release, {count2} around it, {count3} of the site",
            count=len(found.files),
            count2=len(around),
            count3=len(seen),
        ),
        required,
    )


@tree_check(
    id="tree.owners",
    title=_("Owners and modes of the release's files are correct"),
    severity=Severity.MEDIUM,
    requirements=("R22",),
    remedy="{install}",
    needs=("tree.release",),
)
def _owners(subject: Subject) -> Judgement:
    return judge_owners(subject.facts.get(installed_tree))


def _wrong(path: str, entry: TreeEntry) -> str:
    rights = _TREE["release"]
    modes = {"f": rights["file_mode"], "d": rights["folder_mode"]}
    mode = modes.get(entry.kind, entry.mode)  # a link's own mode means nothing
    if (entry.owner, entry.group, entry.mode) == (rights["owner"], rights["group"], mode):
        return ""
    return _(
        "{path}: {rights}, not {owner}:{group} {mode}",
        path=path,
        rights=_rights(entry),
        owner=rights["owner"],
        group=rights["group"],
        mode=mode,
    )


def _rights(entry: TreeEntry) -> str:
    return f"{entry.owner}:{entry.group} {entry.mode}"


def judge_places(found: InstalledTree) -> Judgement:
    """Require every path of R22, with its kind and link target."""
    lines = []
    for row in _ROWS:
        path = _full(row["path"])
        if row["kind"] == "writable":
            lines += _place(found.places, path, "l", state_path(row["path"]))
            lines += _place(found.places, state_path(row["path"]), "d", "")
        else:
            lines += _place(found.places, path, _IS[row["kind"]], row.get("target", ""))
    required = _(
        "the {count} paths of {root} that R22 names, and the site's own",
        count=len(_ROWS),
        root=_TREE["root"],
    )
    if lines:
        return failed(_named(lines), required, _evidence(lines))
    return passed(_("{count} paths in place", count=len(_ROWS)), required)


@tree_check(
    id="tree.places",
    title=_("Every required path of /etc/IntegraServer exists"),
    severity=Severity.HIGH,
    requirements=("R22",),
    remedy="{install}",
    needs=("tree.files",),
)
def _places(subject: Subject) -> Judgement:
    return judge_places(subject.facts.get(installed_tree))


def _place(places: Mapping[str, TreeEntry], path: str, kind: str, target: str) -> list[str]:
    entry = places.get(path)
    if entry is None:
        return [_("missing: {path}", path=path)]
    if entry.kind != kind:
        return [
            _(
                "{path} is {kinds}, not {kinds2}",
                path=path,
                kinds=_KINDS.get(entry.kind, _("something else")),
                kinds2=_KINDS[kind],
            )
        ]
    if entry.target != target:
        return [
            _(
                "{path} points to {target}, not {target2}",
                path=path,
                target=entry.target,
                target2=target,
            )
        ]
    return []


def _full(path: str) -> str:
    return f"{_TREE['root']}/{path}"


def _named(lines: Sequence[str]) -> Message:
    more = (
        _(" and {count} more", count=len(lines) - _MOST_NAMED) if len(lines) > _MOST_NAMED else ""
    )
    return joined("; ", lines[:_MOST_NAMED]) + more


def _evidence(lines: Sequence[str]) -> str:
    more = (
        [_("and {count} more", count=len(lines) - _MOST_LINES)] if len(lines) > _MOST_LINES else []
    )
    return "\n".join([*lines[:_MOST_LINES], *more])


CHECKS = checks_of(globals())
