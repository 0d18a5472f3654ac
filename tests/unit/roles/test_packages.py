import yaml

from ucontact_appliance.planning.tables import systems
from ucontact_appliance.resources import ROLES


def test_the_role_supports_the_systems_of_the_table() -> None:
    defaults = yaml.safe_load((ROLES / "packages/defaults/main.yml").read_text(encoding="utf-8"))
    found = {(row["id"], row["version"]) for row in defaults["packages_systems"]}
    assert found == {(row.id, row.version) for row in systems()}
