"""Checks the arguments with which an app creates an instrument."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import pairwise

_NAME = re.compile(r"[a-zA-Z][-_./a-zA-Z0-9]{0,254}")
_UNIT = re.compile(r"[\x00-\x7f]{0,63}")


def check_name(name: object) -> None:
    """Raise ValueError unless the metrics API specification allows ``name`` (*instrument name syntax*)."""
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        raise ValueError(
            f"instrument name {name!r}: it must begin with a letter, consist of letters, digits and _ . - /, "
            "and have at most 255 characters"
        )


def check_unit(unit: object, name: str) -> None:
    """Raise ValueError unless ``unit``, of the instrument ``name``, is allowed by the specification."""
    if not isinstance(unit, str) or _UNIT.fullmatch(unit) is None:
        raise ValueError(f"unit {unit!r} of {name}: at most 63 ASCII characters are allowed")


def check_bounds(bounds: Sequence[float], name: str) -> tuple[float, ...]:
    """Return bucket boundaries as floats. Raise ValueError unless they are finite and ascend."""
    checked = tuple(float(bound) for bound in bounds)
    if not all(map(math.isfinite, checked)) or any(low >= high for low, high in pairwise(checked)):
        raise ValueError(f"boundaries of {name}: {list(bounds)!r} must be finite numbers in ascending order")
    return checked
