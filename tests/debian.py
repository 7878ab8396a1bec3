"""Programs of Debian's development branch for tests, fetched once into a cache and never installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

MIRROR = "http://deb.debian.org/debian"
"""The mirror to use where the machine's apt names none."""

KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
TIMEOUT = 300
"""Seconds for one command."""


class UnavailableError(Exception):
    """A program cannot be fetched here; the text says why."""


def cache() -> Path:
    """Return the folder that keeps the downloads: TEST_BACKENDS_CACHE, else one in the user's cache."""
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("TEST_BACKENDS_CACHE") or user / "dualmetrics-tests")


def program(package: str) -> Path:
    """Return the main program of a package of sid, fetched if need be. Raises UnavailableError."""
    file = cache() / package / "usr" / "bin" / package
    if not file.exists():
        _unpack(package)
    return file


def mirror() -> str:
    """Return the mirror of Debian that the machine's apt uses."""
    folder = Path("/etc/apt")
    files = [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*"))]
    return next((url for file in files if file.is_file() for url in _mirrors(file.read_text())), MIRROR)


def _mirrors(sources: str) -> Iterator[str]:
    """Find mirrors in both formats of apt's files; the URLs of security updates do not end in ``debian``."""
    for line in sources.splitlines():
        if re.match(r"(deb\s|URIs:)", line):
            for url in re.findall(r"https?://\S+", line):
                if url.rstrip("/").endswith("/debian"):
                    yield url.rstrip("/")


def _unpack(package: str) -> None:
    cache().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache()) as name:
        folder = Path(name)
        _download(package, folder)
        archive = next(folder.glob("*.deb"))
        _run(["dpkg", "-x", str(archive), str(folder / package)], folder)
        if not (cache() / package).exists():
            shutil.move(folder / package, cache() / package)


def _download(package: str, folder: Path) -> None:
    """Download with apt, which finds the file in sid's index, checks signatures and knows the proxies."""
    sources = folder / "sid.list"
    sources.write_text(f"deb [signed-by={KEYS}] {mirror()} sid main\n")
    for name in ("lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True)
    options = {
        "Dir::Etc::SourceList": str(sources),
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State::Lists": str(folder / "lists"),
        "Dir::Cache": str(folder / "cache"),
        "APT::Sandbox::User": "",
        "Acquire::Languages": "none",
        "APT::Update::Error-Mode": "any",
        "Acquire::http::Timeout": "20",
    }
    apt = ["apt-get", "-q", *(word for key, value in options.items() for word in ("-o", f"{key}={value}"))]
    _run([*apt, "update"], folder)
    _run([*apt, "download", package], folder)


def _run(command: list[str], folder: Path) -> None:
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=TIMEOUT)
    except subprocess.CalledProcessError as error:
        raise UnavailableError(f"{command[0]} failed: {error.stderr.strip()}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnavailableError(str(error)) from error
