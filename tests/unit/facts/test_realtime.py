"""What Asterisk takes out of a database, from its files and its own words."""

from tests.unit.facts.outputs import recorded
from ucontact_appliance.facts.realtime import RealtimeMapping, parse_realtime

_TEXT = recorded("asterisk_realtime-sid")


def test_a_stock_asterisk_maps_nothing() -> None:
    found = parse_realtime(_TEXT)
    assert found.mapped == ()
    assert found.engines == ("odbc", "curl", "sqlite3")
    assert found.classes == (("ucontact", 1),)


def test_mappings_of_every_spelling_are_read() -> None:
    lines = "[settings]\nqueues => odbc,ucontact,queues,1\nps_auths=curl,http://db/a ; as before\n"
    found = parse_realtime(_TEXT.replace("[settings]\n", lines))
    assert found.mapped == (
        RealtimeMapping("queues", "odbc", "ucontact"),
        RealtimeMapping("ps_auths", "curl", "http://db/a"),
    )


def test_each_class_has_its_own_connections() -> None:
    block = _TEXT[_TEXT.index("  Name:   ucontact") :]
    other = block.replace("ucontact", "other").replace("connections: 1", "connections: 0")
    found = parse_realtime(_TEXT + other)
    assert found.classes == (("ucontact", 1), ("other", 0))
