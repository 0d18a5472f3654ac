"""Live progress of an install; plain lines where there is no terminal."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.spinner import Spinner
from rich.text import Text

from ucontact_appliance.cli.console import translated
from ucontact_appliance.install.events import (
    CallMade,
    Event,
    PhaseFailed,
    PhaseFinished,
    PhaseForeseen,
    PhaseNotJudged,
    PhaseSkipped,
    PhaseStarted,
    PhaseUnchanged,
    TaskResult,
    TaskStarted,
    Warned,
)
from ucontact_appliance.language.messages import _

_TASK_WIDTH = 60


@dataclass
class _RunningPhase:
    """A running phase: its task, the hosts that have finished it, and its start (monotonic)."""

    title: str
    since: float
    task: str = ""
    hosts: tuple[str, ...] = ()
    spinner: Spinner = field(default_factory=lambda: Spinner("dots"))


class ProgressDisplay:
    """Shows events on the screen: finished phases above, running ones below with their tasks."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._at_work: dict[str, _RunningPhase] = {}

    def __enter__(self) -> ProgressDisplay:
        if self._console.is_terminal:
            self._live = Live(
                console=self._console,
                get_renderable=self._render,
                refresh_per_second=8,
                transient=True,
            )
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def __call__(self, event: Event) -> None:
        """Show the event."""
        match event:
            case PhaseStarted(id=phase, title=title, number=number, total=total):
                self._at_work[phase] = _RunningPhase(
                    f"{number}/{total} {translated(title)}", time.monotonic()
                )
                if self._live is None:
                    self._console.print(f"{number}/{total} {translated(title)} …", highlight=False)
            case PhaseSkipped(title=title, number=number, total=total, because=because):
                self._line(
                    "[dim]–[/]",
                    f"{number}/{total} {translated(title)}",
                    f"[dim]{translated(because)}[/]",
                )
            case PhaseFinished(id=phase, changed=changed, seconds=seconds):
                what = translated(_("changed={count}", count=changed))
                what = what if changed else f"[dim]{what}[/]"
                self._line("[green]✓[/]", self._ended(phase), f"{what}  {seconds:.0f} s")
            case PhaseUnchanged(id=phase, seconds=seconds):
                self._line(
                    "[green]✓[/]",
                    self._ended(phase),
                    f"[dim]{translated(_('unchanged'))}[/]  {seconds:.0f} s",
                )
            case PhaseForeseen(id=phase, changes=changes, seconds=seconds):
                what = translated(_("would change {count}", count=changes))
                what = what if changes else f"[dim]{what}[/]"
                self._line("[green]✓[/]", self._ended(phase), f"{what}  {seconds:.0f} s")
            case PhaseNotJudged(id=phase, because=because):
                told = translated(_("not judged: {because}", because=because))
                self._line("[yellow]?[/]", self._ended(phase), escape(told))
            case PhaseFailed(id=phase, seconds=seconds):
                self._line("[bold red]✗[/]", self._ended(phase), f"{seconds:.0f} s")
            case Warned(text=text):
                self._console.print(
                    f"  [yellow]{escape(translated(text))}[/]", highlight=False, soft_wrap=True
                )
            case CallMade(text=text):
                self._console.print(
                    f"  {escape(translated(text))}", highlight=False, soft_wrap=True
                )
            case TaskStarted(name=name, phase=phase):
                self._at_work[phase].task, self._at_work[phase].hosts = translated(name), ()
            case TaskResult():
                self._result(event)

    def _result(self, result: TaskResult) -> None:
        at_work = self._at_work[result.phase]
        at_work.hosts = (*at_work.hosts, result.host)
        if result.status in ("failed", "unreachable"):
            self._console.print(f"  [red]{escape(result.host)}: {escape(result.task)}[/]")
        elif result.status == "ignored" and result.message:
            self._console.print(f"  [yellow]{escape(result.host)}: {escape(result.message)}[/]")

    def _ended(self, phase: str) -> str:
        return self._at_work.pop(phase).title

    def _line(self, mark: str, title: str, tail: str) -> None:
        self._console.print(f"{mark} {title:<34} {tail}", highlight=False, soft_wrap=True)

    def _render(self) -> RenderableType:
        return Group(*(self._shown(phase) for phase in list(self._at_work.values())))

    def _shown(self, phase: _RunningPhase) -> RenderableType:
        elapsed = f"{time.monotonic() - phase.since:3.0f} s"
        text = Text.assemble((phase.title, "bold"), ("  " + elapsed, "cyan"))
        phase.spinner.update(text=text)
        doing = Text(f"    {phase.task[:_TASK_WIDTH]}  {', '.join(phase.hosts)}", style="dim")
        return Group(phase.spinner, doing)
