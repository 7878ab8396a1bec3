"""The links, paths, modules and tests that the documents name exist."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

CHECKOUT = Path(os.environ.get("TEST_CHECKOUT", "."))
"""The repository. tox runs the tests elsewhere, so that they import the installed wheel."""

DOCUMENTS = [*sorted(CHECKOUT.glob("*.md")), *sorted(CHECKOUT.glob("docs/*.md"))]

LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)")
PATH = re.compile(r"`((?:benchmarks|docs|dualmetrics|examples|integrations|tests)/[\w./-]*)`")
ROOM_PATH = re.compile(r"`((?:\w+/)+\w+\.py)`")
"""A module relative to ``dualmetrics``, as docs/architecture.md names them."""

MODULE = re.compile(r"python -m ((?:benchmarks|tests)[\w.]*)")
TEST_FILE = re.compile(r"(?<=[ ,])(?:chaos|servers|unit)/[\w/]*test_\w+")
"""A test file in the tables of docs/reliability.md, relative to ``tests``."""

TEST_NAME = re.compile(r"`(test_\w+)`")


def occurrences(pattern: re.Pattern[str]) -> Iterator[tuple[Path, re.Match[str]]]:
    for document in DOCUMENTS:
        for match in pattern.finditer(document.read_text(encoding="utf-8")):
            yield document, match


def anchors(document: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a document."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_there_are_documents() -> None:
    assert {"README.md", "CONTRIBUTING.md", "performance.md"} <= {document.name for document in DOCUMENTS}


def test_links_lead_to_files_and_headings() -> None:
    for document, link in occurrences(LINK):
        target = document.parent / link[1] if link[1] else document
        assert target.exists(), f"{document}: {link[0]}"
        assert not link[2] or link[2] in anchors(target), f"{document}: {link[0]}"


def test_paths_exist() -> None:
    for document, path in occurrences(PATH):
        assert (CHECKOUT / path[1]).exists(), f"{document}: {path[1]}"
    rooms = {path.name for path in (CHECKOUT / "dualmetrics").iterdir() if path.is_dir()}
    for document, path in occurrences(ROOM_PATH):
        if path[1].partition("/")[0] in rooms:
            assert (CHECKOUT / "dualmetrics" / path[1]).exists(), f"{document}: {path[1]}"


def test_modules_that_are_commands_exist() -> None:
    for document, name in occurrences(MODULE):
        path = CHECKOUT / name[1].replace(".", "/")
        file = path / "__main__.py" if path.is_dir() else path.with_suffix(".py")
        assert file.exists(), f"{document}: {name[0]}"


def test_tests_exist() -> None:
    for document, file in occurrences(TEST_FILE):
        assert (CHECKOUT / "tests" / f"{file[0]}.py").exists(), f"{document}: {file[0]}"
    folders = (CHECKOUT / "tests", CHECKOUT / "dualmetrics" / "testing")
    sources = [path.read_text(encoding="utf-8") for folder in folders for path in folder.rglob("*.py")]
    for document, name in occurrences(TEST_NAME):
        assert any(f"def {name[1]}(" in source for source in sources), f"{document}: {name[1]}"
