"""Metrics of other libraries are added up over the workers of a real server."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dualmetrics.cli.otlp_receiver import Receiver
from tests.servers.pushes import push_settings, pushed_total
from tests.servers.server import Samples, Server, gunicorn, total
from tests.waiting import wait_until

pytestmark = pytest.mark.server

REQUESTS = 400
PRELOAD = pytest.mark.parametrize("options", [(), ("--preload",)], ids=["no_preload", "preload"])


def wait_for_total(server: Server, name: str, value: float, **labels: str) -> Samples:
    """Wait until some worker's page shows this total, which it does after the next read of each worker."""
    wait_until(
        lambda: total(server.page(), name, **labels) == value,
        20,
        f"{name} to be {value}",
        details=lambda: {key: value for key, value in server.page().items() if key[0].startswith(name)},
    )
    return server.page()


@PRELOAD
def test_registry_totals_are_exact_on_page_and_push_after_a_worker_was_killed(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    with (
        Receiver() as receiver,
        gunicorn(
            "gunicorn-bridged",
            tmp_path,
            *options,
            workers=4,
            **push_settings(receiver),
        ) as server,
    ):
        answered = server.work_until_several_answer(REQUESTS)
        done = answered.total()
        wait_for_total(server, "jobs_total", done, where="request")
        server.kill_worker(max(answered, key=lambda pid: answered[pid]))
        done += server.work_until_several_answer(REQUESTS).total()
        page = wait_for_total(server, "jobs_total", done, where="request")
        assert total(page, "sizes_count") == total(page, "waits_count") == done
        assert total(page, "waits_sum") == done * 0.5
        assert total(page, "phase", phase="busy") == 1
        assert total(page, "dualmetrics_internal_errors_total") == 0
        wait_until(lambda: pushed_total(receiver, "jobs_total", where="request") == done, 20, "the push")


def test_counts_from_before_the_fork_are_counted_once(tmp_path: Path) -> None:
    with gunicorn("gunicorn-bridged", tmp_path, "--preload") as server:
        server.work_until_several_answer(200)
        for _ in range(10):
            assert total(server.page(), "jobs_total", where="import") == 3


def test_each_worker_counts_its_own_import(tmp_path: Path) -> None:
    with gunicorn("gunicorn-bridged", tmp_path) as server:
        seen = server.work_until_several_answer(200)
        while len(seen) < 4:
            assert seen.total() < 10_000, "one worker serves no requests"
            seen.update(server.work(50))
        wait_for_total(server, "jobs_total", 12, where="import")
        page = server.page()
        workers = {dict(pairs).get("worker") for (name, pairs) in page if name == "process_open_fds"}
        assert workers == {None, "0", "1", "2", "3"}
        sum_of_workers = sum(
            total(page, "process_resident_memory_bytes", worker=str(slot)) for slot in range(4)
        )
        assert page["process_resident_memory_bytes", ()] == sum_of_workers


def test_totals_on_the_page_never_decrease(tmp_path: Path) -> None:
    with gunicorn("gunicorn-bridged", tmp_path, "--max-requests", "60") as server:
        last: Samples = {}
        for _ in range(20):
            server.work(20)
            page = server.page()
            for key, value in last.items():
                if key[0] in ("jobs_total", "sizes_count", "sizes_bucket", "waits_count"):
                    assert page[key] >= value, key
            last = page
        wait_for_total(server, "jobs_total", 400, where="request")


@PRELOAD
def test_a_graceful_shutdown_loses_nothing(tmp_path: Path, options: tuple[str, ...]) -> None:
    with Receiver() as receiver:
        with gunicorn(
            "gunicorn-bridged",
            tmp_path,
            *options,
            OTEL_EXPORTER_OTLP_ENDPOINT=receiver.http_endpoint,
            DUALMETRICS_SHUTDOWN_TIMEOUT="10",  # four workers exit at once, perhaps on a slow machine
        ) as server:
            seen = server.work_until_several_answer(200)
            while len(seen) < 4:  # gunicorn kills a worker that is still starting
                assert seen.total() < 10_000, "one worker serves no requests"
                seen.update(server.work(50))
            done = seen.total()
            server.stop()
        assert pushed_total(receiver, "jobs_total", where="request") == done
        assert pushed_total(receiver, "jobs_total", where="import") == (3 if options else 12)


SCRIPT = """
import sys
from prometheus_client import REGISTRY, Counter, Metric
import dualmetrics

class Custom:
    def collect(self):
        made = Metric("rows", "", "gauge")
        made.add_sample("rows", {}, 7.0)
        yield made

REGISTRY.register(Custom())
jobs = Counter("jobs", "")
dualmetrics.configure(registries="default", endpoint=sys.argv[1])
jobs.inc(5)
"""


def test_registries_are_pushed_at_exit_even_if_the_page_was_never_scraped(tmp_path: Path) -> None:
    with Receiver() as receiver:
        subprocess.run([sys.executable, "-c", SCRIPT, receiver.http_endpoint], check=True, timeout=60)
        assert (pushed_total(receiver, "jobs_total"), pushed_total(receiver, "rows")) == (5, 7)


def test_the_files_of_the_multi_process_mode_of_prometheus_client_are_read_once(tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()
    with gunicorn("gunicorn-bridged", tmp_path, PROMETHEUS_MULTIPROC_DIR=str(files)) as server:
        done = server.work_until_several_answer(200).total()
        for _ in range(10):
            page = server.page()
            assert total(page, "jobs_total", where="request") == done
            assert total(page, "sizes_count") == done
        server.kill_worker(next(iter(server.workers())))
        done += sum(server.work(100).values())
        assert total(server.page(), "jobs_total", where="request") == done


@PRELOAD
def test_sdk_metrics_count_once_although_a_prometheus_reader_has_them_too(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    with gunicorn("gunicorn-bridged", tmp_path, *options, BRIDGE_SDK="1") as server:
        done = server.work_until_several_answer(200).total()
        page = wait_for_total(server, "steps_total", done, where="request")
        series = [key for key in page if key[0] == "steps_total" and ("where", "request") in key[1]]
        assert len(series) == 1
        if options:
            assert total(page, "steps_total", where="import") == 2
