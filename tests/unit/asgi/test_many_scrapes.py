"""Many scrapes at once on ASGI: they share renderings, wait without threads, and leave the app the loop."""

from __future__ import annotations

import logging
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import anyio
import pytest
from anyio.lowlevel import checkpoint

from dualmetrics.asgi import MetricsMiddleware, metrics_app
from dualmetrics.asgi.types import ASGIApp, Message
from dualmetrics.scrape.encoded_page import CHUNK_BYTES
from dualmetrics.telemetry import Telemetry
from dualmetrics.testing.asgi_client import BODY_END, DISCONNECT, http_scope
from tests.unit.asgi.apps import hello
from tests.waiting import wait_until

both_libraries = pytest.mark.parametrize("backend", ["asyncio", "trio"])


class Renderings:
    """Counts the renderings of a page. Each waits until the test allows it, and fails if it is to."""

    def __init__(self, telemetry: Telemetry) -> None:
        self.begun = 0
        self.fail = False
        self.allowed = threading.Semaphore(0)
        self._before_page = telemetry.page.before_page
        telemetry.page.before_page = self

    def __call__(self) -> None:
        self.begun += 1
        assert self.allowed.acquire(timeout=20)
        if self.fail:
            raise OSError("the disk is gone")
        self._before_page()


@pytest.fixture
def renderings(telemetry: Telemetry) -> Iterator[Renderings]:
    made = Renderings(telemetry)
    yield made
    made.allowed.release(1000)
    made.fail = False


class Client:
    """A client of an ASGI app that sends one request and reads the response. It may disconnect."""

    def __init__(self, app: ASGIApp, method: str = "GET", path: str = "/metrics", query: bytes = b"") -> None:
        self.app = app
        self.scope = http_scope(method, path, query_string=query)
        self.status = 0
        self.body = b""
        self.chunks = 0
        self.asked = False
        self.gone = anyio.Event()

    async def run(self) -> None:
        await self.app(self.scope, self.receive, self.send)

    async def receive(self) -> Message:
        if not self.asked:
            self.asked = True
            return BODY_END
        await self.gone.wait()
        return DISCONNECT

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self.body += message["body"]
            self.chunks += 1


async def until(condition: Callable[[], object]) -> None:
    """Wait for something that happens in another task or thread."""
    with anyio.fail_after(20):
        while not condition():
            await checkpoint()


async def settle() -> None:
    """Let all tasks go as far as they can without another thread."""
    for _ in range(20):
        await checkpoint()


MAX_THREADS = 4
"""The threads of the pool. It may start one while another is about to be idle."""


def rendering_threads() -> int:
    return sum(thread.name.startswith("dualmetrics-page") for thread in threading.enumerate())


@both_libraries
def test_scrapes_that_arrive_during_a_rendering_share_the_next_one_and_take_no_threads(
    telemetry: Telemetry, renderings: Renderings, backend: str
) -> None:
    async def scrape() -> list[Client]:
        page, before = metrics_app(telemetry), rendering_threads()
        clients = [Client(page, "HEAD" if number % 10 == 9 else "GET") for number in range(300)]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(clients[0].run)
            await until(lambda: renderings.begun)
            for client in clients[1:]:
                tasks.start_soon(client.run)
            await settle()
            assert rendering_threads() <= max(before, 1)
            renderings.allowed.release(2)
        return clients

    clients = anyio.run(scrape, backend=backend)
    assert {client.status for client in clients} == {200}
    assert renderings.begun == 2
    assert {client.body for client in clients if client.scope["method"] == "HEAD"} == {b""}
    assert len({client.body for client in clients[1:] if client.scope["method"] == "GET"}) == 1
    renderings.allowed.release()
    assert 'dualmetrics_scrapes_total{result="success"} 300' in telemetry.render()[1].decode()


@both_libraries
def test_renderings_of_many_filters_run_one_at_a_time(
    telemetry: Telemetry, renderings: Renderings, backend: str
) -> None:
    async def scrape() -> None:
        page = metrics_app(telemetry)
        async with anyio.create_task_group() as tasks:
            for number in range(50):
                tasks.start_soon(Client(page, query=b"name[]=m%d" % number).run)
            for number in range(50):
                await until(lambda: renderings.begun > number)  # noqa: B023  # it is called at once
                await settle()
                assert renderings.begun == number + 1
                assert rendering_threads() <= MAX_THREADS
                renderings.allowed.release()

    anyio.run(scrape, backend=backend)
    assert renderings.begun == 50


@both_libraries
@pytest.mark.parametrize("way", ["disconnect", "cancel"])
def test_a_client_that_leaves_while_it_waits_ends_its_own_wait_alone(
    telemetry: Telemetry, renderings: Renderings, backend: str, way: str
) -> None:
    async def run_until(client: Client, left: anyio.Event, ended: list[Client]) -> None:
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(client.run)
                await left.wait()
                if way == "disconnect":
                    client.gone.set()
                else:
                    scope.cancel()
        ended.append(client)

    async def scrape() -> None:
        page, left, ended = metrics_app(telemetry), anyio.Event(), list[Client]()
        first, stays = Client(page), Client(page)
        alone = [Client(page, query=b"name[]=m%d" % number) for number in range(20)]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(first.run)
            await until(lambda: renderings.begun)
            for client in [Client(page), *alone, Client(page)]:
                tasks.start_soon(run_until, client, left, ended)
            await settle()
            tasks.start_soon(stays.run)
            await settle()
            left.set()
            await until(lambda: len(ended) == 22)
            renderings.allowed.release(2)
        assert (first.status, stays.status) == (200, 200)

    anyio.run(scrape, backend=backend)
    assert renderings.begun == 2, "no page is rendered for clients that have left"
    renderings.allowed.release()
    shown = telemetry.render()[1].decode()
    assert 'dualmetrics_scrapes_total{result="success"} 2' in shown
    assert 'dualmetrics_scrapes_total{result="failure"} 22' in shown


@both_libraries
def test_a_client_that_leaves_during_its_rendering_keeps_nobody_from_the_next_page(
    telemetry: Telemetry, renderings: Renderings, backend: str
) -> None:
    async def scrape() -> None:
        page = metrics_app(telemetry)
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(Client(page).run)
                await until(lambda: renderings.begun)
                scope.cancel()
        renderings.allowed.release(2)
        await (client := Client(page)).run()
        assert client.status == 200

    anyio.run(scrape, backend=backend)


@both_libraries
def test_a_failed_rendering_fails_for_all_who_share_it_and_for_nobody_else(
    telemetry: Telemetry, renderings: Renderings, backend: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scrape() -> None:
        page = metrics_app(telemetry)
        clients = [Client(page) for _ in range(20)]
        async with anyio.create_task_group() as tasks:
            for client in clients:
                tasks.start_soon(client.run)
            await until(lambda: renderings.begun)
            renderings.fail = True
            renderings.allowed.release(2)
        assert {client.status for client in clients} == {500}
        renderings.fail = False
        renderings.allowed.release()
        await (client := Client(page)).run()
        assert client.status == 200

    anyio.run(scrape, backend=backend)
    [record] = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert "rendering the page failed" in record.message


@pytest.mark.parametrize(
    "messages", [[BODY_END], [{**BODY_END, "more_body": True}], [{"type": "unknown"}], []], ids=str
)
@both_libraries
def test_a_middleware_that_repeats_the_request_forever_gets_the_page(
    telemetry: Telemetry, renderings: Renderings, backend: str, messages: list[Message]
) -> None:
    async def scrape() -> Client:
        client = Client(metrics_app(telemetry))

        async def receive() -> Message:
            return messages[0]  # raises IndexError if there is none

        client.receive = receive  # type: ignore[method-assign]
        renderings.allowed.release()
        await client.run()
        return client

    assert anyio.run(scrape, backend=backend).status == 200


def test_scrapes_in_several_event_loops_share_renderings(
    telemetry: Telemetry, renderings: Renderings
) -> None:
    page, arrived = metrics_app(telemetry), threading.Semaphore(0)

    async def scrape() -> set[int]:
        clients = [Client(page) for _ in range(50)]
        async with anyio.create_task_group() as tasks:
            for client in clients:
                tasks.start_soon(client.run)
            await settle()
            arrived.release()
        return {client.status for client in clients}

    with ThreadPoolExecutor(6) as pool:
        names = ("asyncio", "trio") * 3
        futures = [pool.submit(lambda name: anyio.run(scrape, backend=name), name) for name in names]
        for _ in futures:
            assert arrived.acquire(timeout=20)
        renderings.allowed.release(2)
        assert all(future.result(20) == {200} for future in futures)
    assert renderings.begun <= 2


@both_libraries
def test_a_loop_that_ends_while_a_scrape_waits_is_no_error(
    telemetry: Telemetry, renderings: Renderings, backend: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def give_up() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(Client(page).run)
            await until(lambda: renderings.begun)
            tasks.cancel_scope.cancel()

    page = metrics_app(telemetry)
    anyio.run(give_up, backend=backend)
    renderings.allowed.release()
    wait_until(lambda: telemetry.page._renderings._find_turn() is None, 10, "the rendering to end")
    assert caplog.records == []


async def ticks(during: Awaitable[object], sent: Callable[[], int]) -> int:
    """The most chunks that were sent between two rounds of the event loop."""
    most = 0

    async def tick() -> None:
        nonlocal most
        while True:
            before = sent()
            await checkpoint()
            most = max(most, sent() - before)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(tick)
        await during
        tasks.cancel_scope.cancel()
    return most


@both_libraries
def test_readers_of_a_large_page_leave_the_event_loop_to_others_after_each_chunk(
    telemetry: Telemetry, backend: str
) -> None:
    counter = telemetry.meter("app").create_counter("hits", description="x" * 1000)
    for number in range(1900):
        counter.add(1, {"who": f"{number} {'y' * 800}"})

    async def read() -> int:
        app = MetricsMiddleware(hello, telemetry=telemetry)
        clients = [Client(app) for _ in range(100)]

        async def run_all() -> None:
            async with anyio.create_task_group() as tasks:
                for client in clients:
                    tasks.start_soon(client.run)

        most = await ticks(run_all(), lambda: sum(client.chunks for client in clients))
        assert {client.status for client in clients} == {200}
        assert min(len(client.body) for client in clients) > 20 * CHUNK_BYTES
        assert min(client.chunks for client in clients) > 20
        return most

    # A chunk, and the end of the page before it. What counts the rounds is a task that may miss one.
    assert anyio.run(read, backend=backend) <= 4


@both_libraries
def test_a_client_that_does_not_read_holds_up_nobody(telemetry: Telemetry, backend: str) -> None:
    class Stuck(Client):
        async def send(self, message: Message) -> None:
            await super().send(message)
            if self.body:
                await self.gone.wait()

    async def read() -> None:
        page = metrics_app(telemetry)
        stuck = [Stuck(page) for _ in range(50)]
        async with anyio.create_task_group() as tasks:
            for client in stuck:
                tasks.start_soon(client.run)
            await until(lambda: all(client.body for client in stuck))
            await (reads := Client(page)).run()
            assert reads.status == 200
            tasks.cancel_scope.cancel()

    anyio.run(read, backend=backend)
