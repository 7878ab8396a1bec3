"""The rules of the house, measured on the source: short functions, short files, one name for one thing."""

from __future__ import annotations

import ast
import importlib.util
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

import pytest

PACKAGES = (
    "dualmetrics",
    "dualmetrics_aiohttp",
    "dualmetrics_bottle",
    "dualmetrics_celery",
    "dualmetrics_connexion",
    "dualmetrics_django",
    "dualmetrics_falcon",
    "dualmetrics_flask",
    "dualmetrics_litestar",
    "dualmetrics_pyramid",
    "dualmetrics_pytest",
    "dualmetrics_quart",
    "dualmetrics_rq",
    "dualmetrics_starlette",
    "dualmetrics_tornado",
    "dualmetrics_zero_code",
)
MEDIAN_LINES, PERCENTILE_90_LINES, MAX_LINES = 6, 15, 30
"""Of the functions, each with its docstring."""

MAX_FILE_LINES = 250

SHARED_NAMES = {
    "TemplateNoter": "The middleware for Falcon on WSGI and on ASGI.",
    "DualMetrics": "Each integration has one, so that changing the framework changes the import alone.",
    "MetricsMiddleware": "The ASGI middleware and the WSGI middleware.",
    "RouteNamer": "Names the matched route of an ASGI scope or of a WSGI environ.",
    "answer_scrape": "Answers a scrape from an ASGI scope or from a WSGI environ.",
    "install": "Has the apps of a framework record without a change to them.",
    "is_recorded_by": "Asks about an ASGI scope or about a WSGI environ.",
    "metrics_app": "The page as an ASGI app and as a WSGI app.",
    "routes": "The entry point of an integration that names the routes of its framework.",
    "set_error": "Records an exception in an ASGI scope or in a WSGI environ.",
    "set_route": "Sets the route in an ASGI scope or in a WSGI environ.",
}
"""The public names that several modules define, and why."""

PRIVATE_NAMES = {
    ("dualmetrics_falcon/responses.py", "_error_handlers"): (
        "Falcon has no public way to ask whether an app has replaced the handler of unexpected exceptions."
    ),
    ("dualmetrics/instruments/synchronous.py", "_Gauge"): (
        "`opentelemetry.metrics` exports the synchronous gauge under this name and no other."
    ),
    ("dualmetrics/bridges/registry.py", "_collector_to_names"): (
        "`prometheus_client` has no public way to read its collectors one by one."
    ),
    ("dualmetrics/bridges/registry.py", "_multiprocess_mode"): (
        "`prometheus_client` has no public way to ask a gauge for the mode that it was made with."
    ),
    ("dualmetrics_zero_code/import_hook.py", "_initializing"): (
        "Python has no public way to ask whether the import of a module has ended."
    ),
    ("dualmetrics/runtime/free_threading.py", "_is_gil_enabled"): (
        "Python documents this function of `sys`, underscore and all."
    ),
}
"""The private names of other packages that we use, each in one file, and why."""

UNDOCUMENTED_USES = {
    "multiprocessing.util": ("dualmetrics/runtime/exit_hooks.py", "Its children run no `atexit` function."),
    "urllib3.connection": (
        "dualmetrics/exporters/otlp/log_capture.py",
        "This logger writes the whole URL, which may contain a secret, and has no option against it.",
    ),
    "get_response": (
        "dualmetrics_django/handlers.py",
        "The method of a handler, and its async form, that has the request after its route was found.",
    ),
    "werkzeug.request": (
        "dualmetrics_flask/rules.py",
        "The environ's key of the request object, which knows the matched rule after the request has ended.",
    ),
    "build_middleware_stack": (
        "dualmetrics_starlette/stacks.py",
        "It makes the stack of an app; that of each router is used there, too.",
    ),
    "iter_route_contexts": (
        "dualmetrics_starlette/included_routers.py",
        "The routes of included routers, which newer versions of FastAPI keep apart.",
    ),
}
"""Public but undocumented names of other packages, each in one file, and why."""

NAMED_TUPLE_METHODS = {"_asdict", "_fields", "_make", "_replace"}
"""Documented methods that start with an underscore only to leave the other names to the fields."""


class Module(NamedTuple):
    """One of our source files; the path starts with the package's name."""

    path: str
    text: str
    tree: ast.Module


class Function(NamedTuple):
    """A function or method, and its lines from ``def`` to the end."""

    place: str
    lines: int


def source_files() -> Iterator[tuple[str, Path]]:
    for package in PACKAGES:
        found = importlib.util.find_spec(package)
        assert found is not None
        assert found.origin is not None
        folder = Path(found.origin).parent
        for file in sorted(folder.rglob("*.py")):
            path = f"{package}/{file.relative_to(folder).as_posix()}"
            if not path.startswith("dualmetrics/cli/examples/"):  # programs that the wheel takes along
                yield path, file


def parse(path: str, file: Path) -> Module:
    text = file.read_text(encoding="utf-8")
    return Module(path, text, ast.parse(text))


MODULES = [parse(path, file) for path, file in source_files()]
ROOMS = [module for module in MODULES if module.path.endswith("__init__.py")]


def functions() -> list[Function]:
    return [
        Function(f"{module.path}:{node.lineno} {node.name}", (node.end_lineno or 0) - node.lineno + 1)
        for module in MODULES
        for node in ast.walk(module.tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]


def test_half_of_the_functions_are_very_short() -> None:
    assert median(function.lines for function in functions()) <= MEDIAN_LINES


def test_nine_functions_in_ten_are_short() -> None:
    every = functions()
    long = [function for function in every if function.lines > PERCENTILE_90_LINES]
    assert len(long) <= len(every) // 10, sorted(long, key=lambda function: -function.lines)


def test_no_function_is_long() -> None:
    assert [function for function in functions() if function.lines > MAX_LINES] == []


def test_no_file_is_long() -> None:
    lengths = {module.path: len(module.text.splitlines()) for module in MODULES}
    assert {path: lines for path, lines in lengths.items() if lines > MAX_FILE_LINES} == {}


def public_names(module: Module) -> set[str]:
    """The functions, classes and constants that a module defines at its top level, type variables apart."""
    names: set[str] = set()
    for node in module.tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)) and not is_type_variable(node.value):
            names.update(assigned_names(node))
    return {name for name in names if not name.startswith("_")}


def assigned_names(node: ast.Assign | ast.AnnAssign) -> set[str]:
    """The names that a statement assigns, also in a tuple; those of attributes and items are no names."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    parts = [target.elts if isinstance(target, ast.Tuple) else [target] for target in targets]
    return {target.id for part in parts for target in part if isinstance(target, ast.Name)}


def is_type_variable(value: ast.expr | None) -> bool:
    return (
        isinstance(value, ast.Call)
        and isinstance(value.func, ast.Name)
        and value.func.id in ("TypeVar", "ParamSpec")
    )


def test_a_public_name_is_defined_in_one_module() -> None:
    places: defaultdict[str, list[str]] = defaultdict(list)
    for module in MODULES:
        for name in public_names(module):
            places[name].append(module.path)
    shared = {name: paths for name, paths in places.items() if len(paths) > 1}
    assert {name: paths for name, paths in shared.items() if name not in SHARED_NAMES} == {}
    assert SHARED_NAMES.keys() <= shared.keys(), "an exception that is no longer needed"


@pytest.mark.parametrize("module", ROOMS, ids=lambda module: module.path)
def test_a_room_says_in_one_sentence_what_it_is(module: Module) -> None:
    docstring = ast.get_docstring(module.tree)
    assert docstring is not None
    sentence = docstring.partition("\n\n")[0]
    assert sentence.endswith(".")
    assert ". " not in sentence.replace("\n", " "), "more than one sentence"


def defined_names(module: Module) -> Iterator[str]:
    """What a module defines anywhere: functions, variables, and attributes of ``self`` and of classes."""
    for node in ast.walk(module.tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Name(id=name, ctx=ast.Store()):
                yield name
            case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store()):
                yield name


OWN_NAMES = {name for module in MODULES for name in defined_names(module)}


def names_used(node: ast.AST) -> list[str]:
    """The names that one node takes from another object: as attributes, imports or in ``getattr``."""
    match node:
        case ast.Attribute(attr=name):
            return [name]
        case ast.ImportFrom(module=str(source), names=aliases) if source.partition(".")[0] != "_typeshed":
            return [*source.split("."), *(alias.name for alias in aliases)]
        case ast.Call(func=ast.Name(id="getattr" | "setattr"), args=[_, ast.Constant(value=str(name)), *_]):
            return [name]
    return []


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def private_names(module: Module) -> set[str]:
    """The private names of other packages that a module uses."""
    used = {name for node in ast.walk(module.tree) for name in names_used(node) if is_private(name)}
    return used - OWN_NAMES - NAMED_TUPLE_METHODS


def test_private_names_of_other_packages_are_those_of_the_list() -> None:
    used = {(module.path, name) for module in MODULES for name in private_names(module)}
    assert used == PRIVATE_NAMES.keys()


@pytest.mark.parametrize("name", UNDOCUMENTED_USES)
def test_an_undocumented_name_of_another_package_is_used_in_one_file(name: str) -> None:
    path, _reason = UNDOCUMENTED_USES[name]
    assert [module.path for module in MODULES if name in module.text] == [path]
