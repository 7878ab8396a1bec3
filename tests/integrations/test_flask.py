"""What is Flask's own: the extension, its route, and where Flask keeps the rule."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest
from flask import Blueprint, Flask, Response, send_file
from flask.cli import routes_command
from werkzeug.middleware.proxy_fix import ProxyFix

from dualmetrics.config.settings import SettingsError
from dualmetrics.telemetry import Telemetry
from dualmetrics.testing.recorded import Recorded, RequestLabels
from dualmetrics.testing.site import HANDLER_ERROR_TYPE, HandlerError
from dualmetrics_flask import DualMetrics, set_route


@pytest.fixture
def app() -> Flask:
    made = Flask("site")
    made.add_url_rule("/users/<int:id>", "user", lambda id: f"user {id}")  # noqa: A006 - the rule's parameter
    return made


def test_the_route_is_shown_among_the_apps_routes(app: Flask, telemetry: Telemetry) -> None:
    DualMetrics(app, telemetry=telemetry)
    shown = app.test_cli_runner().invoke(routes_command).output
    assert [line.split()[0] for line in shown.splitlines() if "/metrics" in line] == ["dualmetrics"]


def test_an_app_factory_with_one_extension_for_all_apps(telemetry: Telemetry, recorded: Recorded) -> None:
    extension = DualMetrics(telemetry=telemetry)

    def create_app(name: str) -> Flask:
        made = Flask(name)
        made.add_url_rule(f"/{name}", name, lambda: name)
        extension.init_app(made)
        return made

    for name in ("one", "two"):
        made = create_app(name)
        assert made.extensions["dualmetrics"] is extension
        assert made.test_client().get(f"/{name}").status_code == 200
        assert b"http_requests" in made.test_client().get("/metrics").data
    assert recorded.counts() == {RequestLabels("GET", "/one", 200): 1, RequestLabels("GET", "/two", 200): 1}


def test_one_blueprint_under_two_prefixes(app: Flask, telemetry: Telemetry, recorded: Recorded) -> None:
    items = Blueprint("items", "site")
    items.add_url_rule("/items/<id>", "item", lambda id: id)  # noqa: A006 - the rule's parameter
    inner = Blueprint("inner", "site")
    inner.add_url_rule("/x", "x", lambda: "x")
    items.register_blueprint(inner, url_prefix="/inner")
    app.register_blueprint(items, url_prefix="/v1")
    app.register_blueprint(items, url_prefix="/v2/<tenant>", name="second", url_defaults={})
    DualMetrics(app, telemetry=telemetry)
    client = app.test_client()
    for path in ("/v1/items/1", "/v1/inner/x"):
        assert client.get(path).status_code == 200
    client.get("/v2/acme/items/2")
    assert {request.route for request in recorded.counts()} == {
        "/v1/items/<id>",
        "/v1/inner/x",
        "/v2/<tenant>/items/<id>",
    }


@pytest.mark.parametrize("testing", [True, False])
def test_a_propagated_exception_keeps_its_route(
    app: Flask, telemetry: Telemetry, recorded: Recorded, testing: bool
) -> None:
    @app.get("/boom/<id>")
    def boom(id: str) -> str:  # noqa: A002 - the rule's parameter
        raise HandlerError

    app.testing = testing
    DualMetrics(app, telemetry=telemetry)
    if testing:
        with pytest.raises(HandlerError):
            app.test_client().get("/boom/1")
    else:
        assert app.test_client().get("/boom/1").status_code == 500
    assert recorded.counts() == {RequestLabels("GET", "/boom/<id>", 500): 1}
    assert recorded.active() == {}


def test_an_error_handlers_answer_is_no_exception(tmp_path: object) -> None:
    telemetry = Telemetry(metrics_exporter="prometheus", convention="semconv", directory=str(tmp_path))
    app = Flask("site")

    @app.errorhandler(HandlerError)
    def handled(error: HandlerError) -> tuple[str, int]:
        return "sorry", 409

    @app.get("/boom")
    def boom() -> str:
        raise HandlerError

    @app.get("/worse")
    def worse() -> str:
        raise ZeroDivisionError

    DualMetrics(app, telemetry=telemetry)
    assert app.test_client().get("/boom").status_code == 409
    assert app.test_client().get("/worse").status_code == 500
    assert Recorded(telemetry).error_types() == {"ZeroDivisionError"}
    assert HANDLER_ERROR_TYPE not in Recorded(telemetry).error_types()
    telemetry.shutdown()


def test_added_after_the_first_request_the_page_is_answered_all_the_same(
    app: Flask, telemetry: Telemetry, recorded: Recorded
) -> None:
    client = app.test_client()
    client.get("/users/1")
    DualMetrics(app, telemetry=telemetry)
    client.get("/users/2")
    assert b"http_requests" in client.get("/metrics").data
    assert recorded.counts() == {RequestLabels("GET", "/users/<int:id>", 200): 1}


def test_a_route_on_the_metrics_path_is_named(app: Flask, telemetry: Telemetry) -> None:
    app.add_url_rule("/metrics", "my_numbers", lambda: "mine")
    with pytest.raises(SettingsError, match=r"/metrics.*my_numbers"):
        DualMetrics(app, telemetry=telemetry)
    DualMetrics(app, telemetry=telemetry, route=False)
    assert app.test_client().get("/metrics").data == b"mine"


def test_a_catch_all_does_not_hide_the_page(app: Flask, telemetry: Telemetry, recorded: Recorded) -> None:
    app.add_url_rule("/<path:rest>", "rest", lambda rest: "caught")
    DualMetrics(app, telemetry=telemetry)
    client = app.test_client()
    assert client.get("/anything/else").data == b"caught"
    assert b"http_requests" in client.get("/metrics").data
    assert recorded.counts() == {RequestLabels("GET", "/<path:rest>", 200): 1}


def test_without_a_route_the_path_is_the_apps(app: Flask, telemetry: Telemetry) -> None:
    DualMetrics(app, telemetry=telemetry, route=False)
    assert app.test_client().get("/metrics").status_code == 404


def test_installed_twice_is_counted_once(app: Flask, telemetry: Telemetry, recorded: Recorded) -> None:
    DualMetrics(app, telemetry=telemetry)
    DualMetrics(app, telemetry=telemetry)
    app.test_client().get("/users/1")
    assert recorded.counts() == {RequestLabels("GET", "/users/<int:id>", 200): 1}


def test_two_telemetries_have_two_pages(app: Flask, telemetry: Telemetry) -> None:
    other = Telemetry(metrics_exporter="prometheus", prometheus_path="/internal/metrics")
    DualMetrics(app, telemetry=telemetry)
    DualMetrics(app, telemetry=other)
    client = app.test_client()
    client.get("/users/1")
    assert b"http_requests" in client.get("/metrics").data
    assert b"http_requests" in client.get("/internal/metrics").data
    other.shutdown()


@pytest.mark.parametrize("exporters", ["otlp", "none"])
def test_without_prometheus_there_is_no_route(app: Flask, exporters: str) -> None:
    telemetry = Telemetry(metrics_exporter=exporters)
    DualMetrics(app, telemetry=telemetry)
    assert app.test_client().get("/metrics").status_code == 404
    assert app.test_client().get("/users/1").status_code == 200
    assert [rule.rule for rule in app.url_map.iter_rules() if rule.rule == "/metrics"] == []
    telemetry.shutdown()


def test_settings_beside_a_telemetry_are_refused(app: Flask, telemetry: Telemetry) -> None:
    with pytest.raises(TypeError, match="convention"):
        DualMetrics(app, telemetry=telemetry, convention="semconv")


def test_other_methods_than_get_on_the_page_are_refused(app: Flask, telemetry: Telemetry) -> None:
    DualMetrics(app, telemetry=telemetry)
    client = app.test_client()
    assert client.post("/metrics").status_code == 405
    assert client.head("/metrics").data == b""


def test_static_files_and_sent_files(app: Flask, telemetry: Telemetry, recorded: Recorded) -> None:
    @app.get("/download")
    def download() -> Response:
        return send_file(io.BytesIO(b"file"), download_name="a.txt")

    DualMetrics(app, telemetry=telemetry)
    client = app.test_client()
    assert client.get("/download").data == b"file"
    assert client.get("/static/none.css").status_code == 404
    assert recorded.counts() == {
        RequestLabels("GET", "/download", 200): 1,
        RequestLabels("GET", "/static/<path:filename>", 404): 1,
    }
    assert recorded.active() == {}


def test_a_proxys_prefix_is_left_out(app: Flask, telemetry: Telemetry, recorded: Recorded) -> None:
    app.wsgi_app = ProxyFix(app.wsgi_app, x_prefix=1)  # type: ignore[method-assign]  # Flask's own way
    DualMetrics(app, telemetry=telemetry)
    app.test_client().get("/users/1", headers={"X-Forwarded-Prefix": "/whatever"})
    assert recorded.counts() == {RequestLabels("GET", "/users/<int:id>", 200): 1}


def test_the_app_may_name_its_route_itself(app: Flask, telemetry: Telemetry, recorded: Recorded) -> None:
    from flask import request

    @app.get("/pages/<path:path>")
    def page(path: str) -> str:
        set_route(request.environ, "/pages/" + ("{article}" if path.endswith(".html") else "{other}"))
        return path

    DualMetrics(app, telemetry=telemetry)
    app.test_client().get("/pages/a.html")
    assert recorded.counts() == {RequestLabels("GET", "/pages/{article}", 200): 1}


def test_the_import_needs_neither_grpc_nor_requests_nor_prometheus_client_nor_the_sdk() -> None:
    heavy = ("grpc", "requests", "prometheus_client", "opentelemetry.sdk", "starlette", "fastapi")
    code = f"import sys, dualmetrics_flask; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(("package", "framework"), [("flask", "flask"), ("starlette", "starlette")])
def test_without_the_framework_the_import_says_what_to_install(package: str, framework: str) -> None:
    code = f"import sys; sys.modules[{framework!r}] = None; import dualmetrics_{package}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert f'pip install "dualmetrics[{package}]"' in done.stderr.splitlines()[-1]
