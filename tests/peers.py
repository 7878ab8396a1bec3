"""Programs of others that tests run: installed, else fetched. Where one is missing, its tests are skipped.

With TEST_REQUIRE_PEERS set they fail instead, except those that need Debian's development branch or Go.
"""

from __future__ import annotations

import ctypes.util
import importlib.util
import os
import pty
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests import debian, go_programs

PREFIX = "NOT TESTED against "
LIBRARY = "libpython3.11.so.1.0"
"""What the agent rotel is linked to. Debian has it in a package of its own."""

_problems: dict[str, str] = {}
"""Why packages could not be fetched, so that each is tried once."""


def prometheus_tool(name: str) -> Path:
    """Return ``prometheus`` or ``promtool``: the one on the PATH, else that of the running Debian."""
    installed = shutil.which(name)
    if installed is not None:
        return Path(installed)
    try:
        release = debian.running_release()
        program = _fetched("prometheus", release) / "usr" / "bin" / name
        # From Debian 13 on, promtool has a package of its own.
        return program if program.exists() else _fetched(name, release) / "usr" / "bin" / name
    except debian.UnavailableError as error:
        _missing(name, f"{error} (to get it: install Prometheus; Debian: apt-get install prometheus)")


def redis_server() -> tuple[Path, dict[str, str]]:
    """Return the program ``redis-server``, and the environment variables that it needs."""
    installed = shutil.which("redis-server")
    if installed is not None:
        return Path(installed), {}
    try:
        release = debian.running_release()
        names = "redis-tools", "libatomic1", "libjemalloc2", "liblzf1"
        folders = [_fetched(name, release) for name in names]
    except debian.UnavailableError as error:
        _missing("Redis", f"{error} (to get it: install Redis; Debian: apt-get install redis-server)")
    libraries = {str(library.parent) for folder in folders for library in folder.rglob("lib*.so.*")}
    # Debian's redis-server is a link to this program, in a package of its own. The name in argv decides.
    return folders[0] / "usr" / "bin" / "redis-check-rdb", {"LD_LIBRARY_PATH": ":".join(sorted(libraries))}


def program_from_sid(name: str) -> Path:
    """Return the main program of a package of Debian's development branch."""
    try:
        return _fetched(name, "sid") / "usr" / "bin" / name
    except debian.UnavailableError as error:
        pytest.skip(f"{PREFIX}sid's {name}: {error} (to get it: run the tests on Debian, online)")


def collector() -> Path:
    """Return the OpenTelemetry Collector, if it has been built."""
    return _built("the OpenTelemetry Collector", go_programs.collector())


def prometheus_with_otlp() -> Path:
    """Return Prometheus 3 with its receiver for OTLP, which Debian leaves out, if it has been built."""
    return _built("Prometheus 3 with OTLP", go_programs.prometheus())


def rotel() -> tuple[Path, dict[str, str]]:
    """Return the program of the agent rotel, and the environment variables that it needs."""
    package = importlib.util.find_spec("rotel")
    if package is None or package.origin is None:
        _missing("rotel", "its package is for CPython 3.11 on Linux (to get it: run tox with Python 3.11)")
    return Path(package.origin).with_name("rotel-agent"), _library_path()


def require_uwsgi() -> None:
    """Skip the test where uWSGI's wheel is missing."""
    if importlib.util.find_spec("pyuwsgi") is None:
        _missing(
            "uWSGI", "pyuwsgi has no wheel for this Python (to get it: run tox with Python 3.14 or older)"
        )


def open_terminal() -> tuple[int, int]:
    """Return the file descriptors of the two ends of a new terminal."""
    try:
        return pty.openpty()
    except OSError as error:  # a chroot may have none
        _missing("a terminal", f"{error} (to get it: mount /dev/pts)")


def not_tested(reports: Iterable[Any]) -> Iterator[str]:
    """Return a line for each program that was missing, from the reports of skipped tests."""
    reasons = (report.longrepr[2] for report in reports if isinstance(report.longrepr, tuple))
    lines = {reason.removeprefix("Skipped: ") for reason in reasons}
    yield from sorted(line for line in lines if line.startswith("NOT TESTED"))


def _built(name: str, program: Path) -> Path:
    if not program.exists():
        pytest.skip(f"{PREFIX}{name}: it has not been built (to get it: tox -e collector, which needs Go)")
    return program


def _library_path() -> dict[str, str]:
    if ctypes.util.find_library("python3.11") == LIBRARY:
        return {}
    try:
        folder = _fetched("libpython3.11", "bookworm")
    except debian.UnavailableError as error:
        _missing("rotel", f"{error} (to get it: install {LIBRARY}; Debian 12: apt-get install libpython3.11)")
    return {"LD_LIBRARY_PATH": str(next(folder.rglob(LIBRARY)).parent)}


def _fetched(name: str, release: str) -> Path:
    key = f"{release}'s {name}"
    if key in _problems:
        raise debian.UnavailableError(_problems[key])
    try:
        return debian.package(name, release)
    except debian.UnavailableError as error:
        _problems[key] = str(error)
        raise


def _missing(name: str, reason: str) -> NoReturn:
    text = f"{PREFIX}{name}: {reason}"
    if "TEST_REQUIRE_PEERS" in os.environ:
        pytest.fail(text)
    pytest.skip(text)
