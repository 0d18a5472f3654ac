"""The remote part of `ucontact profile`: read a machine's hardware, print one JSON document.

    python hardware.py SAMPLES SECONDS USE=FOLDER ...

It is sent over ssh to whatever Python a server has: 2.7 and 3.x, standard library only. It does
not interpret what it reads; the controller's parsers do. What can't be read is left out.
On each filesystem of one of the FOLDERS (or of its nearest existing parent) it writes a small file
with fsync SAMPLES times, for SECONDS at most, and then removes the file.
"""

from __future__ import print_function

import array
import fcntl
import glob
import io
import json
import os
import platform
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

FILES = (
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/modules",
    "/proc/net/if_inet6",
    "/proc/net/ipv6_route",
    "/proc/net/route",
    "/proc/self/mountinfo",
    "/etc/os-release",
    "/etc/khomp/devices",
    "/proc/device-tree/model",
    "/sys/class/dmi/id/sys_vendor",
    "/sys/class/dmi/id/product_name",
)
COMMANDS = {
    "virt": ["systemd-detect-virt"],
    "units": [
        "systemctl",
        "is-active",
        "chrony",
        "chronyd",
        "systemd-timesyncd",
        "ntp",
        "ntpd",
        "ntpsec",
    ],
    "timedatectl": ["timedatectl", "status"],
    "chronyc": ["chronyc", "-n", "tracking"],
}
NET = ("operstate", "carrier", "flags", "mtu", "speed", "address", "type", "device/uevent")
BLOCK = ("dev", "size", "removable", "queue/rotational", "device/model", "device/vendor")
PCI = ("vendor", "device", "subsystem_vendor", "subsystem_device", "class")
USB = ("idVendor", "idProduct", "manufacturer", "product")
SIOCGIFCONF = 0x8912
IFREQ_BYTES = 40  # struct ifreq on 64-bit machines
BLOCK_BYTES = 4096
LEFTOVER_SECONDS = 3600
PREFIX = ".ucontact-profile-"
COMMAND_SECONDS = 8


def read(path):
    """The text of a file; None if it does not exist or can't be read."""
    try:
        with io.open(path, "rb") as handle:
            return handle.read().decode("utf-8", "replace")
    except (IOError, OSError):
        return None


def attributes(folder, names):
    """Contents of these small files of a folder in /sys, by name; unreadable ones left out."""
    found = {}
    for name in names:
        text = read(os.path.join(folder, name))
        if text is not None:
            found[name] = text.strip("\n\0")
    return found


def link_name(path):
    """The last path component of a symbolic link's target; empty if it is no link."""
    try:
        return os.path.basename(os.readlink(path))
    except OSError:
        return ""


def output(words):
    """The output of a command; None if the command is missing or does not end in time."""
    environment = dict(os.environ, LC_ALL="C")
    try:
        with open(os.devnull) as nothing:
            process = subprocess.Popen(
                words,
                stdin=nothing,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=environment,
            )
    except OSError:
        return None
    killer = threading.Timer(COMMAND_SECONDS, process.kill)
    killer.start()
    try:
        return process.communicate()[0].decode("utf-8", "replace")
    finally:
        killer.cancel()


def topology():
    """Package and core of each online processor."""
    found = []
    for folder in glob.glob("/sys/devices/system/cpu/cpu[0-9]*"):
        about = attributes(folder, ("topology/physical_package_id", "topology/core_id"))
        if len(about) == 2 and read(folder + "/online") != "0\n":
            found.append([about["topology/physical_package_id"], about["topology/core_id"]])
    return sorted(found)


def disks():
    """Each block device with its partitions and the devices below it."""
    found = {}
    for folder in glob.glob("/sys/block/*"):
        about = attributes(folder, BLOCK)
        parts = [os.path.dirname(path) for path in glob.glob(folder + "/*/partition")]
        about["partitions"] = dict(
            (os.path.basename(part), (read(part + "/dev") or "").strip()) for part in parts
        )
        about["slaves"] = sorted(os.path.basename(path) for path in glob.glob(folder + "/slaves/*"))
        found[os.path.basename(folder)] = about
    return found


def sizes(mountinfo):
    """Size and free space (for non-root) in bytes of each mount that a disk may be behind."""
    found = {}
    for line in (mountinfo or "").splitlines():
        before, _, after = line.partition(" - ")
        if len(before.split()) < 5 or len(after.split()) < 2:
            continue
        mount = before.split()[4]
        kind, source = after.split()[:2]
        on_disk = source.startswith("/") or kind in ("zfs", "btrfs", "nfs", "nfs4", "cifs")
        if not on_disk and not (kind == "overlay" and mount == "/"):
            continue
        try:
            # mountinfo has blanks and other special characters as octal escapes
            path = mount.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
            if not os.path.isdir(path):
                continue  # a file that is bind-mounted into a container
            told = os.statvfs(path)
        except OSError:
            continue
        found[mount] = [told.f_blocks * told.f_frsize, told.f_bavail * told.f_frsize]
    return found


def interfaces():
    """Each network interface as in /sys."""
    found = {}
    for folder in glob.glob("/sys/class/net/*"):
        if not os.path.isdir(folder):
            continue  # /sys/class/net/bonding_masters is a file
        about = attributes(folder, NET)
        about["driver"] = link_name(folder + "/device/driver")
        about["has_device"] = os.path.exists(folder + "/device")
        about["is"] = [
            kind
            for kind, mark in (("bridge", "bridge"), ("bond", "bonding"), ("wireless", "wireless"))
            if os.path.exists(os.path.join(folder, mark))
        ]
        if os.path.exists("/proc/net/vlan/" + os.path.basename(folder)):
            about["is"].append("vlan")
        found[os.path.basename(folder)] = about
    return found


def ipv4():
    """Pairs of interface and IPv4 address."""
    probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        held = array.array("B", b"\0" * IFREQ_BYTES * 256)
        address, _ = held.buffer_info()
        request = struct.pack("iL", len(held), address)
        length = struct.unpack("iL", fcntl.ioctl(probe.fileno(), SIOCGIFCONF, request))[0]
        raw = held.tobytes() if hasattr(held, "tobytes") else held.tostring()
    except (IOError, OSError):
        return []
    finally:
        probe.close()
    found = []
    for start in range(0, length, IFREQ_BYTES):
        name = raw[start : start + 16].split(b"\0", 1)[0].decode("ascii", "replace")
        found.append([name.split(":")[0], socket.inet_ntoa(raw[start + 20 : start + 24])])
    return found


def devices(folder, names):
    """Each device of a bus: its identity, its slot, and the driver bound to it."""
    found = []
    for path in sorted(glob.glob(folder + "/*")):
        about = attributes(path, names)
        if names[0] not in about:
            continue  # a USB interface, not a device
        about["slot"] = os.path.basename(path)
        about["driver"] = link_name(path + "/driver")
        if about["driver"] in ("", "usb"):
            about["driver"] = link_name(path + "/" + about["slot"] + ":1.0/driver")
        found.append(about)
    return found


def nearest(folder):
    """The folder, or its nearest existing parent."""
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    return folder


def sweep(folder):
    """Remove the files of an earlier run that was killed."""
    for path in glob.glob(os.path.join(folder, PREFIX + "*")):
        if os.lstat(path).st_mtime < time.time() - LEFTOVER_SECONDS:
            os.unlink(path)


def write_times(folder, samples, seconds):
    """Seconds that each write of 4 KiB took to reach the disk."""
    clock = getattr(time, "perf_counter", time.time)
    taken = []
    sweep(folder)
    handle, path = tempfile.mkstemp(prefix=PREFIX, dir=folder)
    try:
        block = b"\x5a" * BLOCK_BYTES
        started = clock()
        while len(taken) < samples and clock() - started < seconds:
            before = clock()
            os.write(handle, block)
            os.fsync(handle)
            taken.append(clock() - before)
    finally:
        os.close(handle)
        os.unlink(path)
    return taken


def writes(samples, seconds, uses):
    """Write times by filesystem: one measurement for all the uses that share it."""
    found = {}
    for word in uses:
        use, _, wanted = word.partition("=")
        folder = nearest(wanted)
        device = os.stat(folder).st_dev
        if device in found:
            found[device]["uses"].append(use)
            continue
        about = found[device] = {"uses": [use], "folder": folder, "seconds": [], "error": ""}
        # Without root, other folders of the same filesystem may be writable.
        for place in (folder, "/var/tmp", "/tmp"):
            try:
                if os.stat(place).st_dev != device:
                    continue
                about["seconds"] = write_times(place, samples, seconds)
                about["folder"], about["error"] = place, ""
                break
            except (IOError, OSError) as error:
                about["error"] = about["error"] or "%s: %s" % (place, error.strerror)
    return sorted(found.values(), key=lambda about: about["uses"])


def ended(number, frame):
    """Turn a signal into an exception, so that the written file is removed."""
    sys.exit(128 + number)


def document(samples, seconds, uses):
    """The complete document."""
    texts = dict((path, read(path)) for path in FILES)
    return {
        "probe": 1,
        "python": "%d.%d" % sys.version_info[:2],
        "uname": [platform.node(), platform.release(), platform.machine()],
        "files": dict((path, text) for path, text in texts.items() if text is not None),
        "khomp": os.path.isdir("/etc/khomp"),
        "max_khz": read("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq") or "",
        "topology": topology(),
        "disks": disks(),
        "sizes": sizes(texts["/proc/self/mountinfo"]),
        "interfaces": interfaces(),
        "ipv4": ipv4(),
        "pci": devices("/sys/bus/pci/devices", PCI),
        "usb": devices("/sys/bus/usb/devices", USB),
        "commands": dict((name, output(words) or "") for name, words in COMMANDS.items()),
        "writes": writes(samples, seconds, uses),
    }


if __name__ == "__main__":
    for signal_number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(signal_number, ended)
    print(json.dumps(document(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]), sort_keys=True))
