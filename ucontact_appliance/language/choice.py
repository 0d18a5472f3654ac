"""Which languages there are, and which one a person reads."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from functools import cache

from ucontact_appliance.language.catalogue import Catalogue, English, Language
from ucontact_appliance.resources import DATA, load_data

_VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")  # the first that is set decides: POSIX, 8.2


class Tongue(str, Enum):
    """A language that the appliance speaks, by ISO 639-1."""

    EN = "en"
    ES = "es"


_CONTRACTIONS = {Tongue.ES: {"de el": "del", "a el": "al"}}


def tongue_of(environment: Mapping[str, str]) -> Tongue:
    """The language of an environment: Spanish where it asks for any Spanish, else English."""
    chosen = next((environment[name] for name in _VARIABLES if environment.get(name)), "")
    return Tongue.ES if chosen.lower().startswith("es") else Tongue.EN


def language(tongue: Tongue) -> Language:
    """The language itself."""
    return English() if tongue is Tongue.EN else _loaded(tongue)


@cache
def _loaded(tongue: Tongue) -> Catalogue:
    return Catalogue(entries(tongue), _CONTRACTIONS.get(tongue))


def entries(tongue: Tongue) -> dict[str, str]:
    """All texts of a language: `data/<language>/*.yml`, a file a source of texts."""
    found: dict[str, str] = {}
    for path in sorted((DATA / tongue.value).glob("*.yml")):
        found |= load_data(f"{tongue.value}/{path.stem}")
    return found
