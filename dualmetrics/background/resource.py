"""The resource that the metrics describe. The whole group has one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from dualmetrics.config.settings import Settings
from dualmetrics.model.attributes import Attributes, AttributeValue

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource

_INSTANCE_ID = "service.instance.id"


class GroupResource:
    """The attributes of OpenTelemetry's `Resource`, from its detectors, its variables and our settings."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._detected: Resource | None = None
        self._built: Attributes | None = None

    def detect(self) -> Resource:
        """Run the detectors, once. Each needs a thread, and an interpreter that exits starts none."""
        if self._detected is None:
            from opentelemetry.sdk.resources import Resource

            self._detected = Resource.create()
        return self._detected

    def attributes(self, instance_id: Callable[[], str]) -> Attributes:
        """The attributes, built at the first call. ``instance_id`` returns the id of the group."""
        if self._built is None:
            self._built = _frozen(self.detect().merge(self._configured(instance_id())).attributes)
        return self._built

    def with_target_info(self, target_info: Mapping[str, str], instance_id: Callable[[], str]) -> Attributes:
        """The attributes, and those labels of a registry's ``target_info`` that we do not have ourselves."""
        own = self.attributes(instance_id)
        labels = {key.replace(".", "_") for key, _ in own}
        others = {key: value for key, value in target_info.items() if key not in labels}
        return tuple(sorted({**others, **dict(own)}.items())) if others else own

    def _configured(self, instance_id: str) -> Resource:
        """The attributes from the settings.

        The SDK would give each process an instance id of its own. The group has one for all of its workers,
        unless the user sets another.
        """
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource

        settings = self._settings
        configured: dict[str, str] = dict(settings.resource_attributes)
        if _INSTANCE_ID not in OTELResourceDetector().detect().attributes:
            configured.setdefault(_INSTANCE_ID, instance_id)
        for name, value in (
            ("service.name", settings.service_name),
            ("service.version", settings.service_version),
            ("experiment", settings.experiment),
            ("variant", settings.variant),
            ("pipeline", settings.pipeline),
        ):
            if value:
                configured[name] = value
        return Resource(configured)


def _frozen(attributes: Mapping[str, object]) -> Attributes:
    return tuple(
        sorted(((key, _value(value)) for key, value in attributes.items()), key=lambda pair: pair[0])
    )


def _value(value: object) -> AttributeValue:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(value)
    return value if isinstance(value, (str, bool, int, float)) else str(value)
