"""The type of all numbers here: arrays of float64 whose first axis is the block."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.float64]


def merge_neighbors(blocks: Array) -> Array:
    """Add up each pair of neighboring blocks. An odd last block is added to the last pair."""
    starts = np.arange(0, len(blocks) - 1, 2)
    return np.add.reduceat(blocks, starts, axis=0)
