"""The evaluation release: the hash of its sources, and its files from the compiled results.

`release.build` builds on a machine; this module has no side effects.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template

import yaml

from ucontact_appliance import __version__
from ucontact_appliance.release.pack import jar
from ucontact_appliance.resources import INSTALLER, PACKAGE

NAME = "evaluation"
HEALTH = "/Integra/resources/health"
SOURCES = INSTALLER / "evaluation"
MODULES = ("jasper", "jdbc", "mail", "others", "ssh", "ws")  # R22
_SERVER = "server"
_MAIN_CLASS = "ucontact.evaluation.server.Main"
# Generated from the sources, or not part of the release.
_NOT_SOURCES = frozenset({"node_modules", "dist", "test", "__pycache__"})


@dataclass(frozen=True)
class Compiled:
    """Results of the build machine, each a mapping of path to content.

    `classes` maps a component (`server`, or a module) to its class files; `softphone` is the
    built page; `drivers` are the jars of the JDBC driver with their licence texts.
    """

    classes: Mapping[str, Mapping[str, bytes]]
    softphone: Mapping[str, bytes]
    drivers: Mapping[str, bytes]


def source_files() -> tuple[Path, ...]:
    """Every file that the release is made from, sorted, including the build recipe."""
    recipe = [PACKAGE / "release" / name for name in ("evaluation.py", "pack.py", "build.py")]
    return (*sorted(_walk(SOURCES)), *recipe)


def _walk(folder: Path) -> Iterable[Path]:
    for path in folder.iterdir():
        if path.name in _NOT_SOURCES or path.name.startswith("."):
            continue
        if path.is_dir():
            yield from _walk(path)
        elif path.is_file():
            yield path


def sources_hash() -> str:
    """SHA-256 over the names and contents of all sources and the appliance's version."""
    digest = hashlib.sha256(__version__.encode())
    for path in source_files():
        content = path.read_bytes()
        # The same name in a checkout and in an installed wheel, whose sources are in the package.
        name = path.relative_to(SOURCES).as_posix() if SOURCES in path.parents else path.name
        digest.update(f"\0{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def version_of(sources: str) -> str:
    """The release's version: it changes with the sources, and with it the folder on the target."""
    return f"{__version__}-{sources[:8]}"


def release_files(compiled: Compiled, version: str) -> dict[str, bytes]:
    """Every file of the release, by its path (R22)."""
    return {
        "reports/evaluation.jrxml": (SOURCES / "web" / "evaluation.jrxml").read_bytes(),
        "server/IntegraServer.jar": _jar(
            _SERVER, compiled.classes[_SERVER], version, {"Main-Class": _MAIN_CLASS}
        ),
        **{
            f"server/{module}/evaluation-{module}.jar": _jar(
                module, compiled.classes[module], version, {}
            )
            for module in MODULES
        },
        **{f"server/jdbc/{name}": content for name, content in compiled.drivers.items()},
        **{f"web/uContact/{name}": content for name, content in compiled.softphone.items()},
        **_pages(version),
    }


def _attributes(title: str, version: str) -> dict[str, str]:
    return {
        "Implementation-Title": f"uContact {title} (evaluation)",
        "Implementation-Version": version,
        "X-uContact-Release": "evaluation",
    }


def _jar(
    component: str, classes: Mapping[str, bytes], version: str, more: Mapping[str, str]
) -> bytes:
    folder = SOURCES / "java" / component
    resources = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in _walk(folder)
        if path.suffix != ".java"
    }
    return jar({**more, **_attributes(component, version)}, {**resources, **classes})


def _pages(version: str) -> dict[str, bytes]:
    web = SOURCES / "web"
    pages = yaml.safe_load((web / "pages.yml").read_text(encoding="utf-8"))
    css = (web / "page.css").read_bytes()
    files = {
        "web/images/evaluation.svg": (web / "evaluation.svg").read_bytes(),
        "web/forms/evaluation.html": (web / "form.html").read_bytes(),
    }
    for folder, page in pages["folders"].items():
        files[f"web/{folder}/index.html"] = _filled(
            "page.html", version, page["title"], page["text"]
        )
        files[f"web/{folder}/page.css"] = css
    for title, text in pages["archives"].items():
        files[f"web/{title}.war"] = jar(
            _attributes(title, version),
            {
                "WEB-INF/web.xml": _filled("web.xml", version, title, text),
                "index.html": _filled("page.html", version, title, text),
                "page.css": css,
            },
        )
    return files


def _filled(template: str, version: str, title: str, text: str) -> bytes:
    content = Template((SOURCES / "web" / template).read_text(encoding="utf-8"))
    filled = content.substitute(version=escape(version), title=escape(title), text=escape(text))
    return filled.encode()
