"""What a person sees of an install while it runs."""

from __future__ import annotations

import io

from rich.console import Console

from ucontact_appliance.cli.progress import ProgressDisplay
from ucontact_appliance.install.events import (
    Event,
    PhaseFailed,
    PhaseFinished,
    PhaseForeseen,
    PhaseNotJudged,
    PhaseSkipped,
    PhaseStarted,
    TaskResult,
    TaskStarted,
)


def shown(*events: Event, terminal: bool = False) -> str:
    """Everything printed, and on a terminal the live part as it stands at the end."""
    console = Console(file=io.StringIO(), force_terminal=terminal, width=100, color_system=None)
    progress = ProgressDisplay(console)
    with progress:
        for event in events:
            progress(event)
        console.print(progress._render())
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


BESIDE = (
    PhaseStarted("database", "Database", 4, 9),
    PhaseStarted("stun", "STUN and TURN", 5, 9),
    TaskStarted("Install MySQL", "database"),
    TaskStarted("Start coturn", "stun"),
)


def test_phases_side_by_side_are_each_shown_with_their_task() -> None:
    text = shown(*BESIDE, terminal=True)
    assert "4/9 Database" in text
    assert "Install MySQL" in text
    assert "5/9 STUN and TURN" in text
    assert "Start coturn" in text


def test_a_phase_ends_under_its_own_title_whatever_began_after_it() -> None:
    text = shown(*BESIDE, PhaseFinished("database", "Database", 3, 41.2))
    [line] = [line for line in text.splitlines() if line.startswith("✓")]
    assert "4/9 Database" in line
    assert "changed=3" in line
    assert "41 s" in line


def test_only_what_a_dry_run_judged_gets_a_tick() -> None:
    text = shown(
        *BESIDE,
        PhaseForeseen("database", "Database", 3, 41.2),
        PhaseNotJudged("stun", "STUN and TURN", "the newest install did not come through it"),
    )
    lines = text.splitlines()
    [tick] = [line for line in lines if line.startswith("✓")]
    assert "4/9 Database" in tick
    assert "would change 3" in tick
    [other] = [line for line in lines if line.startswith("?")]
    assert "5/9 STUN and TURN" in other
    assert other.endswith("not judged: the newest install did not come through it")


def test_without_a_terminal_there_are_plain_lines() -> None:
    text = shown(
        PhaseSkipped("base", "Base system", 2, 9, "done before the interruption"),
        *BESIDE,
        TaskResult("db1", "Install MySQL", "x.yml:1", "failed", "no", "database"),
        PhaseFailed("database", "Database", 2.0),
    )
    assert "– 2/9 Base system" in text
    assert "4/9 Database …" in text
    assert "db1: Install MySQL" in text
    assert "✗ 4/9 Database" in text
