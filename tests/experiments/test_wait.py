"""``dualmetrics compare --wait`` on a real Prometheus that goes away, and with clocks that are off."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result

from dualmetrics.cli.commands import dualmetrics_command
from dualmetrics.cli.comparison_wait import DeclaredTime, Looks, wait_for_verdict
from dualmetrics.cli.console import PlainConsole
from dualmetrics.experiments import Comparison, InvalidExperimentError, Verdict
from tests.cli.commands import running
from tests.experiments.exporters import Exporter, Step, serving
from tests.experiments.prometheus import configuration, prometheus, value
from tests.experiments.recorded import Recorded, compared
from tests.experiments.world import steady, worse
from tests.ports import free_port
from tests.waiting import wait_until

server = pytest.mark.server
STEPS: dict[str, Step] = {"same": steady, "worse": worse}
UNDECIDED = ["--errors", "0.001%", "--slo", "50ms"]


@pytest.fixture(scope="module")
def targets() -> Iterator[dict[str, dict[str, str]]]:
    """Two experiments whose exporters go on for as long as they are scraped."""
    with ExitStack() as stack:
        yield {
            name: {
                "baseline": stack.enter_context(serving(Exporter(steady))),
                "candidate": stack.enter_context(serving(Exporter(step))),
            }
            for name, step in STEPS.items()
        }


@pytest.fixture(scope="module")
def url(targets: dict[str, dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with prometheus(tmp_path_factory.mktemp("prometheus"), configuration(targets)) as address:
        wait_until(lambda: value(address, "count(http_requests_total)") >= 8, 30, "the first scrapes")
        yield address


def wait(url: str, experiment: str, *arguments: str) -> Result:
    command = ["compare", experiment, "--prometheus", url, "--wait", *arguments]
    result = CliRunner().invoke(dualmetrics_command, command)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    return result


@server
def test_the_wait_ends_with_the_first_verdict_long_before_the_declared_end(url: str, tmp_path: Path) -> None:
    began = time.monotonic()
    files = [tmp_path / name for name in ("report.html", "report.xml", "report.md")]
    reports = [word for file in files for word in ("--report", str(file))]
    result = wait(url, "worse", "--start", "now", "--duration", "40s", *reports)
    assert (result.exit_code, "FAIL Surely worse" in result.stdout) == (1, True), result.output
    assert time.monotonic() - began < 35
    assert "look 2 at" in result.stderr
    assert all(file.stat().st_size > 500 for file in files)


@server
def test_without_a_verdict_the_wait_ends_at_the_declared_end(url: str) -> None:
    result = wait(url, "same", "--start", "now", "--duration", "6s", "--interval", "1s", *UNDECIDED)
    assert (result.exit_code, "INCONCLUSIVE Not decided" in result.stdout) == (3, True), result.output
    assert "look 1 at" in result.stderr
    assert "; next look in 1s" in result.stderr


@server
def test_a_window_that_has_not_begun_by_the_servers_clock_is_waited_for(url: str) -> None:
    """The clock of the machine that sets the start may be ahead."""
    start = httpx.get(f"{url}/api/v1/query", params={"query": "time()"}).json()["data"]["result"][1]
    later = str(float(start) + 2)
    early = CliRunner().invoke(
        dualmetrics_command, ["compare", "same", "--prometheus", url, "--start", later, "--duration", "1m"]
    )
    assert (early.exit_code, "begins in" in early.output) == (3, True), early.output
    result = wait(url, "same", "--start", later, "--duration", "2s", *UNDECIDED)
    assert (result.exit_code, "waiting: The window begins in" in result.stderr) == (3, True), result.output


@server
def test_a_signal_ends_the_wait_with_a_report_and_how_to_continue(url: str, tmp_path: Path) -> None:
    report = tmp_path / "report.md"
    command = ["compare", "same", "--prometheus", url, "--wait", "--start", "now", "--duration", "1m"]
    with running(*command, "--report", str(report), *UNDECIDED) as waiting:
        waiting.wait_for("look 1 at")
        status = waiting.stop(signal.SIGTERM)
    assert status == 130
    assert "Stopped without a verdict" in waiting.output
    assert "--start 1" in waiting.output
    assert "Traceback" not in waiting.output
    assert report.read_text().startswith("## INCONCLUSIVE")


@server
def test_a_terminal_shows_when_the_declared_end_is(url: str) -> None:
    command = ["compare", "same", "--prometheus", url, "--wait", "--start", "now", "--duration", "1h"]
    with running(*command, columns=100) as waiting:
        waiting.wait_for("the declared end is in (1h|59m)")
        assert waiting.stop() == 130


@server
def test_a_prometheus_that_comes_later_and_goes_away_meanwhile_is_waited_for(
    targets: dict[str, dict[str, str]], tmp_path: Path
) -> None:
    port, config = free_port(), configuration(targets)
    command = ["compare", "same", "--prometheus", f"http://127.0.0.1:{port}", "--wait"]
    with running(*command, "--start", "now", "--duration", "14s", *UNDECIDED) as waiting:
        waiting.wait_for("waiting: .* cannot be reached")
        with prometheus(tmp_path, config, port=port):
            waiting.wait_for("look 1 at")
        wait_until(lambda: waiting.output.count("cannot be reached") > 1, 30, "that the server is missed")
        with prometheus(tmp_path, config, port=port):
            status = waiting.end()
    assert status in (3, 4), waiting.output  # by the end, too many scrapes may be missing
    assert "Traceback" not in waiting.output
    assert "INCONCLUSIVE" in waiting.output or "INVALID" in waiting.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["shop", "--prometheus", "http://127.0.0.1:1", "--wait"], "--wait needs a declared end"),
        (["--pages", "a", "b", "--wait"], "cannot be combined: --pages and --wait"),
        (["shop", "--prometheus", "http://127.0.0.1:1", "--interval", "1s"], "only with --pages or --wait"),
        (["shop", "--report", "report.doc"], "must be one of"),
        (["shop", "--report", "no/such/folder/report.md"], "cannot be written"),
        (["shop", "--output", "no/such/folder/report"], "cannot be written"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_waited_for(arguments: list[str], words: str) -> None:
    result = CliRunner().invoke(dualmetrics_command, ["compare", *arguments])
    assert (result.exit_code, words in result.output) == (2, True), result.output


class Experiment:
    """Looks at a made-up experiment of one hour, with a clock of its own, which moves with each question."""

    def __init__(self, *times: float, until: float = 3600.0) -> None:
        self.times = list(times)
        self.until = until
        self.windows: list[float] = []

    def now(self) -> float:
        return self.times.pop(0)

    def declare(self) -> DeclaredTime:
        return DeclaredTime(0.0, self.until, self.now())

    def compare(self, declared: DeclaredTime) -> list[Comparison]:
        self.windows.append(declared.now)
        source = Recorded(min(declared.now, declared.until))
        return [compared(source, declared.until, sequential=True, slo=(0.1,))]


def wait_for(experiment: Experiment) -> Comparison:
    looks = Looks(experiment.declare, experiment.compare, experiment.now, 0.1)
    return wait_for_verdict(looks, PlainConsole(stderr=True))[0]


def test_a_clock_of_the_server_that_is_set_back_only_costs_a_look() -> None:
    experiment = Experiment(600.0, 300.0, 900.0, 3600.0)
    assert wait_for(experiment).window.end == 3600.0
    assert experiment.windows == [600.0, 300.0, 900.0, 3600.0]


def test_an_unknown_experiment_is_waited_for_only_until_it_was_once_known() -> None:
    experiment = Experiment(600.0, 1200.0, 1800.0)
    compare, answers = experiment.compare, iter([False, True, False])

    def sometimes(declared: DeclaredTime) -> list[Comparison]:
        if not next(answers):
            raise InvalidExperimentError("It is unknown.")
        return compare(declared)

    looks = Looks(experiment.declare, sometimes, experiment.now, 0.1)
    with pytest.raises(InvalidExperimentError):
        wait_for_verdict(looks, PlainConsole(stderr=True))
    assert experiment.windows == [1200.0]


def test_an_invalid_experiment_ends_the_wait() -> None:
    experiment = Experiment(1800.0)
    source = Recorded(1800.0, traffic=(25.0, 15.0))
    experiment.compare = lambda declared: [  # type: ignore[method-assign]
        compared(source, declared.until, sequential=True, split=0.5)
    ]
    assert wait_for(experiment).verdict is Verdict.INVALID
