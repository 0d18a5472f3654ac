"""A relay for UDP that spoils a path by plan: the kernel's own netem is not everywhere."""

from __future__ import annotations

import heapq
import itertools
import multiprocessing
import os
import select
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Way:
    """One direction: the delays of packet after packet in ms, round and round.

    Of every `of` packets the first `lost` do not arrive; every `doubled`-th comes twice.
    """

    delays: tuple[float, ...] = (0.0,)
    lost: int = 0
    of: int = 1
    doubled: int = 0


@contextmanager
def impaired(port: int, out: Way, back: Way) -> Iterator[int]:
    """A local port whose packets reach the local `port` by such ways."""
    ready, inner = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(
        target=_relay, args=(port, out, back, inner), daemon=True
    )
    process.start()
    try:
        yield ready.recv()
    finally:
        process.terminate()
        process.join()


def _relay(port: int, out: Way, back: Way, inner: object) -> None:
    # What other tests take of the processor is not the path's: the relay keeps its own times.
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    front.bind(("127.0.0.1", 0))
    far = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    far.connect(("127.0.0.1", port))
    inner.send(front.getsockname()[1])  # type: ignore[attr-defined]
    ways = {front: (out, far, itertools.count()), far: (back, front, itertools.count())}
    waiting: list[tuple[float, int, bytes, socket.socket]] = []
    peer, order = None, itertools.count()
    while True:
        left = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        for came in select.select([front, far], [], [], left)[0]:
            data, sender = came.recvfrom(2048)
            peer = sender if came is front else peer
            way, onward, numbers = ways[came]
            number = next(numbers)
            if number % way.of < way.lost:
                continue
            due = time.monotonic() + way.delays[number % len(way.delays)] / 1000
            for _ in range(2 if way.doubled and number % way.doubled == 0 else 1):
                heapq.heappush(waiting, (due, next(order), data, onward))
        while waiting and waiting[0][0] <= time.monotonic():
            _, _, data, onward = heapq.heappop(waiting)
            if onward is far:
                far.send(data)
            elif peer is not None:
                front.sendto(data, peer)
