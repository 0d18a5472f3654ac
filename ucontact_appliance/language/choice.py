"""The supported languages, and the choice of one by the environment."""

from __future__ import annotations

import gettext
import re
from collections.abc import Mapping
from enum import Enum
from functools import cache
from pathlib import Path

from ucontact_appliance.language.catalogue import Translate, english, translator

DOMAIN = "ucontact"
CATALOGUES = Path(__file__).parent / "locale"  # LANGUAGE/LC_MESSAGES/ucontact.mo, from the .po
_VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")  # the first that is set decides: POSIX, 8.2


class Language(str, Enum):
    """A supported language, by its ISO 639-1 code."""

    EN = "en"
    ES = "es"


_CONTRACTIONS = {Language.ES: {"de el": "del", "a el": "al"}}


def language_of(environment: Mapping[str, str]) -> Language:
    """Return the language of an environment's locale, such as es_UY.UTF-8, else English."""
    chosen = next((environment[name] for name in _VARIABLES if environment.get(name)), "")
    code = re.split("[_.@]", chosen.lower())[0]
    return next((language for language in Language if language.value == code), Language.EN)


def translation(language: Language) -> Translate:
    """Return the function that translates messages into that language."""
    return english if language is Language.EN else _loaded(language)


@cache
def _loaded(language: Language) -> Translate:
    translations = gettext.translation(DOMAIN, CATALOGUES, [language.value])
    return translator(translations, _CONTRACTIONS.get(language))
