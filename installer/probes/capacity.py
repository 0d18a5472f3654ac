"""Benchmark this machine's processor and disk for a few seconds: one JSON document on stdout.

`ucontact profile --benchmark` sends it to the telephony server and runs it there from stdin, with
the standard library of Python 3.5 or later only. Processor figures are CPU time of this process,
not wall time: time that neighbours take does not count, only how they slow this process down.

Arguments: the number of repetitions; then, for the disk run, the folder of the recordings. The
temporary file there is removed at the end.
"""

import bz2
import errno
import json
import os
import random
import socket
import sys
import tempfile
import time
from pathlib import Path

CPUS = Path("/sys/devices/system/cpu")
PACKETS = 500  # per round, one per millisecond
GAP_SECONDS = 0.001
PACKET_BYTES = 172  # RTP: 12 bytes of header (RFC 3550), 20 ms of G.711
COMPUTE_BYTES = 400000
DISK_BYTES = 32 * 1024 * 1024
DISK_SECONDS = 4.0
SMALL_WRITES = 50


def udp():
    """A UDP socket."""
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


def sender(there, packets):
    """Fork a process that sends one packet per millisecond to the address, then exits."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        with udp() as source:
            at = time.monotonic()
            for _ in range(packets):
                at += GAP_SECONDS
                time.sleep(max(0.0, at - time.monotonic()))
                source.sendto(b"\0" * PACKET_BYTES, there)
        status = 0
    finally:
        os._exit(status)


def relay_us(packets):
    """CPU time to wake up for one UDP packet, receive it and send it on, in microseconds.

    Packets come one by one, as a telephone's do: waking up costs more than relaying, even more so
    if neighbours evict the caches meanwhile.
    """
    with udp() as near, udp() as far:
        for one in (near, far):
            one.bind(("127.0.0.1", 0))
        near.settimeout(5)
        there = far.getsockname()
        child = sender(near.getsockname(), packets)
        try:
            begin = time.process_time()
            for _ in range(packets):
                near.sendto(near.recvfrom(2048)[0], there)
            return (time.process_time() - begin) / packets * 1e6
        finally:
            os.waitpid(child, 0)


def compute_ms(data):
    """CPU time to compress the data with bzip2, in milliseconds: uses branches, tables, memory."""
    begin = time.process_time()
    bz2.compress(data, 9)
    return (time.process_time() - begin) * 1e3


def some_data():
    """The same bytes on every machine."""
    chance = random.Random(20)
    return bytes(bytearray(int(chance.random() ** 3 * 64) + 32 for _ in range(COMPUTE_BYTES)))


def disk(folder):
    """Bytes per second of a long write with its fsync, and the milliseconds of small ones."""
    handle, path = tempfile.mkstemp(prefix=".ucontact-benchmark-", dir=folder)
    try:
        block = os.urandom(1024 * 1024)  # incompressible for any filesystem
        begin, written = time.monotonic(), 0
        while written < DISK_BYTES and time.monotonic() - begin < DISK_SECONDS:
            written += os.write(handle, block)
        os.fsync(handle)
        seconds = time.monotonic() - begin
        small, begin = [], time.monotonic()
        while len(small) < SMALL_WRITES and time.monotonic() - begin < DISK_SECONDS:
            start = time.monotonic()
            os.write(handle, block[:4096])
            os.fsync(handle)
            small.append((time.monotonic() - start) * 1e3)
        return {"bytes": written, "seconds": seconds, "fsync_ms": sorted(small)}
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        return {"full": True}
    finally:
        os.close(handle)
        Path(path).unlink()


def cores(threads):
    """Number of whole cores of these threads, by the kernel's sibling lists."""
    siblings = set()
    for thread in threads:
        folder = CPUS / ("cpu" + str(thread)) / "topology"
        try:
            siblings.add((folder / "thread_siblings_list").read_text().strip())
        except OSError:
            siblings.add(str(thread))
    return len(siblings)


def processor():
    """The processor's name, and its clock in MHz under load; None if it is not reported."""
    name, clocks = "", []
    for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name" and not name:
            name = value.strip()
        if key.strip() == "cpu MHz":
            clocks.append(float(value))
    return name or os.uname().machine, max(clocks) if clocks else None


def main():
    """Measure, and print the results."""
    data = some_data()
    relay_us(PACKETS // 10)
    pairs = [(relay_us(PACKETS), compute_ms(data)) for _ in range(int(sys.argv[1]))]
    name, mhz = processor()
    threads = os.sched_getaffinity(0)
    print(
        json.dumps(
            {
                "processor": name,
                "mhz": mhz,
                "cores": cores(threads),
                "threads": len(threads),
                "relay_us": [pair[0] for pair in pairs],
                "compute_ms": [pair[1] for pair in pairs],
                "disk": disk(sys.argv[2]) if len(sys.argv) > 2 else None,
            }
        )
    )


main()
