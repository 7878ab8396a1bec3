"""A program of a user for each integration that `program` does not have. It is checked as `program` is.

Bottle, Celery and Pyramid have no types of their own.
"""

from __future__ import annotations

import bottle  # type: ignore[import-untyped]
import falcon
import falcon.asgi
import rq
from aiohttp import web
from celery import Celery  # type: ignore[import-untyped]
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from litestar import Litestar, get
from pyramid.config import Configurator  # type: ignore[import-untyped]
from quart import Quart
from tornado.web import Application

import dualmetrics_aiohttp
import dualmetrics_bottle
import dualmetrics_celery
import dualmetrics_django.asgi
import dualmetrics_django.wsgi
import dualmetrics_falcon.asgi
import dualmetrics_falcon.wsgi
import dualmetrics_litestar
import dualmetrics_pyramid
import dualmetrics_quart
import dualmetrics_rq
import dualmetrics_tornado
from dualmetrics import Telemetry, task_queues
from dualmetrics.testing import Metrics, isolated

telemetry = Telemetry(service_name="shop")

# Frameworks

aiohttp_app = web.Application()
dualmetrics_aiohttp.DualMetrics(aiohttp_app, telemetry=telemetry)

bottle_app = dualmetrics_bottle.DualMetrics(bottle.Bottle(), service_name="shop")

django_app = dualmetrics_django.wsgi.DualMetrics(get_wsgi_application(), telemetry=telemetry)
django_asgi_app = dualmetrics_django.asgi.DualMetrics(get_asgi_application(), serve_metrics=False)

falcon_app = dualmetrics_falcon.wsgi.DualMetrics(falcon.App(), telemetry=telemetry)
falcon_asgi_app = dualmetrics_falcon.asgi.DualMetrics(falcon.asgi.App(), serve_metrics=False)


@get("/users/{user:int}")
async def show_user(user: int) -> str:
    return f"user {user}"


litestar_app = Litestar([show_user], plugins=[dualmetrics_litestar.DualMetrics()])
dualmetrics_litestar.DualMetrics(litestar_app, telemetry=telemetry)

config = Configurator()
dualmetrics_pyramid.DualMetrics(config, service_name="shop")

quart_app = Quart("shop")
dualmetrics_quart.DualMetrics(quart_app, telemetry=telemetry)

tornado_app = Application()
dualmetrics_tornado.DualMetrics(tornado_app, telemetry=telemetry)

# Task queues

celery_app = Celery("shop")
dualmetrics_celery.DualMetrics(celery_app, telemetry=telemetry)


class MailWorker(dualmetrics_rq.MetricsMixin, rq.Worker):
    telemetry = telemetry


other_queue = task_queues.TaskMetrics(telemetry, "huey")
other_queue.begin("1", task_queues.Task("send_mail", "mail"), waited=0.5)
other_queue.end("1", "done")

# Tests


def test_a_user(metrics: Metrics) -> None:
    with metrics.delta("http_requests_total", http_route="/users/{user}") as delta:
        pass
    assert delta.value == 1
    assert metrics.of(telemetry).value("http.requests", **{"http.route": "/"}, http_status_code=200) == 2


with isolated() as metrics:
    metrics.reset()

# What the annotations must reject

dualmetrics_aiohttp.DualMetrics(quart_app)  # type: ignore[arg-type]
dualmetrics_quart.DualMetrics(aiohttp_app)  # type: ignore[arg-type]
dualmetrics_tornado.DualMetrics(quart_app)  # type: ignore[arg-type]
dualmetrics_litestar.DualMetrics(quart_app)  # type: ignore[arg-type]
other_queue.end("1")  # type: ignore[call-arg]
