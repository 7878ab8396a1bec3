"""Directories of experiments with a real Prometheus: created, running, and removed."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from dualmetrics.cli.commands import dualmetrics_command
from tests import peers
from tests.experiments.exporters import Exporter, serving
from tests.experiments.prometheus import ready, value
from tests.ports import free_port
from tests.waiting import wait_until

pytestmark = pytest.mark.server


def run(*arguments: str, answer: str | None = None) -> Result:
    result = CliRunner().invoke(
        dualmetrics_command, ["experiment", *arguments], env={"COLUMNS": "200"}, input=answer
    )
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    return result


def compare(directory: Path) -> Result:
    return CliRunner().invoke(dualmetrics_command, ["compare", str(directory)], env={"COLUMNS": "200"})


def create(parent: Path, *options: str) -> Path:
    result = run("init", "shop", "--in", str(parent), *options)
    assert result.exit_code == 0, result.output
    return parent / "shop"


@contextmanager
def run_prometheus(directory: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run the directory's own start script during the block, with more frequent scrapes."""
    config = directory / "prometheus.yml"
    config.write_text(config.read_text().replace("15s", "300ms").replace("10s", "300ms"))
    folder = peers.prometheus_tool("prometheus").parent
    env = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    with (directory.parent / "log").open("wb") as log:
        process = subprocess.Popen([directory / "start-prometheus.sh"], stdout=log, stderr=log, env=env)
    try:
        wait_until(lambda: ready(f"http://127.0.0.1:{port}"), 30, "Prometheus")
        yield process
    finally:
        process.terminate()
        process.wait(20)


def test_prometheus_accepts_its_configuration(tmp_path: Path) -> None:
    directory = create(tmp_path, "--baseline", "app-1:8000", "--candidate", "app-2:8000")
    tool = [str(peers.prometheus_tool("promtool")), "check", "config", str(directory / "prometheus.yml")]
    assert subprocess.run(tool, capture_output=True, check=False).returncode == 0
    assert "retention.time=7d" in (directory / "start-prometheus.sh").read_text()


def test_the_collector_exports_what_it_receives_twice_and_uses_only_defined_parts(tmp_path: Path) -> None:
    config = yaml.safe_load((create(tmp_path) / "collector.yaml").read_text())
    exporters: dict[str, set[str]] = {receiver: set() for receiver in config["receivers"]}
    for pipeline in config["service"]["pipelines"].values():
        for receiver in pipeline["receivers"]:
            exporters[receiver] |= set(pipeline["exporters"])
        for kind in ("receivers", "processors", "exporters"):
            assert set(pipeline[kind]) <= set(config[kind])
    assert all(names == {"otlp_http/production", "prometheus"} for names in exporters.values())
    assert config["exporters"]["prometheus"]["endpoint"].endswith(":8889")
    assert config["exporters"]["otlp_http/production"]["headers"]["api-key"] == "${env:PRODUCTION_API_KEY}"


@pytest.mark.parametrize("name", ["../up", "a b", "a/b", "", "x{", ".."])
def test_an_invalid_name_is_refused(tmp_path: Path, name: str) -> None:
    assert run("init", "--in", str(tmp_path), "--", name).exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_an_existing_directory_is_not_overwritten(tmp_path: Path) -> None:
    create(tmp_path)
    assert run("init", "shop", "--in", str(tmp_path)).exit_code == 2


def test_an_experiment_from_init_to_clean(tmp_path: Path) -> None:
    port = free_port()
    with ExitStack() as stack:
        baseline, candidate = (stack.enter_context(serving(Exporter())) for _ in range(2))
        directory = create(tmp_path, "--baseline", baseline, "--candidate", candidate, "--port", str(port))
        process = stack.enter_context(run_prometheus(directory, port))
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: value(url, 'sum(sum_over_time(up{experiment="shop"}[1h]))') >= 12, 20, "scrapes")
        wait_until(lambda: "1 of 1 targets up" in run("status", str(directory)).output, 20, "the status")
        wait_until(lambda: "broken scrapes" not in compare(directory).output, 60, "enough scrapes")
        compared = compare(directory)
        assert (compared.exit_code, "early look" in compared.output) == (3, True), compared.output
        dry = run("clean", str(directory), "--dry-run")
        assert ("stop the Prometheus" in dry.output, process.poll()) == (True, None)
        assert run("clean", str(directory), answer="n\n").exit_code == 0
        assert directory.exists()
        assert run("clean", str(directory), "--yes").exit_code == 0
        assert process.wait(20) == 0
    assert not directory.exists()


def test_the_data_of_a_server_that_does_not_stop_is_not_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dualmetrics.experiments.setup.removal.STOP_TIMEOUT_SECONDS", 0.5)
    monkeypatch.setattr("dualmetrics.experiments.setup.prometheus_admin._TIMEOUT_SECONDS", 0.5)
    port = free_port()
    directory = create(tmp_path, "--port", str(port))
    with run_prometheus(directory, port) as process:
        os.kill(process.pid, signal.SIGSTOP)
        try:
            result = run("clean", str(directory), "--yes")
        finally:
            os.kill(process.pid, signal.SIGCONT)
        assert (result.exit_code, "still uses" in result.output) == (4, True), result.output
        assert (directory / "data" / "wal").exists()


@pytest.mark.parametrize("name", [".", "./", "../shop", "../shop/."])
def test_the_directory_that_one_is_in_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    directory = create(tmp_path)
    monkeypatch.chdir(directory)
    result = run("clean", name, "--yes")
    assert (result.exit_code, "Removed the experiment" in result.output) == (0, True), result.output
    monkeypatch.chdir(tmp_path)
    assert not directory.exists()


def test_a_removal_that_failed_names_the_file_and_can_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = create(tmp_path)
    (directory / "data" / "wal").mkdir(parents=True)

    def refuse(path: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr("dualmetrics.experiments.setup.removal.shutil.rmtree", refuse)
        result = run("clean", str(directory), "--yes")
    assert result.exit_code == 5
    assert "data: Permission denied" in result.output
    assert "Removed" not in result.output
    assert run("clean", str(directory), "--yes").exit_code == 0
    assert not directory.exists()


@pytest.mark.parametrize(
    "change",
    [
        {"name": 7},
        {"name": "../up"},
        {"duration": "24h"},
        {"duration": -1},
        {"duration": 1e300},
        {"split": 2},
        {"port": 0},
        {"port": "x"},
        {"baseline": "a b"},
        {"candidate": "\x1b[31m:1"},
        {"unknown": 1},
    ],
)
def test_a_manifest_with_wrong_values_is_not_an_experiment(tmp_path: Path, change: dict[str, object]) -> None:
    directory = create(tmp_path)
    file = directory / "experiment.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    for arguments in (("status", str(directory)), ("clean", str(directory), "--yes")):
        assert run(*arguments).exit_code == 4
    assert compare(directory).exit_code == 4
    assert file.exists()


@pytest.mark.parametrize("address", ["", "host", "a b:1", "http://a:1", "a:1\nb:2", "a:x", '"a":1'])
def test_an_address_that_would_break_the_files_is_refused(tmp_path: Path, address: str) -> None:
    result = run("init", "shop", "--in", str(tmp_path), "--candidate", address)
    assert (result.exit_code, "not an address like" in result.output) == (2, True)
    assert list(tmp_path.iterdir()) == []


def test_names_of_files_reach_no_terminal_as_they_are(tmp_path: Path) -> None:
    directory = create(tmp_path)
    (directory / "\x1b[31mred\n").touch()
    result = run("clean", str(directory), "--dry-run")
    assert r"\x1b[31mred\n: not created by" in result.output


def test_files_that_init_did_not_create_stay(tmp_path: Path) -> None:
    directory = create(tmp_path)
    (directory / "notes.txt").write_text("mine")
    assert run("clean", str(directory), "--yes").exit_code == 0
    assert [file.name for file in directory.iterdir()] == ["notes.txt"]


def test_a_directory_that_is_not_an_experiment_is_not_removed(tmp_path: Path) -> None:
    directory = create(tmp_path)
    for broken in (tmp_path, tmp_path / "nowhere"):
        assert run("clean", str(broken), "--yes").exit_code == 4
    (tmp_path / "link").symlink_to(directory)
    assert run("clean", str(tmp_path / "link"), "--yes").exit_code == 4
    (directory / "data").mkdir()
    (directory / "data" / "photo.jpg").touch()
    assert run("clean", str(directory), "--yes").exit_code == 4
    assert (directory / "data" / "photo.jpg").exists()


def test_expired_experiments_are_removed_and_others_are_kept(tmp_path: Path) -> None:
    directory = create(tmp_path, "--duration", "1h")
    clean = ("clean", "--expired", "--in", str(tmp_path), "--yes")
    assert run(*clean).exit_code == 0
    assert directory.exists()
    manifest = json.loads((directory / "experiment.json").read_text())
    manifest["created"] = time.time() - 8 * 86400
    (directory / "experiment.json").write_text(json.dumps(manifest))
    assert run(*clean).exit_code == 0
    assert not directory.exists()


def test_clean_needs_either_a_name_or_expired() -> None:
    assert run("clean").exit_code == 2
    assert run("clean", "shop", "--expired").exit_code == 2
