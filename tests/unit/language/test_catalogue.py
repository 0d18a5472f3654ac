"""A finished text is recognised by its template, and said again."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.findings.test_changes import finding
from ucontact_appliance.findings.translated import remedy, said
from ucontact_appliance.language.catalogue import Catalogue, English
from ucontact_appliance.language.choice import Tongue, entries, language, tongue_of

ES = Catalogue(
    {
        "not set": "sin definir",
        "{0} of {1} disks": "{0} de {1} discos",
        "{0}: enough for {1} calls": "{0}: alcanza para {1} llamadas",
        "{0} cores": "{0} núcleos",
        "on {0}": "en {0}",
        "missing: {0}": "falta: {0}",
        "then: {install}": "después: {install}",
        "{1} before {0}": "{0} tras {1}",
    }
)
ALL = entries(Tongue.ES)


@pytest.mark.parametrize(
    ("english", "spanish"),
    [
        ("not set", "sin definir"),
        ("2 of 3 disks", "2 de 3 discos"),
        ("4 cores: enough for 60 calls", "4 núcleos: alcanza para 60 llamadas"),
        ("missing: a, not set", "falta: a, sin definir"),
        ("not set; 2 of 3 disks", "sin definir; 2 de 3 discos"),
        ("not set\n4 cores", "sin definir\n4 núcleos"),
        ("a before b", "b tras a"),
        ("/etc/hosts", "/etc/hosts"),
        ("", ""),
    ],
)
def test_texts_are_said_again(english: str, spanish: str) -> None:
    assert ES.text(english) == spanish


def test_of_a_remedy_only_the_note_is_said() -> None:
    told = remedy("ssh root@one df -h  # then: ucontact install --yes", ES)
    assert told == "ssh root@one df -h  # después: ucontact install --yes"
    assert remedy("systemctl restart nginx", ES) == "systemctl restart nginx"


def test_ids_and_evidence_stay() -> None:
    (told,) = said([finding("not set")], ES)
    assert (told.id, told.evidence, told.host) == ("not set", "", "one")


def test_an_article_is_drawn_into_the_word_before_it() -> None:
    words = {"The name of {0}": "El nombre de {0}", "from {0} to {1}": "de {0} a {1}",
             "the portal": "el portal", "here": "aquí"}  # fmt: skip
    spanish = Catalogue(words, {"de el": "del", "a el": "al"})
    assert spanish.text("The name of the portal") == "El nombre del portal"
    assert spanish.text("from here to the portal") == "de aquí al portal"
    assert spanish.text("made of de el and a el") == "made of de el and a el"


def test_english_is_the_text_itself() -> None:
    assert English().text("2 of 3 disks") == "2 of 3 disks"


@pytest.mark.parametrize(
    ("environment", "tongue"),
    [
        ({}, Tongue.EN),
        ({"LANG": "es_AR.UTF-8"}, Tongue.ES),
        ({"LANG": "C.UTF-8"}, Tongue.EN),
        ({"LANG": "es_MX", "LC_ALL": "en_US"}, Tongue.EN),
        ({"LANG": "en_US", "LC_MESSAGES": "es"}, Tongue.ES),
        ({"LANG": "es_CO", "LC_ALL": ""}, Tongue.ES),
    ],
)
def test_the_environment_chooses(environment: dict[str, str], tongue: Tongue) -> None:
    assert tongue_of(environment) is tongue


@given(st.sampled_from(sorted(ALL)), st.lists(st.integers(2, 9999), min_size=12, max_size=12))
def test_every_text_is_recognised_with_what_is_filled_in(english: str, numbers: list[int]) -> None:
    speak = language(Tongue.ES)
    names = dict.fromkeys(re.findall(r"\{(\w+)\}", english))
    values = {name: str(number) for name, number in zip(names, numbers, strict=False)}

    def filled(template: str) -> str:
        return re.sub(r"\{(\w+)\}", lambda place: values[place[1]], template)

    told = speak.text(filled(english))
    # Another template may fit as well; it must not leave the text in English.
    assert told == filled(ALL[english]) or told != filled(english) or ALL[english] == english


@given(st.text(max_size=200))
def test_no_text_whatever_breaks_it(english: str) -> None:
    assert isinstance(language(Tongue.ES).text(english), str)


FOREIGN = "the socket of a peer is not in its place"


@pytest.mark.parametrize("english", [FOREIGN, f"no answer: {FOREIGN}", f"{FOREIGN} on one"])
def test_another_programs_sentence_is_not_said_in_half(english: str) -> None:
    little = Catalogue({"{0} of {1}": "{0} de {1}", "{0} is {1}": "{0}: {1}", "on {0}": "en {0}"})
    assert little.text(english) == english


def test_little_words_join_names_figures_and_what_is_known() -> None:
    little = Catalogue({"{0} of {1}": "{0} de {1}", "big files": "archivos grandes"})
    assert little.text("3 of 10.5") == "3 de 10.5"
    assert little.text("3 of big files") == "3 de archivos grandes"


def test_a_text_made_as_one_is_said_as_one() -> None:
    several = Catalogue(
        {"{0} is {1}": "{0} es {1}", "active": "activo", "{0} is active": "{0} está activo"}
    )
    assert several.text("nginx is active") == "nginx está activo"


def test_a_long_list_of_known_parts_is_said_whole() -> None:
    steps = Catalogue({"{0} below {1} s": "{0} en menos de {1} s", "way found": "camino hallado"})
    english = ", ".join(["way found below 2 s"] * 40)
    assert steps.text(english) == ", ".join(["camino hallado en menos de 2 s"] * 40)


def test_what_begins_with_its_joint_is_no_text_of_its_own() -> None:
    suffix = Catalogue({"loaded": "cargado", "; kept open for {0}": "; queda abierto para {0}"})
    assert suffix.text("loaded; kept open for one") == "cargado; queda abierto para one"
    assert suffix.text("other; kept") == "other; kept"


def test_a_count_is_figures() -> None:
    counts = Catalogue({"{count} error": "{count} errores", "1 error": "1 error"})
    assert counts.text("2 error") == "2 errores"
    assert counts.text("1 error") == "1 error"
    assert counts.text("TLS error") == "TLS error"
