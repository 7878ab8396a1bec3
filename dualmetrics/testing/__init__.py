"""Test suites that prove an integration right, and the helpers they are made of.

Needs pytest: ``pip install "dualmetrics[testing]"``. An integration subclasses `AsgiContract` or
`WsgiContract` in a test module and builds the contract's site in ``make_app``; pytest collects the inherited
cases. The table in `dualmetrics.testing.site` says which routes the site has, and
``docs/writing-an-integration.md`` shows an example.
"""

try:
    import pytest
except ImportError as error:
    raise ImportError('dualmetrics.testing needs pytest: pip install "dualmetrics[testing]"') from error

# pytest rewrites the asserts of test modules only, unless it is told of others before they are imported.
pytest.register_assert_rewrite("dualmetrics.testing.contracts", "dualmetrics.testing.recorded")

from dualmetrics.testing.asgi_client import fetch  # noqa: E402 - see above
from dualmetrics.testing.contracts.asgi import AsgiContract  # noqa: E402
from dualmetrics.testing.contracts.http import HttpContract  # noqa: E402
from dualmetrics.testing.contracts.wsgi import WsgiContract  # noqa: E402
from dualmetrics.testing.isolation import isolated  # noqa: E402
from dualmetrics.testing.metrics import Delta, Metrics  # noqa: E402
from dualmetrics.testing.recorded import Recorded, RequestLabels  # noqa: E402
from dualmetrics.testing.site import Actions, HandlerError, Response, Site  # noqa: E402

__all__ = [
    "Actions",
    "AsgiContract",
    "Delta",
    "HandlerError",
    "HttpContract",
    "Metrics",
    "Recorded",
    "RequestLabels",
    "Response",
    "Site",
    "WsgiContract",
    "fetch",
    "isolated",
]
