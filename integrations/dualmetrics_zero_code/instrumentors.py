"""What ``opentelemetry-instrument`` finds: one instrumentor for each framework.

They are harmless where the framework is not installed, since each waits for the import of its framework.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from dualmetrics_zero_code.activation import activate, deactivate, enabled, silence
from dualmetrics_zero_code.frameworks import FRAMEWORKS

if TYPE_CHECKING:
    BaseInstrumentor = object
else:
    try:
        from opentelemetry.instrumentation.instrumentor import BaseInstrumentor
    except ImportError:  # nobody but that package asks for the entry points
        BaseInstrumentor = object


def silence_enabled() -> None:
    """Silence OpenTelemetry's metrics of the frameworks that ours record, before it makes any instrument.

    This is the entry point ``dualmetrics`` of the group ``opentelemetry_pre_instrument``.
    """
    for name in enabled():
        silence(name)


class FrameworkInstrumentor(BaseInstrumentor):
    """Has the apps of ``framework`` record."""

    framework = ""

    def instrumentation_dependencies(self) -> Collection[str]:
        """The versions of the framework that are supported."""
        return (FRAMEWORKS[self.framework].requirement,)

    def _instrument(self, **kwargs: Any) -> None:
        activate(self.framework)

    def _uninstrument(self, **kwargs: Any) -> None:
        deactivate(self.framework)


class AiohttpInstrumentor(FrameworkInstrumentor):
    """For aiohttp's server."""

    framework = "aiohttp"


class BottleInstrumentor(FrameworkInstrumentor):
    """For Bottle."""

    framework = "bottle"


class ConnexionInstrumentor(FrameworkInstrumentor):
    """For connexion."""

    framework = "connexion"


class DjangoInstrumentor(FrameworkInstrumentor):
    """For Django."""

    framework = "django"


class FalconInstrumentor(FrameworkInstrumentor):
    """For Falcon."""

    framework = "falcon"


class FlaskInstrumentor(FrameworkInstrumentor):
    """For Flask."""

    framework = "flask"


class LitestarInstrumentor(FrameworkInstrumentor):
    """For Litestar."""

    framework = "litestar"


class PyramidInstrumentor(FrameworkInstrumentor):
    """For Pyramid."""

    framework = "pyramid"


class QuartInstrumentor(FrameworkInstrumentor):
    """For Quart."""

    framework = "quart"


class StarletteInstrumentor(FrameworkInstrumentor):
    """For Starlette and FastAPI."""

    framework = "starlette"


class TornadoInstrumentor(FrameworkInstrumentor):
    """For Tornado."""

    framework = "tornado"
