"""README alone is enough: what it says to install is enough to run what it says to run."""

from __future__ import annotations

import re
import subprocess
from contextlib import suppress
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.packaging.environments import Environment
from tests.waiting import wait_until

pytestmark = pytest.mark.bare

README = Path("README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^```sh\npip install (.*)\n((?:gunicorn|uvicorn) .*)\n```", README, re.MULTILINE)
PROGRAMS = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
PORT_OPTIONS = {"gunicorn": "-b 127.0.0.1:{port}", "uvicorn": "--port {port}"}


def body_of(url: str) -> str:
    with suppress(OSError), urlopen(url, timeout=5) as response:
        return str(response.read().decode())
    return ""


def test_there_are_quickstarts_on_both_servers() -> None:
    assert {command.split()[0] for _, command in COMMANDS} == set(PORT_OPTIONS)


@pytest.mark.parametrize(("requirements", "command"), COMMANDS, ids=lambda words: words.split()[0])
def test_a_quickstart_runs_with_what_it_installs(
    requirements: str, command: str, tmp_path: Path, port: int
) -> None:
    framework = re.findall(r"dualmetrics\[(\w+)\]", requirements)[0]
    program = next(each for each in PROGRAMS if f"from {framework} import" in each)
    (tmp_path / "app.py").write_text(program)
    environment = Environment(tmp_path / "venv")
    environment.install(*requirements.replace('"', "").split())
    server, *words = command.split()
    options = PORT_OPTIONS[server].format(port=port).split()
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [environment.scripts / server, *words, *options], cwd=tmp_path, stdout=log, stderr=log
        )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: body_of(f"{url}/users/7"), 60, server, details=(tmp_path / "log").read_text)
        wait_until(lambda: "http_requests_total{" in body_of(f"{url}/metrics"), 10, "the page")
    finally:
        process.terminate()
        process.wait(20)


SERVERS = ("gunicorn", "uvicorn", "hypercorn")


@pytest.mark.parametrize("document", ["README.md", "docs/frameworks.md"])
def test_a_server_that_is_started_is_installed_in_the_same_section(document: str) -> None:
    sections = re.split(
        r"^## |^\*\*(?=FastAPI)", Path(document).read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    started = 0
    for section in sections:
        installed = " ".join(re.findall(r"pip install ([^\n`)]*)", section)).split()
        advice = section.partition("Run it ")[2]
        for server in SERVERS:
            if re.search(rf"^{server} -", section, re.MULTILINE) or f"`{server} -" in advice:
                assert server in installed, section
                started += 1
    assert started >= 2
