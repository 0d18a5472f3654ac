"""What dpkg and apt say of installed packages."""

from __future__ import annotations

from ucontact_appliance.facts.package_updates import (
    PackageHold,
    PackageUpdate,
    parse_held,
    parse_updates,
)

HELD = """\
asterisk hold installed 1:22.10.1~dfsg-1
nginx install installed 1.30.1-1
nginx-light unknown not-installed\x20
coturn deinstall config-files 4.18-1
"""

# apt's own layout: the installed version has three asterisks, the newest is first.
POLICY = """\
nginx:
  Installed: 1.18.0-0ubuntu1
  Candidate: 1.18.0-0ubuntu1.7
  Version table:
     1.18.0-0ubuntu1.7 500
        500 http://archive.test/ubuntu focal-updates/main amd64 Packages
     1.18.0-0ubuntu1.6 500
        500 http://security.test/ubuntu focal-security/main amd64 Packages
 *** 1.18.0-0ubuntu1 500
        500 http://archive.test/ubuntu focal/main amd64 Packages
        100 /var/lib/dpkg/status
coturn:
  Installed: 4.5.1
  Candidate: 4.5.2
  Version table:
     4.5.2 500
        500 http://archive.test/ubuntu focal-updates/main amd64 Packages
 *** 4.5.1 500
        500 http://security.test/ubuntu focal-security/main amd64 Packages
        100 /var/lib/dpkg/status
asterisk:
  Installed: 8:13.35
  Candidate: 8:13.35
  Version table:
     1:16.2 500
        500 http://security.test/ubuntu focal-security/universe amd64 Packages
 *** 8:13.35 1001
        100 /var/lib/dpkg/status
mysql-server:
  Installed: (none)
  Candidate: 8.0.40
  Version table:
     8.0.40 500
        500 http://security.example.net/debian-security bookworm-security/main amd64 Packages
fail2ban:
  Installed: 1.0-1
  Candidate: 1.0-2
  Version table:
     1.0-2 500
        500 http://deb.example.net/debian-security bookworm/updates/main amd64 Packages
 *** 1.0-1 100
        100 /var/lib/dpkg/status
"""


def test_installed_packages_with_their_holds() -> None:
    assert parse_held(HELD) == (
        PackageHold("asterisk", "1:22.10.1~dfsg-1", held=True),
        PackageHold("nginx", "1.30.1-1", held=False),
    )


def test_updates_and_which_are_fixes() -> None:
    assert parse_updates(POLICY) == (
        PackageUpdate("nginx", "1.18.0-0ubuntu1", "1.18.0-0ubuntu1.7", security=True),
        PackageUpdate("coturn", "4.5.1", "4.5.2", security=False),
        PackageUpdate("fail2ban", "1.0-1", "1.0-2", security=True),
    )
    assert parse_updates("") == ()
