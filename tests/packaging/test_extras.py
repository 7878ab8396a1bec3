"""Each extra alone, in an environment of its own: every command works, or names the extra that it needs."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from tests.packaging.environments import Environment

pytestmark = pytest.mark.bare

EXTRAS = sorted(metadata.metadata("dualmetrics").get_all("Provides-Extra") or ())
INCLUDED = {
    "cli": {"cli"},
    "demo": {"cli", "demo"},
    "experiments": {"cli", "experiments"},
    "litestar": {"cli"},  # Litestar needs click and rich itself
}
"""The extras that a command may need, and that each extra brings."""

COMMANDS = {
    "compare": ("experiments", "shop --prometheus http://127.0.0.1:1", 5, "cannot be reached"),
    "demo": ("demo", "--rounds 1", 0, "nothing lost"),
    "experiment": ("experiments", "init shop", 0, "Created shop"),
    "plan": ("experiments", "--rate 50 --error-ratio 0.5%", 0, "all gates"),
    "run": ("cli", "python -c pass", 0, ""),
    "receive": ("cli", "--grpc-port 0 --http-port {busy}", 5, "cannot listen"),
}
"""The extra that a command needs, arguments with which it ends soon, its exit status, and what it prints."""

USES = {
    "aiohttp": "from aiohttp import web; import dualmetrics_aiohttp;"
    "dualmetrics_aiohttp.DualMetrics(web.Application())",
    "bottle": "from bottle import Bottle; import dualmetrics_bottle;dualmetrics_bottle.DualMetrics(Bottle())",
    "celery": "from celery import Celery; import dualmetrics_celery;"
    "dualmetrics_celery.DualMetrics(Celery('app'))",
    "cli": "import dualmetrics.cli.commands",
    "demo": "import dualmetrics.cli.demo_run",
    "connexion": "import warnings; warnings.simplefilter('ignore');"  # connexion uses what is deprecated
    "import connexion, dualmetrics_connexion; dualmetrics_connexion.DualMetrics(connexion.FlaskApp('app'))",
    "django": "import dualmetrics_django, dualmetrics_django.asgi",
    "experiments": "import dualmetrics.experiments",
    "falcon": "import falcon, dualmetrics_falcon.wsgi; dualmetrics_falcon.wsgi.DualMetrics(falcon.App())",
    "fastapi": "import fastapi, dualmetrics_starlette; dualmetrics_starlette.DualMetrics(fastapi.FastAPI())",
    "flask": "import flask, dualmetrics_flask; dualmetrics_flask.DualMetrics(flask.Flask('app'))",
    "instrument": "from dualmetrics_zero_code.instrumentors import FlaskInstrumentor; FlaskInstrumentor()",
    "host": "import dualmetrics; dualmetrics.Telemetry(host_metrics=True).shutdown()",
    "litestar": "from litestar import Litestar; import dualmetrics_litestar;"
    "dualmetrics_litestar.DualMetrics(Litestar())",
    "prometheus": "import dualmetrics; dualmetrics.Telemetry(registries='default').shutdown()",
    "pyramid": "import warnings; warnings.simplefilter('ignore');"  # WebOb imports what is deprecated
    "from pyramid.config import Configurator; Configurator().include('dualmetrics_pyramid')",
    "quart": "import quart, dualmetrics_quart; dualmetrics_quart.DualMetrics(quart.Quart('app'))",
    "rq": "import dualmetrics_rq; dualmetrics_rq.Worker, dualmetrics_rq.SimpleWorker",
    "starlette": "from starlette.applications import Starlette; import dualmetrics_starlette;"
    "dualmetrics_starlette.DualMetrics(Starlette())",
    "tornado": "from tornado.web import Application; import dualmetrics_tornado;"
    "dualmetrics_tornado.DualMetrics(Application())",
    "testing": "import dualmetrics.testing.contracts",
}
"""A program for each extra, which uses what the extra is for."""


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Environment]:
    return {extra: Environment(tmp_path_factory.mktemp("environment") / "venv") for extra in ("", *EXTRAS)}


@pytest.fixture
def environment(extra: str, environments: dict[str, Environment]) -> Environment:
    """The environment with the extra alone. It is made when it is first needed."""
    environments[extra].install(f"dualmetrics[{extra}]" if extra else "dualmetrics")
    return environments[extra]


@pytest.fixture
def busy() -> Iterator[str]:
    """A port that is taken."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield str(listener.getsockname()[1])


@pytest.mark.parametrize("extra", sorted({"", *EXTRAS} - INCLUDED.keys()))
def test_without_the_extra_cli_every_command_names_it(environment: Environment, tmp_path: Path) -> None:
    for word, extra in (("--help", "cli"), ("receive", "cli"), ("demo", "demo")):
        done = environment.run("dualmetrics", word, folder=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f'This command needs an extra: pip install "dualmetrics[{extra}]"\n'


@pytest.mark.parametrize("extra", INCLUDED)
def test_the_help_of_every_command_works(environment: Environment, tmp_path: Path) -> None:
    for command in ([], *([name] for name in COMMANDS), ["experiment", "init"]):
        done = environment.run("dualmetrics", *command, "--help", folder=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("Usage: ")
        if not command:
            commands = done.stdout.partition("Commands:")[2]
            assert set(re.findall(r"^  (\w+)  ", commands, re.MULTILINE)) == COMMANDS.keys()


@pytest.mark.parametrize("extra", INCLUDED)
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_works_or_names_the_extra(
    environment: Environment, extra: str, command: str, busy: str, tmp_path: Path
) -> None:
    needed, arguments, status, words = COMMANDS[command]
    lines = [arguments]
    if needed not in INCLUDED[extra]:
        lines, status, words = [arguments, ""], 2, f'pip install "dualmetrics[{needed}]"'
    for line in lines:  # an incomplete command names the extra first
        done = environment.run("dualmetrics", command, *line.format(busy=busy).split(), folder=tmp_path)
        assert done.returncode == status, done.stdout + done.stderr
        assert words in done.stdout + done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("extra", ["", *EXTRAS])
def test_an_extra_is_enough_for_what_it_is_for(environment: Environment, extra: str, tmp_path: Path) -> None:
    program = USES[extra] if extra else "import dualmetrics.asgi, dualmetrics.wsgi"
    done = environment.run("python", "-W", "error", "-c", program, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_extra_is_used() -> None:
    assert USES.keys() == set(EXTRAS)
