"""The command line in Spanish, when the environment asks for it."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main
from rich.console import Console
from typer import rich_utils

from tests.messages.catalogues import help_paragraphs
from tests.unit.cli.test_cli import SITE, Answer, Terminal
from tests.unit.cli.test_examples import commands
from ucontact_appliance.cli import install, progress
from ucontact_appliance.cli.help_texts import PANELS, PIECES, translate_help
from ucontact_appliance.cli.install_view import show_preview
from ucontact_appliance.cli.main import app, main
from ucontact_appliance.cli.usage_errors import TEMPLATES, usage_message
from ucontact_appliance.errors import UsageError
from ucontact_appliance.facts.runner import SshSettings
from ucontact_appliance.facts.survey import Survey
from ucontact_appliance.install.events import PhaseForeseen, PhaseNotJudged, PhaseStarted
from ucontact_appliance.install.job import Surveyed
from ucontact_appliance.install.phases import INSTALL, Unpredictable
from ucontact_appliance.install.run import PhasePreview
from ucontact_appliance.language.choice import Language, translation
from ucontact_appliance.language.messages import Message
from ucontact_appliance.planning.topology import make_plan
from ucontact_appliance.site.model import Site
from ucontact_appliance.state import StatePaths

SPANISH = translation(Language.ES)
_ENGLISH = re.compile(r"\b(the|of|and|with|is|are|this|which)\b", re.IGNORECASE)


@pytest.fixture(autouse=True)
def _spanish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UCONTACT_ETC", str(tmp_path / "etc"))
    monkeypatch.setenv("UCONTACT_VAR", str(tmp_path / "var"))
    monkeypatch.setenv("LC_ALL", "es_AR.UTF-8")
    monkeypatch.chdir(tmp_path)


def ucontact(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str
) -> Answer:
    """What a command says."""
    monkeypatch.setattr(sys, "argv", ["ucontact", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    return Answer(int(ended.value.code or 0), said.out, said.err)


def words_of(text: str) -> str:
    """The text without the lines of its panels and without line breaks."""
    return " ".join(re.sub(r"[│╭╮╰╯─]", " ", text).split())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "[OPCIONES] COMANDO [ARGUMENTOS]..."),
        ((), "Instala el sitio, continúa una instalación interrumpida o corrige lo que difiere."),
        (("install",), "Muestra lo que cambiaría, sin cambiarlo."),
        (("report", "verify"), "La carpeta de un informe. [obligatorio]"),
        (("doctor", "timer", "set"), "[predeterminado: 03:30]"),
        (("doctor", "timer", "set"), "Ejemplos: ucontact doctor timer set --mail noc@example.com"),
        (("lab", "down"), "Muestra este mensaje y termina."),
    ],
)
def test_help_is_in_spanish(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    told: str,
) -> None:
    answer = ucontact(capsys, monkeypatch, *words, "--help")
    assert answer.code == 0
    assert told in words_of(answer.out)
    assert "Uso: " in answer.out
    assert not re.search(r"Usage|Options|Arguments|Commands|default|required", answer.out)


def test_help_after_a_spanish_one_is_in_english_again(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ucontact(capsys, monkeypatch, "plan", "--help")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    answer = ucontact(capsys, monkeypatch, "plan", "--help")
    assert re.search(r"Usage: .* plan \[OPTIONS\]", answer.out)
    assert "─ Options ─" in answer.out


def test_no_help_text_is_left_in_english() -> None:
    texts = [text for text in help_paragraphs() if "contact init" not in text]
    told = {text: SPANISH(_message(text)) for text in texts}
    assert len(told) > 100
    assert [text for text, said in told.items() if said == text] == []
    assert [said for said in told.values() if _ENGLISH.search(said)] == []


def test_every_command_shows_its_texts_by_the_translation() -> None:
    seen = 0
    for _words, command in commands(translate_help(_tree(), SPANISH), ("ucontact",)):
        context = typer.Context(command, info_name="ucontact")
        if _ENGLISH.search(command.help or ""):
            pytest.fail(command.help)
        for parameter in command.get_params(context):
            assert not _ENGLISH.search(parameter.help or ""), parameter.help
            seen += 1
    assert seen > 100


def _tree() -> Any:
    """All commands, loaded."""
    command = typer.main.get_command(app)
    loaded: Any = command
    loaded.commands = dict(loaded.commands)
    return command


def _message(text: str) -> Message:
    message = Message(text)
    message.template = text
    return message


def test_typer_still_has_the_words_that_are_translated() -> None:
    assert {name: getattr(rich_utils, name) for name in PANELS} == PANELS
    command = _tree()
    pieces = {one.options_metavar for _, one in commands(command, ())}
    pieces |= {getattr(one, "subcommand_metavar", PIECES[0]) for _, one in commands(command, ())}
    assert pieces <= set(PIECES)
    assert command.get_usage(typer.Context(command, info_name="x")).startswith("Usage:")


# A command line, and what is said of it.
WRONG = [
    (("xx",), "No existe el comando 'xx'."),
    (("doctorr",), "No existe el comando 'doctorr'. ¿Quiso decir 'doctor'?"),
    (("plan", "--bogus"), "No existe la opción: --bogus"),
    (("plan", "--agent", "3"), "No existe la opción: --agent (opciones posibles: --agents)"),
    (("plan", "a", "b"), "Argumentos de más (a b)"),
    (("report", "verify"), "Falta el argumento 'DIR'."),
    (("report", "--out"), "La opción '--out' requiere un argumento."),
    (("report", "--feed", "/nope"), "Valor no válido para '--feed': el archivo '/nope' no existe."),
    (("init", "--force=1"), "La opción '--force' no lleva valor."),
    (("doctor", "facts"), "Falta el comando."),
    (("doctor", "--lang", "xx"), "Valor no válido para '--lang': 'xx' no es uno de 'en', 'es'."),
    (
        ("doctor", "network", "--seconds", "0"),
        "Valor no válido para '--seconds': El valor debe ser mayor o igual a 1",
    ),
    (
        ("doctor", "network", "--seconds", "x"),
        "Valor no válido para '--seconds': El valor debe ser un número entero",
    ),
]


@pytest.mark.parametrize(("words", "told"), WRONG)
def test_usage_errors_are_recognised(words: tuple[str, ...], told: str) -> None:
    with pytest.raises(Exception) as raised:  # noqa: PT011 - its class is Click's or Typer's own
        app(list(words), standalone_mode=False)
    error: Any = raised.value
    message = usage_message(error.format_message())
    assert message == error.format_message()
    assert SPANISH(message) == told


def test_another_programs_sentence_stays() -> None:
    assert SPANISH(usage_message("Something else.")) == "Something else."


def test_each_template_fits_itself() -> None:
    for template in TEMPLATES:
        assert usage_message(template.replace("{", "<").replace("}", ">")).template == template


def test_the_questions_of_init_are_in_spanish(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    answers = ["acme", "", "0", "12", "", "", "", "", "", ""]
    monkeypatch.setattr("sys.stdin", Terminal("\n".join(answers) + "\n"))
    answer = ucontact(capsys, monkeypatch, "init")
    assert answer.code == 0, answer.err
    assert "Algunas preguntas; presione Enter para aceptar el valor entre corchetes." in answer.err
    assert "Nombre corto del sitio [contact]:" in answer.err
    assert "Error: El valor debe ser mayor o igual a 1" in answer.err
    assert "Sitio pequeño para 12 agentes" in answer.out
    assert "siguiente paso: ucontact install --site site.yml" in answer.out
    assert "# " in (tmp_path / "site.yml").read_text()


def test_the_plan_is_in_spanish(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = ucontact(capsys, monkeypatch, "plan", "--agents", "200", "--what-if", "6000")
    heads = [line.split()[0] for line in answer.out.splitlines() if line.strip()]
    assert heads[:3] == ["cifra", "servidor", "servidor"]
    whole = ucontact(capsys, monkeypatch, "plan", "--agents", "6000")
    assert "Sitio grande para 6000 agentes" in whole.out
    assert "solo este servidor" in whole.out
    assert re.search(r"necesario: \d+ llamadas; disponible: ", words_of(whole.out))
    assert "el plan tiene 3 faltantes" in whole.err
    assert not _ENGLISH.search(whole.out + whole.err)


def test_documents_for_programs_stay_in_english(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    spanish = ucontact(capsys, monkeypatch, "plan", "--agents", "6000", "--json").out
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    assert ucontact(capsys, monkeypatch, "plan", "--agents", "6000", "--json").out == spanish


@pytest.mark.parametrize(("typed", "agreed"), [("s\n", True), ("sí\n", True), ("n\n", False)])
def test_the_plan_is_confirmed_in_spanish(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    typed: str,
    agreed: bool,
) -> None:
    (tmp_path / "site.yml").write_text(SITE)
    survey = Survey("debian", "", "Debian sid", 8192)
    resolved: list[str] = []

    def look(site: Site, paths: StatePaths, ssh: SshSettings) -> Surveyed:
        return Surveyed(site, {"one": survey}, {"one": "192.0.2.10"}, make_plan(site, {}))

    def resolve(name: str, say: Any) -> None:
        resolved.append(name)
        raise UsageError("resolved")

    monkeypatch.setattr(install, "look", look)
    monkeypatch.setattr(install, "resolve_release", resolve)
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    answer = ucontact(capsys, monkeypatch, "install")
    assert "¿Instalar este plan? [s/N]: " in answer.out
    assert bool(resolved) is agreed
    assert ("no se cambió nada" in answer.err) is not agreed


def test_a_dry_run_shows_its_phases_in_spanish(capsys: pytest.CaptureFixture[str]) -> None:
    titles = {phase.id: phase.title for phase in INSTALL}
    screen = progress.ProgressDisplay(Console(width=100))
    screen(PhaseStarted("database", titles["database"], 7, 15))
    screen(PhaseForeseen("database", titles["database"], 3, 12.0))
    screen(PhaseStarted("verify", titles["verify"], 15, 15))
    why = next(phase for phase in INSTALL if phase.id == "verify")
    unforeseen = why.preview(None)  # type: ignore[arg-type] - it needs no job
    assert isinstance(unforeseen, Unpredictable)
    screen(PhaseNotJudged("verify", titles["verify"], unforeseen.because))
    rows = (("database", 3), ("verify", unforeseen))
    show_preview([PhasePreview(phase, titles[phase], changes) for phase, changes in rows])
    said = words_of(capsys.readouterr().out)
    assert f"7/15 {SPANISH(titles['database'])}" in said
    assert "cambiaría 3 12 s" in said
    assert SPANISH(unforeseen.because) != unforeseen.because
    assert f"sin evaluar: {SPANISH(unforeseen.because)}" in said
    assert f"fase cambiaría {SPANISH(titles['database'])} 3" in said
    assert "no se cambió nada; los números valen para el estado actual de los servidores" in said
