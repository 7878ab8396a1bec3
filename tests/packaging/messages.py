"""Collects everything that the library logs, raises and answers into docs/messages.md.

Run ``python -m tests.packaging.messages`` in the checkout after changing a message, and read the page as a
whole: each line of the log must say what to do, or that nothing need be done.
"""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from dualmetrics.config.options import options_of
from dualmetrics.config.settings import Settings

PACKAGES = ("dualmetrics", "dualmetrics_flask", "dualmetrics_starlette")
PREFIX = "dualmetrics: "
"""Every line of the log begins with it."""

LEVELS = {"error": "ERROR", "exception": "ERROR", "info": "INFO"}
"""The levels by the name of the function that logs. All others log warnings."""

LOGGING = {"log_once", "_log_once", "warning", "warn", "warn_once", *LEVELS}
PARSERS = re.compile(r"dualmetrics/config/(parsers|validators|per_instrument|endpoints)\.py")
"""Their errors complete the sentence "must be ...", which stands in a section of its own."""

COMMANDS = ("dualmetrics/cli/", "dualmetrics/experiments/")

HEAD = """# Messages

All lines of the log, errors and answers of the library, to be read together. The logger is `dualmetrics`.
`%s` and the names in braces stand for what is inserted. This page is generated: after changing a message, run
`python -m tests.packaging.messages`, and read the page again.
"""


class Message(NamedTuple):
    """One text, the module that has it, and its level, exception or status."""

    module: str
    kind: str
    text: str


class Module:
    """One source file, and the strings that its names stand for."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.tree = ast.parse(text)
        self._assigned: dict[str, list[ast.expr]] = {}
        for node in ast.walk(self.tree):
            targets = node.targets if isinstance(node, ast.Assign) else []
            for target in targets:
                if isinstance(target, ast.Name) and isinstance(node, ast.Assign):
                    self._assigned.setdefault(target.id, []).append(node.value)

    def texts(self, node: ast.AST, depth: int = 3) -> Iterator[str]:
        """The strings that an expression may be, or has parts of."""
        if isinstance(node, ast.JoinedStr):
            yield "".join(map(_part, node.values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.Name) and depth:
            for value in self._assigned.get(node.id, ()):
                yield from self.texts(value, depth - 1)
        elif not isinstance(node, ast.Call):
            for child in ast.iter_child_nodes(node):
                yield from self.texts(child, depth)

    def calls(self) -> Iterator[tuple[str, ast.Call]]:
        """All calls, each with the name of the function."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                yield getattr(node.func, "attr", getattr(node.func, "id", "")), node


def _part(part: ast.expr) -> str:
    if isinstance(part, ast.FormattedValue):
        return "{" + ast.unparse(part.value).replace("'", "") + "}"
    return str(getattr(part, "value", ""))


def modules() -> list[Module]:
    """All source files of the library, without its contract suites."""
    found = []
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        assert spec is not None
        assert spec.origin is not None
        folder = Path(spec.origin).parent
        for file in sorted(folder.rglob("*.py")):
            path = f"{package}/{file.relative_to(folder).as_posix()}"
            if not path.startswith(("dualmetrics/testing/", "dualmetrics/cli/examples/")):
                found.append(Module(path, file.read_text(encoding="utf-8")))
    return found


def log_lines(module: Module) -> Iterator[Message]:
    """What a module logs."""
    for name, call in module.calls():
        if name in LOGGING:
            level = LEVELS.get(name, "WARNING")
            if any(
                keyword.arg == "level" and "INFO" in ast.unparse(keyword.value) for keyword in call.keywords
            ):
                level = "INFO"
            for argument in call.args:
                for text in module.texts(argument):
                    if text.startswith(PREFIX):
                        yield Message(module.path, level, text)


def prefixed_texts(module: Module) -> set[str]:
    """All texts of a module that look like lines of the log."""
    parts = {
        id(part)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.JoinedStr)
        for part in ast.iter_child_nodes(node)
    }
    nodes = (node for node in ast.walk(module.tree) if isinstance(node, (ast.Constant, ast.JoinedStr)))
    texts = (text for node in nodes if id(node) not in parts for text in module.texts(node))
    return {text for text in texts if text.startswith(PREFIX)}


def failures(module: Module) -> Iterator[str]:
    """What may be inserted in "dualmetrics: %s failed": the first argument of ``error`` and ``_guarded``."""
    for name, call in module.calls():
        arguments = {"error": call.args[:1], "_guarded": call.args[1:2], "_run_guarded": call.args[:1]}
        for argument in arguments.get(name, ()):
            yield from (text for text in module.texts(argument) if not text.startswith(PREFIX))


def errors(module: Module) -> Iterator[Message]:
    """The errors that a module raises."""
    if PARSERS.match(module.path):
        return
    for name, call in module.calls():
        if name.endswith(("Error", "Exception", "BadParameter")) and name != "FormatError" and call.args:
            for text in module.texts(call.args[0]):
                if " " in text:
                    yield Message(module.path, name, text)


def answers(module: Module) -> Iterator[Message]:
    """The texts with which a module answers over HTTP."""
    for name, call in module.calls():
        if name == "text_response" and len(call.args) > 1:
            for text in module.texts(call.args[1]):
                if text:
                    yield Message(module.path, ast.unparse(call.args[0]), text)


def allowed_values() -> Iterator[tuple[str, str]]:
    """Each setting, as a message about a bad value names it, and what it must be."""
    for name, option in options_of(Settings).items():
        try:
            option.parse("\0")
        except ValueError as error:
            yield " ".join((name, *option.variables)), str(error)


def page() -> str:
    """The text of docs/messages.md."""
    every = modules()
    commands = [module for module in every if module.path.startswith(COMMANDS)]
    library = [module for module in every if module not in commands]
    where = sorted({text for module in library for text in failures(module)})
    sections = [
        HEAD,
        _table("Lines of the log", "level", [line for module in library for line in log_lines(module)]),
        "The line about a failure inside the library names what has failed:\n\n"
        + "\n".join(f"- {text}" for text in where),
        _table("Errors", "exception", [error for module in library for error in errors(module)]),
        "## Bad values\n\nOf an argument or a variable of ours, a `SettingsError` says `name=value: must be "
        "...`. Of a\nvariable of OpenTelemetry, a warning says so, and that it is ignored.\n\n"
        "| setting | must be |\n|---|---|\n"
        + "\n".join(f"| {_code(name)} | {_escape(words)} |" for name, words in allowed_values()),
        _table("Answers to scrapers", "status", [answer for module in library for answer in answers(module)]),
        _table("Errors of the commands", "exception", [one for module in commands for one in errors(module)]),
    ]
    return "\n\n".join(section.rstrip() for section in sections) + "\n"


def _table(title: str, kind: str, messages: list[Message]) -> str:
    rows = dict.fromkeys(f"| {message.kind} | {_code(message.text)} |" for message in sorted(messages))
    return f"## {title}\n\n| {kind} | text |\n|---|---|\n" + "\n".join(rows)


def _code(text: str) -> str:
    fence = "``" if "`" in text else "`"
    return f"{fence}{_escape(text)}{fence}"


def _escape(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    Path("docs/messages.md").write_text(page(), encoding="utf-8")
