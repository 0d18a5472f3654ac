import pytest
from hypothesis import given
from hypothesis import strategies as st

from ucontact_appliance.planning.versions import numbers, reaches

_DIGITS = st.lists(st.integers(0, 999), min_size=1, max_size=4)


@pytest.mark.parametrize(
    ("version", "found"),
    [
        ("1.18.0-6.1+deb11u3", (1, 18, 0)),
        ("1:13.18.3~dfsg-1ubuntu4", (13, 18, 3)),
        ("1:22.10.1+dfsg+~cs6.17.60671434-1", (22, 10, 1)),
        ("8u504-ga-1", (8,)),
        ("9.7.4-2", (9, 7, 4)),
        ("", ()),
        ("UNKNOWN", ()),
        ("3.14\n", (3, 14)),
        ("2.7", (2, 7)),
        ("nonsense", ()),
    ],
)
def test_numbers_of_a_packages_version(version: str, found: tuple[int, ...]) -> None:
    assert numbers(version) == found


@given(_DIGITS, _DIGITS, st.integers(0, 9), st.sampled_from(["", "~dfsg", "+really1"]))
def test_versions_compare_as_numbers_whatever_surrounds_them(
    have: list[int], need: list[int], epoch: int, suffix: str
) -> None:
    version = ".".join(map(str, have)) + suffix
    width = max(len(have), len(need))
    wanted = have + [0] * (width - len(have)) >= need + [0] * (width - len(need))
    least = ".".join(map(str, need))
    assert reaches(f"{version}-1", least) is wanted
    assert reaches(f"{epoch}:{version}-1", least) is wanted


def test_any_version_serves_where_none_is_asked_for_and_no_version_never_does() -> None:
    assert reaches("0.1", None)
    assert not reaches("", None)
    assert not reaches("", "0")
