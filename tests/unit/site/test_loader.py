"""Every mistake in site.yml is told with its key, its line and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ucontact_appliance.errors import ApplianceError, UnreachableError, UsageError
from ucontact_appliance.site.loader import load_site, parse_site

GOOD = """\
site: demo
fqdn: contact.example.com
agents: 10
hosts:
  - name: one
    address: 192.0.2.10
"""


def mistake(text: str) -> str:
    with pytest.raises(UsageError) as caught:
        parse_site(text)
    return caught.value.evidence


def test_a_good_file_is_a_site() -> None:
    site = parse_site(GOOD)
    assert (site.site, site.agents, site.hosts[0].address) == ("demo", 10, "192.0.2.10")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            GOOD + "telephny: {}\n",
            "line 7: telephny: there is no such key; did you mean 'telephony'?",
        ),
        (
            GOOD.replace("    address", "    adress"),
            "line 6: hosts[0].adress: there is no such key; did you mean 'address'?",
        ),
        (GOOD + "network: {profil: lan}\n", "network.profil: there is no such key; did you mean"),
        (
            GOOD + "telephony:\n  trunks:\n    - {name: p, host: h, transprt: udp}\n",
            "line 9: telephony.trunks[0].transprt: there is no such key; did you mean 'transport'?",
        ),
        (GOOD.replace("10\n", "many\n", 1), "line 3: agents: "),
        (GOOD.replace("agents: 10\n", "agents: 0\n"), "line 3: agents: "),
        (GOOD.replace("agents: 10\n", "agents: -1\n"), "line 3: agents: "),
        (GOOD.replace("agents: 10\n", "agents: yes\n"), "line 3: agents: "),
        (GOOD.replace("agents: 10\n", ""), "line 1: agents: is missing"),
        (GOOD.replace("contact.example.com", "contact"), "line 2: fqdn: 'contact' is not a fully"),
        (GOOD.replace("contact.example.com", "192.0.2.1"), "line 2: fqdn: '192.0.2.1' is an addr"),
        (GOOD.replace("contact.example.com", "a_b.example.com"), "line 2: fqdn: "),
        (GOOD.replace("192.0.2.10", "192.0.2.300"), "line 6: hosts[0].address: '192.0.2.300' is"),
        (
            GOOD + "  - name: two\n    address: 192.0.2.10\n",
            "line 8: hosts[1].address: '192.0.2.10' occurs twice",
        ),
        (GOOD + "agents: 12\n", "line 7: agents: occurs twice"),
        (GOOD + "telephony: {extensions: [6001]}\n", "write the digits in quotes"),
        (
            GOOD + "telephony:\n  extensions:\n    - '6001'\n    - '6001'\n",
            "line 10: telephony.extensions[1]: '6001' occurs twice",
        ),
        (
            GOOD + "telephony: {trunks: [{name: p, host: 'a.b\\n[x]'}]}\n",
            "line 7: telephony.trunks[0].host: ",
        ),
        (
            GOOD + "telephony: {trunks: [{name: p, host: a.example, username: 'x;y'}]}\n",
            "line 7: telephony.trunks[0].username: ",
        ),
        (
            GOOD + "telephony:\n  trunks:\n    - {name: p, host: a.example}\n"
            "    - name: q\n      host: b.example\n      prefix: '9'\n",
            "line 12: telephony.trunks[1].prefix: '9' is already the prefix of 'p'",
        ),
        (
            GOOD + "telephony:\n  trunks:\n    - {name: p, host: a.example}\n"
            "    - {name: q, host: b.example}\n",
            "line 10: telephony.trunks[1].prefix: '9' is already the prefix of 'p'",
        ),
        (GOOD + "certificate: {source: files}\n", "needs both 'chain' and 'key'"),
        (GOOD + "network: {profile: nat}\n", "profile 'nat' needs 'public_address'"),
        (GOOD + "network: {agents: [10.0.0.1/8]}\n", "'10.0.0.1/8' is not a network"),
        (GOOD + "network: {vlan_interface: 'eth0;reboot'}\n", "is no name of a network interface"),
        (GOOD + "network: {never_ban: ['::/0']}\n", "'::/0' is everybody"),
        (GOOD + "web: {hpkp_max_age: 60}\n", "web.hpkp_max_age"),
        ("site: [", "line 1, column 8"),
        ("just words", "line 1: no 'key: value' lines"),
        ("- a list", "line 1: no 'key: value' lines"),
        (GOOD + "release: 2026-99-99\n", "month must be in 1..12"),
        (GOOD + "release: !!python/name:os.system\n", "line 7, column 10"),
    ],
)
def test_a_mistake_names_key_line_and_way_out(text: str, told: str) -> None:
    assert told in mistake(text)


def test_a_prefix_may_be_the_beginning_of_another() -> None:
    trunks = "[{name: p, host: a.example}, {name: q, host: b.example, prefix: '90'}]"
    site = parse_site(GOOD + f"telephony: {{trunks: {trunks}}}\n")
    assert [trunk.prefix for trunk in site.telephony.trunks] == ["9", "90"]


@pytest.mark.parametrize("number", ["'5550100'", "'+59829001234'", "'*43'", "null"])
def test_a_trunk_may_name_a_number_to_test_it_with(number: str) -> None:
    trunk = f"{{name: p, host: a.example, test_number: {number}}}"
    site = parse_site(GOOD + f"telephony: {{trunks: [{trunk}]}}\n")
    wanted = None if number == "null" else number.strip("'")
    assert site.telephony.trunks[0].test_number == wanted


@pytest.mark.parametrize("number", ["'1'", "'12 34'", "'12m34'", "'${EXTEN}'", "'1,System'"])
def test_what_is_no_number_is_refused(number: str) -> None:
    trunk = f"{{name: p, host: a.example, test_number: {number}}}"
    assert "test_number" in mistake(GOOD + f"telephony: {{trunks: [{trunk}]}}\n")


def test_all_mistakes_are_told_at_once() -> None:
    told = mistake("site: X\nfqdn: y\nagents: z\nhosts: []\n").splitlines()
    assert [line.split(":")[0] for line in told] == ["line 1", "line 2", "line 3", "line 4"]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "is empty"),
        (b"\n  \n", "is empty"),
        (b"site: x\n\xff\xfe\x00", "is not a text file"),
        (b"#" * (2 << 20), "is too big"),
    ],
)
def test_a_file_that_is_no_site_file_is_refused(tmp_path: Path, content: bytes, what: str) -> None:
    path = tmp_path / "site.yml"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=what):
        load_site(path)


def test_a_file_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="there is no site file"):
        load_site(tmp_path / "site.yml")


def test_paths_start_at_the_site_files_own_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, kept, elsewhere = tmp_path / "home", tmp_path / "kept", tmp_path / "elsewhere"
    kept.mkdir()
    elsewhere.mkdir()
    path = kept / "site.yml"
    path.write_text(
        GOOD + "    key: ~/.ssh/id\ncertificate: {source: files, chain: tls/chain.pem, "
        "key: /etc/key.pem}\nrelease: ../release.tar.gz\n"
    )
    link = elsewhere / "site.yml"
    link.symlink_to(path)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(elsewhere)
    for named in (path, Path("../kept/site.yml"), Path("site.yml")):
        site = load_site(named)
        assert site.hosts[0].key == home / ".ssh/id"
        assert site.certificate.chain == kept / "tls/chain.pem"
        assert site.certificate.key == Path("/etc/key.pem")
        assert site.certificate.ca is None
        assert site.release == str(kept / "../release.tar.gz")
    path.write_text(GOOD)
    assert load_site(path) == parse_site(GOOD)


def test_a_folder_in_its_place_is_unreachable(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="can't be read"):
        load_site(tmp_path)


BOMB = "a0: &a0 [x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30)
)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (GOOD + "web: " + "[" * 5000, "line 7: more than 32 nested sections"),
        (GOOD + "web: " + "{a: " * 5000, "line 7: more than 32 nested sections"),
        (GOOD + "web: &a [*a]\n", "line 7: *a is inside &a"),
        (GOOD + "web: &a\n  b:\n    - *a\n", "line 9: *a is inside &a"),
        (GOOD + BOMB, "line 7: a0: there is no such key"),
    ],
    ids=["brackets", "braces", "list", "mapping", "bomb"],
)
def test_a_file_made_to_trap_its_reader_is_refused_with_the_line(text: str, told: str) -> None:
    assert told in mistake(text)


SHAPES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
KEYS = st.sampled_from(["site", "fqdn", "agents", "hosts", "web", "zz"])


@given(st.text(max_size=200) | st.dictionaries(KEYS, SHAPES).map(yaml.safe_dump))
def test_no_content_ends_in_anything_but_a_clear_error(text: str) -> None:
    with pytest.raises(ApplianceError) as caught:
        parse_site(text)
    assert caught.value.what
