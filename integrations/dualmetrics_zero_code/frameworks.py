"""The frameworks, and what makes their apps record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Framework(NamedTuple):
    """When and how the apps of a framework are made to record.

    ``installers`` has modules of the framework, each with the function to call when it was imported.
    ``scopes`` are the modules of OpenTelemetry's instrumentation of the framework, whose metrics have the
    same requests.
    """

    requirement: str
    installers: Mapping[str, str]
    scopes: tuple[str, ...] = ()


_OPENTELEMETRY = "opentelemetry.instrumentation."

FRAMEWORKS: Mapping[str, Framework] = {
    "aiohttp": Framework(
        "aiohttp >= 3.13",
        {"aiohttp.web": "dualmetrics_aiohttp.zero_code:install"},
        (_OPENTELEMETRY + "aiohttp_server",),
    ),
    "bottle": Framework("bottle >= 0.13", {"bottle": "dualmetrics_bottle.zero_code:install"}),
    "connexion": Framework("connexion >= 3.3", {"connexion": "dualmetrics_connexion.zero_code:install"}),
    "django": Framework(
        "django >= 4.2",
        {
            "django.core.handlers.wsgi": "dualmetrics_django.zero_code:install_wsgi",
            "django.core.handlers.asgi": "dualmetrics_django.zero_code:install_asgi",
        },
        (_OPENTELEMETRY + "django",),
    ),
    "falcon": Framework(
        "falcon >= 4.0", {"falcon": "dualmetrics_falcon.zero_code:install"}, (_OPENTELEMETRY + "falcon",)
    ),
    "flask": Framework(
        "flask >= 3.0", {"flask": "dualmetrics_flask.zero_code:install"}, (_OPENTELEMETRY + "flask",)
    ),
    "litestar": Framework("litestar >= 2.21", {"litestar": "dualmetrics_litestar.zero_code:install"}),
    "pyramid": Framework(
        "pyramid >= 2.1",
        {"pyramid.config": "dualmetrics_pyramid.zero_code:install"},
        (_OPENTELEMETRY + "pyramid",),
    ),
    "quart": Framework("quart >= 0.20", {"quart": "dualmetrics_quart.zero_code:install"}),
    "starlette": Framework(
        "starlette >= 0.40",
        {"starlette.applications": "dualmetrics_starlette.zero_code:install"},
        (_OPENTELEMETRY + "starlette", _OPENTELEMETRY + "fastapi"),
    ),
    "tornado": Framework(
        "tornado >= 6.4",
        {"tornado.web": "dualmetrics_tornado.zero_code:install"},
        (_OPENTELEMETRY + "tornado",),
    ),
}
