"""A message is translated with what it was made from; any other text is left alone."""

from __future__ import annotations

from gettext import NullTranslations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.findings.test_changes import finding
from ucontact_appliance.findings.translated import translated
from ucontact_appliance.language.catalogue import english, translator
from ucontact_appliance.language.choice import Language, language_of, translation
from ucontact_appliance.language.messages import _, concatenated, joined, ngettext, with_note


class Texts(NullTranslations):
    """Translations from a table."""

    def __init__(self, table: dict[str, str]) -> None:
        super().__init__()
        self._table = table

    def gettext(self, message: str) -> str:
        return self._table.get(message, message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return self.gettext(msgid1 if n == 1 else msgid2)


ES = translator(
    Texts(
        {
            "not set": "sin definir",
            "{count} of {total} disks": "{count} de {total} discos",
            "missing: {names}": "falta: {names}",
            "then: {command}": "después: {command}",
            "{first} before {second}": "{second} tras {first}",
            "The name of {place}": "El nombre de {place}",
            "the portal": "el portal",
            "{count} error": "{count} error",
            "{count} errors": "{count} errores",
        }
    ),
    {"de el": "del"},
)
NOT_SET = _("not set")


@pytest.mark.parametrize(
    ("message", "spanish"),
    [
        (NOT_SET, "sin definir"),
        (_("{count} of {total} disks", count=2, total=3), "2 de 3 discos"),
        (_("missing: {names}", names=joined(", ", ["a", NOT_SET])), "falta: a, sin definir"),
        (joined("\n", [NOT_SET, "/etc/hosts"]), "sin definir\n/etc/hosts"),
        (_("{first} before {second}", first="a", second=NOT_SET), "sin definir tras a"),
        (_("The name of {place}", place=_("the portal")), "El nombre del portal"),
        (_("The name of {place}", place="el portal"), "El nombre de el portal"),
        (ngettext("{count} error", "{count} errors", 1), "1 error"),
        (ngettext("{count} error", "{count} errors", 2), "2 errores"),
        (concatenated(("1: ", NOT_SET)), "1: sin definir"),
        (with_note("df -h", _("then: {command}", command="ls")), "df -h  # después: ls"),
        (_("in no catalogue"), "in no catalogue"),
        ("not set", "not set"),
    ],
)
def test_messages_are_translated(message: str, spanish: str) -> None:
    assert ES(message) == spanish
    assert english(message) == message


def test_ids_and_evidence_stay() -> None:
    (told,) = translated([finding("not set")], ES)
    assert (told.id, told.evidence, told.host) == ("not set", "", "one")


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, Language.EN),
        ({"LANG": "es_AR.UTF-8"}, Language.ES),
        ({"LANG": "C.UTF-8"}, Language.EN),
        ({"LANG": "es_MX", "LC_ALL": "en_US"}, Language.EN),
        ({"LANG": "en_US", "LC_MESSAGES": "es"}, Language.ES),
        ({"LANG": "es_CO", "LC_ALL": ""}, Language.ES),
    ],
)
def test_the_environment_chooses(environment: dict[str, str], language: Language) -> None:
    assert language_of(environment) is language


@given(st.text(max_size=200))
def test_no_text_whatever_breaks_it(text: str) -> None:
    assert translation(Language.ES)(_("{text}", text=text)) == text
    assert translation(Language.ES)(text) == text
