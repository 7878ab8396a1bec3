"""The parts of the integration that only Flask has: the extension, its route, and the rule of a request."""

from __future__ import annotations

import io

import pytest
from flask import Blueprint, Flask, Response, send_file
from flask.cli import routes_command
from werkzeug.middleware.proxy_fix import ProxyFix

from dualmetrics import SettingsError, Telemetry
from dualmetrics.testing.recorded import Recorded, RequestLabels
from dualmetrics.testing.site import HANDLER_ERROR_TYPE, HandlerError
from dualmetrics_flask import DualMetrics, set_route


@pytest.fixture
def app() -> Flask:
    app = Flask("site")
    app.add_url_rule("/users/<int:id>", "user", lambda id: f"user {id}")  # noqa: A006 - the rule's parameter
    return app


def test_page_is_listed_among_the_routes(app: Flask, telemetry: Telemetry) -> None:
    DualMetrics(app, telemetry=telemetry)
    listing = app.test_cli_runner().invoke(routes_command).output
    assert [line.split()[0] for line in listing.splitlines() if "/metrics" in line] == ["dualmetrics"]


def test_one_extension_for_all_apps_of_a_factory(telemetry: Telemetry, recorded: Recorded) -> None:
    extension = DualMetrics(telemetry=telemetry)

    def create_app(name: str) -> Flask:
        app = Flask(name)
        app.add_url_rule(f"/{name}", name, lambda: name)
        extension.init_app(app)
        return app

    for name in ("one", "two"):
        app = create_app(name)
        assert app.extensions["dualmetrics"] is extension
        assert app.test_client().get(f"/{name}").status_code == 200
        assert b"http_requests" in app.test_client().get("/metrics").data
    assert recorded.counts() == {RequestLabels("GET", "/one", 200): 1, RequestLabels("GET", "/two", 200): 1}


def test_blueprint_registered_twice(app: Flask, telemetry: Telemetry, recorded: Recorded) -> None:
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
    assert {labels.route for labels in recorded.counts()} == {
        "/v1/items/<id>",
        "/v1/inner/x",
        "/v2/<tenant>/items/<id>",
    }


def test_werkzeug_still_puts_its_request_into_the_environ(app: Flask) -> None:
    """If this fails, `rule_of` needs another way to the matched rule; ``flask.request`` is a slower one."""
    with app.test_request_context("/users/1") as context:
        assert context.request.environ["werkzeug.request"].url_rule.rule == "/users/<int:id>"


@pytest.mark.parametrize("testing", [True, False])
def test_propagated_exception_keeps_its_route(
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


def test_handled_exception_is_not_recorded_as_an_error(tmp_path: object) -> None:
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


def test_added_after_the_first_request_serves_the_page(
    app: Flask, telemetry: Telemetry, recorded: Recorded
) -> None:
    client = app.test_client()
    client.get("/users/1")
    DualMetrics(app, telemetry=telemetry)
    client.get("/users/2")
    assert b"http_requests" in client.get("/metrics").data
    assert recorded.counts() == {RequestLabels("GET", "/users/<int:id>", 200): 1}


def test_error_names_a_route_on_the_metrics_path(app: Flask, telemetry: Telemetry) -> None:
    app.add_url_rule("/metrics", "my_numbers", lambda: "mine")
    with pytest.raises(SettingsError, match=r"/metrics.*my_numbers"):
        DualMetrics(app, telemetry=telemetry)
    DualMetrics(app, telemetry=telemetry, serve_metrics=False)
    assert app.test_client().get("/metrics").data == b"mine"


def test_catch_all_route_does_not_hide_the_page(app: Flask, telemetry: Telemetry, recorded: Recorded) -> None:
    app.add_url_rule("/<path:rest>", "rest", lambda rest: "caught")
    DualMetrics(app, telemetry=telemetry)
    client = app.test_client()
    assert client.get("/anything/else").data == b"caught"
    assert b"http_requests" in client.get("/metrics").data
    assert recorded.counts() == {RequestLabels("GET", "/<path:rest>", 200): 1}


def test_route_false_leaves_the_path_to_the_app(app: Flask, telemetry: Telemetry) -> None:
    DualMetrics(app, telemetry=telemetry, serve_metrics=False)
    assert app.test_client().get("/metrics").status_code == 404


def test_added_twice_counts_once(app: Flask, telemetry: Telemetry, recorded: Recorded) -> None:
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
def test_no_page_without_the_prometheus_exporter(app: Flask, exporters: str) -> None:
    telemetry = Telemetry(metrics_exporter=exporters)
    DualMetrics(app, telemetry=telemetry)
    assert app.test_client().get("/metrics").status_code == 404
    assert app.test_client().get("/users/1").status_code == 200
    assert [rule.rule for rule in app.url_map.iter_rules() if rule.rule == "/metrics"] == []
    telemetry.shutdown()


def test_settings_beside_a_telemetry_raise_a_type_error(app: Flask, telemetry: Telemetry) -> None:
    with pytest.raises(TypeError, match="convention"):
        DualMetrics(app, telemetry=telemetry, convention="semconv")


def test_page_accepts_get_and_head_only(app: Flask, telemetry: Telemetry) -> None:
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


def test_template_excludes_the_prefix_of_a_proxy(
    app: Flask, telemetry: Telemetry, recorded: Recorded
) -> None:
    app.wsgi_app = ProxyFix(app.wsgi_app, x_prefix=1)  # type: ignore[method-assign]  # Flask's own way
    DualMetrics(app, telemetry=telemetry)
    app.test_client().get("/users/1", headers={"X-Forwarded-Prefix": "/whatever"})
    assert recorded.counts() == {RequestLabels("GET", "/users/<int:id>", 200): 1}


def test_app_names_its_route_with_set_route(app: Flask, telemetry: Telemetry, recorded: Recorded) -> None:
    from flask import request

    @app.get("/pages/<path:path>")
    def page(path: str) -> str:
        set_route(request.environ, "/pages/" + ("{article}" if path.endswith(".html") else "{other}"))
        return path

    DualMetrics(app, telemetry=telemetry)
    app.test_client().get("/pages/a.html")
    assert recorded.counts() == {RequestLabels("GET", "/pages/{article}", 200): 1}
