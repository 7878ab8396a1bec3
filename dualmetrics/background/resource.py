"""The resource: what the metrics are of. One for the whole group."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from dualmetrics.config.settings import Settings
from dualmetrics.model.attributes import Attributes, AttributeValue

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource

INSTANCE = "service.instance.id"


class GroupResource:
    """The attributes of OpenTelemetry's `Resource`, with its detectors and variables, and ours."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._detected: Resource | None = None
        self._built: Attributes | None = None

    def detect(self) -> Resource:
        """Run the detectors, once. They have a thread each, and an interpreter that ends starts none."""
        if self._detected is None:
            from opentelemetry.sdk.resources import Resource

            self._detected = Resource.create()
        return self._detected

    def attributes(self, instance: Callable[[], str]) -> Attributes:
        """The same from the first call on. ``instance`` gives the id of the group."""
        if self._built is None:
            self._built = _frozen(self.detect().merge(self._given(instance())).attributes)
        return self._built

    def beside(self, told: Mapping[str, str], instance: Callable[[], str]) -> Attributes:
        """With what the labels of a registry's ``target_info`` tell, where that is not ours."""
        own = self.attributes(instance)
        labels = {key.replace(".", "_") for key, _ in own}
        others = {key: value for key, value in told.items() if key not in labels}
        return tuple(sorted({**others, **dict(own)}.items())) if others else own

    def _given(self, instance: str) -> Resource:
        """What the settings say.

        The SDK would give each process an instance id of its own; the group has one, unless the user says
        another.
        """
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource

        settings = self._settings
        given: dict[str, str] = dict(settings.resource_attributes)
        if INSTANCE not in OTELResourceDetector().detect().attributes:
            given.setdefault(INSTANCE, instance)
        for name, value in (
            ("service.name", settings.service_name),
            ("service.version", settings.service_version),
            ("experiment", settings.experiment),
            ("variant", settings.variant),
            ("pipeline", settings.pipeline),
        ):
            if value:
                given[name] = value
        return Resource(given)


def _frozen(attributes: Mapping[str, object]) -> Attributes:
    return tuple(
        sorted(((key, _value(value)) for key, value in attributes.items()), key=lambda pair: pair[0])
    )


def _value(value: object) -> AttributeValue:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(value)
    return value if isinstance(value, (str, bool, int, float)) else str(value)
