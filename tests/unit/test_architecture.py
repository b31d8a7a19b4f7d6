"""Rules of the house that a linter does not know."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("governorates", "xlsforms", "geo", "referral_engine", "db", "casework", "ingest", "api")
SOURCES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
CEILING = 400
FORBIDDEN_CLASS_ENDINGS = ("Manager", "Helper", "Handler", "Service")


def test_there_are_sources() -> None:
    assert len(SOURCES) > 100


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_stay_readable(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= CEILING
    assert path.stem not in {"utils", "helpers", "util", "helper"}


def _imported_names(tree: ast.Module, module: str) -> set[str]:
    return {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == module
        for alias in node.names
    }


@pytest.mark.parametrize(
    "path",
    [path for path in SOURCES if path.relative_to(ROOT).parts[0] != "db"],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_statements_stand_only_in_db(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    statements = {"select", "insert", "update", "delete", "text"}
    assert not _imported_names(tree, "sqlalchemy") & statements


def test_only_the_edge_commits() -> None:
    committing = [
        str(path.relative_to(ROOT))
        for path in SOURCES
        if re.search(r"\bsession\.commit\(", path.read_text(encoding="utf-8"))
    ]
    assert committing == []


def test_class_names_say_what_things_are() -> None:
    named = [
        node.name
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
        and node.name.endswith(FORBIDDEN_CLASS_ENDINGS)
        and node.name != "Service"  # what an organization offers
    ]
    assert named == []


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "docs/architecture.md"])
def test_files_named_in_documents_exist(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:[\w.<>-]+/)+[\w.-]*)`", text)) | set(
        re.findall(r"\]\((?!http)([^)#]+)\)", text)
    )
    assert named
    base = (ROOT / document).parent
    missing = [
        name
        for name in sorted(named)
        if "<" not in name
        and not (ROOT / name).exists()
        and not (base / name).exists()
        and not name.startswith(("var/", "/"))
    ]
    assert missing == []
