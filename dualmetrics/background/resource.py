"""The resource that the metrics describe. The whole group has one."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from dualmetrics.config.settings import Settings
from dualmetrics.model.attributes import Attributes, AttributeValue

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource

_SERVICE_NAME = "service.name"
_INSTANCE_ID = "service.instance.id"

_SHARED_OF_PROCESS = ("process.executable.", "process.runtime.")
"""What all workers share of the attributes of a process. Others, such as its pid, change with the leader."""


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
            self._built = _frozen({**self._shared(), **self._configured(instance_id()).attributes})
        return self._built

    def _shared(self) -> dict[str, object]:
        """What the detectors have found that all processes of the group share.

        One detector reads the variables, also what the settings have ignored; they have the rest of it.
        """
        from opentelemetry.sdk.resources import OTELResourceDetector

        of_variables = OTELResourceDetector().detect().attributes
        found = self.detect().attributes.items()
        shared = {key: value for key, value in found if key not in of_variables and _is_shared(key)}
        return {_SERVICE_NAME: f"unknown_service:{os.path.basename(sys.executable)}", **shared}

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
        from opentelemetry.sdk.resources import Resource

        settings = self._settings
        configured = {_INSTANCE_ID: instance_id, **settings.resource_attributes}
        for name, value in (
            (_SERVICE_NAME, settings.service_name),
            ("service.version", settings.service_version),
            ("experiment", settings.experiment),
            ("variant", settings.variant),
            ("pipeline", settings.pipeline),
        ):
            if value:
                configured[name] = value
        return Resource(configured)


def _is_shared(key: str) -> bool:
    """Whether an attribute that a detector gives is the same in all processes of a group."""
    return not key.startswith("process.") or key.startswith(_SHARED_OF_PROCESS)


def _frozen(attributes: Mapping[str, object]) -> Attributes:
    return tuple(
        sorted(((key, _value(value)) for key, value in attributes.items()), key=lambda pair: pair[0])
    )


def _value(value: object) -> AttributeValue:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(value)
    return value if isinstance(value, (str, bool, int, float)) else str(value)
