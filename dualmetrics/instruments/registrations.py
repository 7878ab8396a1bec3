"""What is said about an instrument that is registered more than once, in different ways."""

from __future__ import annotations

from dualmetrics.model.descriptor import Descriptor, compatibility_key
from dualmetrics.runtime.errors import ErrorReporter

_CONFLICT = (
    "dualmetrics: the instrument %s of %s is registered again with another kind, unit or boundaries. Both "
    "are recorded, but an export may show only one of them. Give one of them another name"
)
_OTHER_SPELLING = (
    "dualmetrics: the instrument %s of %s was also registered as %s. Upper and lower case make no "
    "difference, so they are one. If you mean two, give one of them another name; otherwise, nothing need be "
    "done"
)
_OTHER_DESCRIPTION = (
    "dualmetrics: the instrument %s of %s is registered again with another description. The first one is "
    "used: %r. Use the same description everywhere"
)


class Registrations:
    """The instruments of one scope as they were first registered. Each difference is logged once."""

    def __init__(self, scope: str, errors: ErrorReporter) -> None:
        self._scope = scope
        self._errors = errors
        self._keys: dict[str, tuple[object, ...]] = {}
        self._spellings: dict[str, str] = {}
        self._descriptions: dict[tuple[object, ...], str] = {}

    def add(self, name: str, descriptor: Descriptor) -> None:
        """Compare a registration with the first one. ``name`` is spelled as the app gives it."""
        key = compatibility_key(descriptor)
        spelling = self._spellings.setdefault(descriptor.name, name)
        if spelling != name:
            self._log_once("spelling", name, _OTHER_SPELLING, spelling)
        if self._keys.setdefault(descriptor.name, key) != key:
            self._log_once("conflict", name, _CONFLICT)
        description = self._descriptions.setdefault((descriptor.name, *key), descriptor.description)
        if descriptor.description not in ("", description):
            self._log_once("description", name, _OTHER_DESCRIPTION, description)

    def _log_once(self, topic: str, name: str, message: str, *args: object) -> None:
        topic = f"{topic} {self._scope} {name.lower()}"
        self._errors.log_once(topic, message, name, self._scope, *args)
