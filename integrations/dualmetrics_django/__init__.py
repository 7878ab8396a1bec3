"""Metrics for Django: ``DualMetrics`` of the module ``wsgi`` or ``asgi`` is put around the application."""

try:
    import django  # noqa: F401 - only to say what to install
except ImportError as error:
    raise ImportError('dualmetrics_django needs Django: pip install "dualmetrics[django]"') from error
