"""Errors shown to the user: what happened, the evidence, and one command that helps.

Each class sets its exit code. Any other exception that reaches the command line is a defect of the
appliance and is reported as one, without a traceback.
"""

from __future__ import annotations

EXIT_FINDINGS = 1
EXIT_USAGE = 2
EXIT_UNREACHABLE = 3
EXIT_PHASE_FAILED = 4
# The meaning of each exit code; the manual pages print it.
EXIT_CODES = {
    0: "Success: the command did what it was asked to do, and no check failed.",
    EXIT_FINDINGS: "Findings: a check failed or could not be carried out, a plan has a shortfall, "
    "or a report is worse than another or not intact.",
    EXIT_USAGE: "Wrong usage, an invalid site file (named by key and line), or an input that "
    "cannot be used.",
    EXIT_UNREACHABLE: "A server or a file could not be reached.",
    EXIT_PHASE_FAILED: "A phase of the installation failed. Run the same command again to "
    "continue it.",
}


class ApplianceError(Exception):
    """A failure with an exit code, its evidence and a command that helps.

    `what` is one sentence, `evidence` the raw message or the file, key and line concerned,
    `helps` the one command (or action) to take next.
    """

    exit_code = EXIT_USAGE

    def __init__(self, what: str, *, evidence: str = "", helps: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.evidence = evidence
        self.helps = helps


class UsageError(ApplianceError):
    """Wrong usage, an invalid site file, or an input that can't be used. Exit code 2."""

    exit_code = EXIT_USAGE


class UnreachableError(ApplianceError):
    """A host or a file that could not be reached. Exit code 3."""

    exit_code = EXIT_UNREACHABLE


class PhaseFailedError(ApplianceError):
    """An install phase failed; running the same command again continues. Exit code 4."""

    exit_code = EXIT_PHASE_FAILED
