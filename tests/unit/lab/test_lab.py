"""The lab's decisions: mirror, addresses, names. Machines themselves: tests/e2e/test_lab.py."""

from __future__ import annotations

import fcntl
import ipaddress
import queue
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.lab import (
    addresses,
    arp,
    commands,
    images,
    layers,
    layout,
    machines,
    processes,
)
from ucontact_appliance.lab.addresses import choose_address
from ucontact_appliance.lab.machines import up
from ucontact_appliance.lab.mirror import choose_mirror, first_of_list
from ucontact_appliance.lab.records import MachineSpec

# Recorded from apt-get indextargets --format '$(REPO_URI) $(ORIGIN) $(LABEL)', hosts replaced.
RECORDED = """\
https://packages.example.com/apt cloud-tools cloud-tools
https://mirror.example.net/debian-security/ Debian Debian-Security
https://mirror.example.net/debian Debian Debian
"""


def test_the_mirror_is_the_hosts_own_main_archive() -> None:
    assert choose_mirror(RECORDED) == "https://mirror.example.net/debian/"


@pytest.mark.parametrize(
    "listed", ["", "https://mirror.example.net/debian-security/ Debian Debian-S"]
)
def test_without_a_debian_archive_the_error_says_what_there_is(listed: str) -> None:
    with pytest.raises(UsageError, match="has no Debian archive") as caught:
        choose_mirror(listed)
    helps = caught.value.helps
    assert "deb [signed-by=" in helps
    assert "any mirror" in helps
    assert "Pin-Priority: -1" in helps


def test_of_a_list_of_mirrors_the_first_is_taken() -> None:
    text = (
        "# mirrors of this cloud\nhttps://mirror.example.net/debian\tpriority:1\nhttps://b/debian\n"
    )
    assert first_of_list(text) == "https://mirror.example.net/debian/"
    with pytest.raises(UsageError, match="contains no mirror"):
        first_of_list("# nothing\n")


def test_a_machine_boots_in_a_cgroup_of_its_own() -> None:
    root = Path("/lab/machines/one/root")
    scoped = processes.boot_command("one", root, group=None)
    assert "-pDelegate=yes" in scoped[scoped.index("systemd-run") :]
    nspawn = scoped[scoped.index("systemd-nspawn") :]
    assert nspawn[nspawn.index("--directory") + 1] == str(root)
    assert f"--network-bridge={layout.BRIDGE}" in nspawn
    joined = processes.boot_command("one", root, group=Path("/cgroup/lab/one"))
    assert joined[joined.index("systemd-nspawn") :] == nspawn
    assert "/cgroup/lab/one" in joined


@pytest.mark.parametrize(("status", "boots"), [(133, 3), (0, 1), (1, 1)])
def test_only_a_machine_that_reboots_is_booted_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, boots: int
) -> None:
    nspawn = tmp_path / "systemd-nspawn"
    count = tmp_path / "count"
    nspawn.write_text(
        f"#!/bin/sh\necho boot >> {count}\n"
        f'[ "$(wc -l < {count})" -lt 3 ] && exit {status}\nexit 0\n'
    )
    nspawn.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    group = tmp_path / "group"
    group.mkdir()
    command = processes.boot_command("one", Path("/lab/machines/one/root"), group=group)
    subprocess.run(command, check=True, timeout=10)
    assert count.read_text().splitlines() == ["boot"] * boots
    assert len(list(group.glob("boot.*/cgroup.procs"))) == boots


# Recorded from /proc/self/mountinfo of a host with both hierarchies, and of one with cgroup2 only.
HYBRID = """\
31 23 0:27 / /sys/fs/cgroup rw,relatime shared:5 - tmpfs tmpfs rw,mode=755
40 31 0:36 / /sys/fs/cgroup/pids rw,relatime shared:14 - cgroup cgroup rw,pids
41 31 0:37 / /sys/fs/cgroup/systemd rw,relatime shared:15 - cgroup cgroup rw,name=systemd
42 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:16 - cgroup2 cgroup2 rw
"""
UNIFIED = "30 23 0:26 / /sys/fs/cgroup rw,nosuid,relatime shared:4 - cgroup2 cgroup2 rw\n"


def test_the_hierarchies_of_systemd_are_found_wherever_they_are_mounted() -> None:
    assert processes.cgroup_mounts(HYBRID) == {
        "named": Path("/sys/fs/cgroup/systemd"),
        "cgroup2": Path("/sys/fs/cgroup/unified"),
    }
    assert processes.cgroup_mounts(UNIFIED) == {"cgroup2": Path("/sys/fs/cgroup")}
    assert processes.cgroup_mounts("") == {}


def lab_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UCONTACT_VAR", str(folder))
    layout.host_keys().mkdir(parents=True)
    (layout.lab_root() / "key.pub").write_text("ssh-ed25519 AAAA one")


def test_a_changed_recipe_makes_another_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab_in(tmp_path, monkeypatch)
    bundle = tmp_path / "bundle.crt"
    monkeypatch.setattr(images, "_CA_BUNDLE", bundle)
    seen = [images.recipe("sid")]
    assert images.recipe("sid") == seen[0]
    seen.append(images.recipe("bullseye"))
    bundle.write_text("a CA that the host trusts")
    seen.append(images.recipe("sid"))
    (layout.lab_root() / "key.pub").write_text("ssh-ed25519 BBBB another")
    seen.append(images.recipe("sid"))
    (layout.host_keys() / "ssh_host_ed25519_key.pub").write_text("ssh-ed25519 CCCC")
    seen.append(images.recipe("sid"))
    monkeypatch.setattr(images, "PACKAGES", (*images.PACKAGES, "vim"))
    seen.append(images.recipe("sid"))
    assert len(set(seen)) == len(seen)


def test_images_of_older_recipes_go_when_nothing_stands_on_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab_in(tmp_path, monkeypatch)
    newest = f"sid-{images.recipe('sid')}"
    shared = tmp_path / "shared"
    shared.mkdir()
    names = (newest, "sid-old", "sid-used", "sid-base", "sid-base+done", "bookworm-old", ".half-x")
    for name in names:
        (layout.images() / name).mkdir(parents=True)
    (layout.images() / "sid-lent").symlink_to(shared)
    machine = layout.machines() / "one"
    machine.mkdir(parents=True)
    (machine / "image").write_text("sid-used\n")
    said: list[str] = []
    images.drop_old("sid", layers.images_in_use(), said.append)
    assert {path.name for path in layout.images().iterdir()} == {*names, "sid-lent"} - {"sid-old"}
    assert shared.is_dir()
    assert len(said) == 1


def test_an_image_that_does_not_go_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab_in(tmp_path, monkeypatch)
    image = layout.images() / "sid-old"
    image.mkdir(parents=True)
    monkeypatch.setattr(images, "mounts_below", lambda path: [f"{path}/proc"])
    said: list[str] = []
    images.drop_old("sid", (), said.append)
    assert image.is_dir()
    assert "is mounted there" in said[-1]


def test_a_machine_is_never_written_through_its_own_links(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "hosts").write_text("the host's own")
    root = tmp_path / "machine" / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/hosts").symlink_to(outside / "hosts")
    images.personalise(root, "one", "192.0.2.1")
    assert (outside / "hosts").read_text() == "the host's own"
    assert "192.0.2.1 one" in (root / "etc/hosts").read_text()

    other = tmp_path / "other" / "root"
    other.mkdir(parents=True)
    (other / "etc").symlink_to(outside)
    with pytest.raises(UsageError, match="is outside the machine"):
        images.personalise(other, "two", "192.0.2.2")
    assert [path.name for path in outside.iterdir()] == ["hosts"]


def test_addresses_come_from_the_one_range_whatever_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "NETWORK", ipaddress.IPv4Network("192.0.2.0/24"))
    assert choose_address(set()) == f"192.0.2.{layout.FIRST_MACHINE}"


@given(st.sets(st.integers(layout.FIRST_MACHINE, 250)))
def test_an_address_is_never_given_twice(taken: set[int]) -> None:
    used = {str(layout.NETWORK[number]) for number in taken}
    chosen = choose_address(used)
    assert chosen not in used
    assert chosen != str(layout.GATEWAY)


def test_a_full_range_is_told() -> None:
    with pytest.raises(UsageError, match="all 245 addresses"):
        choose_address({str(address) for address in layout.NETWORK})


@pytest.mark.parametrize("name", ["", "A", "-a", "a_b", "../x", "a" * 40, "a b"])
def test_a_name_that_could_reach_elsewhere_is_refused(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ucontact_appliance.lab.machines.require_tools", lambda: None)
    with pytest.raises(UsageError, match="is not a valid name"):
        up(MachineSpec(name), lambda text: None)


def test_an_unknown_suite_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError) as caught:
        images.base_image("potato", lambda text: None)
    assert "sid" in caught.value.evidence


def test_an_image_is_not_made_while_somebody_else_is_at_work_on_the_lab(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UCONTACT_VAR", str(tmp_path))
    monkeypatch.setattr(machines, "require_tools", lambda: None)
    monkeypatch.setattr(images, "base_image", lambda suite, told: tmp_path / suite)
    layout.lab_root().mkdir(parents=True)
    told: queue.SimpleQueue[str] = queue.SimpleQueue()
    with ThreadPoolExecutor() as beside:
        with layout.lab_lock().open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            made = beside.submit(machines.base_image, "sid", told.put)
            assert "waiting for another ucontact" in told.get(timeout=60)
            assert not made.done()
        assert made.result(timeout=60) == tmp_path / "sid"


def test_missing_tools_are_named_with_the_command_that_brings_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("shutil.which", lambda tool: None if tool == "nft" else f"/usr/bin/{tool}")
    with pytest.raises(UsageError) as caught:
        commands.require_tools()
    assert caught.value.helps == "apt-get install --no-install-recommends nftables"


def test_without_root_there_are_no_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(UsageError, match="need root"):
        commands.require_tools()


def test_a_machine_that_says_ubuntu_says_too_that_it_is_debian(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    images.pretend_ubuntu(tmp_path, "22.04")
    text = (tmp_path / "etc/os-release").read_text()
    assert 'VERSION_ID="22.04"' in text
    assert "made of Debian" in text


# Frames by RFC 826: who-has 10.203.17.10 as a probe of RFC 5227, and a reply to it.
_MAC = bytes.fromhex("be3e4b3fd1f1")
_PROBE = bytes.fromhex(
    "ffffffffffff" "be3e4b3fd1f1" "0806" "0001080006040001"
    "be3e4b3fd1f1" "00000000" "000000000000" "0acb110a"
)  # fmt: skip
_REPLY = bytes.fromhex(
    "be3e4b3fd1f1" "ae6b5c2d9e01" "0806" "0001080006040002"
    "ae6b5c2d9e01" "0acb110a" "be3e4b3fd1f1" "00000000"
)  # fmt: skip


def test_an_arp_probe_claims_no_address() -> None:
    assert arp.probe("10.203.17.10", _MAC) == _PROBE
    assert arp.holder(_PROBE) is None


def test_an_arp_reply_names_the_holder_of_the_address() -> None:
    assert arp.holder(_REPLY + bytes(18)) == ("10.203.17.10", "ae:6b:5c:2d:9e:01")


@given(st.binary(max_size=80))
def test_no_frame_of_anybody_breaks_the_probe(frame: bytes) -> None:
    found = arp.holder(frame)
    assert found is None or ipaddress.IPv4Address(found[0])


def _lab_with(folder: Path, monkeypatch: pytest.MonkeyPatch, record: str) -> None:
    monkeypatch.setenv("UCONTACT_VAR", str(folder))
    monkeypatch.setattr(machines, "require_root", lambda: None)
    (layout.machines() / "one").mkdir(parents=True)
    (layout.machines() / "one" / "spec.json").write_text(record)


def test_an_address_that_somebody_on_the_bridge_holds_is_not_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = '{"name": "one", "suite": "sid", "ubuntu": null, "layers": [], "address": "%s"}'
    first, second, third = addresses.all_addresses()[:3]
    _lab_with(tmp_path, monkeypatch, record % first)
    monkeypatch.setattr(addresses, "_RELEASE_SECONDS", 0.0)
    monkeypatch.setattr(arp, "holders", lambda bridge, asked: {second: "ae:6b:5c:2d:9e:01"})
    assert addresses.free_address() == third


def test_a_machine_is_brought_up_as_it_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = '{"name": "one", "suite": "trixie", "ubuntu": "24.04", "layers": ["a"], "address": ""}'
    _lab_with(tmp_path, monkeypatch, record)
    assert machines.spec_for("one") == MachineSpec("one", "trixie", "24.04", ("a",))
    assert machines.spec_for("one", "sid") == MachineSpec("one", "sid", "24.04", ("a",))
    assert machines.spec_for("two") == MachineSpec("two", "sid")


@pytest.mark.parametrize("record", ["", "{", "[]", '{"name": "one"}', "\x00"])
def test_a_damaged_record_of_a_machine_is_named_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record: str
) -> None:
    _lab_with(tmp_path, monkeypatch, record)
    with pytest.raises(UnreachableError, match=r"spec\.json") as caught:
        machines.listed()
    assert "ucontact lab down one" in caught.value.helps
