"""The list of all checks, written from the registry so that it can't drift from it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from ucontact_appliance.checks.model import Check, Stage
from ucontact_appliance.findings.registry import CHECKS

_HEAD = """\
# Checks

What `ucontact doctor` looks at, by subject; this page is made from the registry. `--only` takes an
id or its beginning. *Needs*: without their pass a check is not judged, and says what it waits for.
*Stage*: preflight runs before an installation, doctor always; echo with the one short call of the
nights and of an installation that changed nothing, deep with all calls (`--deep`, and after a
change).

"""
_TABLE = """\
| check | demands | severity | serves | on | stage | needs |
|---|---|---|---|---|---|---|
"""


def reference() -> str:
    """A Markdown page: a table a subject, a row a check, in the registry's order of subjects."""
    subjects = {check.id.partition(".")[0]: None for check in CHECKS}
    ordered = sorted(CHECKS, key=lambda check: list(subjects).index(check.id.partition(".")[0]))
    parts = (
        f"## {subject}\n\n{_TABLE}{''.join(_rows(checks))}"
        for subject, checks in groupby(ordered, key=lambda check: check.id.partition(".")[0])
    )
    return f"{_HEAD}{len(CHECKS)} checks.\n\n" + "\n".join(parts)


def _rows(checks: Iterator[Check]) -> Iterator[str]:
    for check in checks:
        cells = (
            f"`{check.id}`",
            check.title,
            check.severity.value,
            ", ".join(check.requirements),
            check.role.value if check.role else "every server",
            ", ".join(stage.value for stage in Stage if stage in check.stages),
            ", ".join(f"`{need}`" for need in check.needs),
        )
        row = " | ".join(cell.replace("|", r"\|") for cell in cells)
        yield f"| {row} |\n"
