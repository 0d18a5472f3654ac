"""`make install-docs`: install manual pages and completions of `ucontact` for man and shells.

An installed wheel has the same files below its environment's `share`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import manpages

MANUAL = "man/man1"
# The file per shell, with the name under which that shell looks for a command's completions.
COMPLETIONS = {
    "bash": "bash-completion/completions/ucontact",
    "zsh": "zsh/site-functions/_ucontact",
    "fish": "fish/vendor_completions.d/ucontact.fish",
}
EPOCH = "SOURCE_DATE_EPOCH"
_ASK = "from ucontact_appliance.cli.main import app; app(prog_name='ucontact')"
# zsh loads the file at the first TAB, as a function: it must complete then, not only register.
_FIRST_TAB = '[[ ${zsh_eval_context[-1]} == loadautofunc ]] && _ucontact_completion "$@"\n'


def completion(shell: str) -> str:
    """Return Typer's completion script of `ucontact` for this shell."""
    done = subprocess.run(
        [sys.executable, "-c", _ASK],
        env={**os.environ, "_UCONTACT_COMPLETE": f"source_{shell}"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip() + "\n" + (_FIRST_TAB if shell == "zsh" else "")


def write_share(share: Path, date: str = "") -> None:
    """Write the manual pages (with this date) and the completions below this folder."""
    files = {f"{MANUAL}/{name}": text for name, text in manpages.pages(date).items()}
    files |= {path: completion(shell) for shell, path in COMPLETIONS.items()}
    for name, text in files.items():
        path = share / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def date_of(epoch: str | None) -> str:
    """Return the day of a SOURCE_DATE_EPOCH, or no day, so that equal sources give equal pages."""
    return datetime.fromtimestamp(int(epoch), timezone.utc).date().isoformat() if epoch else ""


def main() -> None:
    """Write them below the folder that is the only argument."""
    (share,) = sys.argv[1:]
    write_share(Path(share), date_of(os.environ.get(EPOCH)))
    print(f"manual pages and completions are in {share}: man ucontact")


if __name__ == "__main__":
    main()
