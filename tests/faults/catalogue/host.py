"""The operating system, and the machine that installs."""

from __future__ import annotations

from tests.faults.catalogue.helpers import RESTART_ASTERISK, RESTART_BACKEND, edit, ids
from tests.faults.model import Fault, Kind

# NGINX with a higher version, in an archive with the name of Debian's security archive.
_SECURITY_UPDATE = """
mkdir /srv/debian-security && cd /srv/debian-security
apt-get -qq download nginx
dpkg-deb --raw-extract nginx_*.deb tree
rm nginx_*.deb
sed -i 's/^Version: .*/&+fix1/' tree/DEBIAN/control
dpkg-deb --build -Znone tree nginx.deb >/dev/null
rm -r tree
{
  dpkg-deb --field nginx.deb
  echo 'Filename: ./nginx.deb'
  stat -c 'Size: %s' nginx.deb
  echo "SHA256: $(sha256sum <nginx.deb | cut -c 1-64)"
} >Packages
echo 'deb [trusted=yes] file:/srv/debian-security ./' >/etc/apt/sources.list.d/test.list
apt-get -qq update -o Dir::Etc::sourcelist=sources.list.d/test.list -o Dir::Etc::sourceparts=- \
  -o APT::Get::List-Cleanup=0
"""

FAULTS = (
    Fault(
        "host-name-unknown",
        "the host does not know its own name",
        Kind.HOST,
        ids("host.hostname"),
        inject='grep -v "$(hostname)" /etc/hosts > /root/h; cat /root/h > /etc/hosts',
    ),
    Fault(
        "host-clock-behind",
        "the host's clock is ten minutes behind",
        Kind.HOST,
        ids("host.clock"),
        # A container has its host's clock, so that every new process is told another time.
        inject="apt-get -qq install -y libfaketime >/dev/null && echo -10m > /etc/faketimerc && "
        "dpkg -L libfaketime | grep 'libfaketime[.]so' > /etc/ld.so.preload",
        mend="rm /etc/ld.so.preload",
    ),
    Fault(
        "host-package-half",
        "a package is half installed",
        Kind.HOST,
        ids("host.packages"),
        inject="sed -i '/^Package: hostname$/,/^$/s/^Status: .*/"
        "Status: install ok half-configured/' /var/lib/dpkg/status",
    ),
    Fault(
        "host-package-unheld",
        "somebody lets apt replace NGINX",
        Kind.HOST,
        ids("packages.held"),
        inject="apt-mark unhold nginx",
    ),
    Fault(
        "host-security-update",
        "a security update of NGINX waits",
        Kind.HOST,
        ids("packages.updates"),
        inject=_SECURITY_UPDATE,
    ),
    Fault(
        "host-restart-pending",
        "an update waits for a restart",
        Kind.HOST,
        ids("host.restart"),
        inject="touch /run/reboot-required",
    ),
    Fault(
        "host-ssh-password",
        "root may log in with a password",
        Kind.HOST,
        ids("system.ssh"),
        inject="printf 'PermitRootLogin yes\\nPasswordAuthentication yes\\n' "
        "> /etc/ssh/sshd_config.d/00-test.conf",
    ),
    Fault(
        "service-override",
        "somebody set the backend a limit of its own",
        Kind.HOST,
        ids("system.overrides"),
        inject="systemctl set-property integraserver MemoryMax=8G",
    ),
    Fault(
        "service-as-root",
        "Asterisk runs as root, by a file beside its unit",
        Kind.HOST,
        ids("system.overrides"),
        inject="printf '[Service]\nUser=root\nGroup=root\n' "
        "> /etc/systemd/system/asterisk.service.d/zz.conf && systemctl daemon-reload && "
        f"{RESTART_ASTERISK}",
    ),
    Fault(
        "service-account",
        "the backend runs as root, by its own unit",
        Kind.HOST,
        ids("system.accounts"),
        inject=edit(
            "/etc/systemd/system/integraserver.service",
            "s/^User=.*/User=root/",
            f"systemctl daemon-reload && {RESTART_BACKEND}",
        ),
    ),
    Fault(
        "host-sysctl-lost",
        "the baseline's kernel settings are gone from disk",
        Kind.HOST,
        ids("system.settings"),
        inject="rm /etc/sysctl.d/60-ucontact.conf",
    ),
    Fault(
        "host-ssh-stopped",
        "the ssh server is stopped: nothing of the host can be seen",
        Kind.HOST,
        ids("host.reachable"),
        here='nsenter -t "$LEADER" -a systemctl stop ssh.socket ssh.service; '
        'nsenter -t "$LEADER" -a pkill -x sshd; sleep 1',
        mend_here='nsenter -t "$LEADER" -a systemctl start ssh.service && sleep 1',
    ),
    Fault(
        "host-key-changed",
        "the host has other ssh keys than those that were pinned",
        Kind.HOST,
        ids("host.reachable"),
        inject="rm /etc/ssh/ssh_host_* && ssh-keygen -A >/dev/null && systemctl restart ssh",
    ),
    Fault(
        "secrets-open",
        "everybody on the installing machine may read the site's secrets",
        Kind.CONTROLLER,
        ids("controller.secrets"),
        here='chmod 0644 "$ETC/secrets.yml" "$ETC"/pki/*.key',
        fast=True,
    ),
    Fault(
        "secrets-lost",
        "some of the site's secrets are gone from the installing machine",
        Kind.CONTROLLER,
        ids("controller.secrets"),
        here='sed -i "/^telephony/d" "$ETC/secrets.yml"',
    ),
    Fault(
        "waiver-ended",
        "an exception of site.yml has outlived its date",
        Kind.CONTROLLER,
        ids("site.waivers"),
        here='printf "waivers:\\n  - {check: web.version, reason: until the upgrade, '
        'until: 2020-01-31}\\n" >> "$SITE"',
        mend_here='sed -i "/^waivers:/,\\$d" "$SITE"',
    ),
)
