"""Programs built from Go modules into the tests' cache, at pinned versions.

``python -m tests.go_programs`` builds them, which takes minutes and needs Go and its module proxy. Tests only
use what has been built.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.debian import cache

CORE, STABLE, CONTRIB = "v0.165.0", "v1.71.0", "v0.165.1"
"""Versions of one release of the Collector: its own modules, those that are stable, and contrib."""
OLD_FILTERS = "v0.161.0"
"""The last version of the filters of ``attributes`` whose dependencies the module proxy has."""
PROMETHEUS = "v0.316.0"
"""Prometheus 3.16; its Go module has no version 3."""

_CORE = "go.opentelemetry.io/collector"
_CONTRIB = "github.com/open-telemetry/opentelemetry-collector-contrib"

COMPONENTS = {
    "receivers": [
        f"{_CORE}/receiver/otlpreceiver {CORE}",
        f"{_CONTRIB}/receiver/hostmetricsreceiver {CONTRIB}",
        f"{_CONTRIB}/receiver/prometheusreceiver {CONTRIB}",
    ],
    "processors": [
        f"{_CORE}/processor/batchprocessor {CORE}",
        f"{_CORE}/processor/memorylimiterprocessor {CORE}",
        f"{_CONTRIB}/processor/attributesprocessor {CONTRIB}",
        f"{_CONTRIB}/processor/deltatocumulativeprocessor {CONTRIB}",
        f"{_CONTRIB}/processor/resourceprocessor {CONTRIB}",
    ],
    "exporters": [
        f"{_CORE}/exporter/debugexporter {CORE}",
        f"{_CORE}/exporter/otlpexporter {CORE}",
        f"{_CORE}/exporter/otlphttpexporter {CORE}",
        f"{_CONTRIB}/exporter/fileexporter {CONTRIB}",
        f"{_CONTRIB}/exporter/prometheusexporter {CONTRIB}",
    ],
}
"""What the Collector has."""


class BuildError(Exception):
    """A program cannot be built here; the text says why."""


def collector() -> Path:
    """Return where the OpenTelemetry Collector is, once it has been built."""
    return cache() / "go" / f"otelcol-{CONTRIB}"


def prometheus() -> Path:
    """Return where Prometheus 3 with its receiver for OTLP is, once it has been built."""
    return cache() / "go" / f"prometheus-{PROMETHEUS}"


def build(target: Path, source: Callable[[Path], Path]) -> None:
    """Build a program unless it is there. ``source`` returns what it has built in a folder.

    Raises BuildError if Go or a module is missing.
    """
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            source(Path(folder)).replace(target)


def build_collector(folder: Path) -> Path:
    """Generate the sources with the Collector's own builder, and compile them.

    The builder's ``go mod tidy`` also needs the modules of all tests, and the proxy lacks some of them.
    """
    _go(folder, "install", f"{_CORE}/cmd/builder@{CORE}", GOBIN=str(folder))
    (folder / "builder.yaml").write_text(_manifest())
    _run(folder, str(folder / "builder"), "--config=builder.yaml", "--skip-get-modules", "--skip-compilation")
    source = folder / "source"
    (source / "go.mod").write_text(_collector_modules())
    _go(source, "build", "-mod=mod", "-trimpath", "-ldflags=-s -w", "-o", "../otelcol", ".")
    return folder / "otelcol"


def build_prometheus(folder: Path) -> Path:
    """Compile Prometheus without its web pages, and without the discovery of targets in clouds."""
    package = "github.com/prometheus/prometheus/cmd/prometheus"
    (folder / "go.mod").write_text("module build\n\ngo 1.26\n")
    (folder / "main.go").write_text(f'//go:build tools\n\npackage build\n\nimport _ "{package}"\n')
    _go(folder, "get", f"{package}@{PROMETHEUS}")
    tags = "-tags=netgo,remove_all_sd"
    _go(folder, "build", tags, "-trimpath", "-ldflags=-s -w", "-o", "prometheus", package)
    return folder / "prometheus"


def _manifest() -> str:
    lines = ["dist:", "  name: otelcol", f"  version: {CONTRIB[1:]}", "  output_path: source"]
    for kind, modules in COMPONENTS.items():
        lines += [f"{kind}:", *(f"  - gomod: {module}" for module in modules)]
    return "\n".join([*lines, ""])


def _collector_modules() -> str:
    modules = [module for kind in COMPONENTS.values() for module in kind]
    modules += [f"{_CORE}/confmap/provider/{kind}provider {STABLE}" for kind in ("env", "file", "yaml")]
    modules += [f"{_CORE}/confmap/provider/{kind}provider {STABLE}" for kind in ("http", "https")]
    modules += [f"{_CORE}/component {STABLE}", f"{_CORE}/confmap {STABLE}", f"{_CORE}/otelcol {CORE}"]
    old = [f"{_CONTRIB}/{name}" for name in ("internal/filter", "pkg/ottl")]
    lines = ["module otelcol", "", "go 1.26", "", "require (", *(f"\t{module}" for module in modules), ")"]
    return "\n".join([*lines, *(f"replace {name} => {name} {OLD_FILTERS}" for name in old), ""])


def _go(folder: Path, *arguments: str, **environment: str) -> None:
    program = shutil.which("go") or "/usr/local/go/bin/go"
    _run(folder, program, *arguments, CGO_ENABLED="0", GOFLAGS="-buildvcs=false", **environment)


def _run(folder: Path, *command: str, **environment: str) -> None:
    try:
        subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, **environment},
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    except subprocess.CalledProcessError as error:
        raise BuildError(f"{' '.join(command[:2])} failed:\n{error.output}") from error
    except OSError as error:
        raise BuildError(f"{command[0]}: {error.strerror}") from error


if __name__ == "__main__":
    build(prometheus(), build_prometheus)
    build(collector(), build_collector)
