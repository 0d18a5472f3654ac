"""The result of the telephony server's newest benchmark (operate/benchmark.py)."""

from __future__ import annotations

from pydantic import ValidationError

from ucontact_appliance.damage import why
from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.language.messages import _, with_note
from ucontact_appliance.planning.capacity_model import Measurement
from ucontact_appliance.state import StatePaths


def load_measurement(paths: StatePaths) -> Measurement | None:
    """Return the newest benchmark's result; None if there is none that this user may read.

    Raises UnreachableError for any other read error.
    """
    try:
        return Measurement.model_validate_json(paths.capacity.read_text(encoding="utf-8"))
    except (FileNotFoundError, PermissionError):
        return None
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        raise UnreachableError(
            _("the measurement {capacity} can't be read", capacity=paths.capacity),
            evidence=why(error),
            helps=with_note("ucontact profile --benchmark", _("measures again")),
        ) from error
