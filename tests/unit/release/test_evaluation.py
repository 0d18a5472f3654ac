from __future__ import annotations

import io
import subprocess
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ucontact_appliance.errors import PhaseFailedError
from ucontact_appliance.release import build
from ucontact_appliance.release.evaluation import (
    MODULES,
    SOURCES,
    Compiled,
    release_files,
    source_files,
    sources_hash,
    version_of,
)
from ucontact_appliance.release.manifest import ReleaseManifest
from ucontact_appliance.release.pack import file_entry, jar
from ucontact_appliance.release.verify import demand_tree
from ucontact_appliance.resources import load_data

COMPILED = Compiled(
    classes={name: {f"ucontact/{name}/X.class": b"class"} for name in ("server", *MODULES)},
    softphone={"index.html": b"<!doctype html>", "app.js": b"1"},
    drivers={"driver.jar": b"jar", "LICENSE-driver.txt": b"LGPL"},
)


def opened(content: bytes) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(content))


def test_it_fills_every_place_of_r22_and_says_evaluation_everywhere() -> None:
    files = release_files(COMPILED, "1-ab")
    manifest = ReleaseManifest(
        name="evaluation",
        version="1-ab",
        evaluation=True,
        files={path: file_entry(content) for path, content in files.items()},
    )
    demand_tree(manifest, "built")
    for path, content in files.items():
        if path.endswith((".war", "IntegraServer.jar")) or "/evaluation-" in path:
            main = opened(content).read("META-INF/MANIFEST.MF").decode()
            assert "(evaluation)" in main, path
            assert "Implementation-Version: 1-ab\r\n" in main, path
        if path.endswith(".war"):
            assert b"evaluation 1-ab" in opened(content).read("WEB-INF/web.xml")
            assert b"Evaluation release 1-ab" in opened(content).read("index.html")
        if path.endswith("index.html") and "uContact" not in path:
            assert b"Evaluation release 1-ab" in content, path


def test_each_module_is_announced_in_its_jar() -> None:
    files = release_files(COMPILED, "1")
    for module in MODULES:
        services = opened(files[f"server/{module}/evaluation-{module}.jar"])
        name = services.read("META-INF/services/ucontact.evaluation.module.Module").decode().strip()
        source = SOURCES / "java" / module / f"{name.replace('.', '/')}.java"
        assert source.exists()


def test_the_modules_are_r22s_folders() -> None:
    folders = {row["path"] for row in load_data("tree")["paths"] if row["kind"] == "jars"}
    assert folders == {f"server/{module}" for module in MODULES}


def test_the_same_content_is_packed_to_the_same_bytes() -> None:
    assert release_files(COMPILED, "1") == release_files(COMPILED, "1")
    packed = jar({"A": "b"}, {"x": b"1", "y": b"2"})
    assert packed == jar({"A": "b"}, {"y": b"2", "x": b"1"})
    kinds = {entry.compress_type for entry in opened(packed).infolist()}
    assert kinds == {zipfile.ZIP_STORED}  # zlib's successors would pack it to other bytes


def test_a_line_that_a_jar_cant_carry_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        jar({"A": "b" * 100}, {})


def test_the_fingerprint_covers_all_that_the_release_is_made_from() -> None:
    names = {
        path.relative_to(SOURCES).as_posix() for path in source_files() if SOURCES in path.parents
    }
    for wanted in (
        "compile.sh",
        "java/server/ucontact/evaluation/server/Main.java",
        "java/jdbc/META-INF/services/ucontact.evaluation.module.Module",
        "softphone/package-lock.json",
        "softphone/src/main.js",
        "web/pages.yml",
    ):
        assert wanted in names
    assert not [name for name in names if "node_modules" in name or "/dist/" in name]
    assert sources_hash() == sources_hash()
    assert version_of("0123456789") != version_of("1123456789")


@dataclass
class FakeMachine:
    """A machine that runs nothing, leaves what it was told to, and can fail at a command."""

    root: Path
    fails_at: str = ""
    commands: list[str] = field(default_factory=list)

    def ssh(self, argv: Sequence[str], timeout: float = 60) -> subprocess.CompletedProcess[str]:
        command = " ".join(argv)
        self.commands.append(command)
        if "compile.sh" in command:
            out = self.root / "var/tmp/evaluation-built"
            for folder in (*(f"classes/{n}" for n in ("server", *MODULES)), "softphone", "drivers"):
                (out / folder / "deep").mkdir(parents=True)
                (out / folder / "deep/file").write_bytes(b"x")
        failed = bool(self.fails_at) and self.fails_at in command
        return subprocess.CompletedProcess(argv, int(failed), "out\n", "E: the reason\n")


def test_compiling_copies_the_sources_and_collects_the_results(tmp_path: Path) -> None:
    machine = FakeMachine(tmp_path)
    compiled = build.compile_on(machine, lambda text: None)
    assert compiled.softphone == {"deep/file": b"x"}
    assert set(compiled.classes) == {"server", *MODULES}
    copied = tmp_path / "var/tmp/evaluation"
    assert (copied / "softphone/package-lock.json").exists()
    assert not (copied / "softphone/node_modules").exists()
    assert "openjdk-8-jdk-headless" in machine.commands[1]


@pytest.mark.parametrize("command", ["apt-get update", "apt-get install", "compile.sh"])
def test_a_step_that_fails_says_why(tmp_path: Path, command: str) -> None:
    with pytest.raises(PhaseFailedError, match="can't be built") as failed:
        build.compile_on(FakeMachine(tmp_path, fails_at=command), lambda text: None)
    assert failed.value.evidence.startswith("$ ")
    assert "E: the reason" in failed.value.evidence
    assert "registry" not in failed.value.evidence


def test_the_hosts_own_npm_registry_is_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("npm_config_registry", "https://npm.example/")
    machine = FakeMachine(tmp_path)
    build.compile_on(machine, lambda text: None)
    assert "npm_config_registry=https://npm.example/" in machine.commands[-1]
    assert "npm_config_registry" not in machine.commands[0]


def test_without_one_npm_keeps_its_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("npm_config_registry", raising=False)
    monkeypatch.setattr("shutil.which", lambda name: None)
    machine = FakeMachine(tmp_path)
    build.compile_on(machine, lambda text: None)
    assert "npm_config_registry" not in machine.commands[-1]
