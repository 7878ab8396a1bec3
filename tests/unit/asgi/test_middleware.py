"""What the ASGI middleware does beside recording: the page, the lifespan, naming, and doing nothing."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
import weakref
from collections.abc import Awaitable, Callable, Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
import trio
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse

from dualmetrics.asgi import MetricsMiddleware, metrics_app, set_route
from dualmetrics.asgi.route_names import ENTRY_POINT_GROUP, DeferredNamer, route_namer_for
from dualmetrics.asgi.threads import run_in_thread
from dualmetrics.asgi.types import ASGIApp, Message, Receive, Scope, Send
from dualmetrics.config.settings import SettingsError
from dualmetrics.telemetry import Telemetry
from dualmetrics.testing.asgi_client import Connection, fetch, fetch_async, http_scope
from dualmetrics.testing.recorded import Recorded, RequestLabels
from dualmetrics.testing.site import HandlerError

STARTUP: Message = {"type": "lifespan.startup"}
SHUTDOWN: Message = {"type": "lifespan.shutdown"}
WHOLE_LIFE = ["lifespan.startup.complete", "lifespan.shutdown.complete"]


@pytest.fixture
def telemetry(tmp_path: Path) -> Iterator[Telemetry]:
    made = Telemetry(metrics_exporter="prometheus", directory=str(tmp_path))
    yield made
    made.shutdown()


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        raise ValueError("only http")
    await PlainTextResponse("hello")(scope, receive, send)


def pushers() -> list[str]:
    """The background threads of ours that run now."""
    return [thread.name for thread in threading.enumerate() if thread.name == "dualmetrics"]


def live(app: ASGIApp, *incoming: Message) -> list[str]:
    """Run the lifespan; what the server hears."""
    connection = Connection({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, incoming)
    asyncio.run(connection.run(app))
    return [message["type"] for message in connection.sent]


async def no_lifespan(scope: Scope, receive: Receive, send: Send) -> None:
    raise ValueError("only http")


async def no_lifespan_after_a_look(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    raise ValueError("what is this")


async def ignores_the_lifespan(scope: Scope, receive: Receive, send: Send) -> None:
    return None


@pytest.mark.parametrize(
    "app",
    [Starlette(), no_lifespan, no_lifespan_after_a_look, ignores_the_lifespan],
    ids=lambda app: getattr(app, "__name__", "Starlette"),
)
def test_the_lifespan_starts_and_shuts_down_the_export(telemetry: Telemetry, app: ASGIApp) -> None:
    before = len(pushers())
    running = []

    class Seen(Connection):
        async def send(self, message: Message) -> None:
            running.append(len(pushers()) - before)
            await super().send(message)

    connection = Seen({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, [STARTUP, SHUTDOWN])
    asyncio.run(connection.run(MetricsMiddleware(app, telemetry=telemetry)))
    assert [message["type"] for message in connection.sent] == WHOLE_LIFE
    assert running == [1, 0]


def test_a_startup_that_fails_is_the_servers_to_hear(telemetry: Telemetry) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})
        raise HandlerError

    connection = Connection({"type": "lifespan"}, [STARTUP])
    with pytest.raises(HandlerError):
        asyncio.run(connection.run(MetricsMiddleware(app, telemetry=telemetry)))
    assert [message["type"] for message in connection.sent] == ["lifespan.startup.failed"]
    assert not telemetry.errors.error_count


def test_requests_after_a_shutdown_are_counted(telemetry: Telemetry) -> None:
    app = MetricsMiddleware(hello, telemetry=telemetry)
    fetch(app, "GET", "/")
    telemetry.shutdown()
    fetch(app, "GET", "/")
    assert Recorded(telemetry).counts() == {RequestLabels("GET", "unmatched", 200): 2}


def test_two_middlewares_live_one_lifespan(telemetry: Telemetry) -> None:
    inner = MetricsMiddleware(Starlette(), telemetry=telemetry)
    assert live(MetricsMiddleware(inner, telemetry=telemetry), STARTUP, SHUTDOWN) == WHOLE_LIFE


def test_the_page_alone_is_an_app(telemetry: Telemetry) -> None:
    fetch(MetricsMiddleware(hello, telemetry=telemetry), "GET", "/")
    page = metrics_app(telemetry)
    assert b"http_requests" in fetch(page, "GET", "/whatever").body
    assert live(page, STARTUP, SHUTDOWN) == WHOLE_LIFE
    socket = Connection({**http_scope("GET", "/"), "type": "websocket"})
    asyncio.run(socket.run(page))
    assert [message["type"] for message in socket.sent] == ["websocket.close"]


def test_the_page_hears_headers_query_and_client(tmp_path: Path) -> None:
    telemetry = Telemetry(
        metrics_exporter="prometheus",
        metrics_token="secret",
        metrics_allow="10.0.0.0/8",
        directory=str(tmp_path),
    )
    page = metrics_app(telemetry)
    token = [(b"Authorization", b"Bearer secret")]
    assert fetch(page, "GET", "/", client=("10.0.0.1", 1)).status == 401
    assert fetch(page, "GET", "/", client=("192.0.2.1", 1), headers=token).status == 403
    assert fetch(page, "GET", "/", client=None, headers=token).status == 403
    fetch(MetricsMiddleware(hello, telemetry=telemetry), "GET", "/")
    chosen = {"client": ("10.0.0.1", 1), "headers": token, "query_string": b"name[]=http_connections_active"}
    body = fetch(page, "GET", "/", **chosen).body
    assert b"http_connections_active" in body
    assert b"http_requests" not in body
    telemetry.shutdown()


def test_a_scrape_does_not_hold_up_the_event_loop(
    telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()
    respond = telemetry.page.respond

    def slow(request: object) -> object:
        assert released.wait(10)
        return respond(request)  # type: ignore[arg-type]

    monkeypatch.setattr(telemetry.page, "respond", slow)
    app = MetricsMiddleware(hello, telemetry=telemetry)

    async def scrape_and_serve() -> tuple[int, bytes]:
        scrape = asyncio.create_task(fetch_async(app, "GET", "/metrics"))
        await asyncio.sleep(0)
        served = await fetch_async(app, "GET", "/")
        released.set()
        return (await scrape).status, served.body

    assert asyncio.run(scrape_and_serve()) == (200, b"hello")


def test_the_page_comes_in_parts(telemetry: Telemetry) -> None:
    app = MetricsMiddleware(hello, telemetry=telemetry)
    fetch(app, "GET", "/")
    *parts, end = fetch(app, "GET", "/metrics").sent[1:]
    assert all(part["more_body"] for part in parts)
    assert end == {"type": "http.response.body", "body": b""}


def test_everything_works_under_trio(telemetry: Telemetry) -> None:
    app = MetricsMiddleware(hello, telemetry=telemetry)

    async def serve() -> tuple[bytes, bytes]:
        first = await fetch_async(app, "GET", "/")
        return first.body, (await fetch_async(app, "GET", "/metrics")).body

    body, page = trio.run(serve)
    assert body == b"hello"
    assert b"http_requests" in page
    connection = Connection({"type": "lifespan"}, [STARTUP, SHUTDOWN])
    trio.run(connection.run, app)
    assert [message["type"] for message in connection.sent] == WHOLE_LIFE


def test_what_a_thread_raises_arrives() -> None:
    def fail() -> None:
        raise HandlerError

    with pytest.raises(HandlerError):
        asyncio.run(run_in_thread(fail))
    with pytest.raises(HandlerError):
        trio.run(run_in_thread, fail)


@pytest.mark.parametrize("settings", [{"metrics_exporter": "none"}, {"sdk_disabled": True}])
def test_switched_off_everything_passes_through(settings: dict[str, Any]) -> None:
    telemetry = Telemetry(**settings)
    before = len(pushers())
    app = MetricsMiddleware(hello, telemetry=telemetry)
    for path in ("/", "/metrics"):
        assert fetch(app, "GET", path).body == b"hello"
    with pytest.raises(ValueError, match="only http"):
        live(MetricsMiddleware(no_lifespan, telemetry=telemetry), STARTUP, SHUTDOWN)
    assert fetch(metrics_app(telemetry), "GET", "/").status == 404
    assert len(pushers()) == before
    assert (Recorded(telemetry).counts(), Recorded(telemetry).active()) == ({}, {})


def test_without_prometheus_the_metrics_path_is_the_apps() -> None:
    telemetry = Telemetry(metrics_exporter="otlp")
    app = MetricsMiddleware(hello, telemetry=telemetry)
    assert fetch(app, "GET", "/metrics").body == b"hello"
    assert Recorded(telemetry).counts() == {RequestLabels("GET", "unmatched", 200): 1}
    telemetry.shutdown()


def test_the_metrics_path_can_be_left_to_the_app(telemetry: Telemetry) -> None:
    app = MetricsMiddleware(hello, telemetry=telemetry, answer=False)
    assert fetch(app, "GET", "/metrics").body == b"hello"
    assert Recorded(telemetry).counts() == {}


def test_a_bad_setting_is_refused_at_construction() -> None:
    with pytest.raises(SettingsError, match="convention"):
        MetricsMiddleware(hello, convention="modern")


def naming_fails(scope: Scope, path: str) -> str:
    raise HandlerError


def test_what_names_routes_may_fail(telemetry: Telemetry, caplog: pytest.LogCaptureFixture) -> None:
    app = MetricsMiddleware(hello, telemetry=telemetry, route=naming_fails)
    for _ in range(2):
        assert fetch(app, "GET", "/").body == b"hello"
    assert Recorded(telemetry).counts() == {RequestLabels("GET", "unmatched", 200): 2}
    assert (telemetry.errors.error_count, len(caplog.records)) == (2, 1)


def test_the_given_name_is_asked_with_the_path_below_the_root(telemetry: Telemetry) -> None:
    asked = []

    def name(scope: Scope, path: str) -> str:
        asked.append(path)
        return "/named"

    app = MetricsMiddleware(hello, telemetry=telemetry, route=name)
    for path, root in (("/a/b", ""), ("/root/a", "/root"), ("/rooted", "/root"), ("/root", "/root")):
        fetch(app, "GET", path, root_path=root)
    assert asked == ["/a/b", "/a", "/rooted", ""]
    assert Recorded(telemetry).counts() == {RequestLabels("GET", "/named", 200): 4}


def test_a_route_is_named_through_a_copy_of_the_scope(telemetry: Telemetry) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        copy = dict(scope)
        set_route(copy, "/users/{id}")
        await hello(copy, receive, send)

    fetch(MetricsMiddleware(app, telemetry=telemetry), "GET", "/users/1")
    assert Recorded(telemetry).counts() == {RequestLabels("GET", "/users/{id}", 200): 1}


def test_naming_a_route_without_the_middleware_does_nothing() -> None:
    scope = http_scope("GET", "/")
    set_route(scope, "/x")
    assert scope == http_scope("GET", "/")


def test_starlette_is_announced() -> None:
    assert "starlette" in {point.name for point in entry_points(group=ENTRY_POINT_GROUP)}
    assert route_namer_for(Starlette()) is not None
    assert route_namer_for(object()) is None
    assert DeferredNamer()({}, "/") is None


def test_an_app_in_an_endless_ring_of_layers_is_served(telemetry: Telemetry) -> None:
    class Ring:
        app: Ring

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await hello(scope, receive, send)

    ring = Ring()
    ring.app = ring
    assert fetch(MetricsMiddleware(ring, telemetry=telemetry), "GET", "/").body == b"hello"


def test_a_server_takes_the_middleware_for_asgi_3(telemetry: Telemetry) -> None:
    call: Callable[..., Awaitable[None]] = MetricsMiddleware(hello, telemetry=telemetry).__call__
    assert asyncio.iscoroutinefunction(call)


class Cycle:
    """A request as a server keeps it: the scope beside the functions that the app gets."""

    def __init__(self) -> None:
        self.scope = http_scope("GET", "/")

    async def receive(self) -> Message:
        return {"type": "http.request"}

    async def send(self, message: Message) -> None:
        """The client has it."""


async def raises(scope: Scope, receive: Receive, send: Send) -> None:
    raise HandlerError


async def says_nothing(scope: Scope, receive: Receive, send: Send) -> None:
    return None


@pytest.mark.parametrize("app", [hello, raises, says_nothing])
def test_a_request_leaves_nothing_to_the_garbage_collector(telemetry: Telemetry, app: ASGIApp) -> None:
    async def ask() -> weakref.ref[Cycle]:
        cycle = Cycle()
        with contextlib.suppress(HandlerError):
            await MetricsMiddleware(app, telemetry=telemetry)(cycle.scope, cycle.receive, cycle.send)
        return weakref.ref(cycle)

    gc.disable()
    try:
        assert asyncio.run(ask())() is None
    finally:
        gc.enable()
