"""A screen of a terminal as an SVG for the documentation, captured from a real run.

    tmux capture-pane -p -e -t SESSION | python -m tests.screenshot TITLE > docs/images/NAME.svg

The picture loads nothing: the reader's own font is used, not one of a web service.
"""

from __future__ import annotations

import io
import sys

from rich.console import Console
from rich.text import Text

_FORMAT = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">
<style>
.{unique_id}-matrix {{
  font: {char_height}px/{line_height}px ui-monospace, Menlo, Consolas, monospace;
}}
.{unique_id}-title {{ font: bold 18px sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g>
</g>
</svg>
"""


def svg(screen: str, title: str) -> str:
    """Return the picture of a screen that is text with the terminal's escape sequences."""
    lines = [Text.from_ansi(line.rstrip()) for line in screen.rstrip().splitlines()]
    width = max(line.cell_len for line in lines)
    console = Console(record=True, width=width, file=io.StringIO())
    for line in lines:
        console.print(line, soft_wrap=True)
    return console.export_svg(title=title, code_format=_FORMAT, unique_id="screen")


if __name__ == "__main__":
    sys.stdout.write(svg(sys.stdin.read(), sys.argv[1]))
