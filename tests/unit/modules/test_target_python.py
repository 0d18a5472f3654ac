"""What runs on a server runs on its Python: 2.7 on Ubuntu 16.04, 3.6 on 18.04."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from ucontact_appliance.resources import INSTALLER

MODULES = sorted((INSTALLER / "plugins").glob("module*/*.py"))
# Syntax that Python 2.7 does not have.
NEW_SYNTAX = (
    ast.AnnAssign,
    ast.AsyncFor,
    ast.AsyncFunctionDef,
    ast.AsyncWith,
    ast.Await,
    ast.JoinedStr,
    ast.NamedExpr,
    ast.Nonlocal,
    ast.Match,
    ast.YieldFrom,
)
# Keywords of well-known functions, names and methods that came later.
NEW_KEYWORDS = {
    ("zip", "strict"),
    ("makedirs", "exist_ok"),
    ("open", "encoding"),
    ("open", "errors"),
    ("open", "newline"),
    ("rmtree", "dir_fd"),
    ("chmod", "follow_symlinks"),
    ("sorted", "default"),
    ("max", "default"),
    ("min", "default"),
    ("dump", "encoding"),
    ("print", "flush"),
}
NEW_NAMES = {
    "FileNotFoundError",
    "FileExistsError",
    "PermissionError",
    "NotADirectoryError",
    "TimeoutError",
    "ConnectionError",
    "ModuleNotFoundError",
    "breakpoint",
    "aiter",
    "anext",
}
NEW_METHODS = {
    "removeprefix", "removesuffix", "casefold", "isascii", "format_map", "timestamp", "scandir",
    "suppress", "ExitStack", "nullcontext", "monotonic", "fullmatch", "lru_cache", "run", "which",
}  # fmt: skip
NEW_IMPORTS = {
    "__future__.annotations", "asyncio", "concurrent", "contextvars", "dataclasses", "enum",
    "graphlib", "importlib.metadata", "importlib.resources", "ipaddress", "pathlib", "secrets",
    "statistics", "tomllib", "typing", "zoneinfo",
}  # fmt: skip


def too_new(source: str) -> Iterator[str]:
    """What of the source Python 2.7 does not know, by line."""
    tree = ast.parse(source)
    own = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    for node in ast.walk(tree):
        for what in _too_new(node, own):
            yield f"line {getattr(node, 'lineno', '?')}: {what}"


def _too_new(node: ast.AST, own: set[str]) -> Iterator[str]:
    if isinstance(node, NEW_SYNTAX):
        yield type(node).__name__
    elif isinstance(node, ast.Raise) and node.cause is not None:
        yield "raise … from"
    elif isinstance(node, ast.arguments) and (node.kwonlyargs or node.posonlyargs):
        yield "keyword-only or positional-only parameters"
    elif getattr(node, "annotation", None) or getattr(node, "returns", None):
        yield "an annotation"
    elif isinstance(node, ast.List | ast.Tuple | ast.Set):
        if any(isinstance(item, ast.Starred) for item in node.elts):
            yield "* in a list"
    elif isinstance(node, ast.ClassDef) and node.keywords:
        yield "keywords of a class"
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
        yield "the operator @"
    elif isinstance(node, ast.Name) and node.id in NEW_NAMES:
        yield node.id
    elif isinstance(node, ast.Import | ast.ImportFrom):
        yield from _imported(node)
    elif isinstance(node, ast.Call):
        yield from _called(node, own)


def _imported(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
    for alias in node.names:
        full = f"{module}.{alias.name}".lstrip(".")
        if any(full == new or full.startswith(f"{new}.") for new in NEW_IMPORTS):
            yield f"import of {full}"


def _called(node: ast.Call, own: set[str]) -> Iterator[str]:
    name = getattr(node.func, "attr", "") or getattr(node.func, "id", "")
    for keyword in node.keywords:
        if (name, keyword.arg) in NEW_KEYWORDS:
            yield f"{name}({keyword.arg}=…)"
    if any(isinstance(argument, ast.Starred) for argument in node.args[:-1]):
        yield "more behind *"
    if name == "super" and not node.args:
        yield "super() without arguments"
    if isinstance(node.func, ast.Attribute) and name in NEW_METHODS and name not in own:
        yield f".{name}()"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_a_module_runs_on_the_oldest_python_of_a_target(path: Path) -> None:
    assert list(too_new(path.read_text(encoding="utf-8"))) == []


def test_there_are_modules_to_look_at() -> None:
    assert {path.name for path in MODULES} >= {"mysql_site.py", "release_tree.py"}


@pytest.mark.parametrize(
    "source",
    [
        "zip(a, b, strict=False)",
        "f'{a}'",
        "x: int = 1",
        "def f(a, *, b): pass",
        "raise A from b",
        "import pathlib",
        "from __future__ import annotations",
        "os.makedirs(a, exist_ok=True)",
        "super().__init__()",
        "try:\n pass\nexcept FileNotFoundError:\n pass",
        "subprocess.run([])",
        "[*a, b]",
    ],
)
def test_what_is_newer_is_seen(source: str) -> None:
    assert list(too_new(source))
