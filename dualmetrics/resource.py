"""The resource: what the metrics are of. One for the whole group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dualmetrics.settings import Settings
from dualmetrics.snapshot import Attributes, AttributeValue

INSTANCE = "service.instance.id"


def build_resource(settings: Settings, instance: str) -> Attributes:
    """The attributes of OpenTelemetry's `Resource`, with its detectors and variables, and ours.

    The SDK would give each process an instance id of its own; the group has one, ``instance``, unless the
    user says another.
    """
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource

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
    try:
        return _frozen(Resource.create(given).attributes)
    except RuntimeError:  # the interpreter ends, and gives no thread to the detectors
        detected = OTELResourceDetector().detect()
        return _frozen(Resource.get_empty().merge(detected).merge(Resource(given)).attributes)


def _frozen(attributes: Mapping[str, object]) -> Attributes:
    return tuple(
        sorted(((key, _value(value)) for key, value in attributes.items()), key=lambda pair: pair[0])
    )


def _value(value: object) -> AttributeValue:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(value)
    return value if isinstance(value, (str, bool, int, float)) else str(value)
