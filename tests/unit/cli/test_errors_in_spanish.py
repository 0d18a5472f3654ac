"""Errors in Spanish: the sentences are translated, their commands are as in English."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.test_cli import SITE, Command, ucontact
from ucontact_appliance.cli.console import show_error
from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.install.journal import Journal
from ucontact_appliance.install.run import _demand_same
from ucontact_appliance.language.messages import _
from ucontact_appliance.operate.reach import reaching
from ucontact_appliance.site.model import Host

__all__ = ["ucontact"]


@pytest.fixture(autouse=True)
def spanish(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "es_AR.UTF-8")


def test_a_missing_site_file(ucontact: Command, tmp_path: Path) -> None:
    path = tmp_path / "none.yml"
    told = ucontact("doctor", "--site", str(path))
    assert told.code == UnreachableError.exit_code
    assert told.err.splitlines() == [
        f"error: no existe el archivo de sitio {path}",
        f"pruebe: ucontact init --site {path}",
    ]


def test_a_mistake_in_the_site_file(ucontact: Command, tmp_path: Path) -> None:
    path = tmp_path / "site.yml"
    path.write_text(SITE.replace("agents: 10", "agente: 10"))
    told = ucontact("plan", "--site", str(path))
    assert told.code == UsageError.exit_code
    assert f"error: {path} tiene 2 errores" in told.err
    assert "  línea 3: agente: no existe esa clave; ¿quiso decir 'agents'?" in told.err
    assert f"corrija las líneas indicadas arriba en {path}" in told.err


def test_an_archive_that_is_no_release(ucontact: Command, tmp_path: Path) -> None:
    archive = tmp_path / "release.tar.gz"
    archive.write_bytes(b"no archive")
    told = ucontact("release", "verify", str(archive))
    assert "error: la release no es la que firmó su publicador" in told.err
    assert f"  {archive}: no es un archivo .tar.gz íntegro (" in told.err
    assert "pruebe: pida otra vez la release al publicador  # no se cambió nada" in told.err


def test_a_host_out_of_reach(capsys: pytest.CaptureFixture[str]) -> None:
    host = Host(name="one", address="192.0.2.10")
    with pytest.raises(UnreachableError) as caught, reaching(host):
        raise UnreachableError(_("the host can't be inspected"), evidence="raw words")
    show_error(caught.value)
    assert capsys.readouterr().err.splitlines() == [
        "error: servidor one (192.0.2.10): no se puede examinar el servidor",
        "  raw words",
        "pruebe: ucontact shell one -- id -u  # debe mostrar 0",
    ]


def test_an_interrupted_install_on_changed_inputs(capsys: pytest.CaptureFixture[str]) -> None:
    journal = Journal(inputs={"agents": 10})
    with pytest.raises(UsageError) as caught:
        _demand_same(journal, {"agents": 12}, Path("/etc/site.yml"))
    show_error(caught.value)
    told = capsys.readouterr().err
    assert told.startswith(
        "error: se interrumpió una instalación, y sus entradas cambiaron desde entonces\n"
    )
    assert "  +agents: 12" in told
    assert told.endswith(
        "pruebe: ucontact install --site /etc/site.yml --restart  # ejecuta todas las fases con "
        "los datos actuales\n"
    )
