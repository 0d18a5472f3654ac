import pytest

from tests.unit.facts.outputs import recorded
from ucontact_appliance.facts.storage import parse_file_system, parse_memory


@pytest.mark.parametrize("suite", ["sid", "bullseye"])
def test_file_system(suite: str) -> None:
    found = parse_file_system(recorded(f"file_system-{suite}"), "/")
    assert found is not None
    assert (found.mount, found.kind, found.size_kb) == ("/", "overlay", 264212084)
    assert found.inodes == 16777216
    assert not found.read_only
    assert 28 < found.free_percent < 31


def test_a_read_only_mount_is_seen() -> None:
    text = recorded("file_system-sid").replace("overlay / overlay rw,", "overlay / overlay ro,")
    found = parse_file_system(text, "/")
    assert found is not None
    assert found.read_only


def test_a_missing_path_is_none() -> None:
    assert parse_file_system("---- space\n---- inodes\n---- mounts\n", "/nowhere") is None


def test_a_file_system_without_an_inode_limit_is_never_full_of_them() -> None:
    text = (
        "---- space\nFilesystem Type 1024-blocks Used Available Capacity Mounted on\n"
        "/dev/sda1 btrfs 1000 500 500 50% /srv/my disk\n"
        "---- inodes\nFilesystem Inodes IUsed IFree IUse% Mounted on\n"
        "/dev/sda1 0 0 0 - /srv/my disk\n"
        "---- mounts\n/dev/sda1 /srv/my\\040disk btrfs ro 0 0\n"
    )
    found = parse_file_system(text, "/srv/my disk")
    assert found is not None
    assert (found.mount, found.inodes_free_percent, found.read_only) == (
        "/srv/my disk",
        100.0,
        True,
    )


def test_memory() -> None:
    found = parse_memory(recorded("memory-sid"))
    assert found.total_kb == 24684096
    assert 0 < found.available_kb < found.total_kb
    assert found.oom_kills is None


@pytest.mark.parametrize(
    ("services", "kernel", "kills"),
    [("oom 0\noom_kill 2", "", 2), ("", "oom_kill 3", 3), ("oom_kill 0", "oom_kill 7", 0)],
)
def test_the_services_own_counter_comes_first(services: str, kernel: str, kills: int) -> None:
    text = f"---- meminfo\nMemTotal: 8 kB\n---- services\n{services}\n---- kernel\n{kernel}\n"
    assert parse_memory(text).oom_kills == kills
