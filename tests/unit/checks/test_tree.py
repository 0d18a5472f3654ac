from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

import pytest

from tests.unit.release.samples import FILES, manifest_of
from ucontact_appliance.checks.model import Judgement, Verdict
from ucontact_appliance.checks.tree import (
    CHECKS,
    judge_files,
    judge_owners,
    judge_places,
    judge_release,
    state_path,
)
from ucontact_appliance.facts.tree import InstalledTree, TreeEntry, _command, parse_tree
from ucontact_appliance.release.manifest import MANIFEST
from ucontact_appliance.resources import load_data

MANIFESTED = manifest_of()
ROOT = "/etc/IntegraServer"
STATE = "/var/lib/IntegraServer"
WRITABLE = ("web/forms", "web/images", "web/tmp")


def good_tree() -> InstalledTree:
    files = {
        path: TreeEntry("f", "0644", "root", "root", "", entry.sha256)
        for path, entry in MANIFESTED.files.items()
        if not path.startswith(tuple(f"{folder}/" for folder in WRITABLE))
    }
    files[MANIFEST] = TreeEntry("f", "0644", "root", "root", "", "0" * 64)
    for path in WRITABLE:
        files[path] = TreeEntry("l", "0777", "root", "root", state_path(path))
    for path in list(files):
        for folder in list(PurePosixPath(path).parents)[:-1]:
            files[str(folder)] = TreeEntry("d", "0755", "root", "root")
    folder = TreeEntry("d", "0755", "root", "root")
    places = dict.fromkeys((ROOT, f"{ROOT}/releases", f"{ROOT}/current/", STATE), folder)
    places[f"{ROOT}/current"] = TreeEntry("l", "0777", "root", "root", "releases/5.1")
    for row in load_data("tree")["paths"]:
        path = f"{ROOT}/{row['path']}"
        if row["kind"] == "link":
            places[path] = TreeEntry("l", "0777", "root", "root", row["target"])
        elif row["kind"] == "writable":
            places[path] = files[row["path"]]
            places[state_path(row["path"])] = TreeEntry(
                "d", row["mode"], row["owner"], row["group"]
            )
        elif row["kind"] in ("folder", "settings"):
            kind = "d" if row["kind"] == "folder" else "f"
            places[path] = TreeEntry(kind, row["mode"], row["owner"], row["group"])
        else:
            places[path] = files[row["path"]]
    document = MANIFESTED.document().decode().strip()
    return InstalledTree("releases/5.1", document, places, files)


def judged(tree: InstalledTree) -> dict[str, Judgement]:
    return {
        "release": judge_release(MANIFESTED, tree),
        "files": judge_files(MANIFESTED, tree),
        "owners": judge_owners(tree),
        "places": judge_places(tree),
    }


def failing(tree: InstalledTree) -> dict[str, str]:
    return {
        name: judgement.observed
        for name, judgement in judged(tree).items()
        if judgement.verdict is not Verdict.PASS
    }


def test_a_good_tree_passes_everything() -> None:
    assert failing(good_tree()) == {}


def in_files(path: str, **changes: str) -> InstalledTree:
    tree = good_tree()
    return replace(tree, files={**tree.files, path: replace(tree.files[path], **changes)})


def without_file(path: str) -> InstalledTree:
    tree = good_tree()
    files = {name: entry for name, entry in tree.files.items() if name != path}
    return replace(tree, files=files)


def with_place(path: str, entry: TreeEntry | None) -> InstalledTree:
    tree = good_tree()
    places = {name: found for name, found in tree.places.items() if name != path}
    return replace(tree, places={**places, path: entry} if entry else places)


FOREIGN = replace(
    good_tree(),
    files={**good_tree().files, "web/shell.php": TreeEntry("f", "0644", "root", "root")},
)


@pytest.mark.parametrize(
    ("tree", "check", "said"),
    [
        (replace(good_tree(), current="releases/5.0"), "release", "points to releases/5.0"),
        (replace(good_tree(), current=""), "release", "current is missing"),
        (replace(good_tree(), manifest="{}"), "release", "differs from this machine's copy"),
        (replace(good_tree(), manifest=""), "release", "is missing"),
        (without_file("reports/calls.jrxml"), "files", "missing: reports/calls.jrxml"),
        (without_file("web/tmp"), "files", "missing: web/tmp"),
        (without_file("server/ws"), "files", "missing: server/ws"),
        (in_files("server/IntegraServer.jar", sha256="1" * 64), "files", "changed: server/Integra"),
        (in_files("server/IntegraServer.jar", kind="l"), "files", "changed: server/Integra"),
        (in_files("web/tmp", target="/tmp"), "files", "changed: web/tmp"),
        (FOREIGN, "files", "unexpected: web/shell.php"),
        (in_files("web", mode="0777"), "owners", "web: root:root 0777, not root:root 0755"),
        (in_files("web/IntegraChannels.war", owner="integra"), "owners", "integra:root 0644"),
        (in_files("web/tmp", group="integra"), "owners", "web/tmp: root:integra"),
        (
            with_place(
                f"{ROOT}/integraserver.properties", TreeEntry("f", "0644", "root", "integra")
            ),
            "owners",
            "integraserver.properties: root:integra 0644, not root:integra 0640",
        ),
        (
            with_place("/var/lib/IntegraServer/tmp", TreeEntry("d", "0777", "integra", "integra")),
            "owners",
            "/var/lib/IntegraServer/tmp",
        ),
        (
            with_place(ROOT, TreeEntry("d", "0777", "root", "root")),
            "owners",
            f"{ROOT}: root:root 0777, not root:root 0755",
        ),
        (
            with_place(f"{ROOT}/releases", TreeEntry("d", "0755", "integra", "root")),
            "owners",
            f"{ROOT}/releases: integra:root 0755",
        ),
        (
            with_place(f"{ROOT}/current/", TreeEntry("d", "0775", "root", "root")),
            "owners",
            f"{ROOT}/current/: root:root 0775",
        ),
        (
            with_place(
                f"{ROOT}/current", TreeEntry("l", "0777", "integra", "root", "releases/5.1")
            ),
            "owners",
            f"{ROOT}/current: integra:root 0777",
        ),
        (
            with_place(STATE, TreeEntry("d", "0755", "integra", "integra")),
            "owners",
            f"{STATE}: integra:integra 0755",
        ),
        (with_place(f"{ROOT}/web", None), "places", f"missing: {ROOT}/web"),
        (with_place(f"{ROOT}/scripts", None), "places", f"missing: {ROOT}/scripts"),
        (
            with_place(f"{ROOT}/reports", TreeEntry("l", "0777", "root", "root", "/srv")),
            "places",
            "points to /srv, not current/reports",
        ),
        (
            with_place(f"{ROOT}/server", TreeEntry("d", "0755", "root", "root")),
            "places",
            "is a folder, not a link",
        ),
        (with_place("/var/lib/IntegraServer/forms", None), "places", "missing: /var/lib"),
    ],
)
def test_each_fault_fails_its_check_alone_and_is_named(
    tree: InstalledTree, check: str, said: str
) -> None:
    found = failing(tree)
    assert list(found) == [check]
    assert said in found[check]


def test_owners_are_judged_on_what_the_probe_lists_behind_the_release() -> None:
    check = next(check for check in CHECKS if check.id == "tree.owners")
    assert "tree.release" in check.needs
    for path in (ROOT, f"{ROOT}/releases", f"{ROOT}/current/", STATE):
        assert f" {path} " in _command()


def test_many_faults_are_counted() -> None:
    found = judge_files(MANIFESTED, replace(good_tree(), files={}))
    assert "and" in found.observed
    assert found.observed.endswith("more")
    assert "missing: server/IntegraServer.jar" in found.evidence


def test_without_our_own_record_nothing_passes() -> None:
    assert judge_release(None, good_tree()).verdict is Verdict.FAIL


def test_the_probes_output_becomes_a_record() -> None:
    sep = "\037"
    found = parse_tree(
        "---- current\nreleases/5.1\n"
        "---- places\n"
        + sep.join(["l", "777", "root", "root", "current/web", f"{ROOT}/web\n"])
        + "---- files\n"
        + sep.join(["f", "644", "root", "root", "", "web/a file.war\n"])
        + sep.join(["d", "755", "root", "root", "", "web\n"])
        + f"---- hashes\n{'a' * 64}  ./web/a file.war\n"
        '---- manifest\n{\n "name": "acme"\n}\n\n'
    )
    assert found == InstalledTree(
        current="releases/5.1",
        manifest='{\n "name": "acme"\n}',
        places={f"{ROOT}/web": TreeEntry("l", "0777", "root", "root", "current/web")},
        files={
            "web/a file.war": TreeEntry("f", "0644", "root", "root", "", "a" * 64),
            "web": TreeEntry("d", "0755", "root", "root"),
        },
    )


def test_nothing_installed_is_no_error_but_a_finding() -> None:
    nothing = parse_tree("---- current\n---- places\n---- files\n---- hashes\n---- manifest\n\n")
    assert nothing == InstalledTree("", "", {}, {})
    assert {name: j.verdict for name, j in judged(nothing).items()} == {
        "release": Verdict.FAIL,
        "files": Verdict.FAIL,
        "owners": Verdict.FAIL,
        "places": Verdict.FAIL,
    }
    assert len(FILES) > 10
