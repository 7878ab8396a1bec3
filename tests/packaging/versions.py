"""Writes the table of docs/versions.md: ``python -m tests.packaging.versions``.

The lowest versions are those of pyproject.toml, with which `tox -e oldest` runs the tests. The newest are
those of the table, or those that are installed here if they are newer: not every Python has the newest ones.
"""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

DOCUMENT = "docs/versions.md"
FRAMEWORKS = {
    "aiohttp": "aiohttp", "bottle": "Bottle", "celery": "Celery", "connexion": "connexion",
    "django": "Django", "falcon": "Falcon",
    "fastapi": "FastAPI", "flask": "Flask", "litestar": "Litestar", "pyramid": "Pyramid", "quart": "Quart",
    "rq": "RQ", "starlette": "Starlette", "tornado": "Tornado",
}  # fmt: skip
"""The extras with one framework or task queue each, and its name."""

_REQUIREMENT = re.compile(r'([\w.-]+)(?:\[\w+\])?>=([\d.]+)(?:; python_version >= [\'"]([\d.]+)[\'"])?')


def lowest_versions(project: dict[str, list[str]], extra: str) -> dict[str, str]:
    """The lowest versions of an extra's framework, by the first Python for which each holds."""
    found = (_REQUIREMENT.fullmatch(requirement) for requirement in project[extra])
    return {match[3] or "": match[2] for match in found if match and match[1].lower() == extra}


def row(extra: str, lowest: dict[str, str], newest: str) -> str:
    """A line of the table."""
    texts = [f"{version} (Python {python})" if python else version for python, version in lowest.items()]
    return f"| {FRAMEWORKS[extra]} | `{extra}` | {', '.join(texts)} | {newest} |"


def newest_versions(document: str) -> dict[str, str]:
    """The newest versions that the table has."""
    return dict(re.findall(r"^\|.*`(\w+)`.* (\S+) \|$", document, re.MULTILINE))


def numbers(version: str) -> tuple[int, ...]:
    """A version that can be compared."""
    return tuple(map(int, re.findall(r"\d+", version)[:3]))


def optional_dependencies(text: str) -> dict[str, list[str]]:
    """The extras of a pyproject.toml with their requirements. Python 3.10 has no parser of TOML."""
    section = text.partition("[project.optional-dependencies]\n")[2].partition("\n[")[0]
    extras = re.findall(r"^([\w-]+) = \[(.*?)\]$", section, re.MULTILINE | re.DOTALL)
    return {name: re.findall(r'"((?:[^"\\]|\\.)*)"', body) for name, body in extras}


def main() -> None:
    """Write the table."""
    project = optional_dependencies(Path("pyproject.toml").read_text(encoding="utf-8"))
    document = Path(DOCUMENT)
    text = document.read_text(encoding="utf-8")
    head, separator, _ = text.partition("|---|---|---|---|\n")
    known = newest_versions(text)
    newest = {extra: max(metadata.version(extra), known.get(extra, "0"), key=numbers) for extra in FRAMEWORKS}
    rows = [row(extra, lowest_versions(project, extra), newest[extra]) for extra in sorted(FRAMEWORKS)]
    document.write_text(head + separator + "\n".join(rows) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
