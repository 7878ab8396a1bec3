"""An app of Pyramid."""

import os
from typing import Any

from pyramid.config import Configurator
from pyramid.response import Response


def work(request: Any) -> Any:
    """Answer with the worker's pid."""
    return Response(str(os.getpid()))


config = Configurator()
config.add_route("work", r"/work/{number:\d+}")
config.add_view(work, route_name="work")
app = config.make_wsgi_app()
