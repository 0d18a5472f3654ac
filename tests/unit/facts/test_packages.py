import shutil
from collections.abc import Sequence

import pytest

from tests.unit.checks.subjects import FakeRunner
from tests.unit.facts.outputs import policy, recorded
from tests.unit.sites import small_site
from ucontact_appliance.facts.packages import (
    PackageSet,
    Removals,
    apt,
    parse_answer,
    parse_policy,
    unowned,
)
from ucontact_appliance.facts.runner import Completed, LocalRunner
from ucontact_appliance.facts.source import ProbeContext


@pytest.mark.parametrize(
    ("suite", "versions"),
    [
        (
            "bullseye",
            {
                "nginx": "1.18.0-6.1+deb11u3",
                "openjdk-8-jre-headless": "",
                "mysql-server": "",
                "asterisk": "1:16.28.0~dfsg-0+deb11u4",
                "odbc-mariadb": "3.1.9-1",
                "coturn": "4.5.2-3",
            },
        ),
        (
            "sid",
            {
                "nginx": "1.30.6-2",
                "openjdk-8-jre-headless": "8u504-ga-1",
                "mysql-server-core": "9.7.4-2",
                "mysql-client-core": "9.7.4-2",
                "asterisk": "1:22.10.1+dfsg+~cs6.17.60671434-1",
                "odbc-mariadb": "3.2.9-1",
                "coturn": "4.18.0-1",
            },
        ),
    ],
)
def test_what_apt_would_install(suite: str, versions: dict[str, str]) -> None:
    state, known = parse_answer(recorded(f"packages-{suite}"))
    assert state == "current"
    assert {name: package.version for name, package in known.items()} == versions
    assert {package.installed for package in known.values()} == {""}


@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
def test_a_package_that_is_only_named_by_others_has_no_version(suite: str) -> None:
    _, known = parse_answer(recorded(f"packages-{suite}"))
    assert {name for name, package in known.items() if not package.version} == {
        "asterisk",
        "mysql-server",
        "openjdk-8-jre-headless",
    }


def test_lists_of_a_server_that_never_fetched_any() -> None:
    assert parse_answer(recorded("packages_fresh-bullseye")) == ("missing", {})


def test_what_is_installed_counts_before_what_could_be() -> None:
    text = recorded("packages-bullseye").replace("Installed: (none)", "Installed: 1.26.0-1", 1)
    nginx = parse_policy(text.partition("---- policy\n")[2])["nginx"]
    assert (nginx.version, nginx.candidate) == ("1.26.0-1", "1.18.0-6.1+deb11u3")
    assert nginx.evidence.startswith("nginx:\n  Installed: 1.26.0-1")


class Host:
    """A host that answers the first look with one text and the fetching one with another."""

    def __init__(self, own: str, fetched: str) -> None:
        self.fetches = 0
        self._own, self._fetched = own, fetched
        self.reach = ProbeContext(small_site(), small_site().hosts[0], FakeRunner(self._answer))

    def _answer(self, argv: Sequence[str]) -> Completed:
        fetching = "apt-get -c" in argv[-1]
        self.fetches += fetching
        return Completed(tuple(argv), 0, self._fetched if fetching else self._own, "", 0.1)


_OLD, _NEW = {"nginx": "1.14.0"}, {"nginx": "1.26.3"}


@pytest.mark.parametrize(
    ("own", "fetched", "lists", "version"),
    [
        (policy(_OLD), policy(_NEW), "own", "1.14.0-1"),
        (policy(_OLD, "older"), policy(_NEW), "fetched", "1.26.3-1"),
        (policy({}, "missing"), policy(_NEW), "fetched", "1.26.3-1"),
        # nothing to be fetched: what is known is better than nothing
        (policy(_OLD, "older"), policy({}, "missing"), "own", "1.14.0-1"),
        (policy({}, "missing"), policy({}, "missing"), "none", ""),
        (policy({}, "missing"), "", "none", ""),
    ],
)
def test_lists_are_fetched_where_the_hosts_own_say_nothing(
    own: str, fetched: str, lists: str, version: str
) -> None:
    host = Host(own, fetched)
    found = apt(host.reach, ("nginx",), ()).packages
    assert (found.lists, found.get("nginx").version) == (lists, version)
    assert host.fetches == (lists != "own" or "older" in own)


def test_nothing_is_fetched_where_everything_is_installed() -> None:
    own = policy(_OLD, "missing").replace("Installed: (none)", "Installed: 1.14.0-1")
    host = Host(own, policy(_NEW))
    assert apt(host.reach, ("nginx",), ()).packages.get("nginx").version == "1.14.0-1"
    assert host.fetches == 0


def test_one_fetch_answers_both_questions() -> None:
    fetched = policy(_NEW) + "---- wanted\nnginx\n---- removes 0\nRemv apache2 [2.4.66-1]\n"
    host = Host(policy({}, "missing"), fetched)
    found = apt(host.reach, ("nginx",), (PackageSet(("nginx",)),))
    assert found.packages.get("nginx").version == "1.26.3-1"
    assert found.removals == Removals("fetched", (("apache2 (2.4.66-1)",),))
    assert host.fetches == 1


@pytest.mark.parametrize(("wanted", "fetches"), [("", 0), ("chrony", 1)])
def test_lists_are_fetched_for_removals_only_where_a_set_is_wanted(
    wanted: str, fetches: int
) -> None:
    own = policy(_OLD, "older").replace("Installed: (none)", "Installed: 1.14.0-1")
    host = Host(f"{own}---- wanted\n{wanted}\n", policy({}, "missing"))
    found = apt(host.reach, ("nginx",), (PackageSet(("chrony",)),))
    assert found.packages.lists == "own"
    assert found.removals == Removals("none" if wanted else "own", ((),))
    assert host.fetches == fetches


def test_a_package_that_nobody_knows_has_no_version() -> None:
    found = apt(Host(policy(_OLD), "").reach, ("nginx", "asterisk"), ()).packages
    assert found.get("asterisk").version == ""
    assert "unknown to apt" in found.get("asterisk").evidence


@pytest.mark.skipif(shutil.which("dpkg-query") is None, reason="not run: no dpkg here")
def test_a_program_is_a_packages_or_not() -> None:
    reach = ProbeContext(small_site(), small_site().hosts[0], LocalRunner())
    assert unowned(reach, "dpkg-query") == ""
    assert unowned(reach, "no-such-program") == ""
