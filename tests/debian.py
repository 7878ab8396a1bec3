"""Programs and libraries of Debian for tests: fetched once into a cache, and never installed.

They come from the mirror that the machine's apt is configured with. Root is not needed.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
TIMEOUT = 300
"""Seconds for one command."""


class UnavailableError(Exception):
    """A package cannot be fetched here; the text says why."""


def cache() -> Path:
    """Return the folder that keeps the downloads: TEST_BACKENDS_CACHE, else one in the user's cache."""
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("TEST_BACKENDS_CACHE") or user / "dualmetrics-tests")


def package(name: str, release: str) -> Path:
    """Return the folder with the files of a package, fetched if need be. Raises UnavailableError."""
    folder = cache() / release / name
    if not folder.exists():
        with _locked():  # several processes run tests
            if not folder.exists():
                _unpack(name, release, folder)
    return folder


def running_release() -> str:
    """Return the code name of the Debian that runs here. Raises UnavailableError on another system."""
    with contextlib.suppress(OSError):
        fields: dict[str, str] = dict(
            re.findall(r'^(\w+)="?([^"\n]*)"?$', Path("/etc/os-release").read_text(), re.MULTILINE)
        )
        if fields.get("ID") == "debian" and "VERSION_CODENAME" in fields:
            return fields["VERSION_CODENAME"]
    raise UnavailableError("this is not Debian")


def mirror() -> str:
    """Return the mirror of Debian that the machine's apt uses. Raises UnavailableError if it uses none."""
    folder = Path("/etc/apt")
    for file in (folder / "sources.list", *sorted((folder / "sources.list.d").glob("*"))):
        for url in _mirrors(file.read_text()) if file.is_file() else ():
            return url
    raise UnavailableError("apt is not configured with a mirror of Debian")


def _mirrors(sources: str) -> Iterator[str]:
    """Find mirrors in both formats of apt's files; the URLs of security updates do not end in ``debian``."""
    for line in sources.splitlines():
        if re.match(r"(deb\s|URIs:)", line):
            for url in re.findall(r"https?://\S+", line):
                if url.rstrip("/").endswith("/debian"):
                    yield url.rstrip("/")


@contextlib.contextmanager
def _locked() -> Iterator[None]:
    import fcntl  # here, since tests hide it

    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _unpack(name: str, release: str, target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=cache()) as temporary:
        folder = Path(temporary)
        _download(name, release, folder)
        archive = next(folder.glob("*.deb"))
        _run(["dpkg", "-x", str(archive), str(folder / name)], folder)
        target.parent.mkdir(exist_ok=True)
        (folder / name).rename(target)


def _download(name: str, release: str, folder: Path) -> None:
    """Download with apt, which finds the file in the index, checks signatures and knows the proxies."""
    sources = folder / "sources.list"
    sources.write_text(f"deb [signed-by={KEYS}] {mirror()} {release} main\n")
    for path in ("lists/partial", "cache/archives/partial"):
        (folder / path).mkdir(parents=True)
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
    _run([*apt, "download", name], folder)


def _run(command: list[str], folder: Path) -> None:
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=TIMEOUT)
    except subprocess.CalledProcessError as error:
        raise UnavailableError(f"{command[0]} failed: {' '.join(error.stderr.split())}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnavailableError(str(error)) from error
