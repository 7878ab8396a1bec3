"""Metrics for Falcon: ``DualMetrics`` of the module ``wsgi`` or ``asgi`` is put around the app."""

try:
    import falcon  # noqa: F401 - only to say what to install
except ImportError as error:
    raise ImportError('dualmetrics_falcon needs Falcon: pip install "dualmetrics[falcon]"') from error
