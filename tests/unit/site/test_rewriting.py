"""The site file is replaced by a valid one, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from ucontact_appliance.errors import UsageError
from ucontact_appliance.site.editing import with_extensions, without_extensions
from ucontact_appliance.site.rewriting import rewrite_site

SITE = """\
site: demo
fqdn: contact.example.com
agents: 10
hosts: [{name: one, address: 192.0.2.10}]
telephony:
  extensions: ["6001", "6002"]
  queues: [{name: sales, number: "800", agents: ["6001"]}]
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "site.yml"
    made.write_text(SITE)
    return made


def test_the_file_keeps_its_mode_and_a_link_is_followed(path: Path, tmp_path: Path) -> None:
    path.chmod(0o640)
    link = tmp_path / "link.yml"
    link.symlink_to(path)
    done = rewrite_site(link, lambda text: with_extensions(text, ["6003"]))
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    assert done.path == path
    assert done.before.telephony.extensions == ("6001", "6002")
    assert done.after.telephony.extensions == ("6001", "6002", "6003")
    assert '+  extensions: ["6001", "6002", "6003"]' in done.diff.splitlines()


def test_an_invalid_result_names_the_key_and_changes_nothing(path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        rewrite_site(path, lambda text: without_extensions(text, ["6001"]))
    assert "would make" in refused.value.what
    assert "telephony.queues[0].agents[0]: there is no extension '6001'" in refused.value.evidence
    assert path.read_text() == SITE


def test_a_change_by_somebody_else_is_not_overwritten(path: Path) -> None:
    def meanwhile(text: str) -> str:
        path.write_text(SITE + "# from elsewhere\n")
        return with_extensions(text, ["6003"])

    with pytest.raises(UsageError, match="changed by somebody else"):
        rewrite_site(path, meanwhile)
    assert path.read_text() == SITE + "# from elsewhere\n"
