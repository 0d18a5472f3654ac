from __future__ import annotations

from tests.unit.facts.outputs import recorded
from ucontact_appliance.checks.model import Verdict
from ucontact_appliance.checks.tree import judge_files, judge_owners, judge_places, judge_release
from ucontact_appliance.facts.tree import TreeEntry, parse_tree
from ucontact_appliance.release.manifest import parse_manifest


def test_the_tree_of_a_real_host() -> None:
    found = parse_tree(recorded("tree-sid"))
    assert found.current.startswith("releases/0.1.0-")
    assert found.places["/etc/IntegraServer/integraserver.properties"] == TreeEntry(
        "f", "0640", "root", "integra"
    )
    assert found.files["web/tmp"].target == "/var/lib/IntegraServer/tmp"
    jar = found.files["server/IntegraServer.jar"]
    manifest = parse_manifest(found.manifest.encode(), "recorded")
    assert jar == TreeEntry(
        "f", "0644", "root", "root", "", manifest.files["server/IntegraServer.jar"].sha256
    )
    for judgement in (
        judge_release(manifest, found),
        judge_files(manifest, found),
        judge_owners(found),
        judge_places(found),
    ):
        assert judgement.verdict is Verdict.PASS, judgement
