"""What is backed up derives from the components' data."""

from ucontact_appliance.planning.backup import backup_parts
from ucontact_appliance.planning.component_tables import phases
from ucontact_appliance.planning.model import Role


def test_every_server_has_the_sealed_state_and_its_roles_files() -> None:
    names = {role: [part.name for part in backup_parts([role])] for role in Role}
    assert names[Role.DATABASE] == ["state"]
    assert names[Role.TELEPHONY] == ["state", "recordings"]
    assert names[Role.BACKEND] == ["state", "files", "release"]


def test_all_files_that_move_with_a_role_are_backed_up() -> None:
    paths = {path for part in backup_parts(Role) for path in part.paths}
    assert "/var/spool/asterisk/monitor" in paths
    assert "/etc/IntegraServer/scripts" in paths
    for row in phases().values():
        if row.data and row.data.kind == "files":
            assert row.role is not None
            assert any(path.startswith(row.data.room) for path in paths)
