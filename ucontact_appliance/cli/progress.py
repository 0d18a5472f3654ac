"""Live progress of an install; plain lines where there is no terminal."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.spinner import Spinner
from rich.text import Text

from ucontact_appliance.engine.events import (
    Event,
    PhaseFailed,
    PhaseFinished,
    PhaseSkipped,
    PhaseStarted,
    TaskResult,
    TaskStarted,
    Warned,
)

_TASK_WIDTH = 60


class Progress:
    """An observer with a screen: finished phases above, the one at work below with its task."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._spinner = Spinner("dots")
        self._title = ""
        self._task = ""
        self._hosts: tuple[str, ...] = ()
        self._since = time.monotonic()

    def __enter__(self) -> Progress:
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
            case PhaseStarted(title=title, number=number, total=total):
                self._title, self._task, self._hosts = f"{number}/{total} {title}", "", ()
                self._since = time.monotonic()
                if self._live is None:
                    self._console.print(f"{number}/{total} {title} …", highlight=False)
            case PhaseSkipped(title=title, number=number, total=total, because=because):
                self._line("[dim]–[/]", f"{number}/{total} {title}", f"[dim]{because}[/]")
            case PhaseFinished(changed=changed, seconds=seconds):
                what = f"changed={changed}" if changed else "[dim]changed=0[/]"
                self._line("[green]✓[/]", self._title, f"{what}  {seconds:.0f} s")
            case PhaseFailed(seconds=seconds):
                self._line("[bold red]✗[/]", self._title, f"{seconds:.0f} s")
            case Warned(text=text):
                self._console.print(f"  [yellow]{escape(text)}[/]", highlight=False, soft_wrap=True)
            case TaskStarted(name=name):
                self._task, self._hosts = name, ()
            case TaskResult(host=host, status=status, task=task, message=message):
                self._hosts = (*self._hosts, host)
                if status in ("failed", "unreachable"):
                    self._console.print(f"  [red]{escape(host)}: {escape(task)}[/]")
                elif status == "ignored" and message:
                    self._console.print(f"  [yellow]{escape(host)}: {escape(message)}[/]")

    def _line(self, mark: str, title: str, tail: str) -> None:
        self._title = ""
        self._console.print(f"{mark} {title:<34} {tail}", highlight=False)

    def _render(self) -> RenderableType:
        if not self._title:
            return Text("")
        elapsed = f"{time.monotonic() - self._since:3.0f} s"
        name = self._task[:_TASK_WIDTH]
        hosts = ", ".join(self._hosts)
        self._spinner.update(text=Text.assemble((self._title, "bold"), ("  " + elapsed, "cyan")))
        return Group(self._spinner, Text(f"    {name}  {hosts}", style="dim"))
