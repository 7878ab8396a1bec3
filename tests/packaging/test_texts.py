"""Every option and variable that a text of ours names exists: in documents, messages and help pages."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
import opentelemetry.environment_variables
import opentelemetry.sdk.environment_variables

from dualmetrics.cli.commands import dualmetrics_command
from dualmetrics.config.options import options_of
from dualmetrics.config.settings import Settings

CHECKOUT = Path(os.environ.get("TEST_CHECKOUT", "."))
"""The repository. tox runs the tests elsewhere, so that they import the installed wheel."""

OPTION = re.compile(r"(?<![\w/-])--[a-z][\w.-]*[a-z0-9]")
COMMAND = re.compile(r"dualmetrics ((?:compare|demo|experiment|plan|receive|run)\b[^`\n#]*)")
VARIABLE = re.compile(r"\b(?:OTEL|PROMETHEUS|DUALMETRICS)_[A-Z0-9_]*[A-Z0-9](?![A-Z0-9_*{])")

OTHER_OPTIONS = {
    "benchmarks": {"--full"},
    "celery": {"--max-tasks-per-child"},
    "gh": {"--body-file", "--repo"},
    "gunicorn": {"--chdir", "--log-level", "--preload"},
    "multiprocessing": {"--multiprocessing-fork"},
    "granian": {"--url-path-prefix"},
    "pip": {"--group", "--no-deps"},
    "prometheus": {
        "--config.file",
        "--enable-feature",
        "--storage.tsdb.path",
        "--storage.tsdb.retention.size",
        "--storage.tsdb.retention.time",
        "--web.enable-lifecycle",
        "--web.listen-address",
    },
    "rq": {"--worker-class"},
    "waitress": {"--url-prefix"},
    "uvicorn": {"--app-dir", "--lifespan", "--log-level", "--reload", "--workers"},
    "uwsgi": {"--lazy-apps"},
}
"""Options of other programs that our texts name."""

OTHER_VARIABLES = {
    "opentelemetry": {
        "OTEL_PYTHON_CONFIGURATOR",
        "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS",
        "OTEL_SEMCONV_STABILITY_OPT_IN",
    },
    "prometheus_client": {"PROMETHEUS_MULTIPROC_DIR"},
}
"""Variables that our texts name, but that are neither settings of ours nor of OpenTelemetry's SDK."""


class Passage(NamedTuple):
    """A text, and where it is."""

    place: str
    text: str


def passages() -> Iterator[Passage]:
    for document in (*CHECKOUT.glob("*.md"), *CHECKOUT.glob("docs/*.md")):
        text = document.read_text(encoding="utf-8")
        if document.name == "CHANGELOG.md":  # what was removed may be named
            text = re.sub(r"^### Removed$.*?(?=^##)", "", text, flags=re.MULTILINE | re.DOTALL)
        yield Passage(document.name, text)
    for folder in ("dualmetrics", "integrations", "examples"):
        for file in sorted((CHECKOUT / folder).rglob("*")):
            if file.suffix == ".py":
                yield from strings(file)
            elif file.suffix in (".md", ".yml", ".yaml", ".sh", ".env"):
                yield Passage(file.name, file.read_text(encoding="utf-8"))


def strings(file: Path) -> Iterator[Passage]:
    """The strings of a program, docstrings and the fixed parts of f-strings included."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield Passage(f"{file.name}:{node.lineno}", node.value)


def options_by_command(command: click.Command, name: str = "") -> dict[str, set[str]]:
    """The options of each command, by the words that call it."""
    context = click.Context(command)
    found = {name: {option for each in command.get_params(context) for option in each.opts}}
    if isinstance(command, click.Group):
        for word in command.list_commands(context):
            child = command.get_command(context, word)
            assert child is not None
            found |= options_by_command(child, f"{name} {word}".strip())
    return found


PASSAGES = list(passages())
OPTIONS = options_by_command(dualmetrics_command)


def test_all_texts_are_read() -> None:
    places = {passage.place.partition(":")[0] for passage in PASSAGES}
    assert {
        "README.md",
        "experiments.md",
        "NEXT.md",
        "start-prometheus.sh",
        "settings.py",
        "flask_app.py",
    } <= places
    assert len(PASSAGES) > 1000


def test_every_option_in_a_text_exists() -> None:
    known = set().union(*OPTIONS.values(), *OTHER_OPTIONS.values())
    named = [(passage.place, option) for passage in PASSAGES for option in OPTION.findall(passage.text)]
    assert [each for each in named if each[1] not in known] == []
    unused = set().union(*OTHER_OPTIONS.values()) - {option for _, option in named}
    assert unused == set(), "no text names these any more"


def test_every_command_in_a_text_has_the_options_that_are_given_to_it() -> None:
    checked = 0
    for passage in PASSAGES:
        for match in COMMAND.finditer(passage.text):
            words = match[1].split()
            name = " ".join(words[:2]) if " ".join(words[:2]) in OPTIONS else words[0]
            for option in OPTION.findall(match[1]):
                assert option in OPTIONS[name], f"{passage.place}: {match[0]}"
                checked += 1
    assert checked > 10


def test_every_variable_in_a_text_exists() -> None:
    ours = {variable for option in options_of(Settings).values() for variable in option.variables}
    theirs = {
        value
        for module in (opentelemetry.environment_variables, opentelemetry.sdk.environment_variables)
        for value in vars(module).values()
        if isinstance(value, str) and value.startswith("OTEL_")
    }
    known = ours | theirs | set().union(*OTHER_VARIABLES.values())
    named = [(passage.place, name) for passage in PASSAGES for name in VARIABLE.findall(passage.text)]
    assert [each for each in named if each[1] not in known] == []
    unused = set().union(*OTHER_VARIABLES.values()) - {name for _, name in named}
    assert unused == set(), "no text names these any more"
