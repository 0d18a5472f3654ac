"""Translate messages with gettext."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from gettext import NullTranslations

from ucontact_appliance.language.messages import Message

# Translates a message into the reader's language, and returns any other text unchanged.
Translate = Callable[[str], str]


def english(text: str) -> str:
    """Return the text unchanged: the sources are in English."""
    return text


def translator(
    translations: NullTranslations, contractions: Mapping[str, str] | None = None
) -> Translate:
    """Return a function that translates messages, their values and parts by these translations.

    `contractions` maps words to the one word that replaces them where a template was filled with
    translated values (`de el` becomes `del`).
    """
    shortened = [
        (re.compile(rf"\b{re.escape(words)}\b"), one) for words, one in (contractions or {}).items()
    ]

    def translate(text: str) -> str:
        if not isinstance(text, Message) or not text:
            return text  # gettext answers an empty text with the catalogue's header
        if text.parts:
            return "".join(map(translate, text.parts))
        if text.plural:
            template = translations.ngettext(text.template, text.plural, text.number)
        else:
            template = translations.gettext(text.template)
        return filled(template, text) if text.values else template

    def filled(template: str, message: Message) -> str:
        values = {
            name: translate(value) if isinstance(value, str) else value
            for name, value in message.values.items()
        }
        made = template.format(**values)
        if any(isinstance(value, Message) for value in message.values.values()):
            for words, one in shortened:
                made = words.sub(one, made)
        return made

    return translate
