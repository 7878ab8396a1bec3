"""When a value of another library was last set."""

from __future__ import annotations


class GaugeTracker:
    """Remembers the last reading of one value that is overwritten: a gauge, an info or a state of an enum.

    Also of a total that is the same for all workers.
    """

    __slots__ = ("cells", "set_at")

    def __init__(self) -> None:
        self.cells: tuple[float, ...] = ()
        """The cells of the last reading (see `CellLayout.values`); empty before the first one."""
        self.set_at = 0.0
        """When it was seen to change, in seconds since the epoch."""
