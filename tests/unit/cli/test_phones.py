"""`ucontact phones list`: what is printed, and that no password is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ucontact_appliance.cli.main import main

SITE = """\
site: demo
fqdn: contact.example.com
agents: 10
hosts: [{name: one, address: 192.0.2.10}]
"""
PHONES = """\
telephony:
  extensions: ["6001", "6003"]
  phones:
    - {mac: "80:5E:C0:11:22:33", model: yealink, extension: "6003"}
"""


def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str
) -> tuple[int, str]:
    monkeypatch.setattr("sys.argv", ["ucontact", "phones", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0), capsys.readouterr().out


def test_the_list_has_what_to_enter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "site.yml"
    path.write_text(SITE + PHONES)
    code, told = run(monkeypatch, capsys, "list", "--site", str(path))
    assert code == 0
    for word in ("805ec0112233", "yealink", "6003", "66 / 43", "https://contact.example.com/provision/"):  # fmt: skip # noqa: E501
        assert word in told
    assert "ucontact secrets show telephony.phones.805ec0112233 --site" in told


def test_the_document_has_a_row_per_phone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "site.yml"
    path.write_text(SITE + PHONES)
    code, told = run(monkeypatch, capsys, "list", "--site", str(path), "--json")
    assert code == 0
    assert json.loads(told) == {
        "site": "demo",
        "phones": [
            {
                "mac": "805ec0112233",
                "model": "yealink",
                "extension": "6003",
                "url": "https://contact.example.com/provision/",
                "file": "805ec0112233.cfg",
                "user": "805ec0112233",
                "secret": "telephony.phones.805ec0112233",
                "dhcp_options": [66, 43],
                "redirection_service": "Yealink RPS",
            }
        ],
    }


def test_a_site_without_phones_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "site.yml"
    path.write_text(SITE)
    assert run(monkeypatch, capsys, "list", "--site", str(path)) == (0, "demo has no hardphones\n")
