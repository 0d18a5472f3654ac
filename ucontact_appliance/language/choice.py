"""Which languages there are, and which one a person reads."""

from __future__ import annotations

import gettext
from collections.abc import Mapping
from enum import Enum
from functools import cache
from pathlib import Path

from ucontact_appliance.language.catalogue import Translate, english, translator

DOMAIN = "ucontact"
CATALOGUES = Path(__file__).parent / "locale"  # LANGUAGE/LC_MESSAGES/ucontact.mo, made of the .po
_VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")  # the first that is set decides: POSIX, 8.2


class Language(str, Enum):
    """A language of the appliance, by ISO 639-1."""

    EN = "en"
    ES = "es"


_CONTRACTIONS = {Language.ES: {"de el": "del", "a el": "al"}}


def language_of(environment: Mapping[str, str]) -> Language:
    """The language of an environment: Spanish where it asks for any Spanish, else English."""
    chosen = next((environment[name] for name in _VARIABLES if environment.get(name)), "")
    return Language.ES if chosen.lower().startswith("es") else Language.EN


def translation(language: Language) -> Translate:
    """Return what translates messages into that language."""
    return english if language is Language.EN else _loaded(language)


@cache
def _loaded(language: Language) -> Translate:
    translations = gettext.translation(DOMAIN, CATALOGUES, [language.value])
    return translator(translations, _CONTRACTIONS.get(language))
