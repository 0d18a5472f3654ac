"""`make bench`: what the appliance costs and carries, as ratios taken in one run.

Without arguments every part runs, one after the other; `python -m tests.bench load` runs one.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

from tests.bench import capacity, codecs, installing, load, srtp


@dataclass(frozen=True)
class Part:
    """A part of the bench: what it measures, about how long it takes, and its function."""

    about: str
    minutes: int
    run: Callable[[float], None]


PARTS = {
    "install": Part(
        "installing and the commands; writes docs/bench.md", 40, lambda _: installing.main()
    ),
    "cost": Part("what a call costs, predicted and measured", 10, lambda _: capacity.main()),
    "srtp": Part("what libsrtp alone takes for a call's packets", 1, lambda _: srtp.main()),
    "codecs": Part(
        "how speech and video arrive between codecs; writes docs/codecs.md",
        4,
        lambda _: codecs.main(),
    ),
    "load": Part(
        "what a server carries, beside the distribution's configuration; writes docs/load.md",
        12,
        load.main,
    ),
}  # fmt: skip


def parser() -> argparse.ArgumentParser:
    """The command line."""
    lines = "\n".join(f"  {name:<8} {part.about} (about {part.minutes} min)"
                      for name, part in PARTS.items())  # fmt: skip
    made = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description="Measure the appliance on rehearsal machines. Needs root.",
        epilog=f"parts:\n{lines}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument(
        "parts", nargs="*", metavar="PART", help="what to measure; default: all parts"
    )
    made.add_argument(
        "--scale",
        type=float,
        default=1.0,
        help="share of the greatest load of the part load, to try it; below 1 writes no page",
    )
    return made


def main(words: list[str] | None = None) -> None:
    """Run the parts that were named, in the order of the list."""
    made = parser()
    chosen = made.parse_args(words)
    if unknown := sorted(set(chosen.parts) - set(PARTS)):
        made.error(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    if not 0 < chosen.scale <= 1:
        made.error(f"--scale {chosen.scale:g}: above 0, and 1 at most")
    for name, part in PARTS.items():
        if name in chosen.parts or not chosen.parts:
            part.run(chosen.scale)


if __name__ == "__main__":
    main()
